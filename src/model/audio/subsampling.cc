#include "model/audio/subsampling.h"

#include <algorithm>
#include <cmath>

namespace gemma3n {
namespace {

constexpr int64_t kTaps = 3;

int64_t Halved(int64_t n) { return (n - 1) / 2 + 1; }

// Input frames that the first `rows` outputs of a convolution read, of `frames` that there are.
int64_t Reach(int64_t rows, int64_t frames) { return std::min(frames, 2 * (rows - 1) + kTaps); }

// Sum of f(x) in double: eight partial sums, which a compiler makes vectors of.
template <typename Fn>
double Sum(const float* x, int64_t n, Fn f) {
  double sum[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int j = 0; j < 8; ++j) sum[j] += f(static_cast<double>(x[i + j]));
  }
  for (int j = 0; i < n; ++i, ++j) sum[j] += f(static_cast<double>(x[i]));
  return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

// x: [frames, freq * channels], in place. weight: [channels]
void CumulativeGroupNormRelu(const std::vector<float>& weight, float eps, const View& x,
                             const AudioContext& ctx) {
  Arena::Scope scope(ctx.arena);
  const auto channels = static_cast<int64_t>(weight.size());
  const std::span<double> mean = ctx.arena.Array<double>(x.rows),
                          variance = ctx.arena.Array<double>(x.rows);
  const auto accumulate = [&](std::span<double> values) {  // sums of frames -> running means
    double sum = 0;
    for (int64_t t = 0; t < x.rows; ++t) {
      sum += values[t];
      values[t] = sum / (static_cast<double>(x.cols) * static_cast<double>(t + 1));
    }
  };
  ctx.ops.ForRows(x.rows,
                  [&](int64_t t) { mean[t] = Sum(x.row(t), x.cols, [](double v) { return v; }); });
  accumulate(mean);
  ctx.ops.ForRows(x.rows, [&](int64_t t) {
    variance[t] = Sum(x.row(t), x.cols, [mu = mean[t]](double v) { return (v - mu) * (v - mu); });
  });
  accumulate(variance);
  ctx.ops.ForRows(x.rows, [&](int64_t t) {
    const auto mu = static_cast<float>(mean[t]);
    const auto factor = static_cast<float>(1 / std::sqrt(variance[t] + static_cast<double>(eps)));
    for (float* at = x.row(t); at < x.row(t) + x.cols; at += channels) {
      for (int64_t c = 0; c < channels; ++c)
        at[c] = std::max(0.0f, (at[c] - mu) * factor * weight[c]);
    }
  });
}

// One output frame.   mel: [frames, F]   out: [F / 2, C0]
void Conv0(const SubsamplingWeights& w, const ConstView& mel, int64_t t, float* out,
           const KernelTable& kernels) {
  const auto channels = static_cast<int64_t>(w.norm0.size());
  for (int64_t f = 0; f < Halved(mel.cols); ++f, out += channels) {
    std::fill_n(out, channels, 0.0f);
    for (int64_t tap = 0; tap < kTaps * kTaps; ++tap) {
      const int64_t time = 2 * t + tap / kTaps, freq = 2 * f + tap % kTaps - 1;
      if (time >= mel.rows || freq < 0 || freq >= mel.cols) continue;
      kernels.axpy(mel.row(time)[freq], w.conv0.data() + tap * channels, out, channels);
    }
  }
}

// One output frame, as a product of its patches.
// x: [frames, (1 + F1 + 1) * C0] with zeros at both ends   patches: scratch [F2, 9 * C0]   out:
// [F2, C1]
void Conv1(const SubsamplingWeights& w, const ConstView& x, int64_t t, const View& patches,
           float* out, const KernelTable& kernels) {
  const auto in = static_cast<int64_t>(w.norm0.size()),
             channels = static_cast<int64_t>(w.norm1.size());
  const int64_t run = kTaps * in;  // three neighbours in frequency lie together
  for (int64_t f = 0; f < patches.rows; ++f) {
    for (int64_t tap = 0; tap < kTaps; ++tap) {
      const int64_t time = 2 * t + tap;
      float* to = patches.row(f) + tap * run;
      time < x.rows ? std::copy_n(x.row(time) + 2 * f * in, run, to) : std::fill_n(to, run, 0.0f);
    }
  }
  const Matrix matrix = {DType::kF32, channels, patches.cols,
                         static_cast<int64_t>(sizeof(float)) * patches.cols,
                         reinterpret_cast<const std::byte*>(w.conv1.data())};
  kernels.linear[static_cast<int>(DType::kF32)](matrix, 0, channels, patches,
                                                View(out, patches.rows, channels));
}

}  // namespace

int64_t SubsampledRows(int64_t frames) { return frames <= 0 ? 0 : Halved(Halved(frames)); }

int64_t FramesForRows(int64_t rows, int64_t frames) {
  return rows <= 0 ? 0 : Reach(Reach(rows, Halved(frames)), frames);
}

Status Subsample(const SubsamplingWeights& w, const ConstView& mel, int64_t frames, const View& out,
                 const AudioContext& ctx) {
  const int64_t rows = out.rows;
  G3N_RETURN_IF_ERROR(
      ExpectShape(mel, FramesForRows(rows, frames), ctx.config.feature_size, "mel spectrogram"));
  if (rows == 0) return OkStatus();
  const KernelTable& kernels = ctx.ops.kernels();
  const auto c0 = static_cast<int64_t>(w.norm0.size()), c1 = static_cast<int64_t>(w.norm1.size());
  const int64_t f1 = Halved(mel.cols), f2 = Halved(f1);
  Arena::Scope scope(ctx.arena);

  const View padded = ctx.Tensor(Reach(rows, Halved(frames)), (f1 + 2) * c0);
  const View first(padded.data + c0, padded.rows, f1 * c0, padded.stride);
  ctx.ops.ForRows(first.rows, [&](int64_t t) {
    std::fill_n(padded.row(t), c0, 0.0f);
    Conv0(w, mel, t, first.row(t), kernels);
    std::fill_n(first.row(t) + first.cols, c0, 0.0f);
  });
  CumulativeGroupNormRelu(w.norm0, ctx.config.group_norm_eps, first, ctx);
  ctx.Tap("subsampling_0", first);

  const View second = ctx.Tensor(rows, f2 * c1);
  const View patches = ctx.Tensor(ctx.ops.pool().threads() * f2, kTaps * kTaps * c0);
  ctx.ops.ForSlots(rows, [&](int slot, int64_t t) {
    Conv1(w, padded, t, patches.Rows(slot * f2, f2), second.row(t), kernels);
  });
  CumulativeGroupNormRelu(w.norm1, ctx.config.group_norm_eps, second, ctx);
  ctx.Tap("subsampling_1", second);
  w.projection.Apply(second, out, ctx.ops);  // [T, F2 * C1] -> [T, D]
  ctx.Tap("subsampling", out);
  return OkStatus();
}

}  // namespace gemma3n
