#include "model/text/decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "model/text/altup.h"
#include "model/text/attend_rows.h"
#include "model/text/embedding.h"
#include "model/text/likely_logits.h"
#include "model/text/logits.h"
#include "model/text/per_layer_input.h"

namespace gemma3n {
namespace {

// Cosines and sines for the two kinds of layers.
struct RopeTables {
  RopeTable full, sliding;
  const RopeTable& For(bool is_sliding) const { return is_sliding ? sliding : full; }
};

// Some of a batch's rows: their indices, ascending, and copies of the rows themselves.
struct Selection {
  std::span<int64_t> indices;
  std::span<BatchRow> rows;
  int64_t count() const { return static_cast<int64_t>(rows.size()); }
};

template <typename Predicate>
Selection Select(std::span<const BatchRow> rows, const StageContext& ctx, const Predicate& wanted) {
  const auto tokens = static_cast<int64_t>(rows.size());
  Selection s{ctx.arena.Array<int64_t>(tokens), ctx.arena.Array<BatchRow>(tokens)};
  size_t count = 0;
  for (size_t t = 0; t < rows.size(); ++t) {
    if (!wanted(rows[t])) continue;
    s.indices[count] = static_cast<int64_t>(t);
    s.rows[count++] = rows[t];
  }
  return {s.indices.first(count), s.rows.first(count)};
}

// Moves the selected rows of each group together, in place.
//   x: [groups * T, cols] -> [groups * selected, cols]
View KeepRows(const View& x, int64_t groups, const Selection& selected) {
  const int64_t tokens = x.rows / groups, count = selected.count();
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t i = 0; i < count; ++i) {  // ascending targets never pass their sources
      std::memmove(x.row(g * count + i), x.row(g * tokens + selected.indices[i]),
                   sizeof(float) * x.cols);
    }
  }
  return x.Rows(0, groups * count);
}

}  // namespace

Decoder::Decoder(const TextWeights& weights, std::span<const HardEmbeddings> hard,
                 NestedModel model, bool prefill_skip)
    : weights_(weights), hard_(hard), model_(std::move(model)), prefill_skip_(prefill_skip) {
  const TextConfig& c = model_.config;
  for (int64_t i = 0; i < c.num_layers; ++i) {
    layers_.push_back({.weights = &weights.layers[model_.layers[i]],
                       .kv_layer = c.kv_source(i),
                       .owns_kv = i < c.first_kv_shared(),
                       .mlp_width = c.intermediate_size[i],
                       .sparsity_z = c.sparsity_z[i]});
  }
  rope_full_ = RopeFrequencies(c.rope_theta_full, c.head_dim);
  rope_sliding_ = RopeFrequencies(c.rope_theta_sliding, c.head_dim);
}

std::vector<std::span<const std::byte>> Decoder::DecodedWeights() const {
  std::vector<std::span<const std::byte>> parts;
  const auto add = [&](const Matrix& m) {
    if (!m.empty()) parts.emplace_back(m.data, m.bytes());
  };
  if (weights_.coarse_lm_head == nullptr) add(weights_.lm_head);
  add(weights_.per_layer_model_projection);
  for (const Matrix& m : weights_.altup_projections) add(m);
  for (const Matrix& m : weights_.altup_unembed_projections) add(m);
  for (const DecoderLayer& layer : layers_) {
    const LayerWeights& w = *layer.weights;
    for (const Matrix* m : {&w.attention.q, &w.attention.o, &w.laurel.left, &w.laurel.right,
                            &w.per_layer_input.gate, &w.per_layer_input.projection}) {
      add(*m);
    }
    if (layer.owns_kv) add(w.attention.k);
    if (layer.owns_kv) add(w.attention.v);
    add(w.mlp.gate.RowSlice(0, layer.mlp_width));
    add(w.mlp.up.RowSlice(0, layer.mlp_width));
    // A nested width is a prefix of every row: much of what lies between would be moved for
    // nothing.
    if (w.mlp.down_columns == nullptr && layer.mlp_width == w.mlp.down.cols) add(w.mlp.down);
  }
  return parts;
}

Status Decoder::CheckRows(std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                          Arena& arena) const {
  const auto next = arena.Array<int64_t>(static_cast<int64_t>(caches.size()));
  for (size_t s = 0; s < caches.size(); ++s) next[s] = caches[s]->length();
  for (const BatchRow& row : rows) {
    if (row.token < 0 || row.token >= model_.config.vocab_size) {
      return Error(StatusCode::kInvalidArgument, "token id {} is outside the vocabulary of {}",
                   row.token, model_.config.vocab_size);
    }
    if (row.sequence < 0 || row.sequence >= static_cast<int>(caches.size()) ||
        row.position != next[row.sequence]) {
      return Error(StatusCode::kInternal,
                   "batch row: sequence {} of {} at position {}, expected the next one",
                   row.sequence, caches.size(), row.position);
    }
    const KvCache& cache = *caches[row.sequence];
    if (++next[row.sequence] > cache.context() ||
        next[row.sequence] - cache.length() > cache.max_rows()) {
      return Error(StatusCode::kInternal,
                   "batch row at position {}: the cache holds {} positions, {} a forward",
                   row.position, cache.context(), cache.max_rows());
    }
  }
  return OkStatus();
}

