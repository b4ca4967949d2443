#include "chat/jinja/template.h"

#include "chat/jinja/interpreter.h"
#include "chat/jinja/parser.h"
#include "chat/jinja/text.h"

namespace gemma3n::jinja {
Result<Template> Template::Parse(std::string_view source, std::string name, const Limits& limits) {
  if (source.size() > limits.source_bytes) {
    return Error(StatusCode::kUnsupported, "{}: a template of {} bytes, expected at most {}", name,
                 source.size(), limits.source_bytes);
  }
  if (!IsValidUtf8(source))
    return Error(StatusCode::kCorruptFile, "{}: the template is not valid UTF-8", name);
  auto body = ParseTemplate(source);
  if (!body.ok()) return Error(body.status().code(), "{}: {}", name, body.status().message());
  Template parsed;
  parsed.name_ = std::move(name);
  parsed.limits_ = limits;
  parsed.body_ = std::move(body).value();
  return parsed;
}

Result<std::string> Template::Render(const std::vector<std::pair<std::string, Value>>& variables,
                                     std::function<std::tm()> clock) const {
  Interpreter interpreter(limits_, std::move(clock));
  auto text = interpreter.Run(body_, variables);
  if (!text.ok()) return Error(text.status().code(), "{}: {}", name_, text.status().message());
  return text;
}

}  // namespace gemma3n::jinja
