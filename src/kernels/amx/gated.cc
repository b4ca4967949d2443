// The first half of an MLP by AMX-BF16: gelu(gate) * up goes from the sums straight to the packed
// rows that down reads. Sums lie transposed, columns of the next product down the tile and rows of
// x along it, and so do packed rows: nothing is turned, and no float32 output is written and read
// again. Between gate and up only the gate's sums are kept.
#include "kernels/gated.h"

#include "kernels/amx/slab.h"
#include "kernels/avx512/table.h"
#include "kernels/simd/math.h"

namespace gemma3n::amx {
namespace {

// A group's sums of gate and of up, with two slabs of tiles.
int64_t ScratchBytes(int64_t rows) { return 2 * kSlabBytes + 2 * GroupBytes(rows); }

// Sums stay where they are.
struct Kept {
  static constexpr bool kKeeps = true;
  G3N_INLINE void Take(const Complete&) const {}
};

// They stay, and their mean and their squared distance from it are added up for each row of x: of
// 32 at a time, then of those and the ones before (Chan, Golub and LeVeque, 1979).
struct Moments {
  static constexpr bool kKeeps = true;
  float *mean, *squares;
  int64_t first;  // row of the group

  G3N_INLINE void Take(const Complete& at) const {
    for (int64_t strip = 0; strip < 2; ++strip) {
      const float* sums = at.sums + strip * kSumFloats / 4;
      const auto each = [&](auto body) G3N_LAMBDA {
        G3N_UNROLL
        for (int i = 0; i < 32; ++i) {
          body(i % 4, _mm512_load_ps(sums + i / 16 * kSumFloats / 2 + i % 16 * 16));
        }
      };
      __m512 part[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                        _mm512_setzero_ps()};
      each([&](int i, __m512 v) G3N_LAMBDA { part[i] = _mm512_add_ps(part[i], v); });
      const __m512 own = _mm512_mul_ps(Total(part), _mm512_set1_ps(1.0f / kPanelRows));
      for (__m512& v : part) v = _mm512_setzero_ps();
      each([&](int i, __m512 v) G3N_LAMBDA {
        const __m512 d = _mm512_sub_ps(v, own);
        part[i] = _mm512_fmadd_ps(d, d, part[i]);
      });
      const __m512 own_squares = Total(part);

      float *m = mean + at.token + strip * kStripRows, *s = squares + at.token + strip * kStripRows;
      const auto before = static_cast<float>(at.row - first);
      if (before == 0) {
        _mm512_storeu_ps(m, own);
        _mm512_storeu_ps(s, own_squares);
        continue;
      }
      const float share = kPanelRows / (before + kPanelRows);
      const __m512 old = _mm512_loadu_ps(m), apart = _mm512_sub_ps(own, old);
      _mm512_storeu_ps(m, _mm512_fmadd_ps(apart, _mm512_set1_ps(share), old));
      _mm512_storeu_ps(s,
                       _mm512_fmadd_ps(_mm512_mul_ps(apart, apart), _mm512_set1_ps(before * share),
                                       _mm512_add_ps(_mm512_loadu_ps(s), own_squares)));
    }
  }

 private:
  static G3N_INLINE __m512 Total(const __m512 (&part)[4]) {
    return _mm512_add_ps(_mm512_add_ps(part[0], part[1]), _mm512_add_ps(part[2], part[3]));
  }
};

// gelu(gate) * up as packed rows; kCut: of what the gate has above the row's cutoff.
template <bool kCut>
struct Packed {
  static constexpr bool kKeeps = false;
  const GatedRows& rows;
  const float* gate;  // the group's sums
  int64_t first;      // row of the group