Result<View> Decoder::Forward(std::span<const BatchRow> all_rows, std::span<KvCache* const> caches,
                              const Ops& ops, Arena& arena, const Probe& probe) const {
  G3N_RETURN_IF_ERROR(CheckRows(all_rows, caches, arena));
  const TextConfig& c = model_.config;
  StageContext ctx{c, ops, arena, probe};
  std::span<const BatchRow> rows = all_rows;
  const int64_t a = c.altup_num_inputs, d = c.hidden_size, last_owner = c.first_kv_shared() - 1;
  const int64_t tokens = static_cast<int64_t>(rows.size());
  const Selection kept = Select(rows, ctx, [&](const BatchRow& row) {  // go on past last_owner
    return !prefill_skip_ || row.wants_logits;
  });

  // What the layers read.
  View h0 = ctx.Tensor(tokens, d), n = ctx.Tensor(tokens, d);
  View streams = ctx.Tensor(a * tokens, d), predicted = ctx.Tensor(a * tokens, d);
  const int64_t p = c.per_layer_dim;
  const View ple_all = ctx.Tensor(tokens, last_owner * p);
  const View ple_kept = ctx.Tensor(kept.count(), (c.num_layers - last_owner) * p);
  G3N_RETURN_IF_ERROR(EmbedTokens(weights_.embed_tokens, hard_, rows, h0, ctx));
  if (tokens >= kLongPass && weights_.coarse_lm_head) {
    weights_.coarse_lm_head->LetGo();  // the embedding's pages, which no layer needs
  }
  G3N_RETURN_IF_ERROR(
      PerLayerInputs(weights_, model_.layers, 0, last_owner, rows, h0, ple_all, ctx));
  G3N_RETURN_IF_ERROR(AltUpInit(weights_.altup_projections, h0, streams, ctx));
  h0 = KeepRows(h0, 1, kept);
  G3N_RETURN_IF_ERROR(PerLayerInputs(weights_, model_.layers, last_owner, c.num_layers, kept.rows,
                                     h0, ple_kept, ctx));
  RopeTables rope{MakeRopeTable(rope_full_, rows, ctx), MakeRopeTable(rope_sliding_, rows, ctx)};

  for (int64_t i = 0; i < c.num_layers; ++i) {
    ctx.layer = model_.layers[i];
    const DecoderLayer& layer = layers_[i];
    G3N_RETURN_IF_ERROR(
        DecoderLayerOpen(layer, streams, rows, caches, rope.For(c.sliding[i]), predicted, n, ctx));
    if (i == last_owner) {  // the batch narrows: nothing after this reads the other rows
      rows = kept.rows;
      if (rows.empty()) break;
      predicted = KeepRows(predicted, a, kept);
      streams = streams.Rows(0, predicted.rows);
      n = KeepRows(n, 1, kept);
      for (View* table : {&rope.full.cos, &rope.full.sin, &rope.sliding.cos, &rope.sliding.sin}) {
        *table = KeepRows(*table, 1, kept);
      }
    }
    const View ple =
        i < last_owner ? ple_all.Cols(i * p, p) : ple_kept.Cols((i - last_owner) * p, p);
    ctx.Tap("per_layer_input", ple);
    G3N_RETURN_IF_ERROR(
        DecoderLayerClose(layer, n, ple, rows, caches, rope.For(c.sliding[i]), predicted, ctx));
    std::swap(streams, predicted);
  }
  ctx.layer = -1;
  for (const BatchRow& row : all_rows) caches[row.sequence]->Advance(1);

  // Without the skip, rows that nobody reads came along: they stay behind here.
  const Selection wanted = Select(rows, ctx, [](const BatchRow& row) { return row.wants_logits; });
  const View hidden = h0.Rows(0, wanted.count());
  if (wanted.count() == 0) return hidden;
  streams = KeepRows(streams, a, wanted);
  G3N_RETURN_IF_ERROR(AltUpMerge(weights_.altup_unembed_projections, streams, hidden, ctx));
  ops.RmsNorm(weights_.norm.data(), c.rms_norm_eps, hidden, hidden);
  ctx.Tap("final_norm", hidden);
  return hidden;
}

Status Decoder::ComputeLogits(const ConstView& hidden, const View& logits, int64_t top,
                              const Ops& ops, Arena& arena, const Probe& probe) const {
  const StageContext ctx{model_.config, ops, arena, probe};
  CoarseRows* const coarse = weights_.coarse_lm_head.get();
  if (coarse != nullptr && LikelyLogitsPay(*coarse, hidden.rows, top) && coarse->Want(ops)) {
    return LikelyLogits(weights_.lm_head, *coarse, hidden, top, logits, ctx);
  }
  return Logits(weights_.lm_head, hidden, logits, ctx);
}

size_t Decoder::ArenaBytes(const TextConfig& c, int64_t max_rows, int64_t context, const Ops& ops) {
  const int64_t widest = *std::max_element(c.intermediate_size.begin(), c.intermediate_size.end());
  const int64_t per_row = (2 * c.altup_num_inputs + 8) * c.hidden_size +
                          c.num_layers * c.per_layer_dim + 4 * widest + 2 * c.q_dim() +
                          2 * c.kv_dim() + 2 * c.head_dim + c.laurel_rank + c.per_layer_dim;
  const int64_t per_thread = c.num_layers * c.per_layer_dim;
  const int64_t row_lists = 3 * max_rows * static_cast<int64_t>(sizeof(BatchRow) + sizeof(int64_t));
  const int64_t rounding = 64 * 16;  // floats lost to alignment
  return sizeof(float) *
         static_cast<size_t>(max_rows * per_row + ops.pool().threads() * per_thread + row_lists +
                             widest + rounding + AttendRowsFloats(c, ops, max_rows, context) +
                             LikelyLogitsFloats(c.vocab_size));
}

}  // namespace gemma3n
