// Reading the arguments of built-in filters, tests, functions and methods.
#pragma once

#include <string>
#include <string_view>

#include "chat/jinja/interpreter.h"

namespace gemma3n::jinja {

// Takes parameters in their order, each by position or by name; Done then says whether anything is
// left over.
class ArgumentReader {
 public:
  ArgumentReader(std::string_view callee, const CallArguments& arguments)
      : callee_(callee), arguments_(arguments) {}

  // The next parameter, or its default.
  Value Take(std::string_view name, Value fallback = Value(None{})) {
    const Value* value = Next(name);
    return value == nullptr ? std::move(fallback) : *value;
  }
  Result<Value> Need(std::string_view name) {
    if (const Value* value = Next(name)) return *value;
    return Error(StatusCode::kInvalidArgument, "{}: argument '{}' is missing", callee_, name);
  }
  Result<std::string> NeedString(std::string_view name) {
    G3N_ASSIGN_OR_RETURN(const Value value, Need(name));
    if (value.is_string()) return value.string();
    return Error(StatusCode::kInvalidArgument, "{}: argument '{}' must be a string, not {}",
                 callee_, name, TypeName(value));
  }
  Result<int64_t> TakeInteger(std::string_view name, int64_t fallback) {
    const Value value = Take(name, Value(fallback));
    if (value.is_integer()) return value.integer();
    return Error(StatusCode::kInvalidArgument, "{}: argument '{}' must be an integer, not {}",
                 callee_, name, TypeName(value));
  }
  bool TakeFlag(std::string_view name, bool fallback = false) {
    return Truthy(Take(name, Value(fallback)));
  }

  Status Done() const {
    if (arguments_.positional.size() > position_) {
      return Error(StatusCode::kInvalidArgument, "{}: takes at most {} arguments, found {}",
                   callee_, position_, arguments_.positional.size());
    }
    if (named_ == arguments_.named.size()) return OkStatus();
    return Error(StatusCode::kInvalidArgument,
                 "{}: a named argument that it does not take, or that was given twice, among '{}'",
                 callee_, arguments_.named.front().first);
  }

 private:
  const Value* Next(std::string_view name) {
    const size_t position = position_++;
    if (position < arguments_.positional.size()) return &arguments_.positional[position];
    for (const auto& [given, value] : arguments_.named) {
      if (given == name) {
        ++named_;
        return &value;
      }
    }
    return nullptr;
  }

  std::string_view callee_;
  const CallArguments& arguments_;
  size_t position_ = 0, named_ = 0;
};

}  // namespace gemma3n::jinja
