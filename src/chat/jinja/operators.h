// Python's operators on values.
#pragma once

#include <optional>
#include <string_view>

#include "chat/jinja/value.h"

namespace gemma3n::jinja {

// + - * / // % **. Errors: kInvalidArgument (types, division by zero, undefined), kUnsupported
// (beyond 64 bits).
Result<Value> Arithmetic(std::string_view op, const Value& a, const Value& b, Budget& budget);
// op: '-' or '+'.
Result<Value> Sign(char op, const Value& a);
// a in b.
Result<bool> Contains(const Value& container, const Value& item, Budget& budget);
// == != < <= > >=, "in", "not in".
Result<bool> Holds(std::string_view op, const Value& a, const Value& b, Budget& budget);
// a[start:stop:step] of a string, list or tuple. Errors: kInvalidArgument.
Result<Value> TakeSlice(const Value& object, const Value& start, const Value& stop,
                        const Value& step, Budget& budget);
// 'text' % value. Errors: kUnsupported for conversions other than %s %r %d %i %f %%.
Result<Value> PercentFormat(std::string_view format, const Value& value, Budget& budget);

}  // namespace gemma3n::jinja
