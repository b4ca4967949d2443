// The hot inner loops as one struct of function pointers per instruction set. Chosen once, passed by reference.
// Every function is single-threaded and works on the range it is given; ops.h splits work over threads.
// This header has no std containers: files built with wide instruction sets include it.
#pragma once

#include <cstdint>

#include "kernels/attention_kernels.h"
#include "kernels/column_layout.h"
#include "tensor/matrix.h"

namespace gemma3n {

struct PackedKernels;    // packed.h
struct FewRowsKernels;   // few_rows.h
struct ManyRowsKernels;  // many_rows.h
struct SampledKernels;   // sparse.h
struct SparseBlock;      // sparse.h

// One row of a depthwise convolution over a map that lies pixel by pixel, the channels of a pixel together.
struct DepthwiseArgs {
  const float* const* rows = nullptr;  // `kernel` rows of the input, [width, channels]; null: a row of zeros
  int64_t width = 0, channels = 0;
  const float* taps = nullptr;         // [kernel, kernel, channels]
  int64_t kernel = 0, stride = 1;
  int64_t pad = 0;                     // columns of zeros before the first; as many as it takes after the last
  float* out = nullptr;                // [out_width, channels], none of it in the input
  int64_t out_width = 0;
};

struct KernelTable {
  const char* name;  // "reference", "avx2", "avx512", ...

  const PackedKernels* float32;   // null where `linear` is as fast
  const PackedKernels* float32_parts;  // by bfloat16 parts, for a W whose rows are all tame; null where slower
  const PackedKernels* int8;
  const PackedKernels* bfloat16;  // null where no instruction multiplies bfloat16 faster than float32

  // Rounded products for few and for many rows of x; null where `linear` is as fast.
  const FewRowsKernels* few_rows;
  const ManyRowsKernels* many_rows;
  const ManyRowsKernels* several_rows;  // up to kSeveralRows, before many_rows
  const ManyRowsKernels* many_rows_float;  // of the types that many_rows does not offer, in float32; may be null
  // Rows that are mostly zeros: products at the places that are wanted, may be null; from how many rows of x on leaving
  // out the zeros is quicker than many_rows, 0: never.
  const SampledKernels* sampled;
  int64_t sparse_rows;

  // y[t, r - row_begin ...]: y.row(t)[r] = sum_c w[r, c] * x.row(t)[c] for r in [row_begin, row_end), every t.
  // x: [T, w.cols] float32, y: [T, >= w.rows] float32. Products and sums in float32, whatever w's dtype. Indexed by DType.
  using LinearFn = void (*)(const Matrix& w, int64_t row_begin, int64_t row_end, const ConstView& x, const View& y);
  LinearFn linear[kDTypeCount];

  // y[r] = sum_i x[i] * w[r, list[i]], in order, for r in [row_begin, row_end), multiples of 32. Indexed by DType; null
  // where LayoutByColumns has none.
  using ColumnsFn = void (*)(const ColumnMatrix& w, int64_t row_begin, int64_t row_end, const int32_t* list,
                             const float* x, int64_t count, float* y);
  ColumnsFn columns[kDTypeCount];

  // y[t, r] += sum_i values[i] * w[r, columns[i]], in order, over the places i of row t (sparse.h), for kSparseOutputs
  // rows r.   w: [kSparseOutputs, kSparseColumns], rows kSparseStride apart, y: [at.rows, kSparseOutputs]
  void (*add_sparse)(const float* w, const SparseBlock& at, const float* values, float* y);

  // Moves what is not zero of n <= kSparseColumns values together, NaN too: its values, which may go to x or before it,
  // and where it stood. Returns how many; up to n of both are written.
  int64_t (*compress)(const float* x, int64_t n, float* values, uint8_t* columns);

  // n values of a stored row to float32; n is a multiple of the dtype's block. Indexed by DType.
  using DequantizeFn = void (*)(const std::byte* src, float* dst, int64_t n);
  DequantizeFn dequantize[kDTypeCount];

  // y = x * (mean(x^2) + eps)^(-1/2) * w; w may be null (factor 1); y may be x.
  void (*rms_norm)(const float* x, const float* w, float* y, int64_t n, float eps);
  // y = gelu_tanh(rms_norm(x; w)); w may be null; y may be x.
  void (*rms_norm_gelu)(const float* x, const float* w, float* y, int64_t n, float eps);
  float (*dot)(const float* a, const float* b, int64_t n);
  float (*sum_squares)(const float* x, int64_t n);
  void (*add)(const float* x, float* y, int64_t n);                // y += x
  void (*axpy)(float a, const float* x, float* y, int64_t n);      // y += a x
  // AltUp's streams at one go: y[a] = x[a] + sum_b coefs[a, b] x[b], in order, with the bits of `count` axpy; and
  // y[a] += coefs[a] (x - y[active]).   x, y: `count` rows of n values
  void (*mix)(const float* coefs, int64_t count, const float* const* x, float* const* y, int64_t n);
  void (*correct)(const float* coefs, int64_t count, int64_t active, const float* x, float* const* y, int64_t n);
  void (*scale)(float a, float* y, int64_t n);                     // y *= a
  void (*mul)(const float* x, float* y, int64_t n);                // y *= x
  void (*gelu_mul)(const float* g, const float* u, float* y, int64_t n);  // y = gelu_tanh(g) * u; y may be g or u
  void (*sigmoid_mul)(const float* a, const float* b, float* y, int64_t n);  // y = a / (1 + e^-b), silu where a is b; y may be either
  void (*mul_add)(const float* a, const float* b, float* y, int64_t n);      // y += a b
  void (*softmax)(float* x, int64_t n);                            // in place, shifted by the maximum
  void (*softcap)(float* x, int64_t n, float cap);                 // x = cap * tanh(x / cap)
  // Gaussian top-k (spec of HF Gemma3nTextMLP._gaussian_topk): x = max(x - (mean + std * z), 0), biased std.
  void (*gaussian_topk)(float* x, int64_t n, float z);
  // Half-split rotary embedding of one head: cos and sin have n/2 values.
  void (*rope)(float* x, const float* cos, const float* sin, int64_t n);
  AttentionKernels attention;
  void (*depthwise_row)(const DepthwiseArgs& args);
};

}  // namespace gemma3n
