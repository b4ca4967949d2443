#include "media/frame_to_image.h"

#include <cstdlib>
#include <utility>

namespace gemma3n {
namespace {

constexpr int kFlags =
    SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;

// The formats with "J" in their names are the others with full range.
std::pair<AVPixelFormat, bool> WithoutRange(AVPixelFormat format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P:
      return {AV_PIX_FMT_YUV420P, true};
    case AV_PIX_FMT_YUVJ411P:
      return {AV_PIX_FMT_YUV411P, true};
    case AV_PIX_FMT_YUVJ422P:
      return {AV_PIX_FMT_YUV422P, true};
    case AV_PIX_FMT_YUVJ440P:
      return {AV_PIX_FMT_YUV440P, true};
    case AV_PIX_FMT_YUVJ444P:
      return {AV_PIX_FMT_YUV444P, true};
    default:
      return {format, false};
  }
}

}  // namespace

Orientation Orientation::FromDisplayMatrix(const int32_t* matrix) {
  // Row vectors: (x, y, 1) M, so column 0 gives x' and column 1 gives y'.
  const int64_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  const auto sign = [](int64_t v) { return v > 0 ? 1 : -1; };
  if (std::abs(a) > std::abs(b) && std::abs(d) > std::abs(c)) return {sign(a), 0, 0, sign(d)};
  if (std::abs(b) > std::abs(a) && std::abs(c) > std::abs(d)) return {0, sign(c), sign(b), 0};
  return {};
}

Image Oriented(Image image, const Orientation& o) {
  if (o == Orientation{}) return image;
  Image out;
  out.width = o.xx != 0 ? image.width : image.height;
  out.height = o.xx != 0 ? image.height : image.width;
  out.rgb.resize(image.rgb.size());
  // Negative coordinates count from the other edge.
  const int64_t x0 = o.xx + o.xy < 0 ? out.width - 1 : 0;
  const int64_t y0 = o.yx + o.yy < 0 ? out.height - 1 : 0;
  const uint8_t* from = image.rgb.data();
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x, from += 3) {
      const int64_t to_x = x0 + o.xx * x + o.xy * y, to_y = y0 + o.yx * x + o.yy * y;
      uint8_t* to = out.rgb.data() + (to_y * out.width + to_x) * 3;
      to[0] = from[0], to[1] = from[1], to[2] = from[2];
    }
  }
  return out;
}

Status FrameConverter::Prepare(const Source& source) {
  if (scaler_ != nullptr && source == source_) return OkStatus();
  const auto format = static_cast<AVPixelFormat>(source.format);
  if (sws_isSupportedInput(format) == 0)
    return Error(StatusCode::kUnsupported, "found pixels in the format {}, which cannot become RGB",
                 av_get_pix_fmt_name(format) != nullptr ? av_get_pix_fmt_name(format) : "unknown");
  scaler_.reset(sws_getContext(source.width, source.height, format, source.width, source.height,
                               AV_PIX_FMT_RGB24, kFlags, nullptr, nullptr, nullptr));
  if (scaler_ == nullptr)
    return Error(StatusCode::kResourceExhausted, "cannot convert a frame of {} x {} pixels to RGB",
                 source.width, source.height);
  // Fails where source and target are both RGB, and there is nothing to set then.
  const int* matrix = sws_getCoefficients(source.matrix);
  sws_setColorspaceDetails(scaler_.get(), matrix, source.full_range ? 1 : 0, matrix, 1, 0, 1 << 16,
                           1 << 16);
  source_ = source;
  return OkStatus();
}

Result<Image> FrameConverter::Convert(const AVFrame& frame) {
  const auto [format, full] = WithoutRange(static_cast<AVPixelFormat>(frame.format));
  Source source{frame.width, frame.height, format, frame.colorspace,
                full || frame.color_range == AVCOL_RANGE_JPEG};
  if (source.matrix == AVCOL_SPC_UNSPECIFIED) source.matrix = SWS_CS_DEFAULT;
  G3N_RETURN_IF_ERROR(Prepare(source));
  // libswscale writes whole vectors: rows get room behind them.
  Image image{frame.width, frame.height, {}};
  const int stride = (3 * frame.width + 63) / 64 * 64;
  std::vector<uint8_t> padded(static_cast<size_t>(stride) * static_cast<size_t>(frame.height) + 64);
  uint8_t* const planes[4] = {padded.data(), nullptr, nullptr, nullptr};
  const int strides[4] = {stride, 0, 0, 0};
  const int rows =
      sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, planes, strides);
  if (rows != frame.height)
    return Error(StatusCode::kUnsupported, "a frame of {} x {} pixels cannot become RGB",
                 frame.width, frame.height);
  image.rgb.reserve(static_cast<size_t>(3 * image.width * image.height));
  for (int y = 0; y < frame.height; ++y) {
    const uint8_t* row = padded.data() + static_cast<ptrdiff_t>(y) * stride;
    image.rgb.insert(image.rgb.end(), row, row + static_cast<ptrdiff_t>(3) * frame.width);
  }
  const AVFrameSideData* turn = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX);
  const bool own = turn != nullptr && turn->size >= 9 * sizeof(int32_t);
  return Oriented(std::move(image),
                  own ? Orientation::FromDisplayMatrix(reinterpret_cast<const int32_t*>(turn->data))
                      : orientation_);
}

}  // namespace gemma3n
