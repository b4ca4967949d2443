// Attention over a cache of keys and values: what it is given, and the inner loops that it is made
// of, one struct per instruction set. attention.h puts them together.
// This header has no std containers: files built with wide instruction sets include it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace gemma3n {

// The keys and values of one head of one sequence. Position p's lie in row p % capacity of a ring.
struct KeysValues {
  DType dtype = DType::kF32;  // kF32, kF16 or kQ8_0
  int64_t head_dim = 0, row_bytes = 0, capacity = 0;
  const std::byte* k = nullptr;  // [capacity, head_dim]
  const std::byte* v = nullptr;
};

// softmax(q K^T) V of consecutive positions of one sequence, for the query heads that share one K/V
// head. The row at position p sees the keys p - window + 1 .. p, all of them written. Scores are
// not scaled: Gemma 3n's factor is 1.
struct AttentionArgs {
  KeysValues kv;
  int64_t position = 0, rows = 0;  // of the first query row; how many
  int64_t window = 0;
  int64_t heads = 0;
  const float* q = nullptr;  // [rows, heads, head_dim], rows q_stride floats apart
  int64_t q_stride = 0;
  float* out = nullptr;  // [rows, heads, head_dim], rows out_stride floats apart
  int64_t out_stride = 0;

  // The keys that row r sees: First(r) .. Last(r) - 1.
  int64_t First(int64_t r) const { return position + r < window ? 0 : position + r + 1 - window; }
  int64_t Last(int64_t r) const { return position + r + 1; }
};

// Attention of many rows at once: queries, keys, values and probabilities are rounded to bfloat16,
// sums are float32. head_dim is a multiple of 32.
struct ManyAttention {
  // scratch: `bytes` of it on a boundary of 64. False, and `out` is as good as unwritten, where a
  // key or a value is not finite.
  bool (*attend)(const AttentionArgs& args, std::byte* scratch);
  int64_t (*bytes)(int64_t rows, int64_t heads, int64_t head_dim);
};

// The pieces, all on float32 keys and values that lie together, [keys, head_dim].
struct AttentionKernels {
  // scores[h, j] = q[h] . k[j]; rows of q and of scores lie `stride` floats apart. A score's bits
  // do not depend on the other keys and heads.
  void (*scores)(const float* q, int64_t q_stride, int64_t heads, const float* k, int64_t keys,
                 int64_t head_dim, float* scores, int64_t stride);
  // out[h] += sum_j p[h, j] v[j], key after key: the bits do not depend on how keys are cut into
  // calls.
  void (*values)(const float* p, int64_t stride, int64_t heads, const float* v, int64_t keys,
                 int64_t head_dim, float* out, int64_t out_stride);
  // The same two on keys and values as the cache holds them, IEEE halves, with the same bits: for
  // one query row, which reads them once. head_dim is a multiple of 16. Null where there are none.
  void (*scores_f16)(const float* q, int64_t q_stride, int64_t heads, const uint16_t* k,
                     int64_t keys, int64_t head_dim, float* scores, int64_t stride) = nullptr;
  void (*values_f16)(const float* p, int64_t stride, int64_t heads, const uint16_t* v, int64_t keys,
                     int64_t head_dim, float* out, int64_t out_stride) = nullptr;
  // max = the largest x, at least -FLT_MAX; x = e^(x - max); returns their sum. n >= 1.
  float (*exponentials)(float* x, int64_t n, float* max);
  // y = a y + b x
  void (*blend)(float a, float* y, float b, const float* x, int64_t n);

  // A row of the cache from floats; n is a multiple of 32 for Q8_0.
  void (*store_f16)(const float* x, std::byte* row, int64_t n);
  void (*store_q8_0)(const float* x, std::byte* row, int64_t n);

  const ManyAttention* many = nullptr;  // null where no instruction is made for it
};

}  // namespace gemma3n
