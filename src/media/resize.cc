// For one axis, in -> out:  s = in/out,  S = max(1, s),  c = (i + 0.5) s,
//   w_j = max(0, 1 - |j - c + 0.5| / S),  j in [max(0, trunc(c-S+0.5)), min(in, trunc(c+S+0.5))),
// normalised to sum 1 and rounded to 16-bit fixed point, with as many bits after the point as the
// largest weight leaves, at most 22. Columns first, rounded to 8 bits, then rows; an axis that fits
// is left alone.
#include "media/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace gemma3n {
namespace {

constexpr int kMaxPrecision = 22;

// Which input samples make up each output sample, and in what parts.
struct Axis {
  int precision = 0;             // bits after the point
  int64_t taps = 0;              // weights kept for each output: even, unused ones are 0
  std::vector<int64_t> first;    // [out] first input sample
  std::vector<int64_t> end;      // [out] one past the last
  std::vector<int16_t> weights;  // [out, taps]

  const int16_t* of(int64_t i) const { return weights.data() + i * taps; }
};

Axis MakeAxis(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double support = std::max(1.0, scale), inverse = 1.0 / support;
  Axis axis;
  axis.taps = (static_cast<int64_t>(std::ceil(support)) * 2 + 2) / 2 * 2;
  std::vector<double> real(static_cast<size_t>(out * axis.taps));
  double largest = 0;
  for (int64_t i = 0; i < out; ++i) {
    const double centre = scale * (static_cast<double>(i) + 0.5);
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
    const auto end = std::min(in, static_cast<int64_t>(centre + support + 0.5));
    double* weights = real.data() + i * axis.taps;
    double sum = 0;
    for (int64_t j = first; j < end; ++j) {
      const double distance = (static_cast<double>(j) - centre + 0.5) * inverse;
      sum += weights[j - first] = std::max(0.0, 1.0 - std::abs(distance));
    }
    for (int64_t j = 0; j < end - first; ++j) {
      if (sum != 0) weights[j] /= sum;
      largest = std::max(largest, weights[j]);
    }
    axis.first.push_back(first);
    axis.end.push_back(end);
  }
  while (axis.precision < kMaxPrecision &&
         static_cast<int>(0.5 + largest * (1 << (axis.precision + 1))) < (1 << 15)) {
    ++axis.precision;
  }
  axis.weights.reserve(real.size());
  for (const double w : real) {
    axis.weights.push_back(static_cast<int16_t>(std::floor(w * (1 << axis.precision) + 0.5)));
  }
  return axis;
}

uint8_t Clamp(int32_t value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

// One row of RGB pixels to axis.first.size() pixels. Readable past the row's end: 6 bytes, and as
// many more as weights of 0 reach. Writable past the end of `to`: 1 byte.
void ResizeRow(const uint8_t* row, const Axis& axis, uint8_t* to) {
  const auto width = static_cast<int64_t>(axis.first.size());
  const int32_t half = 1 << (axis.precision - 1);
  for (int64_t x = 0; x < width; ++x, to += 3) {
    const int16_t* weights = axis.of(x);
    const uint8_t* from = row + axis.first[x] * 3;
    const int64_t count = axis.end[x] - axis.first[x];
#ifdef __SSE2__
    // Two pixels at a time: r r' g g' b b' as 16 bits, times w w'.
    __m128i sum = _mm_set1_epi32(half);
    for (int64_t j = 0; j < count; j += 2, from += 6) {
      int32_t pixel, next, pair;
      std::memcpy(&pixel, from, 4);
      std::memcpy(&next, from + 3, 4);
      std::memcpy(&pair, weights + j, 4);
      const __m128i both = _mm_unpacklo_epi8(_mm_cvtsi32_si128(pixel), _mm_cvtsi32_si128(next));
      sum = _mm_add_epi32(
          sum, _mm_madd_epi16(_mm_unpacklo_epi8(both, _mm_setzero_si128()), _mm_set1_epi32(pair)));
    }
    sum = _mm_sra_epi32(sum, _mm_cvtsi32_si128(axis.precision));
    sum = _mm_packs_epi32(sum, sum);
    const int32_t packed = _mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
    std::memcpy(to, &packed, 4);
#else
    int32_t sum[3] = {half, half, half};
    for (int64_t j = 0; j < count; ++j, from += 3) {
      for (int c = 0; c < 3; ++c) sum[c] += weights[j] * from[c];
    }
    for (int c = 0; c < 3; ++c) to[c] = Clamp(sum[c] >> axis.precision);
#endif
  }
}

// Rows of the picture with its columns resized, made when first asked for. Holds `kept` of them.
class Columns {
 public:
  Columns(const Image& image, int64_t width, int64_t kept)
      : image_(image), fits_(image.width == width), kept_(kept), bytes_(width * 3) {
    if (fits_) return;
    axis_ = MakeAxis(image.width, width);
    padded_.resize(static_cast<size_t>((image.width + axis_.taps) * 3 + 8));
    rows_.resize(static_cast<size_t>(bytes_ * kept + 1));
  }

  // Makes the rows before `end`. Of these, the last `kept` stay.
  void Prepare(int64_t end) {
    for (; !fits_ && next_ < end; ++next_) {
      std::memcpy(padded_.data(), image_.rgb.data() + next_ * image_.width * 3,
                  static_cast<size_t>(image_.width * 3));
      // The row's last write goes one byte beyond it: keep what stands there.
      uint8_t* to = rows_.data() + next_ % kept_ * bytes_;
      const uint8_t beyond = to[bytes_];
      ResizeRow(padded_.data(), axis_, to);
      to[bytes_] = beyond;
    }
  }

  const uint8_t* Row(int64_t y) const {
    return fits_ ? image_.rgb.data() + y * bytes_ : rows_.data() + y % kept_ * bytes_;
  }

 private:
  const Image& image_;
  bool fits_;
  int64_t kept_, bytes_, next_ = 0;
  Axis axis_;
  std::vector<uint8_t> padded_, rows_;
};

}  // namespace

Image ResizeBilinear(const Image& image, int64_t width, int64_t height) {
  Image out{width, height, {}};
  const int64_t bytes = width * 3;
  out.rgb.resize(static_cast<size_t>(bytes * height));
  const bool fits = image.height == height;
  const Axis axis = fits ? Axis{} : MakeAxis(image.height, height);
  Columns columns(image, width, std::max<int64_t>(axis.taps, 1));
  for (int64_t y = 0; y < height; ++y) {
    uint8_t* to = out.rgb.data() + y * bytes;
    if (fits) {
      columns.Prepare(y + 1);
      std::memcpy(to, columns.Row(y), static_cast<size_t>(bytes));
      continue;
    }
    const int64_t first = axis.first[y], end = axis.end[y];
    columns.Prepare(end);
    const int16_t* weights = axis.of(y);
    constexpr int64_t kBlock = 512;  // samples whose sums stay in the nearest cache
    std::array<int32_t, kBlock> sums;
    for (int64_t start = 0; start < bytes; start += kBlock) {
      const int64_t n = std::min(kBlock, bytes - start);
      std::fill_n(sums.begin(), n, 1 << (axis.precision - 1));
      for (int64_t j = first; j < end; ++j) {
        const uint8_t* row = columns.Row(j) + start;
        const int16_t weight = weights[j - first];
        for (int64_t i = 0; i < n; ++i) sums[i] += weight * int16_t{row[i]};
      }
      for (int64_t i = 0; i < n; ++i) to[start + i] = Clamp(sums[i] >> axis.precision);
    }
  }
  return out;
}

}  // namespace gemma3n
