// What the picture tower's stages share: maps of features, and how their pixels are spread over the
// threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/rounding.h"
#include "base/arena.h"
#include "kernels/ops.h"
#include "kernels/packed_linear.h"
#include "model/stage.h"

namespace gemma3n::vision {

struct TowerConfig {
  float norm_eps = 0;
};
using TowerContext = StageContextOf<TowerConfig>;

// Features of a picture, row after row of pixels, a pixel's channels together: [height width,
// channels]
struct FeatureMap {
  View pixels;
  int64_t height = 0, width = 0;

  FeatureMap() = default;
  FeatureMap(float* data, int64_t h, int64_t w, int64_t channels)
      : pixels(data, h * w, channels), height(h), width(w) {}
  int64_t channels() const { return pixels.cols; }
};

// Views handed out of a piece of scratch memory, one after the other.
struct Scratch {
  float* next = nullptr;

  View Take(int64_t rows, int64_t cols) {
    const View view(next, rows, cols);
    next += Floats(rows, cols);
    return view;
  }
  // What Take uses: whole cache lines.
  static int64_t Floats(int64_t rows, int64_t cols) { return (rows * cols + 15) / 16 * 16; }
};

// A run of pixels (or of image rows) that one thread takes through a chain of matrices while it is
// in that thread's cache; or the whole of a small map, whose matrices all threads share.
struct Run {
  const Ops& ops;
  int64_t begin = 0, count = 0;
  Scratch scratch;
  bool alone = false;  // the only run

  void Linear(const PackedLinear& w, const ConstView& x, const View& y) const {
    alone ? w.Apply(x, y, ops) : w.ApplyRows(x, y, ops);
  }
  // body(i) for i in [0, n)
  template <typename Body>
  void ForEach(int64_t n, const Body& body) const {
    if (alone) return ops.ForRows(n, body);
    for (int64_t i = 0; i < n; ++i) body(i);
  }
  void RmsNorm(const float* w, float eps, const ConstView& x, const View& y) const {
    ForEach(x.rows, [&](int64_t i) { ops.kernels().rms_norm(x.row(i), w, y.row(i), x.cols, eps); });
  }
  // y += x
  void Add(const ConstView& x, const View& y) const {
    ForEach(y.rows, [&](int64_t i) { ops.kernels().add(x.row(i), y.row(i), y.cols); });
  }
  void RmsNormGelu(const float* w, float eps, const ConstView& x, const View& y) const {
    ForEach(x.rows,
            [&](int64_t i) { ops.kernels().rms_norm_gelu(x.row(i), w, y.row(i), x.cols, eps); });
  }
};

// How `total` pixels (or image rows) are cut into runs.
struct RunPlan {
  int64_t total = 0, length = 0;
  bool alone = false;

  // Runs of about `wanted` that come out even over the threads. Where a thread's share is less than
  // `least`, weights would be read too often for the work that each reading does: then one run, and
  // the threads share each matrix's rows.
  RunPlan(int64_t n, int64_t wanted, int64_t least, const Ops& ops) : total(n) {
    const int64_t threads = ops.pool().threads();
    alone = n < threads * least;
    const int64_t runs = alone ? 1 : RoundUp(CeilDiv(n, std::max(wanted, least)), threads);
    length = CeilDiv(n, runs);
  }
  // body(run): `floats` of scratch for each thread, taken from the arena.
  template <typename Body>
  void ForRuns(const TowerContext& ctx, int64_t floats, const Body& body) const {
    const int64_t stride = Scratch::Floats(1, floats);
    Arena::Scope scope(ctx.arena);
    if (alone) return body(Run{ctx.ops, 0, total, {ctx.arena.Floats(stride)}, true});
    float* scratch = ctx.arena.Floats(stride * ctx.ops.pool().threads());
    ctx.ops.ForSlots(CeilDiv(total, length), [&](int slot, int64_t i) {
      const int64_t begin = i * length;
      body(Run{ctx.ops, begin, std::min(length, total - begin), {scratch + slot * stride}, false});
    });
  }

};

// Zeros before a dimension of n pixels for a convolution of this kernel and stride: TensorFlow's
// "SAME", where what is odd goes behind.
inline int64_t SamePadding(int64_t n, int64_t kernel, int64_t stride) {
  const int64_t outputs = (n + stride - 1) / stride;
  return std::max<int64_t>((outputs - 1) * stride + kernel - n, 0) / 2;
}

}  // namespace gemma3n::vision
