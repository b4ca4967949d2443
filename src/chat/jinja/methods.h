// Methods of strings, lists and dicts.
#pragma once

#include <string_view>

#include "chat/jinja/interpreter.h"

namespace gemma3n::jinja {

// What Python has under this name on the object's type.
enum class MethodKind { kNone, kMethod, kMutating };
MethodKind FindMethod(const Value& object, std::string_view name);

// Errors: kUnsupported for methods of Python that are not interpreted.
Result<Value> CallStringMethod(Interpreter& in, std::string_view name, const std::string& self,
                               const CallArguments& arguments);
Result<Value> CallListMethod(Interpreter& in, std::string_view name, const Value& self,
                             const CallArguments& arguments);
Result<Value> CallDictMethod(Interpreter& in, std::string_view name, const Value& self,
                             const CallArguments& arguments);

// Shared with filters.
std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to,
                       int64_t count);
Result<Value> Replace(Budget& budget, std::string_view text, std::string_view from,
                      std::string_view to, int64_t count);
Result<Value> JoinTexts(Budget& budget, std::string_view separator, const std::vector<Value>& items,
                        bool convert);

}  // namespace gemma3n::jinja
