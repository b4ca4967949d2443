#include "model/audio/conformer_attention.h"

#include <algorithm>

namespace gemma3n {
namespace {

// One query row over its visible keys.   q, k, v: [T, D]   scores: scratch [context_left]
void AttendRow(const ConformerAttentionWeights& w, const View& q, const View& k, const View& v,
               int64_t t, float* scores, float* out, const AudioContext& ctx) {
  const KernelTable& kernels = ctx.ops.kernels();
  const int64_t heads = ctx.config.num_heads, d = q.cols, head_dim = d / heads;
  const int64_t first = std::max(ctx.clip_begin[t], t - ctx.config.context_left + 1);
  const int64_t count = t - first + 1;
  kernels.mul(w.query_scale.data(), q.row(t), d);
  std::fill_n(out, d, 0.0f);
  for (int64_t offset = 0; offset < d; offset += head_dim) {
    const float* query = q.row(t) + offset;
    for (int64_t i = 0; i < count; ++i) {
      const float* position = w.position.data() + (count - 1 - i) * d + offset;  // R[t - s]
      scores[i] = kernels.dot(query, k.row(first + i) + offset, head_dim) +
                  kernels.dot(query, position, head_dim);
    }
    kernels.softcap(scores, count, ctx.config.logit_cap);
    kernels.softmax(scores, count);
    for (int64_t i = 0; i < count; ++i)
      kernels.axpy(scores[i], v.row(first + i) + offset, out + offset, head_dim);
  }
}

}  // namespace

Status ConformerAttention(const ConformerAttentionWeights& w, const View& x,
                          const AudioContext& ctx) {
  G3N_RETURN_IF_ERROR(ExpectShape(x, static_cast<int64_t>(ctx.clip_begin.size()), w.q.cols(),
                                  "conformer attention"));
  Arena::Scope scope(ctx.arena);
  const View a = ctx.Tensor(x.rows, x.cols), q = ctx.Tensor(x.rows, x.cols);
  const View k = ctx.Tensor(x.rows, x.cols), v = ctx.Tensor(x.rows, x.cols);
  const View scores = ctx.Tensor(ctx.ops.pool().threads(), ctx.config.context_left);
  ctx.ops.RmsNorm(w.pre_norm.data(), kConformerNormEps, x, a);
  w.q.Apply(a, q, ctx.ops);
  w.k.Apply(a, k, ctx.ops);
  w.v.Apply(a, v, ctx.ops);
  ctx.ops.ForSlots(x.rows, [&](int slot, int64_t t) {
    AttendRow(w, q, k, v, t, scores.row(slot), a.row(t), ctx);
  });
  w.post.Apply(a, q, ctx.ops);
  ctx.ops.ForRows(x.rows, [&](int64_t t) {
    ctx.ops.kernels().rms_norm(q.row(t), w.post_norm.data(), q.row(t), q.cols, kConformerNormEps);
    ctx.ops.kernels().add(q.row(t), x.row(t), x.cols);
  });
  return OkStatus();
}

}  // namespace gemma3n
