// Errors are values: every call of the library that can fail returns a Status or a Result<T>.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

#include "gemma3n/export.h"

namespace gemma3n {

// What kind of failure it was; the message says what was expected and what was found.
enum class StatusCode {
  kOk = 0,
  kInvalidArgument,    // the caller asked for something that cannot be (bad option, empty prompt)
  kNotFound,           // a file or a tensor is not there
  kCorruptFile,        // a file's bytes contradict themselves or its format
  kUnsupported,        // a well-formed file or request that this engine does not handle
  kOutOfRange,         // longer than the context, or an index past the end
  kResourceExhausted,  // memory or disk ran out
  kCancelled,          // the caller's callback asked to stop
  kIo,                 // the operating system refused a read or a write
  kInternal,           // a defect of the library
};

// Short lower-case name of a code, e.g. "corrupt file".
GEMMA3N_API const char* StatusCodeName(StatusCode code);

// Success, or a code with one sentence that names the file or tensor, what was expected and what was found.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same failure with "context: " before its message; success stays success.
  Status WithContext(const std::string& context) const {
    return ok() ? *this : Status(code_, context + ": " + message_);
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() { return {}; }

// A value, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {  // NOLINT
    assert(!std::get<1>(state_).ok());
  }

  bool ok() const { return state_.index() == 0; }
  Status status() const { return ok() ? Status() : std::get<1>(state_); }

  // The value. Precondition: ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace gemma3n
