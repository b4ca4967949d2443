// SampledKernels by int8 dot products, with the roundings, the block descriptions (B) and the
// vocabularies (V, its D) of many_rows_int8.h. Here a lane is a block of 32 columns of one row of W
// and one of x: eight vectors, of four columns of each block, give the exact sums of V::kLanes
// blocks, which count their scales and are added up, lane after lane in the end.
//
// R: Reduce4, the sums of four vectors
#pragma once

#include "kernels/simd/many_rows_int8.h"
#include "kernels/sparse.h"

namespace gemma3n::simd {

inline constexpr int64_t kSampledRows = 64;      // of W, whose chunk is in the first-level cache
inline constexpr int64_t kSampledPlaces = 8192;  // that are summed together, at least a row's
inline constexpr int64_t kSampledParts = kSparseColumns / kSampledRows;

// V::kLanes blocks of a row of x.
template <class V>
struct alignas(4 * V::kLanes) SampledX {
  uint8_t q[8 * 4 * V::kLanes];
  float scales[V::kLanes];
  float sums[V::kLanes];
};

// And of a row of W; the members that SettleInt8 asks for are as Int8Weights has them.
template <class V, class D, class B>
struct alignas(4 * V::kLanes) SampledW {
  static constexpr int64_t kStart = 4 * V::kLanes, kPlane = 8 * kStart;
  uint8_t q[D::kPlanes * kPlane];
  std::byte starts[B::kHalves * D::kPlanes * kStart];
  float scales[B::kHalves * V::kLanes];
  float mins[V::kLanes];
};

// A place in the scratch memory: bytes from the first row of x and of W.
struct SampledPlace {
  uint32_t x, w;
};

template <class V>
struct SampledScratch {
  alignas(64) std::byte weights[kSampledRows * 96 * V::kLanes];
  SampledPlace places[kSampledPlaces + 4 * kSampledParts];
  int32_t numbers[kSampledPlaces + 4 * kSampledParts];
  float sums[kSampledPlaces + 4 * kSampledParts];
};

template <class V>
G3N_INLINE int64_t SampledChunks(int64_t cols) {
  return (cols + kInt8Block * V::kLanes - 1) / (kInt8Block * V::kLanes);
}

template <class V>
int64_t SampledPackedBytes(int64_t rows, int64_t cols) {
  return SampledChunks<V>(cols) * rows * static_cast<int64_t>(sizeof(SampledX<V>));
}

// Chunk after chunk, in each all rows.
template <class V>
void PackSampled(const ConstView& x, int64_t row, std::byte* packed) {
  auto* out = reinterpret_cast<SampledX<V>*>(packed) + row;
  const int64_t blocks = x.cols / kInt8Block;
  for (int64_t first = 0; first < blocks; first += V::kLanes, out += x.rows) {
    for (int64_t b = 0; b < V::kLanes; ++b) {
      uint8_t q[kInt8Block] = {};
      out->scales[b] = out->sums[b] = 0;
      if (first + b < blocks) {
        const float* src = x.row(row) + (first + b) * kInt8Block;
        RoundInt8Block<V>(src, q, &out->scales[b], &out->sums[b]);
      }
      for (int64_t i = 0; i < 8; ++i)
        __builtin_memcpy(out->q + (i * V::kLanes + b) * 4, q + 4 * i, 4);
    }
  }
}

// `lanes` blocks of 32 columns at src, and as many of zeros as it takes.
template <class V, class D, class B>
G3N_INLINE void ExpandSampled(const std::byte* src, int64_t lanes, SampledW<V, D, B>& out) {
  alignas(64) uint8_t rows[V::kLanes * kInt8Block];
  if (lanes < V::kLanes) {
    __builtin_memset(rows, 0, sizeof(rows));
    out = {};
  }
  const auto* block = reinterpret_cast<const typename B::Stored*>(src);
  for (int64_t b = 0; b < lanes; ++block) {
    float scales[B::kParts * B::kHalves], mins[B::kParts];
    B::template Scales<V>(*block, scales, mins);
    for (int part = 0; part < B::kParts; ++part, ++b) {
      for (int h = 0; h < B::kHalves; ++h)
        out.scales[h * V::kLanes + b] = scales[part * B::kHalves + h];
      if constexpr (B::kHasMin) out.mins[b] = mins[part];
      B::Integers(*block, part, rows + b * kInt8Block);
    }
  }
  V::Transpose(rows, 8, out.q);
  SettleInt8<V, D, B>(out, 1);
}

template <class V, class D, class B>
G3N_INLINE typename V::F SampledProduct(const SampledX<V>& x, const SampledW<V, D, B>& w) {
  using W = SampledW<V, D, B>;
  constexpr int kGroups = 8 / B::kHalves;
  typename V::F total = V::Zero();
  G3N_UNROLL
  for (int h = 0; h < B::kHalves; ++h) {
    auto acc = D::Zero();
    if constexpr (V::kFlip != 0) acc = D::LoadStart(w.starts + h * D::kPlanes * W::kStart);
    G3N_UNROLL
    for (int g = h * kGroups; g < (h + 1) * kGroups; ++g)
      acc = D::Dot(acc, D::Load(w.q + g * W::kStart, W::kPlane), V::LoadBytes(x.q + g * W::kStart));
    const auto scale = V::Mul(V::Load(w.scales + h * V::kLanes), V::Load(x.scales));
    total = h == 0 ? V::Mul(D::Finish(acc), scale) : V::Fma(D::Finish(acc), scale, total);
  }
  if constexpr (B::kHasMin) total = V::Fma(V::Load(w.mins), V::Load(x.sums), total);
  return total;
}

// Places in the order of the parts of a block of rows of W, each part filled up to a multiple of 4.
struct SampledOrder {
  int64_t begin[kSampledParts + 1], end[kSampledParts];

