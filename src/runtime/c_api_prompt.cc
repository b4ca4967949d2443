// The C API's prompts: tokens, and the media among them.
#include <span>
#include <string_view>
#include <utility>

#include "runtime/c_api_support.h"

namespace gemma3n {
namespace {

using namespace internal;  // NOLINT

gemma3n_media_options MediaDefaults() {
  const MediaOptions options;
  gemma3n_media_options c{};
  c.size = sizeof(c);
  c.image_size = options.image_size;
  c.video_size = options.video_size;
  c.video_fps = options.video_fps;
  c.audio_window = options.audio_window;
  c.room = options.room;
  return c;
}

Result<MediaOptions> ToMediaOptions(const gemma3n_media_options* given) {
  gemma3n_media_options c;
  G3N_RETURN_IF_ERROR(Import(given, MediaDefaults(), c));
  MediaOptions options;
  options.image_size = c.image_size;
  options.video_size = c.video_size;
  options.video_fps = c.video_fps;
  options.audio_window = c.audio_window;
  options.room = c.room;
  if (c.on_progress != nullptr) {
    options.on_progress = [report = c.on_progress, user = c.user](int64_t done) {
      return report(user, done) != 0;
    };
  }
  return options;
}

}  // namespace
}  // namespace gemma3n

using namespace gemma3n;            // NOLINT: this file is the C names' implementation
using namespace gemma3n::internal;  // NOLINT

extern "C" {

void gemma3n_media_options_init(gemma3n_media_options* options, size_t size) {
  if (options != nullptr) Export(MediaDefaults(), size, options);
}

gemma3n_status gemma3n_prompt_from_chat(const gemma3n_engine* engine, const gemma3n_chat* chat,
                                        const gemma3n_media_options* given, gemma3n_prompt** prompt,
                                        gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (prompt == nullptr) return Missing("prompt");
    *prompt = nullptr;
    if (engine == nullptr) return Missing("engine");
    if (chat == nullptr) return Missing("chat");
    G3N_ASSIGN_OR_RETURN(const MediaOptions options, ToMediaOptions(given));
    G3N_ASSIGN_OR_RETURN(Prompt made, engine->engine->ChatPrompt(chat->messages, options));
    *prompt = new gemma3n_prompt{std::move(made)};
    return OkStatus();
  });
}

gemma3n_status gemma3n_prompt_from_text(const gemma3n_engine* engine, const char* text,
                                        size_t text_length, const gemma3n_content* media,
                                        int add_bos, const gemma3n_media_options* given,
                                        gemma3n_prompt** prompt, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (prompt == nullptr) return Missing("prompt");
    *prompt = nullptr;
    if (engine == nullptr) return Missing("engine");
    G3N_RETURN_IF_ERROR(CheckArray(text, text_length, "text"));
    G3N_ASSIGN_OR_RETURN(const MediaOptions options, ToMediaOptions(given));
    std::span<const Part> parts;
    if (media != nullptr) parts = media->parts;
    const std::string_view words(text, text_length);
    G3N_ASSIGN_OR_RETURN(Prompt made,
                         engine->engine->TextPrompt(words, parts, add_bos != 0, options));
    *prompt = new gemma3n_prompt{std::move(made)};
    return OkStatus();
  });
}

void gemma3n_prompt_free(gemma3n_prompt* prompt) { delete prompt; }

const int32_t* gemma3n_prompt_tokens(const gemma3n_prompt* prompt, size_t* count) {
  if (count != nullptr) *count = prompt != nullptr ? prompt->prompt.tokens.size() : 0;
  return prompt != nullptr ? prompt->prompt.tokens.data() : nullptr;
}

const char* gemma3n_prompt_text(const gemma3n_prompt* prompt) {
  return prompt != nullptr ? prompt->prompt.text.c_str() : nullptr;
}

const char* gemma3n_prompt_note(const gemma3n_prompt* prompt, size_t index) {
  if (prompt == nullptr || index >= prompt->prompt.notes.size()) return nullptr;
  return prompt->prompt.notes[index].c_str();
}

}  // extern "C"
