#include "media/orientation.h"

#include <cstdint>
#include <cstring>
#include <utility>

namespace gemma3n {
namespace {

// Numbers of a TIFF structure, in its byte order; 0 past its end.
class TiffReader {
 public:
  explicit TiffReader(std::string_view bytes)
      : bytes_(bytes), big_endian_(bytes.starts_with("MM")) {}

  uint32_t Read(uint64_t offset, int size) const {
    if (offset + static_cast<uint64_t>(size) > bytes_.size()) return 0;
    uint32_t value = 0;
    for (int i = 0; i < size; ++i) {
      const int at = big_endian_ ? i : size - 1 - i;
      value = value << 8 | static_cast<unsigned char>(bytes_[offset + static_cast<uint64_t>(at)]);
    }
    return value;
  }

 private:
  std::string_view bytes_;
  bool big_endian_;
};

}  // namespace

std::optional<int> ExifOrientation(std::span<const std::byte> exif) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  constexpr uint32_t kOrientation = 0x0112, kShort = 3;
  std::string_view bytes(reinterpret_cast<const char*>(exif.data()), exif.size());
  while (bytes.starts_with(kPrefix)) bytes.remove_prefix(kPrefix.size());
  if (!bytes.starts_with("II") && !bytes.starts_with("MM")) return std::nullopt;
  const TiffReader tiff(bytes);
  if (tiff.Read(2, 2) != 42) return std::nullopt;
  const uint64_t directory = tiff.Read(4, 4);  // of entries: tag, type, count, value
  const uint32_t entries = tiff.Read(directory, 2);
  for (uint32_t i = 0; i < entries; ++i) {
    const uint64_t entry = directory + 2 + uint64_t{12} * i;
    if (tiff.Read(entry, 2) != kOrientation) continue;
    if (tiff.Read(entry + 2, 2) != kShort || tiff.Read(entry + 4, 4) != 1) return std::nullopt;
    return static_cast<int>(tiff.Read(entry + 8, 2));
  }
  return std::nullopt;
}

std::optional<int> XmpOrientation(std::string_view xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (size_t at = xmp.find(kName); at != xmp.npos; at = xmp.find(kName, at + 1)) {
    std::string_view value = xmp.substr(at + kName.size());
    if (value.starts_with("=\"")) {
      value.remove_prefix(2);
    } else if (value.starts_with(">")) {
      value.remove_prefix(1);
    } else {
      continue;
    }
    if (!value.empty() && value[0] >= '0' && value[0] <= '9') return value[0] - '0';
  }
  return std::nullopt;
}

Image Upright(Image image, std::optional<int> orientation) {
  const int code = orientation.value_or(1);
  if (code < 2 || code > 8) return image;
  const int64_t width = image.width, height = image.height;
  const bool swapped = code >= 5;  // rows become columns
  const bool from_right = code == 2 || code == 3 || code == 7 || code == 8;
  const bool from_bottom = code == 3 || code == 4 || code == 6 || code == 7;
  Image out{swapped ? height : width, swapped ? width : height, {}};
  out.rgb.resize(image.rgb.size());
  // Steps through the stored picture while the upright one is written row by row.
  const int64_t x_step = from_right ? -3 : 3, y_step = (from_bottom ? -3 : 3) * width;
  const int64_t start =
      (from_right ? width - 1 : 0) * 3 + (from_bottom ? height - 1 : 0) * width * 3;
  const int64_t column_step = swapped ? y_step : x_step, row_step = swapped ? x_step : y_step;
  uint8_t* to = out.rgb.data();
  for (int64_t y = 0; y < out.height; ++y) {
    const uint8_t* from = image.rgb.data() + start + y * row_step;
    for (int64_t x = 0; x < out.width; ++x, to += 3) std::memcpy(to, from + x * column_step, 3);
  }
  return out;
}

}  // namespace gemma3n
