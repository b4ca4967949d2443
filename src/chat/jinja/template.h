// A parsed Jinja template: the subset that chat templates use, with Jinja2's semantics as
// transformers sets it up. docs/CHAT_TEMPLATES.md lists what is interpreted.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/jinja/ast.h"
#include "chat/jinja/budget.h"
#include "chat/jinja/value.h"

namespace gemma3n::jinja {

class Template {
 public:
  // `name` is the source's name in messages. Errors: kCorruptFile (syntax, not UTF-8), kUnsupported
  // (a statement that is not interpreted; a template above the size limit); both name the line.
  static Result<Template> Parse(std::string_view source, std::string name,
                                const Limits& limits = {});

  // The variables' strings are valid UTF-8. The clock is what strftime_now reads. Errors:
  // kInvalidArgument (the template's own raise_exception, a use of undefined values, wrong types),
  // kUnsupported, kResourceExhausted (limits).
  Result<std::string> Render(const std::vector<std::pair<std::string, Value>>& variables,
                             std::function<std::tm()> clock) const;

 private:
  std::string name_;
  Limits limits_;
  Body body_;
};

}  // namespace gemma3n::jinja
