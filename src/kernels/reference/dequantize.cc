// Stored rows to float32. Each product of a half, a small scale and a few-bit number is exact in
// float32, so every table gives the same bits here, fused multiply-add or not.
#include <cstring>

#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/reference/reference.h"

namespace gemma3n::reference {
namespace {

float Half(const uint8_t* p) { return HalfToFloat(LoadU16(p)); }

// Calls decode(block, out) for each block of kElements values.
template <typename Block, int kElements, typename Decode>
void ForBlocks(const std::byte* src, float* dst, int64_t n, const Decode& decode) {
  const auto* block = reinterpret_cast<const Block*>(src);
  for (int64_t i = 0; i < n; i += kElements) decode(*block++, dst + i);
}

int Bit(const uint8_t* bits, int j) { return bits[j / 8] >> j % 8 & 1; }

}  // namespace

template <>
void Dequantize<DType::kF32>(const std::byte* src, float* dst, int64_t n) {
  std::memcpy(dst, src, n * sizeof(float));
}

template <>
void Dequantize<DType::kF16>(const std::byte* src, float* dst, int64_t n) {
  for (int64_t i = 0; i < n; ++i) dst[i] = HalfToFloat(LoadU16(src + 2 * i));
}

template <>
void Dequantize<DType::kBF16>(const std::byte* src, float* dst, int64_t n) {
  for (int64_t i = 0; i < n; ++i) dst[i] = BFloat16ToFloat(LoadU16(src + 2 * i));
}

template <>
void Dequantize<DType::kQ8_0>(const std::byte* src, float* dst, int64_t n) {
  ForBlocks<BlockQ8_0, 32>(src, dst, n, [](const BlockQ8_0& b, float* out) {
    const float d = Half(b.d);
    for (int j = 0; j < 32; ++j) out[j] = d * b.qs[j];
  });
}

template <>
void Dequantize<DType::kQ4_0>(const std::byte* src, float* dst, int64_t n) {
  ForBlocks<BlockQ4_0, 32>(src, dst, n, [](const BlockQ4_0& b, float* out) {
    const float d = Half(b.d);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * ((b.qs[j] & 15) - 8);
      out[j + 16] = d * ((b.qs[j] >> 4) - 8);
    }
  });
}

template <>
void Dequantize<DType::kQ4_1>(const std::byte* src, float* dst, int64_t n) {
  ForBlocks<BlockQ4_1, 32>(src, dst, n, [](const BlockQ4_1& b, float* out) {
    const float d = Half(b.d), m = Half(b.m);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * (b.qs[j] & 15) + m;
      out[j + 16] = d * (b.qs[j] >> 4) + m;
    }
  });
}

template <>
void Dequantize<DType::kQ5_0>(const std::byte* src, float* dst, int64_t n) {
  ForBlocks<BlockQ5_0, 32>(src, dst, n, [](const BlockQ5_0& b, float* out) {
    const float d = Half(b.d);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * ((b.qs[j] & 15) + 16 * Bit(b.qh, j) - 16);
      out[j + 16] = d * ((b.qs[j] >> 4) + 16 * Bit(b.qh, j + 16) - 16);
    }
  });
}

template <>
void Dequantize<DType::kQ5_1>(const std::byte* src, float* dst, int64_t n) {
  ForBlocks<BlockQ5_1, 32>(src, dst, n, [](const BlockQ5_1& b, float* out) {
    const float d = Half(b.d), m = Half(b.m);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * ((b.qs[j] & 15) + 16 * Bit(b.qh, j)) + m;
      out[j + 16] = d * ((b.qs[j] >> 4) + 16 * Bit(b.qh, j + 16)) + m;
    }
  });
}

template <>
void Dequantize<DType::kQ4_K>(const std::byte* src, float* dst, int64_t n) {
  ForBlocks<BlockQ4_K, 256>(src, dst, n, [](const BlockQ4_K& b, float* out) {
    for (int s = 0; s < 8; ++s) {
      int scale, min;
      UnpackScaleMin(b.scales, s, &scale, &min);
      const float d = Half(b.d) * scale, m = Half(b.dmin) * min;
      const uint8_t* qs = b.qs + 32 * (s / 2);
      for (int i = 0; i < 32; ++i) out[32 * s + i] = d * (qs[i] >> 4 * (s % 2) & 15) - m;
    }
  });
}

template <>
void Dequantize<DType::kQ5_K>(const std::byte* src, float* dst, int64_t n) {
  ForBlocks<BlockQ5_K, 256>(src, dst, n, [](const BlockQ5_K& b, float* out) {
    for (int s = 0; s < 8; ++s) {
      int scale, min;
      UnpackScaleMin(b.scales, s, &scale, &min);
      const float d = Half(b.d) * scale, m = Half(b.dmin) * min;
      const uint8_t* qs = b.qs + 32 * (s / 2);
      for (int i = 0; i < 32; ++i) {
        const int q = (qs[i] >> 4 * (s % 2) & 15) + 16 * (b.qh[i] >> s & 1);
        out[32 * s + i] = d * q - m;
      }
    }
  });
}

template <>
void Dequantize<DType::kQ6_K>(const std::byte* src, float* dst, int64_t n) {
  ForBlocks<BlockQ6_K, 256>(src, dst, n, [](const BlockQ6_K& b, float* out) {
    const float d = Half(b.d);
    for (int j = 0; j < 256; ++j) {
      const int half = j / 128, k = j % 128 / 32, i = j % 32;
      const int low = b.ql[64 * half + 32 * (k % 2) + i] >> 4 * (k / 2) & 15;
      const int high = b.qh[32 * half + i] >> 2 * k & 3;
      out[j] = d * b.scales[j / 16] * ((low | high << 4) - 32);
    }
  });
}

template <>
void Dequantize<DType::kIQ4_NL>(const std::byte* src, float* dst, int64_t n) {
  ForBlocks<BlockIQ4_NL, 32>(src, dst, n, [](const BlockIQ4_NL& b, float* out) {
    const float d = Half(b.d);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * kIQ4Values[b.qs[j] & 15];
      out[j + 16] = d * kIQ4Values[b.qs[j] >> 4];
    }
  });
}

template <>
void Dequantize<DType::kIQ4_XS>(const std::byte* src, float* dst, int64_t n) {
  ForBlocks<BlockIQ4_XS, 256>(src, dst, n, [](const BlockIQ4_XS& b, float* out) {
    for (int s = 0; s < 8; ++s) {
      const float d = Half(b.d) * UnpackScale(b, s);
      for (int j = 0; j < 16; ++j) {
        const uint8_t q = b.qs[16 * s + j];
        out[32 * s + j] = d * kIQ4Values[q & 15];
        out[32 * s + j + 16] = d * kIQ4Values[q >> 4];
      }
    }
  });
}

}  // namespace gemma3n::reference
