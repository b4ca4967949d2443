// Attention of many rows by AMX: queries, keys, values and probabilities are rounded to bfloat16,
// sums are float32. Blocks of keys become tiles once and meet all query rows of the call, 32 at a
// time, with a running maximum (arXiv:2205.14135).
//
// The same bits in any company: a row's blocks lie at fixed positions, and a tile's rows do not
// mix.
#include "kernels/attention_kernels.h"

#include <immintrin.h>

#include "kernels/amx/tiles.h"
#include "kernels/avx512/table.h"
#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/simd/common.h"

namespace gemma3n::amx {
namespace {

constexpr int64_t kKeys = 256;    // of a block; its tiles stay in the second-level cache
constexpr int64_t kQueries = 32;  // multiplied together
constexpr int64_t kTile = 512;    // bfloat16 of a tile: 16 rows of 32

struct Pair {
  __m512 low, high;
};

// 32 values of a stored row, from column 32 c.
template <DType kType>
G3N_INLINE Pair LoadStored(const std::byte* row, int64_t c) {
  if constexpr (kType == DType::kF16) {
    const auto* p = reinterpret_cast<const __m256i*>(row + 64 * c);
    return {_mm512_cvtph_ps(_mm256_loadu_si256(p)), _mm512_cvtph_ps(_mm256_loadu_si256(p + 1))};
  } else if constexpr (kType == DType::kQ8_0) {
    const auto* block = reinterpret_cast<const BlockQ8_0*>(row) + c;
    const __m512 d = _mm512_set1_ps(HalfToFloat(LoadU16(block->d)));
    const auto floats = [&](int i) G3N_LAMBDA {
      const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block->qs + i));
      return _mm512_mul_ps(d, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q)));
    };
    return {floats(0), floats(16)};
  } else {
    const auto* p = reinterpret_cast<const float*>(row) + 32 * c;
    return {_mm512_loadu_ps(p), _mm512_loadu_ps(p + 16)};
  }
}

G3N_INLINE __m512i Round(Pair v) { return (__m512i)_mm512_cvtne2ps_pbh(v.high, v.low); }

// Whether all that was seen is finite once rounded.
struct Finite {
  __m512i largest = _mm512_setzero_si512();
  G3N_INLINE void See(Pair v) {
    const __m512i magnitude = _mm512_set1_epi32(INT32_MAX);
    largest = _mm512_max_epu32(largest, _mm512_and_si512(_mm512_castps_si512(v.low), magnitude));
    largest = _mm512_max_epu32(largest, _mm512_and_si512(_mm512_castps_si512(v.high), magnitude));
  }
  G3N_INLINE bool All() const { return _mm512_reduce_max_epu32(largest) < 0x7f7f8000; }
};

// rows[i] becomes the i-th group of 4 bytes of all sixteen.
G3N_INLINE void Transpose(__m512i rows[16]) {
  __m512i t[16];
  G3N_UNROLL
  for (int i = 0; i < 16; i += 4) {
    const __m512i a = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    const __m512i b = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    const __m512i c = _mm512_unpacklo_epi32(rows[i + 2], rows[i + 3]);
    const __m512i d = _mm512_unpackhi_epi32(rows[i + 2], rows[i + 3]);
    t[i] = _mm512_unpacklo_epi64(a, c);      // of each quarter, group 0
    t[i + 1] = _mm512_unpackhi_epi64(a, c);  // 1
    t[i + 2] = _mm512_unpacklo_epi64(b, d);
    t[i + 3] = _mm512_unpackhi_epi64(b, d);
  }
  G3N_UNROLL
  for (int i = 0; i < 4; ++i) {
    const __m512i a = _mm512_shuffle_i32x4(t[i], t[i + 4], 0x88);  // quarters 0 and 2
    const __m512i b = _mm512_shuffle_i32x4(t[i], t[i + 4], 0xdd);  // 1 and 3
    const __m512i c = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x88);
    const __m512i d = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xdd);
    rows[i] = _mm512_shuffle_i32x4(a, c, 0x88);
    rows[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
    rows[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
    rows[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
}

// 2^x for x <= 0, relative error 7.5e-5; -inf gives 0.
G3N_INLINE __m512 Power2(__m512 x) {
  const __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);  // x - floor(x)
  __m512 p = _mm512_set1_ps(7.802402973e-2f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.260670662e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.958339810e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.999251366e-1f));
  return _mm512_scalef_ps(p, x);
}

