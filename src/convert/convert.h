// Writing checkpoints: to GGUF in any of the types that llama.cpp's users expect, and nested sizes
// as files of their own. Rows are streamed: at most a few megabytes of a tensor are in memory. A
// kill or a full disk leaves no half file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gemma3n/options.h"
#include "model/checkpoint.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {

// What most matrices of a GGUF file are stored in. kQ4_K is a mix: the word table, and the value
// and down projections of the most sensitive layers, in Q6_K. In Q4_0 the word table is Q6_K too.
// Norms and AltUp coefficients are always F32.
enum class GgufType { kF32, kF16, kBF16, kQ8_0, kQ4_0, kQ4_K };

// "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K" (also "Q4_K_M"), in either case.
std::optional<GgufType> GgufTypeFromName(std::string_view name);
const char* Name(GgufType type);

struct ConvertOptions {
  int threads = 0;  // 0: every physical core
  // Called between pieces of tensors with the fraction done, 0 .. 1; false cancels (kCancelled).
  // May be empty.
  std::function<bool(double fraction)> on_progress;
  uint64_t shard_bytes = 0;  // of one safetensors file; 0: 5 GB, as the hub's
};

struct ConvertReport {
  uint64_t bytes = 0;  // written, all files together
  int64_t tensors = 0;
  std::map<std::string, int64_t> dtypes;  // how many tensors of each
  std::vector<std::string> files;         // written, in order
  std::vector<std::string>
      notes;  // what a user should know: fallbacks, tensors filled with zeros, what is missing
};

// Writes the checkpoint (either format), cut down to `size`, as one GGUF file of architecture
// "gemma3n". `tokenizer` is needed for hub checkpoints; a GGUF source's own tokenizer and metadata
// are copied. Errors: kInvalidArgument (a size that the checkpoint does not nest, no tokenizer),
// kNotFound and kCorruptFile (a tensor that is missing or of another shape), kUnsupported (NaN,
// infinity or a value beyond the type in a tensor, which is named), kResourceExhausted and kIo (the
// disk), kCancelled.
Result<ConvertReport> WriteGguf(const Checkpoint& checkpoint, const Tokenizer* tokenizer,
                                const ModelSize& size, GgufType type, const std::string& path,
                                const ConvertOptions& options = {});

// Writes the checkpoint, cut down to `size`, as a hub directory: config.json, model.safetensors (or
// shards of at most 5 GB with their index), tokenizer and generation files, and for a hub source
// the processor files and the other modalities' towers. Dtypes stay; quantised tensors become F32,
// which holds them exactly. The directory must be new or empty; after a failure it is as it was.
// Errors: as above.
Result<ConvertReport> WriteHub(const Checkpoint& checkpoint, const ModelSize& size,
                               const std::string& directory, const ConvertOptions& options = {});

// Writes a hub checkpoint's picture tower and embedders as the GGUF file that llama.cpp takes
// beside a language model's ("mmproj"), and the sound tower, which llama.cpp leaves alone. `type`:
// kF32, kF16, kBF16, or kQ8_0 for plain matrices with convolutions in F16. Errors: kInvalidArgument
// (another type), kNotFound (no towers), else as above.
Result<ConvertReport> WriteMmproj(const Checkpoint& checkpoint, GgufType type,
                                  const std::string& path, const ConvertOptions& options = {});

}  // namespace gemma3n
