// A golden fixture (tools/golden/make_text_fixtures.py): a checkpoint bound through the real
// loading code, and what transformers answers on it. Runs token sequences through the decoder in
// any slicing.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/thread_pool.h"
#include "formats/safetensors.h"
#include "kernels/dispatch.h"
#include "kernels/ops.h"
#include "model/checkpoint.h"
#include "model/multimodal_embedder.h"
#include "model/text/decoder.h"
#include "model/text/kv_cache.h"
#include "model/weights.h"

namespace gemma3n::golden {

inline const char* const kFixtures[] = {"causal_f32", "hub_bf16",     "sharded_f16", "odd_mixed",
                                        "mini_e4b",   "mixed_widths", "other_stream"};

inline std::string FixtureDirectory(const std::string& name) {
  return std::string(GEMMA3N_SOURCE_DIR) + "/tests/golden/fixtures/" + name;
}

// What two correct float32 implementations may differ by on these tame weights: four times the
// reference's own rounding.
inline constexpr float kTolerance = 2e-5f;

// The value of a Result in a helper that cannot ASSERT: a failure ends the test with its message.
template <typename T>
T Take(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().message());
  return std::move(result).value();
}

inline void Check(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}

// Float32 values with their shape, out of expected.safetensors.
struct Values {
  int64_t rows = 0, cols = 0;
  std::vector<float> data;
  const float* row(int64_t r) const { return data.data() + r * cols; }
};

struct ExpectedPrompt {
  std::vector<int32_t> tokens;
  std::vector<int64_t> positions;  // of the rows of logits
  Values logits;                   // transformers, float32
  Values exact_logits;             // the model's equations in float64
  std::map<std::string, Values>
      stages;  // "embed", "layer3/laurel_out", ...; empty for long prompts
};

inline Values ReadValues(const StoredTensor& tensor) {
  if (tensor.dtype != DType::kF32) throw std::runtime_error("expected values are not F32");
  Values v;
  v.cols = tensor.shape.back();
  v.rows = tensor.elements() / v.cols;
  v.data.resize(static_cast<size_t>(tensor.elements()));
  std::memcpy(v.data.data(), tensor.data, tensor.bytes);
  return v;
}

inline std::vector<ExpectedPrompt> ReadExpected(const std::string& path) {
  const SafetensorsFile file = Take(SafetensorsFile::Open(path));
  std::vector<ExpectedPrompt> prompts;
  for (const auto& [name, tensor] : file.tensors()) {
    const size_t slash = name.find('/');
    const size_t index = std::stoul(name.substr(6, slash - 6));  // "prompt<index>/<key>"
    if (prompts.size() <= index) prompts.resize(index + 1);
    ExpectedPrompt& prompt = prompts[index];
    const std::string key = name.substr(slash + 1);
    Values values = ReadValues(tensor);
    if (key == "tokens") {
      prompt.tokens.assign(values.data.begin(), values.data.end());
    } else if (key == "positions") {
      prompt.positions.assign(values.data.begin(), values.data.end());
    } else if (key == "logits") {
      prompt.logits = std::move(values);
    } else if (key == "exact_logits") {
      prompt.exact_logits = std::move(values);
    } else {
      prompt.stages[key] = std::move(values);
    }
  }
  for (ExpectedPrompt& prompt : prompts) {
    if (!prompt.positions.empty()) continue;
    prompt.positions.resize(prompt.tokens.size());
    std::iota(prompt.positions.begin(), prompt.positions.end(), 0);
  }
  return prompts;
}

inline float MaxDifference(const float* a, const float* b, int64_t n) {
  float worst = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float d = std::abs(a[i] - b[i]);
    if (!(d <= worst)) worst = d;  // keeps NaN
  }
  return worst;
}

// A slice of one sequence in a forward pass. wants[i]: whether the i-th token's logits are asked
// for.
struct Slice {
  KvCache* cache = nullptr;
  std::vector<int32_t> tokens;
  std::vector<bool> wants;
};

class GoldenModel {
 public:
  // Throws std::runtime_error with the library's message.
  GoldenModel(const std::string& directory, const KernelTable& kernels, int threads = 1,
              Precision precision = Precision::kFloat32)
      : checkpoint_(Take(Checkpoint::Open(directory))),
        pool_(threads),
        ops_(kernels, pool_, precision),
        weights_(Take(BindTextWeights(checkpoint_, kernels))) {
    const MultimodalTokens& ids = checkpoint_.config().tokens;
    hard_.push_back(Take(ComputeHardEmbeddings(checkpoint_, "embed_vision.",
                                               ids.vision_vocab_offset, ids.vision_vocab_size,
                                               checkpoint_.config().vision.rms_norm_eps, ops_)));
    hard_.push_back(Take(ComputeHardEmbeddings(checkpoint_, "embed_audio.", ids.audio_vocab_offset,
                                               ids.audio_vocab_size,
                                               checkpoint_.config().audio.rms_norm_eps, ops_)));
  }

  const TextConfig& config() const { return checkpoint_.config().text; }

  // Plans scratch memory for forwards of at most max_rows rows; no call may need more.
  void Plan(int64_t max_rows, int64_t context) {
    arena_.emplace(
        Take(Arena::Create(Decoder::ArenaBytes(config(), max_rows, context, ops_) +
                           sizeof(float) * static_cast<size_t>(max_rows * config().vocab_size))));
  }
  int arena_grown() const { return arena_->grown(); }

  KvCache NewCache(int64_t context, int64_t max_rows, DType dtype = DType::kF32) const {
    return Take(KvCache::Create(config(), context, max_rows, dtype));
  }

  // One forward over the slices (rows in their order). Returns the wanted rows' logits,
  // [rows][vocab].
  std::vector<std::vector<float>> Forward(const std::vector<Slice>& slices, bool prefill_skip,
                                          const Probe& probe = {}) {
    std::vector<BatchRow> rows;
    std::vector<KvCache*> caches;
    for (const Slice& slice : slices) {
      for (size_t i = 0; i < slice.tokens.size(); ++i) {
        rows.push_back({.token = slice.tokens[i],
                        .sequence = static_cast<int>(caches.size()),
                        .position = slice.cache->length() + static_cast<int64_t>(i),
                        .wants_logits = slice.wants[i]});
      }
      caches.push_back(slice.cache);
    }
    NestedModel whole{config(), {}};
    for (int i = 0; i < config().num_layers; ++i) whole.layers.push_back(i);
    const Decoder decoder(weights_, hard_, std::move(whole), prefill_skip);
    Arena::Scope scope(*arena_);
    const View hidden = Take(decoder.Forward(rows, caches, ops_, *arena_, probe));
    if (hidden.rows == 0) return {};
    const View logits(arena_->Floats(hidden.rows * config().vocab_size), hidden.rows,
                      config().vocab_size);
    Check(decoder.ComputeLogits(hidden, logits, /*top=*/0, ops_, *arena_, probe));
    std::vector<std::vector<float>> out;
    for (int64_t r = 0; r < logits.rows; ++r)
      out.emplace_back(logits.row(r), logits.row(r) + logits.cols);
    return out;
  }

 private:
  Checkpoint checkpoint_;
  ThreadPool pool_;
  Ops ops_;
  TextWeights weights_;
  std::vector<HardEmbeddings> hard_;
  std::optional<Arena> arena_;
};

}  // namespace gemma3n::golden
