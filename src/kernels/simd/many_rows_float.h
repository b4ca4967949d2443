// ManyRowsKernels in float32 for W of F32, F16 and BF16. A lane is a row of W: nothing is summed
// across lanes. 128 columns are summed one after the other, and these sums in ascending order,
// whatever the cut.
//
// V: kLanes, F, Zero, Load, Store, StoreSome, Set1, Add, Fma as in simd/packed.h;
//   kRows        of x in a tile of registers, a multiple of 3
//   Dequantize   n stored values to float32
//   Turn         kTurned columns of kLanes rows, `stride` floats apart, to as many vectors
#pragma once

#include "kernels/many_rows.h"
#include "kernels/simd/common.h"
#include "tensor/matrix.h"

namespace gemma3n::simd {

inline constexpr int64_t kFloatMostRows = 512, kFloatUnitRows = 16, kFloatGroupRows = 256;
inline constexpr int64_t kFloatColumns = 128;                // summed together
inline constexpr int64_t kFloatStride = kManyRowsSlab + 16;  // of a row of x: no power of two
inline constexpr int kFloatVectors = 2;                      // of W's rows in a tile

static G3N_INLINE int64_t FloatSlabs(int64_t cols) {
  return (cols + kManyRowsSlab - 1) / kManyRowsSlab;
}

template <class V>
struct FloatScratch {
  static constexpr int64_t kPanel = kFloatVectors * V::kLanes;
  alignas(64) float rows[V::kLanes * kFloatStride];  // of W
  alignas(64) float panel[kManyRowsSlab * kPanel];   // column after column
};

template <class V>  // a template, so that every file has its own
int64_t FloatPackedBytes(int64_t rows, int64_t cols) {
  return FloatSlabs(cols) * rows * kFloatStride * static_cast<int64_t>(sizeof(float));
}

template <class V>
int64_t FloatScratchBytes(int64_t rows) {
  return static_cast<int64_t>(sizeof(FloatScratch<V>)) +
         rows * kFloatGroupRows * static_cast<int64_t>(sizeof(float));
}

// Slab after slab, in each all rows; zeros up to a multiple of 16 columns.
template <class V>
void PackFloatSlab(const ConstView& x, int64_t row, int64_t slab, std::byte* packed) {
  const int64_t first = slab * kManyRowsSlab, cols = Min(kManyRowsSlab, x.cols - first);
  auto* out = reinterpret_cast<float*>(packed) + slab * x.rows * kFloatStride;
  for (int64_t t = row; t < Min(row + kFloatUnitRows, x.rows); ++t) {
    float* to = out + t * kFloatStride;
    __builtin_memcpy(to, x.row(t) + first, static_cast<size_t>(cols) * sizeof(float));
    for (int64_t c = cols; c < RoundUp(cols, 16); ++c) to[c] = 0;
  }
}

// Rows [row, row + kPanel) of W, `cols` columns from `slab` on; instead of those from `end` on, its
// last row again.
template <class V>
G3N_INLINE void ExpandFloat(const Matrix& w, int64_t row, int64_t end, int64_t slab, int64_t cols,
                            FloatScratch<V>& s) {
  constexpr int64_t kPanel = FloatScratch<V>::kPanel;
  const int64_t padded = RoundUp(cols, 16), bytes = w.row_bytes / w.cols;
  for (int64_t v = 0; v < kFloatVectors; ++v) {
    for (int64_t r = 0; r < V::kLanes; ++r) {
      float* to = s.rows + r * kFloatStride;
      const int64_t from = Min(row + v * V::kLanes + r, end - 1);
      V::Dequantize(w.dtype, w.row(from) + slab * kManyRowsSlab * bytes, to, cols);
      for (int64_t c = cols; c < padded; ++c) to[c] = 0;
    }
    for (int64_t c = 0; c < padded; c += V::kTurned)
      V::Turn(s.rows + c, kFloatStride, s.panel + c * kPanel + v * V::kLanes, kPanel);
  }
}

// sums[i] of kCount rows of x: += (or =) the products of `cols` columns.
template <class V, int kCount>
G3N_INLINE void FloatTile(const float* w, const float* x, int64_t cols, bool first, float* sums) {
  constexpr int64_t kPanel = FloatScratch<V>::kPanel;
  typename V::F acc[kCount][kFloatVectors];
  G3N_UNROLL
  for (int i = 0; i < kCount; ++i) {
    G3N_UNROLL
    for (int v = 0; v < kFloatVectors; ++v) acc[i][v] = V::Zero();
  }
  for (int64_t c = 0; c < cols; ++c) {
    typename V::F weights[kFloatVectors];
    G3N_UNROLL
    for (int v = 0; v < kFloatVectors; ++v) weights[v] = V::Load(w + c * kPanel + v * V::kLanes);
    G3N_UNROLL
    for (int i = 0; i < kCount; ++i) {
      const auto value = V::Set1(x[i * kFloatStride + c]);
      G3N_UNROLL
      for (int v = 0; v < kFloatVectors; ++v) acc[i][v] = V::Fma(weights[v], value, acc[i][v]);
    }
  }
  G3N_UNROLL
  for (int i = 0; i < kCount; ++i) {
    G3N_UNROLL
    for (int v = 0; v < kFloatVectors; ++v) {
      float* sum = sums + i * kPanel + v * V::kLanes;
      V::Store(sum, first ? acc[i][v] : V::Add(V::Load(sum), acc[i][v]));
    }
  }
}

// A group of W's rows meets x slab by slab; its sums wait in scratch memory.
template <class V>
void MultiplyFloat(const Matrix& w, int64_t begin, int64_t end, const std::byte* packed,
                   const View& y, std::byte* scratch) {
  constexpr int64_t kPanel = FloatScratch<V>::kPanel;
  auto& s = *reinterpret_cast<FloatScratch<V>*>(scratch);
  auto* sums = reinterpret_cast<float*>(&s + 1);
  const int64_t slabs = FloatSlabs(w.cols), value_bytes = w.row_bytes / w.cols;
  for (int64_t group = begin; group < end; group += kFloatGroupRows) {
    const int64_t stop = Min(group + kFloatGroupRows, end);
    for (int64_t slab = 0; slab < slabs; ++slab) {
      const int64_t cols = Min(kManyRowsSlab, w.cols - slab * kManyRowsSlab);
      const auto* x = reinterpret_cast<const float*>(packed) + slab * y.rows * kFloatStride;
      for (int64_t r = group; r < stop; r += kPanel) {
        ExpandFloat<V>(w, r, end, slab, cols, s);
        float* sum = sums + (r - group) * y.rows;
        const int64_t rows = Min(kPanel, stop - r);
        // What is expanded next: a row of it is asked for with each tile.
        const bool turn = r + kPanel >= stop;
        const int64_t next = turn && slab + 1 == slabs ? stop : turn ? group : r + kPanel;
        const int64_t next_slab = turn ? (slab + 1) % slabs : slab;
        const auto fetch = [&](int64_t i) G3N_LAMBDA {
          if (i >= kPanel) return;
          const int64_t first = next_slab * kManyRowsSlab;
          const std::byte* p = w.row(Min(next + i, end - 1)) + first * value_bytes;
          const int64_t bytes = Min(kManyRowsSlab, w.cols - first) * value_bytes;
          for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(p + at, 0, 2);
        };
        for (int64_t c = 0; c < cols; c += kFloatColumns) {
          const int64_t count = Min(kFloatColumns, cols - c);
          const auto tile = [&]<int kCount>(int64_t t) G3N_LAMBDA {
            float* out = sum + t * kPanel;
            FloatTile<V, kCount>(s.panel + c * kPanel, x + t * kFloatStride + c, count,
                                 slab == 0 && c == 0, out);
            if (slab + 1 < slabs || c + count < cols) return;
            for (int i = 0; i < kCount; ++i) {
              for (int64_t j = 0; j < rows; j += V::kLanes)
                V::StoreSome(y.row(t + i) + r + j, V::Load(out + i * kPanel + j), rows - j);
            }
          };
          int64_t t = 0;
          for (; t + V::kRows <= y.rows; t += V::kRows) {
            if (c == 0) fetch(t / V::kRows);
            tile.template operator()<V::kRows>(t);
          }
          for (; t + V::kRows / 3 <= y.rows; t += V::kRows / 3)
            tile.template operator()<V::kRows / 3>(t);
          for (; t < y.rows; ++t) tile.template operator()<1>(t);
        }
      }
    }
  }
}

template <class V>
constexpr ManyRowsKernels MakeManyRowsFloat() {
  ManyRowsKernels k = {kFloatMostRows,
                       kFloatUnitRows,
                       FloatPackedBytes<V>,
                       FloatScratchBytes<V>,
                       PackFloatSlab<V>,
                       nullptr,
                       {},
                       kFloatGroupRows,
                       nullptr};
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16})
    k.multiply[static_cast<int>(type)] = MultiplyFloat<V>;
  k.least_rows = 48;
  return k;
}

}  // namespace gemma3n::simd
