// Values as text: Python's str and repr, and json.dumps.
#pragma once

#include <optional>
#include <string>

#include "chat/jinja/value.h"

namespace gemma3n::jinja {

// Text that is charged to the budget as it grows. Past the budget it stays as it is; Take then says
// so.
class TextWriter {
 public:
  explicit TextWriter(Budget& budget) : budget_(budget) {}
  void Put(std::string_view piece);
  void Put(char c) { Put(std::string_view(&c, 1)); }
  void Fill(size_t n, char c);
  void Fail(Status status);
  bool failed() const { return !status_.ok(); }
  Result<std::string> Take();

 private:
  Budget& budget_;
  std::string text_;
  Status status_;
};

// str(value): what {{ value }} writes. Undefined is empty.
Result<std::string> ToText(const Value& value, Budget& budget);
// repr(value).
Result<std::string> ToRepr(const Value& value, Budget& budget);
// repr(float): the shortest that reads back, with an exponent below 1e-4 and from 1e16.
std::string FloatRepr(double value);

struct JsonStyle {
  std::optional<std::string> indent;  // one level's white space
  std::string item_separator = ", ", key_separator = ": ";
  bool ensure_ascii = false, sort_keys = false;
};
// json.dumps. Errors: kInvalidArgument for what JSON has no form for.
Result<std::string> ToJson(const Value& value, const JsonStyle& style, Budget& budget);

}  // namespace gemma3n::jinja
