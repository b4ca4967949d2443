// PackedKernels as templates. L: a vocabulary of lanes that rounds, scales and stores; D: the dot
// products of one tile of activations with one of weights. See kernels/packed.h for the layout.
#pragma once

#include "kernels/half.h"
#include "kernels/packed.h"
#include "kernels/simd/common.h"

namespace gemma3n::simd {

inline constexpr int64_t kTileSums = kPanelRows * kPanelRows;
inline constexpr int64_t kGroupPanels = 8;          // whose sums are 32 KB of stack
inline constexpr int64_t kGroupBytes = 384 * 1024;  // of W in the second-level cache
inline constexpr int64_t kRunSteps = 8;  // packed in one go: 16 rows x 8 steps are 8 KB of tiles

// n values at p, and zeros up to a whole vector.
template <class L, typename T>
G3N_INLINE typename L::F LoadSome(const T* p, int64_t n) {
  if (n >= L::kLanes) return L::Load(p);
  return n > 0 ? L::LoadN(p, n) : L::Zero();
}

// Calls step(source, count, row, tile row) for each piece of a row that fills one row of one tile.
template <typename T, class Step, class Blank>
G3N_INLINE void ForSteps(const T* x, int64_t stride, int64_t rows, int64_t cols, int64_t columns,
                         std::byte* tiles, const Step& step, const Blank& blank) {
  const int64_t steps = (cols + columns - 1) / columns;
  for (int64_t first = 0; first < rows; first += kStripRows, tiles += steps * kTileBytes) {
    for (int64_t run = 0; run < steps; run += kRunSteps) {
      for (int64_t i = 0; i < kStripRows; ++i) {
        for (int64_t s = run; s < Min(run + kRunSteps, steps); ++s) {
          std::byte* dst = tiles + s * kTileBytes + i * kStepBytes;
          if (first + i < rows) {
            step(x + (first + i) * stride + s * columns, Min(columns, cols - s * columns),
                 first + i, dst);
          } else {
            blank(dst);
          }
        }
      }
    }
  }
}

template <class L>
G3N_INLINE void Blank(std::byte* dst) {
  for (int64_t i = 0; i < 16; i += L::kLanes)
    L::Store(reinterpret_cast<float*>(dst) + i, L::Zero());
}

template <class L, typename T>
G3N_INLINE void PackFloat32Rows(const T* x, int64_t stride, int64_t rows, int64_t cols,
                                std::byte* tiles) {
  ForSteps(
      x, stride, rows, cols, 16, tiles,
      [](const T* src, int64_t n, int64_t, std::byte* dst) G3N_LAMBDA {
        auto* out = reinterpret_cast<float*>(dst);
        for (int64_t i = 0; i < 16; i += L::kLanes) L::Store(out + i, LoadSome<L>(src + i, n - i));
      },
      [](std::byte* dst) G3N_LAMBDA { Blank<L>(dst); });
}

template <class L>
void PackFloat32(const InputView& x, int64_t cols, uint8_t, std::byte* tiles, float*) {
  if (x.f32.data != nullptr)
    return PackFloat32Rows<L>(x.f32.data, x.f32.stride, x.f32.rows, cols, tiles);
  PackFloat32Rows<L>(x.bf16.data, x.bf16.stride, x.bf16.rows, cols, tiles);
}

template <class L, typename T>
G3N_INLINE void PackBFloat16Rows(const T* x, int64_t stride, int64_t rows, int64_t cols,
                                 std::byte* tiles) {
  ForSteps(
      x, stride, rows, cols, 32, tiles,
      [](const T* src, int64_t n, int64_t, std::byte* dst) G3N_LAMBDA {
        auto* out = reinterpret_cast<uint16_t*>(dst);
        for (int64_t i = 0; i < 32; i += L::kLanes)
          L::StoreBFloat16(out + i, LoadSome<L>(src + i, n - i));
      },
      [](std::byte* dst) G3N_LAMBDA { Blank<L>(dst); });
}

template <class L>
void PackBFloat16(const InputView& x, int64_t cols, uint8_t, std::byte* tiles, float*) {
  if (x.f32.data != nullptr)
    return PackBFloat16Rows<L>(x.f32.data, x.f32.stride, x.f32.rows, cols, tiles);
  PackBFloat16Rows<L>(x.bf16.data, x.bf16.stride, x.bf16.rows, cols, tiles);
}

template <class L, typename T>
G3N_INLINE void PackInt8Rows(const T* x, int64_t stride, int64_t rows, int64_t cols, uint8_t flip,
                             std::byte* tiles, float* scales) {
  for (int64_t t = 0; t < rows; ++t) {
    const T* row = x + t * stride;
    auto bits = L::ZeroBits();
    for (int64_t c = 0; c < cols; c += L::kLanes)
      bits = L::MaxMagnitude(bits, LoadSome<L>(row + c, cols - c));
    // The magnitudes' bits are ordered as the magnitudes are, infinity and then NaN above all.
    const uint32_t largest = L::ReduceMax(bits);
    scales[t] = largest >= 0x7f800000  ? BitsToFloat(0x7fc00000)
                : largest < 0x0d800000 ? 0.0f  // 2^-100
                                       : BitsToFloat(largest) / 127.0f;
  }
  ForSteps(
      x, stride, rows, cols, 64, tiles,
      [=](const T* src, int64_t n, int64_t t, std::byte* dst) G3N_LAMBDA {
        const bool usable = scales[t] > 0;
        const auto inverse = L::Set1(usable ? 1.0f / scales[t] : 0.0f);
        for (int64_t i = 0; i < 64; i += L::kLanes) {
          L::StoreInt8(dst + i, usable ? L::Mul(LoadSome<L>(src + i, n - i), inverse) : L::Zero(),
                       flip);
        }
      },
      [](std::byte* dst) G3N_LAMBDA { Blank<L>(dst); });
}

template <class L>
void PackInt8(const InputView& x, int64_t cols, uint8_t flip, std::byte* tiles, float* scales) {
  if (x.f32.data != nullptr) {
    return PackInt8Rows<L>(x.f32.data, x.f32.stride, x.f32.rows, cols, flip, tiles, scales);
  }
  PackInt8Rows<L>(x.bf16.data, x.bf16.stride, x.bf16.rows, cols, flip, tiles, scales);
}

template <class L, typename Value>
G3N_INLINE void StorePanel(const OutputView& y, int64_t t, int64_t r, int64_t n,
                           const Value& value) {
  for (int64_t i = 0; i < n; i += L::kLanes) {
    const auto v = value(i);
    if (y.f32.data != nullptr) {
      L::StoreSome(y.f32.row(t) + r + i, v, n - i);
    } else {
      L::StoreSome(y.bf16.row(t) + r + i, v, n - i);
    }
  }
}

// Rows [t, t + count) of y from r to end: sums holds 32 x 32 of them per panel.
template <class L, class D>
G3N_INLINE void StoreSums(const PackedMatrix& w, const PackedRows& x, const typename D::Sum* sums,
                          int64_t t, int64_t count, int64_t r, int64_t end, const OutputView& y) {
  for (int64_t i = 0; i < count; ++i) {
    const auto* row = sums + i * kPanelRows;
    for (int64_t p = r; p < end; p += kPanelRows, row += kTileSums) {
      const int64_t n = Min(kPanelRows, end - p);
      if constexpr (D::kInteger) {
        const auto scale = L::Set1(x.scales[t + i]);
        StorePanel<L>(y, t + i, p, n, [&](int64_t j) G3N_LAMBDA {
          return L::Mul(L::Mul(L::ToFloat(row + j), scale), L::Load(w.scales + p + j));
        });
      } else {
        StorePanel<L>(y, t + i, p, n, [&](int64_t j) G3N_LAMBDA { return L::Load(row + j); });
      }
    }
  }
}

// A group of panels of W stays in the second-level cache while x passes by, 32 rows at a time; a
// slab of these rows' columns stays in the first. So every row of y is written some hundred columns
// at a time. The sums wait in `sums`, exact, from slab to slab: a row's result does not depend on
// its company.
template <class L, class D>
void Multiply(const PackedMatrix& w, int64_t begin, int64_t end, const PackedRows& x,
              const OutputView& y) {
  alignas(64) typename D::Sum sums[kGroupPanels * kTileSums];
  const int64_t strip = w.steps * kTileBytes, slabs = (w.steps + D::kSlabSteps - 1) / D::kSlabSteps;
  const int64_t fit = kGroupBytes / (2 * strip);
  const int64_t group = kPanelRows * (fit < 1 ? 1 : Min(fit, kGroupPanels));
  D::Begin();
  for (int64_t first = begin; first < end; first += group) {
    const int64_t stop = Min(first + group, end);
    for (int64_t t = 0; t < x.rows; t += kPanelRows) {
      const int64_t count = Min(kPanelRows, x.rows - t);
      for (int64_t slab = 0; slab < slabs; ++slab) {
        const int64_t s = w.steps * slab / slabs, steps = w.steps * (slab + 1) / slabs - s;
        const std::byte* rows = x.tiles + t / kStripRows * strip + s * kTileBytes;
        for (int64_t r = first; r < stop; r += kPanelRows) {
          D::Tile(rows, strip, w.tiles + r / kStripRows * strip + s * kTileBytes, strip, steps,
                  count, sums + (r - first) / kPanelRows * kTileSums,
                  slab == 0 ? w.starts + r : nullptr);
        }
      }
      StoreSums<L, D>(w, x, sums, t, count, first, stop, y);
    }
  }
  D::End();
}

// Asks for the lines of y that follow a panel's last slab: they come from memory while its sums are
// made.
static G3N_INLINE void PrefetchOutput(const OutputView& y, int64_t t, int64_t count, int64_t r) {
  for (int64_t i = t; i < t + count; ++i) {
    if (y.f32.data != nullptr) {
      __builtin_prefetch(y.f32.row(i) + r, 1);
      __builtin_prefetch(y.f32.row(i) + r + 16, 1);
    } else {
      __builtin_prefetch(y.bf16.row(i) + r, 1);
    }
  }
}

// float32, whose arithmetic takes far longer than its data: each panel's slab of 128 columns is
// brought to the first-level cache once, widened if W is halved, and meets all rows of x. A slab is
// summed by itself and then added, which keeps rounding errors from growing with the columns.
template <class L, class D>
void MultiplyFloat32(const PackedMatrix& w, int64_t begin, int64_t end, const PackedRows& x,
                     const OutputView& y) {
  constexpr int64_t kSlabSteps = 8;  // 128 columns: 16 KB of the first-level cache
  alignas(64) float sums[kBlockRows * kPanelRows];
  alignas(64) float panel[2 * kSlabSteps * kTileBytes / 4];
  const int64_t strip = w.steps * kTileBytes, tile = w.halved ? kTileBytes / 2 : kTileBytes;
  for (int64_t r = begin; r < end; r += kPanelRows) {
    for (int64_t s = 0; s < w.steps; s += kSlabSteps) {
      const int64_t steps = Min(kSlabSteps, w.steps - s);
      for (int64_t half = 0; half < 2; ++half) {
        const std::byte* src = w.tiles + ((r / kStripRows + half) * w.steps + s) * tile;
        float* dst = panel + half * kSlabSteps * kTileBytes / 4;
        for (int64_t i = 0; i < steps * kTileBytes / 4; i += L::kLanes) {
          L::Store(dst + i, w.halved ? L::Load(reinterpret_cast<const uint16_t*>(src) + i)
                                     : L::Load(reinterpret_cast<const float*>(src) + i));
        }
      }
      for (int64_t t = 0; t < x.rows; t += kPanelRows) {
        const int64_t count = Min(kPanelRows, x.rows - t);
        if (s + steps == w.steps) PrefetchOutput(y, t, count, r);
        D::Tile(x.tiles + t / kStripRows * strip + s * kTileBytes, strip,
                reinterpret_cast<const std::byte*>(panel), kSlabSteps * kTileBytes, steps, count,
                sums + t * kPanelRows, s == 0 ? w.starts + r : nullptr);
      }
    }
    for (int64_t t = 0; t < x.rows; ++t) {
      StorePanel<L>(y, t, r, Min(kPanelRows, end - r),
                    [&](int64_t j) G3N_LAMBDA { return L::Load(sums + t * kPanelRows + j); });
    }
  }
}

}  // namespace gemma3n::simd