// Lanes i .. i + 15 that lie in [begin, end).
G3N_INLINE __mmask16 Lanes(int64_t i, int64_t begin, int64_t end) {
  const int64_t skip = begin - i < 0 ? 0 : begin - i, keep = end - i < 0 ? 0 : end - i;
  const uint32_t below = keep > 15 ? 0xffff : (1u << keep) - 1;
  return _cvtu32_mask16(skip > 15 ? 0 : below & (0xffffu << skip));
}

class Call {
 public:
  Call(const AttentionArgs& args, std::byte* scratch)
      : a_(args),
        steps_(args.kv.head_dim / 32),
        queries_(args.rows * args.heads),
        padded_(simd::RoundUp(queries_, kQueries)) {
    const int64_t d = args.kv.head_dim;
    q_ = Take<uint16_t>(scratch, padded_ * d);
    k_ = Take<uint16_t>(scratch, kKeys * d);
    v_ = Take<uint16_t>(scratch, kKeys * d);
    p_ = Take<uint16_t>(scratch, kQueries * kKeys);
    s_ = Take<float>(scratch, kQueries * kKeys);
    out_ = Take<float>(scratch, padded_ * d);
    max_ = Take<float>(scratch, padded_);
    sum_ = Take<float>(scratch, padded_);
    zeros_ = Take<float>(scratch, d);
    for (int64_t c = 0; c < d; c += 16) _mm512_store_ps(zeros_ + c, _mm512_setzero_ps());
  }

  template <DType kType>
  bool Run() {
    PackQueries();
    const int64_t seen = a_.First(0), end = a_.Last(a_.rows - 1);
    for (begin_ = seen / kKeys * kKeys; begin_ < end; begin_ += kKeys) {
      first_ = begin_ < seen ? seen : begin_;
      last_ = simd::Min(begin_ + kKeys, end);
      if (!PackKeys<kType>() || !PackValues<kType>()) return false;
      for (int64_t n = 0; n < queries_; n += kQueries) Queries(n);
    }
    Finish();
    return true;
  }

 private:
  template <typename T>
  static T* Take(std::byte*& scratch, int64_t n) {
    T* p = reinterpret_cast<T*>(scratch);
    scratch += simd::RoundUp(n * static_cast<int64_t>(sizeof(T)), 64);
    return p;
  }

  // Strips of 16 queries, a tile for every 32 columns; in units of log 2, for Power2.
  void PackQueries() {
    const __m512 unit = _mm512_set1_ps(1.44269504f);
    const __m512i zero = _mm512_setzero_si512();
    for (int64_t n = 0; n < padded_; ++n) {
      const float* q = a_.q + n / a_.heads * a_.q_stride + n % a_.heads * a_.kv.head_dim;
      uint16_t* row = q_ + n / 16 * steps_ * kTile + n % 16 * 32;
      for (int64_t c = 0; c < steps_; ++c) {
        if (n >= queries_) {
          _mm512_store_si512(row + c * kTile, zero);
          continue;
        }
        const Pair v = {_mm512_mul_ps(_mm512_loadu_ps(q + 32 * c), unit),
                        _mm512_mul_ps(_mm512_loadu_ps(q + 32 * c + 16), unit)};
        _mm512_store_si512(row + c * kTile, Round(v));
      }
      max_[n] = -__FLT_MAX__;
      sum_[n] = 0;
    }
    const int64_t floats = padded_ * a_.kv.head_dim;
    for (int64_t i = 0; i < floats; i += 16) _mm512_store_ps(out_ + i, _mm512_setzero_ps());
  }

  // The block's row j; zeros where nobody sees it.
  const std::byte* Row(const std::byte* ring, int64_t j) const {
    const int64_t position = begin_ + j;
    if (position < first_ || position >= last_) return reinterpret_cast<const std::byte*>(zeros_);
    return ring + position % a_.kv.capacity * a_.kv.row_bytes;
  }
  int64_t FirstKey() const { return (first_ - begin_) / 32 * 32; }
  int64_t LastKey() const { return simd::RoundUp(last_ - begin_, 32); }

