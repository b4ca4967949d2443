#include "model/text/attention.h"

#include "kernels/attention.h"
#include "model/text/attend_rows.h"

namespace gemma3n {
namespace {

// rms over each head, then rope, in place.   x: [T, heads * d]
void NormAndRotate(const std::vector<float>& norm, const RopeTable& rope, const View& x,
                   const StageContext& ctx) {
  const int64_t d = ctx.config.head_dim;
  const KernelTable& k = ctx.ops.kernels();
  ctx.ops.ForRows(x.rows, [&](int64_t t) {
    for (int64_t h = 0; h < x.cols; h += d) {
      float* head = x.row(t) + h;
      k.rms_norm(head, norm.data(), head, d, ctx.config.rms_norm_eps);
      k.rope(head, rope.cos.row(t), rope.sin.row(t), d);
    }
  });
}

}  // namespace

Status WriteKeysValues(const AttentionWeights& w, int64_t kv_layer, const ConstView& n,
                       std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                       const RopeTable& rope, const StageContext& ctx) {
  const TextConfig& c = ctx.config;
  const int64_t tokens = static_cast<int64_t>(rows.size()), d = c.head_dim;
  G3N_RETURN_IF_ERROR(ExpectShape(n, tokens, c.hidden_size, "attention keys: input"));
  Arena::Scope scope(ctx.arena);
  const View k = ctx.Tensor(tokens, c.kv_dim()), v = ctx.Tensor(tokens, c.kv_dim());
  ctx.ops.LinearEach({{w.k, k}, {w.v, v}}, n);  // [T, D] -> [T, Hk * d], twice
  NormAndRotate(w.k_norm, rope, k, ctx);
  ctx.ops.ForRows(tokens, [&](int64_t t) {
    KvCache& cache = *caches[rows[t].sequence];
    for (int64_t h = 0; h < c.num_kv_heads; ++h) {
      float* value = v.row(t) + h * d;
      ctx.ops.kernels().rms_norm(value, nullptr, value, d, c.rms_norm_eps);
      StoreCacheRow(ctx.ops.kernels(), cache.dtype(), k.row(t) + h * d,
                    cache.Key(kv_layer, h, rows[t].position), d);
      StoreCacheRow(ctx.ops.kernels(), cache.dtype(), value,
                    cache.Value(kv_layer, h, rows[t].position), d);
    }
  });
  ctx.Tap("attention_k", k);
  ctx.Tap("attention_v", v);
  return OkStatus();
}

Status AttentionForward(const AttentionWeights& w, int64_t kv_layer, const ConstView& n,
                        std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                        const RopeTable& rope, const View& out, const StageContext& ctx) {
  const TextConfig& c = ctx.config;
  const int64_t tokens = static_cast<int64_t>(rows.size());
  G3N_RETURN_IF_ERROR(ExpectShape(n, tokens, c.hidden_size, "attention input"));
  G3N_RETURN_IF_ERROR(ExpectShape(out, tokens, c.hidden_size, "attention output"));
  Arena::Scope scope(ctx.arena);
  const View q = ctx.Tensor(tokens, c.q_dim()), mixed = ctx.Tensor(tokens, c.q_dim());
  ctx.ops.Linear(w.q, n, q);  // [T, D] -> [T, Hq * d]
  NormAndRotate(w.q_norm, rope, q, ctx);
  ctx.Tap("attention_q", q);
  AttendRows(kv_layer, rows, caches, q, mixed, ctx);
  ctx.ops.Linear(w.o, mixed, out);  // [T, Hq * d] -> [T, D]
  return OkStatus();
}

}  // namespace gemma3n
