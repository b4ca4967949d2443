// Engine: a loaded model. Immutable after Load and shared by any number of sessions and threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gemma3n/content.h"
#include "gemma3n/export.h"
#include "gemma3n/options.h"
#include "gemma3n/prompt.h"
#include "gemma3n/status.h"

namespace gemma3n {

class Session;
namespace internal {
struct EngineImpl;
}

struct ModelInfo {
  std::string path, format;  // format: "hub" or "gguf"
  int64_t layers = 0, hidden_size = 0, vocab_size = 0, context = 0;
  std::vector<int64_t> mlp_widths;
  bool has_tokenizer = false;  // without one, the engine takes and gives token ids only
  bool sees = false, hears = false;  // the picture and the sound tower are there
  std::string kernels;         // kernel table in use, e.g. "avx512"
  int threads = 0;
  double load_seconds = 0;
  // Bytes of weights that a decoded token cannot do without: every matrix once, of a table of
  // embeddings one row, and in a sparse layer the share of up and down that its gates leave alive.
  int64_t decode_weight_bytes = 0;
};

class GEMMA3N_API Engine {
 public:
  // Maps the checkpoint and prepares it. Errors: kNotFound, kCorruptFile, kUnsupported,
  // kResourceExhausted, ...; the message names the file and the tensor or field, what was expected
  // and what was found.
  static Result<std::shared_ptr<const Engine>> Load(const EngineOptions& options);
  ~Engine();

  const ModelInfo& info() const;

  // Ids of plain text, with <bos> in front when add_bos. Special tokens' texts become their ids.
  // expand_media: each medium's placeholder becomes the run of soft tokens that stands for it.
  // Errors: kNotFound when the checkpoint came without a tokenizer (it then runs on ids alone).
  Result<std::vector<int32_t>> Tokenize(std::string_view text, bool add_bos = true,
                                        bool expand_media = false) const;
  std::string Detokenize(std::span<const int32_t> tokens, bool skip_special = true) const;
  // What one token adds to a text: bytes, which need not be whole characters. "" for special tokens,
  // unknown ids, and without a tokenizer.
  std::string TokenBytes(int32_t token) const;

  // Renders a conversation with the chat template, reads its media, and tokenizes it, ready for the
  // model's answer. A medium that was read before comes from the cache.
  // Errors: kInvalidArgument (roles that the template refuses, invalid UTF-8, a medium's placeholder
  // among the words), kUnsupported (template construct, a checkpoint without the tower),
  // kNotFound, kCorruptFile, kOutOfRange, ... of a medium, naming it; kCancelled (by on_progress).
  Result<Prompt> ChatPrompt(std::span<const Message> messages, const MediaOptions& options = {}) const;

  // Text as it stands, continued without a template, with <bos> in front when add_bos. Each
  // <image_soft_token> and <audio_soft_token> in it is the place of the next picture or clip of `media`.
  // Errors: as above; kInvalidArgument where their numbers differ, or for a video.
  Result<Prompt> TextPrompt(std::string_view text, std::span<const Part> media, bool add_bos = true,
                            const MediaOptions& options = {}) const;

  // The published sizes by name: "e4b" (all that is loaded) and "e2b" (width 8192, layers 20-24
  // skipped; scaled for checkpoints of other shapes is refused). Errors: kInvalidArgument.
  Result<ModelSize> NamedSize(std::string_view name) const;

  // A new conversation. Errors: kInvalidArgument (a size that the checkpoint does not nest),
  // kResourceExhausted.
  Result<std::unique_ptr<Session>> NewSession(const SessionOptions& options = {}) const;

  const internal::EngineImpl& impl() const { return *impl_; }  // for the library's own files
  const std::shared_ptr<internal::EngineImpl>& shared_impl() const { return impl_; }  // likewise

 private:
  explicit Engine(std::shared_ptr<internal::EngineImpl> impl);
  std::shared_ptr<internal::EngineImpl>
      impl_;  // sessions hold it too, so that they may outlive the Engine
};

}  // namespace gemma3n
