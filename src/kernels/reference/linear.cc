// y = W x for every stored dtype: a piece of a weight row to float32, then a float32 dot product.
#include <algorithm>

#include "kernels/reference/reference.h"

namespace gemma3n::reference {
namespace {

constexpr int64_t kPiece = 256;  // a multiple of every dtype's block

}  // namespace

template <DType kType>
void Linear(const Matrix& w, int64_t row_begin, int64_t row_end, const ConstView& x,
            const View& y) {
  float piece[kPiece];
  for (int64_t r = row_begin; r < row_end; ++r) {
    const std::byte* src = w.row(r);
    for (int64_t t = 0; t < x.rows; ++t) y.row(t)[r] = 0;
    for (int64_t c = 0; c < w.cols; c += kPiece) {
      const int64_t n = std::min(kPiece, w.cols - c);
      Dequantize<kType>(src, piece, n);
      src += RowBytes(kType, n);
      for (int64_t t = 0; t < x.rows; ++t) y.row(t)[r] += Dot(piece, x.row(t) + c, n);
    }
  }
}

template void Linear<DType::kF32>(const Matrix&, int64_t, int64_t, const ConstView&, const View&);
template void Linear<DType::kF16>(const Matrix&, int64_t, int64_t, const ConstView&, const View&);
template void Linear<DType::kBF16>(const Matrix&, int64_t, int64_t, const ConstView&, const View&);
template void Linear<DType::kQ8_0>(const Matrix&, int64_t, int64_t, const ConstView&, const View&);
template void Linear<DType::kQ4_0>(const Matrix&, int64_t, int64_t, const ConstView&, const View&);
template void Linear<DType::kQ4_1>(const Matrix&, int64_t, int64_t, const ConstView&, const View&);
template void Linear<DType::kQ5_0>(const Matrix&, int64_t, int64_t, const ConstView&, const View&);
template void Linear<DType::kQ5_1>(const Matrix&, int64_t, int64_t, const ConstView&, const View&);
template void Linear<DType::kQ4_K>(const Matrix&, int64_t, int64_t, const ConstView&, const View&);
template void Linear<DType::kQ5_K>(const Matrix&, int64_t, int64_t, const ConstView&, const View&);
template void Linear<DType::kQ6_K>(const Matrix&, int64_t, int64_t, const ConstView&, const View&);
template void Linear<DType::kIQ4_NL>(const Matrix&, int64_t, int64_t, const ConstView&,
                                     const View&);
template void Linear<DType::kIQ4_XS>(const Matrix&, int64_t, int64_t, const ConstView&,
                                     const View&);

}  // namespace gemma3n::reference
