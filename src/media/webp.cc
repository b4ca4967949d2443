// WebP through libwebp: a still picture, or the first frame of an animation on its canvas.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "media/image_decoders.h"
#include "media/orientation.h"

namespace gemma3n {
namespace {

constexpr char kFormat[] = "WebP";

struct Deleter {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

std::string_view Chunk(const WebPDemuxer* demuxer, const char* fourcc) {
  WebPChunkIterator chunk{};
  std::string_view bytes;  // of the file: nothing is copied
  if (WebPDemuxGetChunk(demuxer, fourcc, 1, &chunk)) {
    bytes = {reinterpret_cast<const char*>(chunk.chunk.bytes), chunk.chunk.size};
  }
  WebPDemuxReleaseChunkIterator(&chunk);
  return bytes;
}

std::optional<int> Orientation(const WebPDemuxer* demuxer) {
  const auto in_exif = ExifOrientation(std::as_bytes(std::span(Chunk(demuxer, "EXIF"))));
  return in_exif ? in_exif : XmpOrientation(Chunk(demuxer, "XMP "));
}

Status DecodeFrame(const ImageFile& file, const WebPData& data, WEBP_CSP_MODE mode, uint8_t* out,
                   size_t stride, size_t size) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) {
    return Error(StatusCode::kInternal, "libwebp is of another version than its headers");
  }
  config.output.colorspace = mode;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {out, static_cast<int>(stride), size};
  switch (WebPDecode(data.bytes, data.size, &config)) {
    case VP8_STATUS_OK:
      return OkStatus();
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return file.Truncated(kFormat);
    case VP8_STATUS_OUT_OF_MEMORY:
      throw std::bad_alloc();
    default:
      return file.Corrupt(kFormat, "its data cannot be decoded");
  }
}

}  // namespace

Result<Image> DecodeWebp(const ImageFile& file) {
  const WebPData data = {file.data(), file.bytes.size()};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  const std::unique_ptr<WebPDemuxer, Deleter> demuxer(WebPDemuxPartial(&data, &state));
  if (state == WEBP_DEMUX_PARSING_HEADER || state == WEBP_DEMUX_PARSED_HEADER) {
    return file.Truncated(kFormat);
  }
  if (demuxer == nullptr || state != WEBP_DEMUX_DONE) {
    return file.Corrupt(kFormat, "its chunks do not fit together");
  }
  const int64_t width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  const int64_t height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  G3N_RETURN_IF_ERROR(CheckImageSize(file, width, height));
  WebPIterator frame{};
  const std::unique_ptr<WebPIterator, void (*)(WebPIterator*)> release(&frame,
                                                                       WebPDemuxReleaseIterator);
  if (!WebPDemuxGetFrame(demuxer.get(), 1, &frame) || !frame.complete) {
    return file.Corrupt(kFormat, "no complete frame");
  }
  if (frame.x_offset < 0 || frame.y_offset < 0 || frame.width <= 0 || frame.height <= 0 ||
      frame.x_offset + frame.width > width || frame.y_offset + frame.height > height) {
    return file.Corrupt(kFormat, "its frame reaches over the canvas");
  }
  Image image = MakeImage(width, height);
  const auto stride = static_cast<size_t>(width * 3);
  uint8_t* corner = image.rgb.data() + (frame.y_offset * width + frame.x_offset) * 3;
  if ((WebPDemuxGetI(demuxer.get(), WEBP_FF_FORMAT_FLAGS) & ALPHA_FLAG) == 0) {
    const auto room = static_cast<size_t>(image.rgb.data() + image.rgb.size() - corner);
    G3N_RETURN_IF_ERROR(DecodeFrame(file, frame.fragment, MODE_RGB, corner, stride, room));
  } else {
    std::fill(image.rgb.begin(), image.rgb.end(), uint8_t{255});  // around the frame: transparent
    const auto row_bytes = static_cast<size_t>(frame.width) * 4;
    std::vector<uint8_t> rgba(row_bytes * static_cast<size_t>(frame.height));
    G3N_RETURN_IF_ERROR(
        DecodeFrame(file, frame.fragment, MODE_RGBA, rgba.data(), row_bytes, rgba.size()));
    const uint8_t* from = rgba.data();
    for (int y = 0; y < frame.height; ++y, corner += stride) {
      for (int x = 0; x < frame.width; ++x, from += 4) PutOnWhite(from, from[3], corner + x * 3);
    }
  }
  return Upright(std::move(image), Orientation(demuxer.get()));
}

}  // namespace gemma3n
