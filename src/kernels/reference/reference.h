// The scalar table: complete, plain C++, the truth that the other tables are tested against and
// fall back to.
#pragma once

#include "kernels/few_rows.h"
#include "kernels/kernel_table.h"
#include "kernels/packed.h"

namespace gemma3n::reference {

extern const KernelTable kTable;
extern const PackedKernels kBFloat16, kInt8;
extern const FewRowsKernels kFewRows;

void CoarseEncode(const float* w, int64_t cols, float inverse_step, std::byte* levels,
                  float* centred);
void CoarseMultiply(const std::byte* levels, int64_t cols, int64_t begin, int64_t end,
                    const int8_t* x, int64_t count, const View& y);

// Defined for every DType.
template <DType kType>
void Dequantize(const std::byte* src, float* dst, int64_t n);
template <DType kType>
void Linear(const Matrix& w, int64_t row_begin, int64_t row_end, const ConstView& x, const View& y);

void Columns(const ColumnMatrix& w, int64_t row_begin, int64_t row_end, const int32_t* list,
             const float* x, int64_t count, float* y);
int64_t Compress(const float* x, int64_t n, float* values, uint8_t* columns);
void AddSparse(const float* w, const SparseBlock& at, const float* values, float* y);
void RmsNorm(const float* x, const float* w, float* y, int64_t n, float eps);
void RmsNormGelu(const float* x, const float* w, float* y, int64_t n, float eps);
float Dot(const float* a, const float* b, int64_t n);
float SumSquares(const float* x, int64_t n);
void Add(const float* x, float* y, int64_t n);
void Axpy(float a, const float* x, float* y, int64_t n);
void Mix(const float* coefs, int64_t count, const float* const* x, float* const* y, int64_t n);
void Correct(const float* coefs, int64_t count, int64_t active, const float* x, float* const* y,
             int64_t n);
void Scale(float a, float* y, int64_t n);
void Mul(const float* x, float* y, int64_t n);
void GeluMul(const float* g, const float* u, float* y, int64_t n);
void SigmoidMul(const float* a, const float* b, float* y, int64_t n);
void MulAdd(const float* a, const float* b, float* y, int64_t n);
void Softmax(float* x, int64_t n);
void Softcap(float* x, int64_t n, float cap);
void GaussianTopk(float* x, int64_t n, float z);
void Rope(float* x, const float* cos, const float* sin, int64_t n);
void AttentionScores(const float* q, int64_t q_stride, int64_t heads, const float* k, int64_t keys,
                     int64_t head_dim, float* scores, int64_t stride);
void AttentionValues(const float* p, int64_t stride, int64_t heads, const float* v, int64_t keys,
                     int64_t head_dim, float* out, int64_t out_stride);
float Exponentials(float* x, int64_t n, float* max);
void Blend(float a, float* y, float b, const float* x, int64_t n);
void StoreF16(const float* x, std::byte* row, int64_t n);
void StoreQ8_0(const float* x, std::byte* row, int64_t n);
void DepthwiseRow(const DepthwiseArgs& args);

}  // namespace gemma3n::reference
