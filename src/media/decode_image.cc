#include "media/decode_image.h"

#include <new>
#include <optional>
#include <string_view>

#include "media/image_decoders.h"
#include "media/source.h"

namespace gemma3n {
namespace {

using Decoder = Result<Image> (*)(const ImageFile&);

struct Signature {
  size_t offset;
  std::string_view magic;
  const char* format;
  Decoder decoder;  // null: a kind of picture that is recognised, but not read
};

using namespace std::string_view_literals;

constexpr Signature kSignatures[] = {
    {0, "\xff\xd8\xff"sv, "JPEG", DecodeJpeg},
    {0, "\x89PNG\r\n\x1a\n"sv, "PNG", DecodePng},
    {8, "WEBP"sv, "WebP", DecodeWebp},
    {0, "GIF87a"sv, "GIF", DecodeGif},
    {0, "GIF89a"sv, "GIF", DecodeGif},
    {0, "BM"sv, "BMP", DecodeBmp},
    {4, "ftypavif"sv, "AVIF", nullptr},
    {4, "ftyphei"sv, "HEIC", nullptr},
    {4, "ftypmif1"sv, "HEIC", nullptr},
    {0, "II*\0"sv, "TIFF", nullptr},
    {0, "MM\0*"sv, "TIFF", nullptr},
    {0, "\0\0\0\x0cJXL "sv, "JPEG XL", nullptr},
    {0, "%PDF"sv, "PDF", nullptr},
    {0, "<svg"sv, "SVG", nullptr},
};

const Signature* FindSignature(std::string_view bytes) {
  for (const auto& signature : kSignatures) {
    if (bytes.size() >= signature.offset &&
        bytes.substr(signature.offset).starts_with(signature.magic)) {
      return &signature;
    }
  }
  return nullptr;
}

}  // namespace

Status ImageFile::Truncated(const char* format) const {
  return Error(StatusCode::kCorruptFile, "{}: {} picture ends early, after {} bytes", name, format,
               bytes.size());
}

Status ImageFile::Corrupt(const char* format, const char* what) const {
  return Error(StatusCode::kCorruptFile, "{}: damaged {} picture ({})", name, format, what);
}

Status CheckImageSize(const ImageFile& file, int64_t width, int64_t height) {
  if (width <= 0 || height <= 0) {
    return Error(StatusCode::kCorruptFile, "{}: picture of {} x {} pixels, expected at least 1 x 1",
                 file.name, width, height);
  }
  const ImageLimits& limits = file.limits;
  if (width > limits.max_side || height > limits.max_side) {
    return Error(StatusCode::kResourceExhausted,
                 "{}: picture of {} x {} pixels, the limit is {} on a side", file.name, width,
                 height, limits.max_side);
  }
  if (width > limits.max_pixels / height) {
    return Error(StatusCode::kResourceExhausted,
                 "{}: picture of {} x {} = {} pixels, the limit is {} pixels", file.name, width,
                 height, width * height, limits.max_pixels);
  }
  return OkStatus();
}

Image MakeImage(int64_t width, int64_t height) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
}

Result<Image> DecodeImage(std::span<const std::byte> bytes, const std::string& name,
                          const ImageLimits& limits) {
  if (bytes.empty()) {
    return Error(StatusCode::kCorruptFile, "{}: empty, expected a picture", name);
  }
  if (bytes.size() > limits.max_file_bytes) {
    return Error(StatusCode::kResourceExhausted, "{}: {} bytes, the limit for a picture is {}",
                 name, bytes.size(), limits.max_file_bytes);
  }
  const Signature* signature =
      FindSignature({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (signature == nullptr || signature->decoder == nullptr) {
    return Error(StatusCode::kUnsupported, "{}: {}, expected JPEG, PNG, WebP, GIF or BMP", name,
                 signature == nullptr ? "no picture of a known kind" : signature->format);
  }
  try {
    return signature->decoder({bytes, name, limits});
  } catch (const std::bad_alloc&) {
    return Error(StatusCode::kResourceExhausted, "{}: no memory left to decode the {} picture",
                 name, signature->format);
  }
}

Result<Image> LoadImage(const std::string& source, const ImageLimits& limits) {
  G3N_ASSIGN_OR_RETURN(const auto bytes, ReadSource(source, limits.max_file_bytes));
  return DecodeImage(bytes, SourceName(source), limits);
}

}  // namespace gemma3n
