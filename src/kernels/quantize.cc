// Q8_0 and Q4_0 follow the format's reference quantizer operation by operation: their bytes are the
// same. This file is built without fused multiply-add (-ffp-contract=off) so that they are on every
// processor.
#include "kernels/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/quantize_k.h"

namespace gemma3n {
namespace {

void StoreU16(uint16_t value, void* p) { std::memcpy(p, &value, sizeof(value)); }

// 1 / d, or 0 where that is not finite (an all-zero block, or one of subnormals): every quant is
// then zero.
float Inverse(float d) {
  const float inverse = 1.0f / d;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

void QuantizeF16(const float* src, std::byte* dst, int64_t n) {
  for (int64_t i = 0; i < n; ++i) StoreU16(FloatToHalf(src[i]), dst + 2 * i);
}

void QuantizeBF16(const float* src, std::byte* dst, int64_t n) {
  for (int64_t i = 0; i < n; ++i) StoreU16(FloatToBFloat16(src[i]), dst + 2 * i);
}

void QuantizeQ8_0(const float* x, BlockQ8_0* b) {
  float max = 0;
  for (int j = 0; j < 32; ++j) max = std::max(max, std::fabs(x[j]));
  const float d = max / 127.0f;
  const float inverse = Inverse(d);
  StoreU16(FloatToHalf(d), b->d);
  for (int j = 0; j < 32; ++j) b->qs[j] = static_cast<int8_t>(std::round(x[j] * inverse));
}

void QuantizeQ4_0(const float* x, BlockQ4_0* b) {
  float max = 0;  // the value of largest magnitude, with its sign: it becomes the level -8
  for (int j = 0; j < 32; ++j) {
    if (std::fabs(x[j]) > std::fabs(max)) max = x[j];
  }
  const float d = max / -8.0f;
  const float inverse = Inverse(d);
  StoreU16(FloatToHalf(d), b->d);
  const auto level = [&](float v) { return std::min(15, static_cast<int>(v * inverse + 8.5f)); };
  for (int j = 0; j < 16; ++j) {
    b->qs[j] = static_cast<uint8_t>(level(x[j]) | level(x[j + 16]) << 4);
  }
}

template <int kElements, typename Block>
void ForBlocks(void (*quantize)(const float*, Block*), const float* src, std::byte* dst,
               int64_t n) {
  auto* block = reinterpret_cast<Block*>(dst);
  for (int64_t i = 0; i < n; i += kElements) quantize(src + i, block++);
}

}  // namespace

bool CanQuantize(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kQ8_0:
    case DType::kQ4_0:
    case DType::kQ4_K:
    case DType::kQ6_K:
      return true;
    default:
      return false;
  }
}

void QuantizeRow(DType dtype, const float* src, std::byte* dst, int64_t n) {
  switch (dtype) {
    case DType::kF32:
      std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(float));
      return;
    case DType::kF16:
      return QuantizeF16(src, dst, n);
    case DType::kBF16:
      return QuantizeBF16(src, dst, n);
    case DType::kQ8_0:
      return ForBlocks<32>(QuantizeQ8_0, src, dst, n);
    case DType::kQ4_0:
      return ForBlocks<32>(QuantizeQ4_0, src, dst, n);
    case DType::kQ4_K:
      return ForBlocks<256>(QuantizeQ4_K, src, dst, n);
    case DType::kQ6_K:
      return ForBlocks<256>(QuantizeQ6_K, src, dst, n);
    default:
      return;
  }
}

}  // namespace gemma3n
