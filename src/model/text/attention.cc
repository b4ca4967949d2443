#include "model/text/attention.h"

#include <algorithm>
#include <cstring>

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

// One row and one K/V head: its query heads over all visible keys.   q, out: [heads per K/V head,
// d]
void Attend(KvCache& cache, int64_t kv_layer, int64_t kv_head, int64_t position, const float* q,
            float* scores, float* out, const StageContext& ctx) {
  const int64_t d = ctx.config.head_dim;
  KvCache::Run runs[2];
  cache.Visible(kv_layer, kv_head, position, runs);
  AttentionArgs args;
  args.q = q;
  args.heads = ctx.config.num_heads / ctx.config.num_kv_heads;
  args.head_dim = args.q_stride = args.kv_stride = args.out_stride = d;
  for (int i = 0; i < 2; ++i) {
    args.k[i] = runs[i].k;
    args.v[i] = runs[i].v;
    args.count[i] = runs[i].count;
  }
  args.scores = scores;
  args.out = out;
  ctx.ops.kernels().attention(args);
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
  ctx.ops.Linear(w.k, n, k);  // [T, D] -> [T, Hk * d]
  ctx.ops.Linear(w.v, n, v);  // [T, D] -> [T, Hk * d]
  NormAndRotate(w.k_norm, rope, k, ctx);
  ctx.ops.ForRows(tokens, [&](int64_t t) {
    KvCache& cache = *caches[rows[t].sequence];
    for (int64_t h = 0; h < c.num_kv_heads; ++h) {
      float* value = v.row(t) + h * d;
      ctx.ops.kernels().rms_norm(value, nullptr, value, d, c.rms_norm_eps);
      std::memcpy(cache.Key(kv_layer, h, rows[t].position), k.row(t) + h * d, sizeof(float) * d);
      std::memcpy(cache.Value(kv_layer, h, rows[t].position), value, sizeof(float) * d);
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
  const int64_t tokens = static_cast<int64_t>(rows.size()), group = c.num_heads / c.num_kv_heads;
  G3N_RETURN_IF_ERROR(ExpectShape(n, tokens, c.hidden_size, "attention input"));
  G3N_RETURN_IF_ERROR(ExpectShape(out, tokens, c.hidden_size, "attention output"));
  Arena::Scope scope(ctx.arena);
  const View q = ctx.Tensor(tokens, c.q_dim()), mixed = ctx.Tensor(tokens, c.q_dim());
  ctx.ops.Linear(w.q, n, q);  // [T, D] -> [T, Hq * d]
  NormAndRotate(w.q_norm, rope, q, ctx);
  ctx.Tap("attention_q", q);

  int64_t longest = 0;
  for (const BatchRow& row : rows) {
    longest = std::max(longest, caches[row.sequence]->VisibleCount(kv_layer, row.position));
  }
  const View scores = ctx.Tensor(ctx.ops.pool().threads(), group * longest);
  ctx.ops.ForSlots(tokens * c.num_kv_heads, [&](int slot, int64_t item) {
    const int64_t t = item / c.num_kv_heads, h = item % c.num_kv_heads,
                  first = h * group * c.head_dim;
    Attend(*caches[rows[t].sequence], kv_layer, h, rows[t].position, q.row(t) + first,
           scores.row(slot), mixed.row(t) + first, ctx);
  });
  ctx.ops.Linear(w.o, mixed, out);  // [T, Hq * d] -> [T, D]
  return OkStatus();
}

}  // namespace gemma3n