  G3N_INLINE void Take(const Complete& at) const {
    const int64_t slab = at.row / kManyRowsSlab, step = at.row % kManyRowsSlab / kColumns;
    const int64_t steps = Steps(SlabCols(rows.up->rows, slab));
    std::byte* pair = rows.out + SlabStart(rows.count, slab) +
                      at.token / kPanelRows * 2 * steps * kTileBytes + step * kTileBytes;
    const float* gates =
        gate + (at.token / kPanelRows * kGroupPanels + (at.row - first) / kPanelRows) * kSumFloats;
    for (int64_t strip = 0; strip * kStripRows < at.tokens; ++strip) {
      const __m512 cutoff = kCut ? _mm512_loadu_ps(rows.cutoffs + at.token + strip * kStripRows)
                                 : _mm512_setzero_ps();
      const auto product = [&](int column) G3N_LAMBDA {
        const int64_t place = (column / 16 * 2 + strip) * kSumFloats / 4 + column % 16 * 16;
        __m512 g = _mm512_load_ps(gates + place);
        if constexpr (kCut) g = ExpandSimd::Max(ExpandSimd::Zero(), _mm512_sub_ps(g, cutoff));
        return _mm512_mul_ps(simd::Gelu<ExpandSimd>(g), _mm512_load_ps(at.sums + place));
      };
      std::byte* tile = pair + strip * steps * kTileBytes;
      for (int i = 0; i < 16; ++i) {  // two columns as the halves of 32 bits
        const __m512 even = product(2 * i), odd = product(2 * i + 1);
        const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(odd, even);
        _mm512_store_si512(tile + i * kStepBytes,
                           _mm512_permutexvar_epi16(_mm512_load_si512(kInTurns), both));
      }
    }
  }

 private:
  alignas(64) static constexpr uint16_t kInTurns[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                        21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                        11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
};

template <DType kType>
void Gate(const GatedRows& rows, int64_t begin, int64_t end, std::byte* scratch) {
  const Matrix* const matrices[] = {rows.gate};
  const SlabOrder order(begin, end, rows.gate->cols);
  const int64_t stride = simd::RoundUp(rows.count, kPanelRows);
  ForSlabs<kType>(matrices, order, scratch,
                  [&](const Slab& at, const std::byte* tiles, auto& ahead) G3N_LAMBDA {
                    const int64_t group = at.row / kGroupRows;
                    auto* sums =
                        reinterpret_cast<float*>(rows.sums + group * GroupBytes(rows.count));
                    float* mean = rows.moments + 2 * group * stride;
                    const Moments sink{mean, mean + stride, at.row};
                    const bool last = at.slab + 1 == order.slabs;
                    MultiplySlab(at, last, tiles, rows.x, rows.count, sums, sink, ahead);
                  });
}

template <DType kType>
void Both(const GatedRows& rows, int64_t begin, int64_t end, std::byte* scratch) {
  const Matrix* const matrices[] = {rows.gate, rows.up};
  const SlabOrder order(begin, end, rows.up->cols, 2);
  auto* gate = reinterpret_cast<float*>(scratch + 2 * kSlabBytes);
  float* up = gate + GroupBytes(rows.count) / 4;
  ForSlabs<kType>(matrices, order, scratch,
                  [&](const Slab& at, const std::byte* tiles, auto& ahead) G3N_LAMBDA {
                    const bool last = at.slab + 1 == order.slabs;
                    if (at.matrix == 0) {
                      MultiplySlab(at, last, tiles, rows.x, rows.count, gate, Kept(), ahead);
                    } else {
                      const Packed<false> sink{rows, gate, at.row};
                      MultiplySlab(at, last, tiles, rows.x, rows.count, up, sink, ahead);
                    }
                  });
}

template <DType kType>
void Up(const GatedRows& rows, int64_t begin, int64_t end, std::byte* scratch) {
  const Matrix* const matrices[] = {rows.up};
  const SlabOrder order(begin, end, rows.up->cols);
  auto* up = reinterpret_cast<float*>(scratch + 2 * kSlabBytes);
  ForSlabs<kType>(matrices, order, scratch,
                  [&](const Slab& at, const std::byte* tiles, auto& ahead) G3N_LAMBDA {
                    const auto* gate = reinterpret_cast<const float*>(
                        rows.sums + at.row / kGroupRows * GroupBytes(rows.count));
                    const bool last = at.slab + 1 == order.slabs;
                    MultiplySlab(at, last, tiles, rows.x, rows.count, up,
                                 Packed<true>{rows, gate, at.row}, ahead);
                  });
}

constexpr GatedKernels Make() {
  GatedKernels k = {GroupBytes, ScratchBytes, kColumns, {}, {}, {}, {}};
  ForTypes([&]<DType kType> {
    k.least_rows[static_cast<int>(kType)] =
        1 + (kType == DType::kBF16 ? kStoredRows : kSeveralRows);
    k.gate[static_cast<int>(kType)] = Gate<kType>;
    k.up[static_cast<int>(kType)] = Up<kType>;
    k.both[static_cast<int>(kType)] = Both<kType>;
  });
  return k;
}

}  // namespace

constinit const GatedKernels kGatedKernels = Make();

}  // namespace gemma3n::amx
