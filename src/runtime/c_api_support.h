// What the C API's files share: its handles, and the edge between C's conventions and ours.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "gemma3n/c_api.h"
#include "gemma3n/engine.h"
#include "gemma3n/session.h"
#include "runtime/guard.h"

struct gemma3n_engine {
  std::shared_ptr<const gemma3n::Engine> engine;
};
struct gemma3n_session {
  std::unique_ptr<gemma3n::Session> session;
};
struct gemma3n_content {
  std::vector<gemma3n::Part> parts;
};
struct gemma3n_chat {
  std::vector<gemma3n::Message> messages;
};
struct gemma3n_prompt {
  gemma3n::Prompt prompt;
};

namespace gemma3n::internal {

inline void CopyMessage(const char* message, gemma3n_error* error) {
  if (error == nullptr) return;
  const size_t length = std::min(std::strlen(message), sizeof(error->message) - 1);
  std::memcpy(error->message, message, length);
  error->message[length] = '\0';
}

// Runs a body that returns a Status; nothing is thrown past here.
template <typename Body>
gemma3n_status Call(gemma3n_error* error, const Body& body) noexcept {
  if (error != nullptr) error->message[0] = '\0';
  try {
    const Status status = Guard([&]() -> Status { return body(); });
    if (!status.ok()) CopyMessage(status.message().c_str(), error);
    return static_cast<gemma3n_status>(status.code());
  } catch (...) {  // something that is no std::exception, or no memory to describe one
    CopyMessage("unexpected exception", error);
    return GEMMA3N_INTERNAL;
  }
}

inline Status Missing(const char* what) {
  return Error(StatusCode::kInvalidArgument, "{}: expected a pointer, found NULL", what);
}

// An option struct of any version: the fields that the caller's header knew, over our defaults.
template <typename Options>
Status Import(const Options* given, Options defaults, Options& out) {
  out = defaults;
  if (given == nullptr) return OkStatus();
  if (given->size < sizeof(size_t)) {
    return Error(StatusCode::kInvalidArgument,
                 "options: expected a size set by the _init function, found {}", given->size);
  }
  std::memcpy(static_cast<void*>(&out), given, std::min(given->size, sizeof(Options)));
  return OkStatus();
}

// The reverse: as much of `value` as the caller's struct of `size` bytes has room for.
template <typename Struct>
void Export(Struct value, size_t size, Struct* out) {
  value.size = size;
  std::memcpy(static_cast<void*>(out), &value, std::min(size, sizeof(Struct)));
}

template <typename T>
Status CheckArray(const T* data, size_t count, const char* what) {
  return data == nullptr && count > 0 ? Missing(what) : OkStatus();
}

// Ids into the caller's array.
inline Status CopyTokens(const std::vector<int32_t>& ids, int32_t* tokens, size_t capacity,
                         size_t* count) {
  if (count != nullptr) *count = ids.size();
  if (capacity < ids.size()) {
    return Error(StatusCode::kOutOfRange, "tokens: expected room for {}, found {}", ids.size(),
                 capacity);
  }
  if (tokens == nullptr && !ids.empty()) return Missing("tokens");
  std::copy(ids.begin(), ids.end(), tokens);
  return OkStatus();
}

}  // namespace gemma3n::internal