  // Strips of 16 keys, a tile for every 32 columns: row i holds columns 2 i and 2 i + 1 of all.
  template <DType kType>
  bool PackKeys() {
    Finite finite;
    for (int64_t j = FirstKey(); j < LastKey(); j += 16) {
      const std::byte* rows[16];
      for (int64_t i = 0; i < 16; ++i) rows[i] = Row(a_.kv.k, j + i);
      for (int64_t c = 0; c < steps_; ++c) {
        __m512i tile[16];
        G3N_UNROLL
        for (int i = 0; i < 16; ++i) {
          const Pair v = LoadStored<kType>(rows[i], c);
          finite.See(v);
          tile[i] = Round(v);
        }
        Transpose(tile);
        uint16_t* to = k_ + (j / 16 * steps_ + c) * kTile;
        G3N_UNROLL
        for (int i = 0; i < 16; ++i) _mm512_store_si512(to + 32 * i, tile[i]);
      }
    }
    return finite.All();
  }

  // Strips of 16 columns, a tile for every 32 keys: row i holds keys 2 i and 2 i + 1.
  template <DType kType>
  bool PackValues() {
    alignas(64) static constexpr uint16_t kTurns[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                        21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                        11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i turns = _mm512_load_si512(kTurns);
    Finite finite;
    for (int64_t j = FirstKey(); j < LastKey(); j += 2) {
      const std::byte *even = Row(a_.kv.v, j), *odd = Row(a_.kv.v, j + 1);
      for (int64_t c = 0; c < steps_; ++c) {
        const Pair x = LoadStored<kType>(even, c), y = LoadStored<kType>(odd, c);
        finite.See(x);
        finite.See(y);
        uint16_t* to = v_ + (2 * c * (kKeys / 32) + j / 32) * kTile + j % 32 / 2 * 32;
        _mm512_store_si512(to, _mm512_permutexvar_epi16(turns, Round({x.low, y.low})));
        _mm512_store_si512(to + kKeys / 32 * kTile,
                           _mm512_permutexvar_epi16(turns, Round({x.high, y.high})));
      }
    }
    return finite.All();
  }

  // Queries n .. n + 31 meet the block.
  void Queries(int64_t n) {
    const int64_t t0 = n / a_.heads;
    const int64_t t1 = simd::Min(n + kQueries - 1, queries_ - 1) / a_.heads;
    const int64_t low = a_.First(t0) > first_ ? a_.First(t0) : first_;
    const int64_t high = simd::Min(a_.Last(t1), last_);
    if (low >= high) return;
    const int64_t j0 = (low - begin_) / 32 * 32, j1 = simd::RoundUp(high - begin_, 32);
    Scores(n, j0, j1);
    for (int64_t i = 0; i < kQueries; ++i) Softmax(n, i, j0, j1);
    Values(n, j0, j1);
  }

  void Scores(int64_t n, int64_t j0, int64_t j1) {
    Fence();
    const uint16_t* q = q_ + n / 16 * steps_ * kTile;
    const int64_t strip = steps_ * kTile, stride = kKeys * sizeof(float);
    for (int64_t j = j0; j < j1; j += 32) {
      const uint16_t* k = k_ + j / 16 * strip;
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
      for (int64_t c = 0; c < strip; c += kTile) {
        _tile_loadd(4, q + c, 64);
        _tile_stream_loadd(6, k + c, 64);
        _tile_stream_loadd(7, k + strip + c, 64);
        _tile_loadd(5, q + strip + c, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      _tile_stored(0, s_ + j, stride);
      _tile_stored(1, s_ + j + 16, stride);
      _tile_stored(2, s_ + 16 * kKeys + j, stride);
      _tile_stored(3, s_ + 16 * kKeys + j + 16, stride);
    }
  }

  // Scores of query n + i to probabilities, and what came before to the new maximum.
  void Softmax(int64_t n, int64_t i, int64_t j0, int64_t j1) {
    float* s = s_ + i * kKeys;
    uint16_t* p = p_ + i / 16 * (kKeys / 32) * kTile + i % 16 * 32;
    const int64_t t = (n + i) / a_.heads;
    const int64_t begin = n + i < queries_ ? a_.First(t) - begin_ : kKeys;
    const int64_t end = n + i < queries_ ? a_.Last(t) - begin_ : 0;
    if (begin >= j1 || end <= j0) {
      for (int64_t j = j0; j < j1; j += 32) {
        _mm512_store_si512(p + j / 32 * kTile, _mm512_setzero_si512());
      }
      return;
    }
    const __m512 none = _mm512_set1_ps(-__builtin_inff());
    __m512 top = _mm512_set1_ps(-__FLT_MAX__);
    for (int64_t j = j0; j < j1; j += 16) {
      __m512 x = _mm512_load_ps(s + j);
      if (j < begin || j + 16 > end) {
        x = _mm512_mask_mov_ps(none, Lanes(j, begin, end), x);
        _mm512_store_ps(s + j, x);
      }
      top = _mm512_max_ps(x, top);
    }
    const float old = max_[n + i], reached = _mm512_reduce_max_ps(top);
    const float max = reached > old ? reached : old;
    const __m512 shift = _mm512_set1_ps(max);
    __m512 sum = _mm512_setzero_ps();
    for (int64_t j = j0; j < j1; j += 32) {
      const Pair e = {Power2(_mm512_sub_ps(_mm512_load_ps(s + j), shift)),
                      Power2(_mm512_sub_ps(_mm512_load_ps(s + j + 16), shift))};
      sum = _mm512_add_ps(sum, _mm512_add_ps(e.low, e.high));
      _mm512_store_si512(p + j / 32 * kTile, Round(e));
    }
    float before = sum_[n + i];
    if (max != old && before != 0) {
      const __m512 factor = Power2(_mm512_set1_ps(old - max));
      before *= _mm512_cvtss_f32(factor);
      float* out = out_ + (n + i) * a_.kv.head_dim;
      for (int64_t c = 0; c < a_.kv.head_dim; c += 16) {
        _mm512_store_ps(out + c, _mm512_mul_ps(_mm512_load_ps(out + c), factor));
      }
    }
    max_[n + i] = max;
    sum_[n + i] = before + _mm512_reduce_add_ps(sum);
  }

  void Values(int64_t n, int64_t j0, int64_t j1) {
    Fence();
    const int64_t d = a_.kv.head_dim, stride = d * static_cast<int64_t>(sizeof(float));
    constexpr int64_t kStrip = kKeys / 32 * kTile;
    float* above = out_ + n * d;
    float* below = above + 16 * d;
    for (int64_t c = 0; c < d; c += 32) {
      const uint16_t* v = v_ + c / 16 * kStrip;
      _tile_loadd(0, above + c, stride);
      _tile_loadd(1, above + c + 16, stride);
      _tile_loadd(2, below + c, stride);
      _tile_loadd(3, below + c + 16, stride);
      for (int64_t j = j0 / 32 * kTile; j < j1 / 32 * kTile; j += kTile) {
        _tile_loadd(4, p_ + j, 64);
        _tile_stream_loadd(6, v + j, 64);
        _tile_stream_loadd(7, v + kStrip + j, 64);
        _tile_loadd(5, p_ + kStrip + j, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      _tile_stored(0, above + c, stride);
      _tile_stored(1, above + c + 16, stride);
      _tile_stored(2, below + c, stride);
      _tile_stored(3, below + c + 16, stride);
    }
  }

  void Finish() const {
    const int64_t d = a_.kv.head_dim;
    for (int64_t n = 0; n < queries_; ++n) {
      const __m512 factor = _mm512_set1_ps(1.0f / sum_[n]);
      float* out = a_.out + n / a_.heads * a_.out_stride + n % a_.heads * d;
      for (int64_t c = 0; c < d; c += 16) {
        _mm512_storeu_ps(out + c, _mm512_mul_ps(_mm512_load_ps(out_ + n * d + c), factor));
      }
    }
  }

  const AttentionArgs& a_;
  const int64_t steps_, queries_, padded_;
  uint16_t *q_, *k_, *v_, *p_;  // tiles
  float *s_, *out_, *max_, *sum_, *zeros_;
  int64_t begin_ = 0, first_ = 0, last_ = 0;  // the block; the keys of it that some row sees
};

bool Attend(const AttentionArgs& args, std::byte* scratch) {
  BeginTiles();
  Call call(args, scratch);
  const bool finite = args.kv.dtype == DType::kF16    ? call.Run<DType::kF16>()
                      : args.kv.dtype == DType::kQ8_0 ? call.Run<DType::kQ8_0>()
                                                      : call.Run<DType::kF32>();
  EndTiles();
  return finite;
}

int64_t Bytes(int64_t rows, int64_t heads, int64_t head_dim) {
  const int64_t queries = simd::RoundUp(rows * heads, kQueries);
  return queries * (6 * head_dim + 8) + 4 * (kKeys + 1) * head_dim + 6 * kQueries * kKeys + 9 * 64;
}

}  // namespace

constinit const ManyAttention kManyAttention = {Attend, Bytes};

}  // namespace gemma3n::amx
