#include "chat/chat_template.h"

#include <chrono>
#include <optional>

#include "chat/builtin_template.h"
#include "chat/jinja/template.h"
#include "chat/jinja/text.h"

namespace gemma3n {
namespace {

using jinja::Value;

std::tm LocalTime() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm local{};
  localtime_r(&now, &local);
  return local;
}

Status CheckMessage(const Message& message, size_t number) {
  bool valid = jinja::IsValidUtf8(message.role);
  for (const Part& part : message.parts) valid = valid && jinja::IsValidUtf8(part.text);
  if (!valid)
    return Error(StatusCode::kInvalidArgument, "message {}: expected UTF-8 text, found other bytes",
                 number);
  const bool one_text = message.parts.empty() || (message.parts.size() == 1 &&
                                                  message.parts.front().kind == Part::Kind::kText);
  if (!message.is_string || one_text) return OkStatus();
  return Error(StatusCode::kInvalidArgument,
               "message {}: expected one text part for a plain string, found {} parts", number,
               message.parts.size());
}

using Pairs = std::vector<std::pair<Value, Value>>;

Result<Value> PartValue(const Part& part, jinja::Budget& budget) {
  switch (part.kind) {
    case Part::Kind::kText:
      return MakeDict(Pairs{{"type", "text"}, {"text", part.text}}, budget);
    case Part::Kind::kImage:
      return MakeDict(Pairs{{"type", "image"}}, budget);
    case Part::Kind::kAudio:
      return MakeDict(Pairs{{"type", "audio"}}, budget);
    case Part::Kind::kVideo:
      break;  // frames and clips by now (MediaReader)
  }
  return Value(jinja::None{});
}

Result<Value> MessageValue(const Message& message, jinja::Budget& budget) {
  Value content("");
  if (message.is_string) {
    if (!message.parts.empty()) content = Value(message.parts.front().text);
  } else {
    std::vector<Value> parts;
    for (const Part& part : message.parts) {
      G3N_ASSIGN_OR_RETURN(Value value, PartValue(part, budget));
      parts.push_back(std::move(value));
    }
    G3N_ASSIGN_OR_RETURN(content, MakeList(std::move(parts), budget));
  }
  return MakeDict(Pairs{{"role", message.role}, {"content", std::move(content)}}, budget);
}

}  // namespace

struct ChatTemplate::Impl {
  std::optional<jinja::Template> parsed;  // nothing: the built-in format
};

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

ChatTemplate ChatTemplate::Builtin() { return ChatTemplate(std::make_unique<Impl>()); }

Result<ChatTemplate> ChatTemplate::Parse(std::string_view source, const std::string& name) {
  G3N_ASSIGN_OR_RETURN(jinja::Template parsed, jinja::Template::Parse(source, name));
  auto impl = std::make_unique<Impl>();
  impl->parsed = std::move(parsed);
  return ChatTemplate(std::move(impl));
}

Result<std::string> ChatTemplate::Render(std::span<const Message> messages,
                                         const Variables& variables) const {
  for (size_t i = 0; i < messages.size(); ++i)
    G3N_RETURN_IF_ERROR(CheckMessage(messages[i], i + 1));
  if (!impl_->parsed)
    return RenderGemma3n(messages, variables.bos_token, variables.add_generation_prompt);
  jinja::Limits unlimited;  // the caller's own text is not the template's doing
  unlimited.steps = unlimited.bytes = INT64_MAX;
  jinja::Budget budget(unlimited);
  std::vector<Value> values;
  for (const Message& message : messages) {
    G3N_ASSIGN_OR_RETURN(Value value, MessageValue(message, budget));
    values.push_back(std::move(value));
  }
  G3N_ASSIGN_OR_RETURN(Value list, MakeList(std::move(values), budget));
  std::vector<std::pair<std::string, Value>> names = {
      {"messages", std::move(list)},
      {"bos_token", variables.bos_token},
      {"eos_token", variables.eos_token},
      {"add_generation_prompt", variables.add_generation_prompt},
      {"tools", jinja::None{}},
      {"documents", jinja::None{}},
  };
  for (const auto& [name, text] : variables.tokens) names.emplace_back(name, text);
  return impl_->parsed->Render(names, variables.clock ? variables.clock : LocalTime);
}

}  // namespace gemma3n
