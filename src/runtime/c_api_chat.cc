// The C API's conversations, with their media.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "runtime/c_api_support.h"

namespace gemma3n {
namespace {

using namespace internal;  // NOLINT

std::string Name(const char* name) { return name != nullptr ? name : ""; }

template <typename T>
std::shared_ptr<const std::vector<T>> Copy(const T* data, size_t count) {
  return std::make_shared<const std::vector<T>>(data, data + count);
}

Status AddMedium(gemma3n_content* content, gemma3n_medium medium, MediaSource source) {
  if (content == nullptr) return Missing("content");
  switch (medium) {
    case GEMMA3N_MEDIUM_IMAGE:
      content->parts.push_back(Part::Image(std::move(source)));
      return OkStatus();
    case GEMMA3N_MEDIUM_AUDIO:
      content->parts.push_back(Part::Audio(std::move(source)));
      return OkStatus();
    case GEMMA3N_MEDIUM_VIDEO:
      content->parts.push_back(Part::Video(std::move(source)));
      return OkStatus();
  }
  return Error(StatusCode::kInvalidArgument,
               "medium: expected an image (1), audio (2) or a video (3), found {}",
               static_cast<int>(medium));
}

bool HasMedia(const gemma3n_chat& chat) {
  return std::ranges::any_of(chat.messages, [](const Message& message) {
    return std::ranges::any_of(message.parts,
                               [](const Part& part) { return part.kind != Part::Kind::kText; });
  });
}

}  // namespace
}  // namespace gemma3n

using namespace gemma3n;            // NOLINT: this file is the C names' implementation
using namespace gemma3n::internal;  // NOLINT

extern "C" {

gemma3n_status gemma3n_content_create(gemma3n_content** content, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (content == nullptr) return Missing("content");
    *content = nullptr;
    *content = new gemma3n_content;
    return OkStatus();
  });
}

void gemma3n_content_free(gemma3n_content* content) { delete content; }

gemma3n_status gemma3n_content_add_text(gemma3n_content* content, const char* text,
                                        gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (content == nullptr) return Missing("content");
    if (text == nullptr) return Missing("text");
    content->parts.push_back(Part::Text(text));
    return OkStatus();
  });
}

gemma3n_status gemma3n_content_add_file(gemma3n_content* content, gemma3n_medium medium,
                                        const char* location, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (location == nullptr) return Missing("location");
    return AddMedium(content, medium, {.location = location});
  });
}

gemma3n_status gemma3n_content_add_bytes(gemma3n_content* content, gemma3n_medium medium,
                                         const void* bytes, size_t count, const char* name,
                                         gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    G3N_RETURN_IF_ERROR(CheckArray(bytes, count, "bytes"));
    MediaSource source = {.location = Name(name)};
    source.bytes = Copy(static_cast<const std::byte*>(bytes), count);
    return AddMedium(content, medium, std::move(source));
  });
}

gemma3n_status gemma3n_content_add_samples(gemma3n_content* content, const float* samples,
                                           size_t count, const char* name, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    G3N_RETURN_IF_ERROR(CheckArray(samples, count, "samples"));
    MediaSource source = {.location = Name(name)};
    source.samples = Copy(samples, count);
    return AddMedium(content, GEMMA3N_MEDIUM_AUDIO, std::move(source));
  });
}

gemma3n_status gemma3n_chat_create(gemma3n_chat** chat, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (chat == nullptr) return Missing("chat");
    *chat = nullptr;
    *chat = new gemma3n_chat;
    return OkStatus();
  });
}

void gemma3n_chat_free(gemma3n_chat* chat) { delete chat; }

gemma3n_status gemma3n_chat_add(gemma3n_chat* chat, const char* role, const char* text,
                                gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (chat == nullptr) return Missing("chat");
    if (role == nullptr) return Missing("role");
    if (text == nullptr) return Missing("text");
    chat->messages.push_back(Message::Text(role, text));
    return OkStatus();
  });
}

gemma3n_status gemma3n_chat_add_content(gemma3n_chat* chat, const char* role,
                                        const gemma3n_content* content, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (chat == nullptr) return Missing("chat");
    if (role == nullptr) return Missing("role");
    if (content == nullptr) return Missing("content");
    chat->messages.push_back(Message::Parts(role, content->parts));
    return OkStatus();
  });
}

gemma3n_status gemma3n_chat_prompt(const gemma3n_engine* engine, const gemma3n_chat* chat,
                                   int32_t* tokens, size_t capacity, size_t* count,
                                   gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (engine == nullptr) return Missing("engine");
    if (chat == nullptr) return Missing("chat");
    if (HasMedia(*chat)) {
      return Error(StatusCode::kInvalidArgument,
                   "chat: expected words alone, found media, which gemma3n_prompt_from_chat takes");
    }
    G3N_ASSIGN_OR_RETURN(const Prompt prompt, engine->engine->ChatPrompt(chat->messages));
    return CopyTokens(prompt.tokens, tokens, capacity, count);
  });
}

}  // extern "C"
