// Prompts: conversations and plain text, with their media, as token ids and soft tokens.
#include <span>
#include <string>
#include <utility>

#include "chat/placeholders.h"
#include "gemma3n/engine.h"
#include "runtime/engine_impl.h"
#include "runtime/guard.h"
#include "runtime/media_reader.h"
#include "tokenizer/utf8.h"

namespace gemma3n {
namespace {

using internal::EngineImpl;

MediumTokens ImageRun(const EngineImpl& engine) {
  MediumTokens run = ImageTokens();
  run.count = static_cast<size_t>(engine.config().tokens.image_soft_tokens);
  return run;
}

MediumTokens ClipRun(const EngineImpl& engine) {
  MediumTokens run = AudioTokens();
  run.count = static_cast<size_t>(engine.config().tokens.audio_soft_tokens);
  return run;
}

Status CheckWords(std::span<const Message> messages) {
  for (size_t i = 0; i < messages.size(); ++i) {
    for (const Part& part : messages[i].parts) {
      if (IsValidUtf8(part.text)) continue;
      return Error(StatusCode::kInvalidArgument,
                   "message {} ({}): expected UTF-8 text, found other bytes", i + 1,
                   messages[i].role);
    }
  }
  return OkStatus();
}

Result<std::string> Render(const EngineImpl& engine, std::span<const Message> messages) {
  if (!engine.tokenizer.ok()) return engine.tokenizer.status();
  const Tokenizer& tokenizer = *engine.tokenizer;
  ChatTemplate::Variables variables;
  variables.bos_token = tokenizer.TokenText(engine.config().bos);
  if (const auto eos = tokenizer.eos()) variables.eos_token = tokenizer.TokenText(*eos);
  return engine.chat_template.Render(messages, variables);
}

// The ids of prompt->text, whose placeholders stand for prompt->images and prompt->audios.
Status Tokenize(const EngineImpl& engine, bool add_bos, Prompt* prompt) {
  G3N_ASSIGN_OR_RETURN(
      const std::string expanded,
      ExpandPlaceholders(prompt->text, prompt->images.size(), prompt->audios.size(),
                         ImageRun(engine), ClipRun(engine)));
  prompt->tokens = engine.tokenizer->Encode(expanded);
  if (add_bos) prompt->tokens.insert(prompt->tokens.begin(), engine.config().bos);
  return OkStatus();
}

Status CheckOptions(const MediaOptions& options) {
  for (const int64_t size : {options.image_size, options.video_size}) {
    if (size == 0 || VisionTower::Takes(size)) continue;
    return Error(StatusCode::kInvalidArgument,
                 "picture size: expected 256, 512 or 768 pixels, or 0 for the checkpoint's own, "
                 "found {}",
                 size);
  }
  return OkStatus();
}

internal::MediaReader MakeReader(EngineImpl& engine, const MediaOptions& options) {
  return internal::MediaReader(*engine.media, engine.config(), options,
                               [&engine](std::string_view text) {
                                 return static_cast<int64_t>(engine.tokenizer->Encode(text).size());
                               });
}

}  // namespace

Result<std::vector<int32_t>> Engine::Tokenize(std::string_view text, bool add_bos,
                                              bool expand_media) const {
  return Guard([&]() -> Result<std::vector<int32_t>> {
    if (!impl_->tokenizer.ok()) return impl_->tokenizer.status();
    std::string expanded;
    if (expand_media) {
      expanded = ExpandAllPlaceholders(text, ImageRun(*impl_), ClipRun(*impl_));
      text = expanded;
    }
    std::vector<int32_t> ids = impl_->tokenizer->Encode(text);
    if (add_bos) ids.insert(ids.begin(), impl_->config().bos);
    return ids;
  });
}

std::string Engine::Detokenize(std::span<const int32_t> tokens, bool skip_special) const {
  return impl_->tokenizer.ok() ? impl_->tokenizer->Decode(tokens, skip_special) : std::string();
}

std::string Engine::TokenBytes(int32_t token) const {
  return impl_->tokenizer.ok() ? impl_->tokenizer->TokenBytes(token) : std::string();
}

Result<Prompt> Engine::ChatPrompt(std::span<const Message> messages,
                                  const MediaOptions& options) const {
  return Guard([&]() -> Result<Prompt> {
    if (!impl_->tokenizer.ok()) return impl_->tokenizer.status();
    G3N_RETURN_IF_ERROR(CheckWords(messages));
    G3N_RETURN_IF_ERROR(CheckOptions(options));
    Prompt prompt;
    G3N_ASSIGN_OR_RETURN(const std::vector<Message> read,
                         MakeReader(*impl_, options).Read(messages, &prompt));
    G3N_ASSIGN_OR_RETURN(prompt.text, Render(*impl_, read));
    // The template writes <bos> itself; a template that does not gets it here, as the reference's
    // tokenizer adds it.
    G3N_RETURN_IF_ERROR(gemma3n::Tokenize(*impl_, /*add_bos=*/false, &prompt));
    const int32_t bos = impl_->config().bos;
    if (prompt.tokens.empty() || prompt.tokens.front() != bos) {
      prompt.tokens.insert(prompt.tokens.begin(), bos);
    }
    return prompt;
  });
}

Result<Prompt> Engine::TextPrompt(std::string_view text, std::span<const Part> media, bool add_bos,
                                  const MediaOptions& options) const {
  return Guard([&]() -> Result<Prompt> {
    if (!impl_->tokenizer.ok()) return impl_->tokenizer.status();
    G3N_RETURN_IF_ERROR(CheckOptions(options));
    for (const Part& part : media) {
      if (part.kind == Part::Kind::kImage || part.kind == Part::Kind::kAudio) continue;
      return Error(StatusCode::kInvalidArgument,
                   "text prompt: expected pictures and clips for its placeholders, found {}",
                   part.kind == Part::Kind::kVideo ? "a video" : "words");
    }
    Prompt prompt;
    const Message message = Message::Parts("user", {media.begin(), media.end()});
    G3N_ASSIGN_OR_RETURN(const auto read, MakeReader(*impl_, options).Read({&message, 1}, &prompt));
    prompt.text = std::string(text);
    G3N_RETURN_IF_ERROR(gemma3n::Tokenize(*impl_, add_bos, &prompt));
    return prompt;
  });
}

}  // namespace gemma3n
