// What a checkpoint holds, and what it would need in memory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/checkpoint.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {

struct Inspection {
  struct Amount {
    int64_t tensors = 0, elements = 0;
    uint64_t bytes = 0;
  };

  std::string path, format;  // format: "hub" or "gguf"
  std::string architecture;  // "Gemma3nForConditionalGeneration", "Gemma3nForCausalLM"
  std::string name;          // of a GGUF's metadata; may be empty
  uint64_t file_bytes = 0;   // all weight files together
  ModelConfig config;
  std::map<std::string, Amount> dtypes;  // of every tensor that can be read, by dtype
  // unused: K/V of layers that share another layer's; other: tensors that this engine does not
  // know.
  Amount text, per_layer_table, vision, audio, unused, other;
  std::vector<std::string> unknown;  // tensors whose type is not handled
  std::string missing;  // the first tensor that the text model lacks, as a sentence; empty: none

  std::optional<int64_t> tokenizer_pieces;  // unset: no tokenizer was given
  std::string tokenizer_problem;            // why there is none, where the caller knows
  std::string chat_template;                // "own", "none", or why it cannot be read

  // Bytes. Weights that every token touches stay resident; of the per-layer table single rows are
  // read from the mapped file; the unused are never touched.
  uint64_t resident_weights = 0, mapped_only = 0;
  uint64_t kv_bytes_per_token = 0;  // full-attention layers, float16: grows with the context
  // Of a session of this many tokens; the sliding layers' windows included.
  uint64_t KvBytes(int64_t context) const;
};

// Reads headers and metadata only. A missing or broken tokenizer is a finding, not an error; so are
// tensors that the text model would miss. `tokenizer` may be null.
Result<Inspection> Inspect(const Checkpoint& checkpoint, const Tokenizer* tokenizer);

// For people: a few lines, sizes in MB and GB.
std::string InspectionText(const Inspection& inspection);
// For programs: one JSON object, sizes in bytes.
std::string InspectionJson(const Inspection& inspection);

}  // namespace gemma3n
