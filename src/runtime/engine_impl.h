// What an Engine owns. Everything but the scratch memory is immutable after Load; forwards of
// different sessions take turns.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/fair_mutex.h"
#include "base/file.h"
#include "base/huge_pages.h"
#include "base/thread_pool.h"
#include "chat/chat_template.h"
#include "gemma3n/engine.h"
#include "kernels/few_rows.h"
#include "kernels/ops.h"
#include "model/checkpoint.h"
#include "model/multimodal_embedder.h"
#include "model/text/decoder.h"
#include "model/text/per_layer_input.h"
#include "model/weights.h"
#include "runtime/constraints.h"
#include "runtime/media_encoder.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n::internal {

struct EngineImpl {
  EngineImpl(EngineOptions o, Checkpoint c, std::optional<Checkpoint> second, ModelConfig mc,
             Result<Tokenizer> t, ChatTemplate ct, const KernelTable& k)
      : options(std::move(o)),
        checkpoint(std::move(c)),
        mmproj(std::move(second)),
        resolved(std::move(mc)),
        tokenizer(std::move(t)),
        chat_template(std::move(ct)),
        pool(std::make_unique<ThreadPool>(options.threads)),
        ops(k, *pool, options.precision),
        exact_ops(k, *pool, Precision::kFloat32) {}

  EngineOptions options;
  Checkpoint checkpoint;
  std::optional<Checkpoint> mmproj;  // where a GGUF model's towers are
  ModelConfig resolved;              // the checkpoint's, completed by mmproj's
  Result<Tokenizer> tokenizer;       // kNotFound: the checkpoint has none, and ids go in and out
  ChatTemplate chat_template;
  Constraints constraints;
  std::unique_ptr<ThreadPool> pool;
  Ops ops;        // of the text model
  Ops exact_ops;  // of the towers, whose precision is asked for by itself
  TextWeights weights;
  std::vector<HardEmbeddings> hard;
  ModelInfo info;

  // One forward at a time: it has the threads and the scratch memory to itself.
  FairMutex compute;
  std::optional<Arena> arena;  // guarded by compute
  std::vector<float> logits;   // [rows, V], scratch of RunBatch; guarded by compute

  std::optional<MediaEncoder> media;  // has its own locks

  // After a prompt, before its answer takes memory of its own: hands back what long passes took of
  // scratch memory. The hidden rows, which lie there, come out of it first.
  ConstView ReleaseScratch(const ConstView& rows_in_arena) {
    hidden.clear();
    for (int64_t t = 0; t < rows_in_arena.rows; ++t) {
      hidden.insert(hidden.end(), rows_in_arena.row(t), rows_in_arena.row(t) + rows_in_arena.cols);
    }
    arena->ReleasePages();
    ops.ReleaseScratch();
    long_scratch = false;
    return {hidden.data(), rows_in_arena.rows, rows_in_arena.cols};
  }
  bool long_scratch = false;  // scratch memory is as a long pass left it
  std::vector<float> hidden;  // [rows, D]; both guarded by compute

  // What a forward that took `seconds` leaves to do, with compute held.
  void AfterForward(int64_t rows, double seconds) {
    CountPerLayerRows(rows);
    huge_pages.Work(std::exchange(moving_seconds, kMovingShare * seconds), *pool);
  }
  // Rows of the per-layer table that were looked up, a few at a time, since its pages were last let
  // go; guarded by compute.
  int64_t per_layer_rows = 0;
  void CountPerLayerRows(int64_t rows) {
    per_layer_rows += rows;
    if (per_layer_rows < kPerLayerRowsHeld) return;
    ReleasePerLayerRows(weights);
    per_layer_rows = 0;
  }

  // Weights move to huge pages a few after each forward: at load the first token would wait for all
  // of them. Guarded by compute.
  static constexpr double kMovingShare = 1.0 / 64;  // of the time
  double moving_seconds = 0;  // the last forward's, so that the first token waits for none of it
  HugePageMover huge_pages;

  // Where the picture and the sound tower are.
  const Checkpoint& towers() const { return mmproj ? *mmproj : checkpoint; }
  const ModelConfig& config() const { return resolved; }
};

}  // namespace gemma3n::internal
