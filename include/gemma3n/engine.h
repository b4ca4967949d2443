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
  std::string kernels;         // kernel table in use, e.g. "avx512"
  int threads = 0;
  double load_seconds = 0;
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
  // Errors: kNotFound when the checkpoint came without a tokenizer (it then runs on ids alone).
  Result<std::vector<int32_t>> Tokenize(std::string_view text, bool add_bos = true) const;
  std::string Detokenize(std::span<const int32_t> tokens, bool skip_special = true) const;

  // Renders a conversation with the chat template and tokenizes it, ready for the model's answer.
  // Errors: kInvalidArgument (roles that the template refuses, invalid UTF-8), kUnsupported
  // (template construct).
  Result<std::vector<int32_t>> ChatPrompt(std::span<const Message> messages) const;
  Result<std::string> RenderChat(std::span<const Message> messages) const;

  // The published sizes by name: "e4b" (all that is loaded) and "e2b" (width 8192, layers 20-24
  // skipped; scaled for checkpoints of other shapes is refused). Errors: kInvalidArgument.
  Result<ModelSize> NamedSize(std::string_view name) const;

  // A new conversation. Errors: kInvalidArgument (a size that the checkpoint does not nest),
  // kResourceExhausted.
  Result<std::unique_ptr<Session>> NewSession(const SessionOptions& options = {}) const;

  const internal::EngineImpl& impl() const { return *impl_; }  // for the library's own files

 private:
  explicit Engine(std::shared_ptr<internal::EngineImpl> impl);
  std::shared_ptr<internal::EngineImpl>
      impl_;  // sessions hold it too, so that they may outlive the Engine
};

}  // namespace gemma3n