  template <class V>
  G3N_INLINE void Sort(const SparseBlock& at, int64_t first, int64_t last, int64_t w_bytes,
                       SampledScratch<V>& s) {
    int64_t counts[kSampledParts] = {};
    for (int64_t i = at.starts[first]; i < at.starts[last]; ++i)
      ++counts[at.columns[i] / kSampledRows];
    begin[0] = 0;
    for (int64_t p = 0; p < kSampledParts; ++p) {
      end[p] = begin[p];
      begin[p + 1] = RoundUp(begin[p] + counts[p], 4);
    }
    for (int64_t t = first; t < last; ++t) {
      for (int64_t i = at.starts[t]; i < at.starts[t + 1]; ++i) {
        const int64_t j = end[at.columns[i] / kSampledRows]++;
        s.places[j] = {static_cast<uint32_t>(t * static_cast<int64_t>(sizeof(SampledX<V>))),
                       static_cast<uint32_t>(at.columns[i] % kSampledRows * w_bytes)};
        s.numbers[j] = static_cast<int32_t>(i);
      }
    }
    for (int64_t p = 0; p < kSampledParts; ++p) {
      for (int64_t j = end[p]; j < begin[p + 1]; ++j) s.places[j] = s.places[begin[p]];
    }
  }
};

template <class V, class D, class B, class R>
void MultiplySampled(const Matrix& w, int64_t row, const SparseBlock& at, const std::byte* packed,
                     float* out, std::byte* scratch) {
  using W = SampledW<V, D, B>;
  auto& s = *reinterpret_cast<SampledScratch<V>*>(scratch);
  static_assert(kSampledRows * sizeof(W) <= sizeof(s.weights));
  const int64_t blocks = w.cols / kInt8Block, chunks = SampledChunks<V>(w.cols);
  constexpr int64_t kChunkBytes = V::kLanes / B::kParts * sizeof(typename B::Stored);
  const int64_t chunk_x = at.rows * static_cast<int64_t>(sizeof(SampledX<V>));
  for (int64_t first = 0, last; first < at.rows; first = last) {
    last = first + 1;
    while (last < at.rows && at.starts[last + 1] - at.starts[first] <= kSampledPlaces) ++last;
    SampledOrder order;
    order.Sort(at, first, last, sizeof(W), s);
    for (int64_t c = 0; c < chunks; ++c) {
      const std::byte* x = packed + c * chunk_x;
      for (int64_t p = 0; p < kSampledParts; ++p) {
        if (order.begin[p] == order.end[p]) continue;
        const int64_t first_row = row + p * kSampledRows;
        const int64_t rows = Min(kSampledRows, w.rows - first_row);
        auto* weights = reinterpret_cast<W*>(s.weights);
        for (int64_t r = 0; r < rows; ++r) {
          const std::byte* src = w.row(first_row + r) + c * kChunkBytes;
          __builtin_prefetch(src + kSampledRows * w.row_bytes, 0, 2);
          ExpandSampled<V, D, B>(src, Min(V::kLanes, blocks - c * V::kLanes), weights[r]);
        }
        for (int64_t j = order.begin[p]; j < order.end[p]; j += 4) {
          const auto product = [&](int64_t i) G3N_LAMBDA {
            const SampledPlace place = s.places[j + i];
            return SampledProduct<V, D, B>(*reinterpret_cast<const SampledX<V>*>(x + place.x),
                                           *reinterpret_cast<const W*>(s.weights + place.w));
          };
          float sums[4];
          R::Reduce4(product(0), product(1), product(2), product(3), sums);
          for (int i = 0; i < 4; ++i) s.sums[j + i] = c == 0 ? sums[i] : s.sums[j + i] + sums[i];
        }
      }
    }
    for (int64_t p = 0; p < kSampledParts; ++p) {
      for (int64_t j = order.begin[p]; j < order.end[p]; ++j) out[s.numbers[j]] = s.sums[j];
    }
  }
}

template <class V, class R, DType... kTypes>
constexpr SampledKernels MakeSampledInt8Of() {
  SampledKernels k = {SampledPackedBytes<V>, sizeof(SampledScratch<V>), PackSampled<V>, {}};
  const auto add = [&]<DType kType>() {
    using B = Int8Block<kType>;
    if constexpr (B::kWide) {
      k.multiply[static_cast<int>(kType)] = MultiplySampled<V, typename V::Wide, B, R>;
    } else {
      k.multiply[static_cast<int>(kType)] = MultiplySampled<V, typename V::Narrow, B, R>;
    }
  };
  (add.template operator()<kTypes>(), ...);
  return k;
}

template <class V, class R>
constexpr SampledKernels MakeSampledInt8() {
  return MakeSampledInt8Of<V, R, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,
                           DType::kQ5_1, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL,
                           DType::kIQ4_XS>();
}

}  // namespace gemma3n::simd
