// The text model: embeddings, per-layer inputs, AltUp, the layers, the last norm.    docs/MODEL.md
// 9 - HF Gemma3nTextModel One forward for everything: a slice of a prompt, one decode step, the
// steps of many sequences.
#pragma once

#include <span>
#include <vector>

#include "model/multimodal_embedder.h"
#include "model/probe.h"
#include "model/stage.h"
#include "model/text/batch.h"
#include "model/text/decoder_layer.h"
#include "model/text/kv_cache.h"
#include "model/weights.h"

namespace gemma3n {

// A model nested in the loaded one (MatFormer): which layers run, and how wide. The whole model is
// one of them.
struct NestedModel {
  TextConfig config;        // of the nested model: SlicedConfig()
  std::vector<int> layers;  // [config.num_layers] its layers' indices in the checkpoint
};

class Decoder {
 public:
  // Rows of a pass beside which taking pages again costs little.
  static constexpr int64_t kLongPass = LazyColumns::kLongPass;

  // weights must outlive the decoder. hard: rows of the multimodal vocabularies, may be empty.
  Decoder(const TextWeights& weights, std::span<const HardEmbeddings> hard, NestedModel model,
          bool prefill_skip);

  const TextConfig& config() const { return model_.config; }

  // Runs the rows (grouped by sequence, positions going on from each cache's length) and advances
  // the caches. hidden: [rows that want logits, D] after the final norm, in row order, in the
  // arena's memory until its scope ends. Rows whose logits nobody wants stop at the last layer that
  // owns K/V, once its keys and values are written (exact: later layers write no K/V). Errors:
  // kInternal for rows that don't fit the caches; kInvalidArgument for unknown ids.
  Result<View> Forward(std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                       const Ops& ops, Arena& arena, const Probe& probe = {}) const;

  // Vocabulary scores of hidden rows.    hidden: [R, D], logits: [R, V]
  // top: where only so many of each row's largest matter, others may be -inf; 0: all matter.
  Status ComputeLogits(const ConstView& hidden, const View& logits, int64_t top, const Ops& ops,
                       Arena& arena, const Probe& probe = {}) const;

  // The stored bytes that every decoded token reads from end to end; in layers whose down lies by
  // columns (LazyColumns), without down.
  std::vector<std::span<const std::byte>> DecodedWeights() const;

  // Arena bytes that a forward of at most max_rows rows takes, keys up to `context`.
  static size_t ArenaBytes(const TextConfig& config, int64_t max_rows, int64_t context,
                           const Ops& ops);

 private:
  Status CheckRows(std::span<const BatchRow> rows, std::span<KvCache* const> caches,
                   Arena& arena) const;

  const TextWeights& weights_;
  std::span<const HardEmbeddings> hard_;
  NestedModel model_;
  std::vector<DecoderLayer> layers_;
  std::vector<float> rope_full_, rope_sliding_;
  bool prefill_skip_;
};

}  // namespace gemma3n
