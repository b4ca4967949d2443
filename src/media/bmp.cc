// BMP through stb_image. stb reads past a file's end as zeros, knows some headers only, misreads
// OS/2 palettes and takes what a palette lacks from the stack. So the header is read here, and stb
// gets the same pixels under a plain one.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "media/image_decoders.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_ASSERT(condition) ((void)0)  // nothing here may abort
#include <stb/stb_image.h>

namespace gemma3n {
namespace {

constexpr char kFormat[] = "BMP";
constexpr uint32_t kFileHeader = 14, kOldHeader = 12, kHeader = 40, kMaskHeader = 108;
constexpr uint32_t kNoCompression = 0, kBitFields = 3;

struct Header {
  int64_t width = 0, height = 0;
  bool top_down = false;
  uint32_t bits = 0;  // per pixel
  uint32_t compression = 0;
  std::array<uint32_t, 4> masks{};   // of red, green, blue, alpha, where compression is kBitFields
  std::span<const uint8_t> palette;  // blue, green, red, and a fourth byte but in the old header
  uint32_t palette_entry = 4;        // bytes
  std::span<const uint8_t> pixels;
};

// Little-endian number of `count` bytes. Precondition: it is in the file.
uint32_t Read(const ImageFile& file, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | file.data()[at + i];
  return value;
}

Status ReadFields(const ImageFile& file, uint32_t size, Header& h) {
  if (size == kOldHeader) {
    h.width = Read(file, 18, 2);
    h.height = Read(file, 20, 2);
    h.bits = Read(file, 24, 2);
    h.palette_entry = 3;
    return OkStatus();
  }
  if (size < kHeader) return file.Corrupt(kFormat, "header of unknown size");
  const int64_t height = static_cast<int32_t>(Read(file, 22, 4));
  h.width = static_cast<int32_t>(Read(file, 18, 4));
  h.height = std::abs(height);
  h.top_down = height < 0;
  h.bits = Read(file, 28, 2);
  h.compression = Read(file, 30, 4);
  if (h.compression != kNoCompression && h.compression != kBitFields) {
    return Error(StatusCode::kUnsupported, "{}: BMP picture of compression {}, expected none",
                 file.name, h.compression);
  }
  if (h.compression == kBitFields) {
    // Behind the short header, or part of a long one.
    const size_t start = kFileHeader + kHeader, masks = size >= 56 ? 4 : 3;
    if (file.bytes.size() < start + masks * 4) return file.Truncated(kFormat);
    for (size_t i = 0; i < masks; ++i) h.masks[i] = Read(file, start + i * 4, 4);
  }
  return OkStatus();
}

Result<Header> ReadHeader(const ImageFile& file) {
  if (file.bytes.size() < kFileHeader + kOldHeader) return file.Truncated(kFormat);
  const uint32_t offset = Read(file, 10, 4), size = Read(file, 14, 4);
  if (file.bytes.size() - kFileHeader < size) return file.Truncated(kFormat);
  Header h;
  G3N_RETURN_IF_ERROR(ReadFields(file, size, h));
  G3N_RETURN_IF_ERROR(CheckImageSize(file, h.width, h.height));
  constexpr uint32_t kBits[] = {1, 4, 8, 16, 24, 32};
  if (std::find(std::begin(kBits), std::end(kBits), h.bits) == std::end(kBits)) {
    return Error(StatusCode::kUnsupported,
                 "{}: BMP picture of {} bits a pixel, expected 1, 4, 8, 16, 24 or 32", file.name,
                 h.bits);
  }
  const uint64_t stride = (static_cast<uint64_t>(h.width) * h.bits + 31) / 32 * 4;
  const uint64_t length = stride * static_cast<uint64_t>(h.height);
  if (offset + length > file.bytes.size()) return file.Truncated(kFormat);
  constexpr uint64_t kMost = uint64_t{1} << 30;  // stb counts in int
  if (length > kMost) {
    return Error(StatusCode::kResourceExhausted, "{}: BMP pixels of {} bytes, the limit is {}",
                 file.name, length, kMost);
  }
  h.pixels = {file.data() + offset, length};
  if (h.bits <= 8) {
    const uint32_t start = kFileHeader + size;
    const uint32_t room = offset < start ? 0 : offset - start;
    h.palette = {file.data() + start, std::min(room, h.palette_entry << h.bits)};
  }
  return h;
}

// The picture as a file that stb reads: the plainest header, and a whole palette, black where the
// file has none.
std::vector<uint8_t> PlainFile(const Header& h) {
  const bool masked = h.compression == kBitFields;
  const uint32_t size = masked ? kMaskHeader : kHeader;
  const uint32_t entries = h.bits <= 8 ? 1u << h.bits : 0;
  const uint32_t offset = kFileHeader + size + entries * 4;
  std::vector<uint8_t> out(offset);
  const auto put = [&](size_t at, size_t count, uint32_t value) {
    for (size_t i = 0; i < count; ++i) out[at + i] = static_cast<uint8_t>(value >> (8 * i));
  };
  out[0] = 'B', out[1] = 'M';
  put(10, 4, offset);
  put(14, 4, size);
  put(18, 4, static_cast<uint32_t>(h.width));
  put(22, 4, static_cast<uint32_t>(h.top_down ? -h.height : h.height));
  put(26, 2, 1);
  put(28, 2, h.bits);
  put(30, 4, h.compression);
  for (size_t i = 0; masked && i < h.masks.size(); ++i) {
    put(kFileHeader + kHeader + i * 4, 4, h.masks[i]);
  }
  for (size_t i = 0; i < h.palette.size() / h.palette_entry; ++i) {
    std::copy_n(&h.palette[i * h.palette_entry], 3, &out[kFileHeader + kHeader + i * 4]);
  }
  out.insert(out.end(), h.pixels.begin(), h.pixels.end());
  return out;
}

// stb fills 8 bits by repeating the 5 or 6 that are stored, Pillow by scaling them.
void ScaleLikePillow(const Header& h, std::span<uint8_t> rgb) {
  const bool six_bit_green = h.masks[0] == 0xf800 && h.masks[1] == 0x7e0;
  if (h.compression == kBitFields && !six_bit_green && h.masks[1] != 0x3e0) return;
  for (size_t i = 0; i < rgb.size(); ++i) {
    const bool six = six_bit_green && i % 3 == 1;
    rgb[i] = static_cast<uint8_t>(six ? (rgb[i] >> 2) * 255 / 63 : (rgb[i] >> 3) * 255 / 31);
  }
}

}  // namespace

Result<Image> DecodeBmp(const ImageFile& file) {
  G3N_ASSIGN_OR_RETURN(const Header header, ReadHeader(file));
  const std::vector<uint8_t> plain = PlainFile(header);
  const int channels = header.masks[3] != 0 ? 4 : 3;  // alpha without a mask is no alpha
  int width = 0, height = 0, stored_channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(plain.data(), static_cast<int>(plain.size()), &width, &height,
                            &stored_channels, channels),
      stbi_image_free);
  if (pixels == nullptr) return file.Corrupt(kFormat, stbi_failure_reason());
  Image image = MakeImage(width, height);
  if (channels == 3) {
    std::copy_n(pixels.get(), image.rgb.size(), image.rgb.data());
    if (header.bits == 16) ScaleLikePillow(header, image.rgb);
  } else {
    const stbi_uc* from = pixels.get();
    for (size_t i = 0; i < image.rgb.size(); i += 3, from += 4) {
      PutOnWhite(from, from[3], &image.rgb[i]);
    }
  }
  return image;
}

}  // namespace gemma3n
