// Which way up a camera held its picture.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "media/image.h"

namespace gemma3n {

// EXIF's orientation, 1 to 8, where a value was found; a block that cannot be read has none. This
// one tag is all that is needed of EXIF, and libexif, the library for the rest, is LGPL.
// `exif` is a TIFF directory, after "Exif\0\0" or not.
std::optional<int> ExifOrientation(std::span<const std::byte> exif);

// tiff:Orientation of an XMP packet, which editors write too.
std::optional<int> XmpOrientation(std::string_view xmp);

// The picture upright: 1 as it is, 2 mirrored, 3 turned by 180 degrees, 4 flipped, 5 transposed,
// 6 to be turned clockwise, 7 transversed, 8 to be turned anticlockwise; anything else as it is.
Image Upright(Image image, std::optional<int> orientation);

}  // namespace gemma3n
