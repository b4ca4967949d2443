// The resize before the vision tower.
#pragma once

#include <cstdint>

#include "media/image.h"

namespace gemma3n {

// Bilinear with antialiasing, to exactly width x height whatever the aspect ratio, bit for bit as
// torchvision resizes 8-bit pictures (torch's upsample_bilinear2d_aa on uint8, which transformers'
// SiglipImageProcessor calls). Precondition: no side is zero.
Image ResizeBilinear(const Image& image, int64_t width, int64_t height);

}  // namespace gemma3n
