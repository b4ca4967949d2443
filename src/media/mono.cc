#include "media/mono.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace gemma3n {
namespace {

// 24 dB above full scale: far enough for any real overshoot, and the resampler stays finite.
constexpr double kLoudest = 16;

template <typename T>
double Value(T sample) {
  if constexpr (std::is_same_v<T, uint8_t>) return (sample - 128) / 128.0;
  if constexpr (std::is_floating_point_v<T>)
    return std::isfinite(sample) ? std::clamp<double>(sample, -kLoudest, kLoudest) : 0;
  return std::ldexp(static_cast<double>(sample), 1 - static_cast<int>(8 * sizeof(T)));
}

template <typename T>
bool Append(const AVFrame& frame, bool planar, std::vector<float>* out) {
  const int channels = frame.ch_layout.nb_channels;
  const size_t start = out->size();
  const auto count = static_cast<size_t>(frame.nb_samples);
  out->resize(start + count);
  const T* interleaved = reinterpret_cast<const T*>(frame.extended_data[0]);
  for (size_t i = 0; i < count; ++i) {
    double sum = 0;
    for (int c = 0; c < channels; ++c) {
      sum +=
          Value(planar ? reinterpret_cast<const T*>(frame.extended_data[c])[i]
                       : interleaved[i * static_cast<size_t>(channels) + static_cast<size_t>(c)]);
    }
    (*out)[start + i] = static_cast<float>(sum / channels);
  }
  return true;
}

}  // namespace

bool AppendMono(const AVFrame& frame, std::vector<float>* out) {
  const auto format = static_cast<AVSampleFormat>(frame.format);
  const bool planar = av_sample_fmt_is_planar(format) != 0;
  switch (av_get_packed_sample_fmt(format)) {
    case AV_SAMPLE_FMT_U8:
      return Append<uint8_t>(frame, planar, out);
    case AV_SAMPLE_FMT_S16:
      return Append<int16_t>(frame, planar, out);
    case AV_SAMPLE_FMT_S32:
      return Append<int32_t>(frame, planar, out);
    case AV_SAMPLE_FMT_S64:
      return Append<int64_t>(frame, planar, out);
    case AV_SAMPLE_FMT_FLT:
      return Append<float>(frame, planar, out);
    case AV_SAMPLE_FMT_DBL:
      return Append<double>(frame, planar, out);
    default:
      return false;
  }
}

}  // namespace gemma3n
