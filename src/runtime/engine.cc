#include "gemma3n/engine.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <new>
#include <utility>

#include "base/file.h"
#include "kernels/dispatch.h"
#include "model/matformer.h"
#include "runtime/engine_impl.h"
#include "runtime/guard.h"
#include "runtime/session_impl.h"
#include "runtime/tokenizer_source.h"
#include "runtime/towers.h"

namespace gemma3n {
namespace {

using internal::EngineImpl;

Status CheckOptions(const EngineOptions& options) {
  if (options.model.empty()) {
    return Error(StatusCode::kInvalidArgument,
                 "no model given: expected a hub directory or a .gguf file");
  }
  if (options.threads < 0 || options.threads > 1024) {
    return Error(StatusCode::kInvalidArgument, "threads: expected 0 (all cores) to 1024, found {}",
                 options.threads);
  }
  if (options.prefill_chunk < 1 || options.prefill_chunk > 4096) {
    return Error(StatusCode::kInvalidArgument, "prefill chunk: expected 1 to 4096 tokens, found {}",
                 options.prefill_chunk);
  }
  return OkStatus();
}

// The template that the option names: "builtin", a file, or (empty) the checkpoint's own, else
// built in.
Result<ChatTemplate> LoadChatTemplate(const EngineOptions& options, const Checkpoint& checkpoint) {
  if (options.chat_template == "builtin") return ChatTemplate::Builtin();
  if (!options.chat_template.empty()) {
    G3N_ASSIGN_OR_RETURN(const std::string source,
                         ReadFile(options.chat_template, size_t{1} << 20));
    return ChatTemplate::Parse(source, options.chat_template);
  }
  G3N_ASSIGN_OR_RETURN(const std::optional<std::string> own, checkpoint.ChatTemplate());
  if (!own) return ChatTemplate::Builtin();
  return ChatTemplate::Parse(*own, checkpoint.path() + " (chat template)");
}

ModelInfo Describe(const EngineImpl& impl) {
  const TextConfig& text = impl.config().text;
  ModelInfo info;
  info.path = impl.checkpoint.path();
  info.format = impl.checkpoint.is_gguf() ? "gguf" : "hub";
  info.layers = text.num_layers;
  info.hidden_size = text.hidden_size;
  info.vocab_size = text.vocab_size;
  info.context = text.max_position;
  info.mlp_widths = text.intermediate_size;
  info.has_tokenizer = impl.tokenizer.ok();
  info.sees = impl.media->HasVision();
  info.hears = impl.media->HasHearing();
  info.kernels = impl.ops.kernels().name;
  info.threads = impl.pool->threads();
  info.decode_weight_bytes = DecodeWeightBytes(impl.weights, text);
  return info;
}

Result<std::shared_ptr<EngineImpl>> LoadImpl(const EngineOptions& options) {
  G3N_RETURN_IF_ERROR(CheckOptions(options));
  const auto report = [&](double fraction) {
    if (options.on_progress) options.on_progress(fraction);
  };
  report(0);
  G3N_ASSIGN_OR_RETURN(const KernelTable* kernels, ChooseKernels());
  G3N_ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::Open(options.model));
  report(0.3);
  ModelConfig config = checkpoint.config();
  G3N_ASSIGN_OR_RETURN(auto mmproj, internal::OpenMmproj(options, checkpoint, &config));
  // Either takes tens of milliseconds of one thread. That of the tokenizer ends before this scope.
  std::future<Result<Tokenizer>> opened = std::async(std::launch::async, [&] {
    return OpenTokenizer(options.tokenizer, checkpoint, config.tokens);
  });
  Result<TextWeights> weights = BindTextWeights(checkpoint, *kernels);
  Result<Tokenizer> tokenizer = opened.get();
  const bool none = tokenizer.status().code() == StatusCode::kNotFound && options.tokenizer.empty();
  if (!tokenizer.ok() && !none) return tokenizer.status();
  if (!weights.ok()) return weights.status();
  report(0.8);
  G3N_ASSIGN_OR_RETURN(ChatTemplate chat_template, LoadChatTemplate(options, checkpoint));
  auto impl = std::make_shared<EngineImpl>(options, std::move(checkpoint), std::move(mmproj),
                                           std::move(config), std::move(tokenizer),
                                           std::move(chat_template), *kernels);
  impl->weights = std::move(*weights);
  const MultimodalTokens& tokens = impl->config().tokens;
  G3N_ASSIGN_OR_RETURN(HardEmbeddings vision,
                       ComputeHardEmbeddings(impl->towers(), "embed_vision.",
                                             tokens.vision_vocab_offset, tokens.vision_vocab_size,
                                             impl->config().vision.rms_norm_eps, impl->exact_ops));
  G3N_ASSIGN_OR_RETURN(
      HardEmbeddings audio,
      ComputeHardEmbeddings(impl->towers(), "embed_audio.", tokens.audio_vocab_offset,
                            tokens.audio_vocab_size, impl->config().audio.rms_norm_eps, impl->exact_ops));
  impl->hard.push_back(std::move(vision));
  impl->hard.push_back(std::move(audio));
  impl->media.emplace(impl->towers(), impl->config(), impl->exact_ops, impl->compute, options);
  const TextConfig& text = impl->config().text;
  G3N_ASSIGN_OR_RETURN(
      impl->arena, Arena::Create(Decoder::ArenaBytes(text, options.prefill_chunk, text.max_position,
                                                     impl->ops)));
  impl->info = Describe(*impl);
  report(1);
  return impl;
}

}  // namespace

Engine::Engine(std::shared_ptr<EngineImpl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::shared_ptr<const Engine>> Engine::Load(const EngineOptions& options) {
  return Guard([&]() -> Result<std::shared_ptr<const Engine>> {
    const auto start = std::chrono::steady_clock::now();
    G3N_ASSIGN_OR_RETURN(std::shared_ptr<EngineImpl> impl, LoadImpl(options));
    impl->info.load_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return std::shared_ptr<const Engine>(new Engine(std::move(impl)));
  });
}

const ModelInfo& Engine::info() const { return impl_->info; }

Result<ModelSize> Engine::NamedSize(std::string_view name) const {
  const TextConfig& text = impl_->config().text;
  return NamedModelSize(text, name);
}

Result<std::unique_ptr<Session>> Engine::NewSession(const SessionOptions& options) const {
  return Guard([&]() -> Result<std::unique_ptr<Session>> {
    G3N_ASSIGN_OR_RETURN(auto impl, Session::Impl::Create(impl_, options));
    return std::make_unique<Session>(std::move(impl));
  });
}

}  // namespace gemma3n
