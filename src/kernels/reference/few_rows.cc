// Few rows: x rounded to what its planes hold, then the product in float32.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/few_rows.h"
#include "kernels/half.h"
#include "kernels/reference/reference.h"

namespace gemma3n::reference {
namespace {

void Pack(const float* x, int64_t cols, std::byte* packed) {
  auto* rounded = reinterpret_cast<float*>(packed);
  for (int64_t c = 0; c < cols; c += kPlaneBlock) {
    uint32_t bits = 0;
    for (int64_t i = c; i < c + kPlaneBlock; ++i) {
      bits = std::max(bits, FloatToBits(x[i]) & 0x7fffffff);
    }
    const float largest = BitsToFloat(bits), scale = largest / kPlaneMaximum;
    for (int64_t i = c; i < c + kPlaneBlock; ++i) {
      if (!std::isfinite(largest)) {
        rounded[i] = std::numeric_limits<float>::quiet_NaN();
      } else {
        rounded[i] =
            bits < kPlaneSmallest ? 0 : scale * std::nearbyint(x[i] * (kPlaneMaximum / largest));
      }
    }
  }
}

template <DType kType>
void Multiply(const Matrix& w, const RowRange& rows, const PlaneRows& x, const View& y) {
  const ConstView rounded(reinterpret_cast<const float*>(x.data), x.count, w.cols,
                          x.stride / static_cast<int64_t>(sizeof(float)));
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    Linear<kType>(w, rows[i], rows[i] + 1, rounded, y);
  }
}

template <DType kType>
constexpr FewRowsKernel kKernel = {kPlaneBlock, kPlaneBlock * sizeof(float), Pack, Multiply<kType>};

constexpr FewRowsKernels MakeKernels() {
  FewRowsKernels kernels = {};
  kernels.of[static_cast<int>(DType::kQ4_0)] = kKernel<DType::kQ4_0>;
  kernels.of[static_cast<int>(DType::kQ8_0)] = kKernel<DType::kQ8_0>;
  kernels.of[static_cast<int>(DType::kQ4_K)] = kKernel<DType::kQ4_K>;
  kernels.of[static_cast<int>(DType::kQ5_K)] = kKernel<DType::kQ5_K>;
  kernels.of[static_cast<int>(DType::kQ6_K)] = kKernel<DType::kQ6_K>;
  kernels.of[static_cast<int>(DType::kIQ4_NL)] = kKernel<DType::kIQ4_NL>;
  kernels.of[static_cast<int>(DType::kIQ4_XS)] = kKernel<DType::kIQ4_XS>;
  kernels.coarse = {CoarseEncode, CoarseMultiply};
  return kernels;
}

}  // namespace

constinit const FewRowsKernels kFewRows = MakeKernels();

}  // namespace gemma3n::reference
