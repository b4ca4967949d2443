#include "cli/conversation.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/text_input.h"

namespace gemma3n::cli {

using Json = nlohmann::ordered_json;

void Conversation::Reset() {
  messages_.clear();
  ids_.clear();
  ids_text_.clear();
  if (!system_.empty()) messages_.push_back(Message::Text("system", system_));
}

int64_t Conversation::turns() const {
  return std::count_if(messages_.begin(), messages_.end(),
                       [](const Message& m) { return m.role == "user"; });
}

Result<std::vector<int32_t>> Conversation::PromptWith(const std::string& user) const {
  std::vector<Message> messages = messages_;
  messages.push_back(Message::Text("user", user));
  G3N_ASSIGN_OR_RETURN(std::vector<int32_t> whole, engine_.ChatPrompt(messages));
  if (ids_.empty() ||
      std::ranges::equal(std::span(whole).first(std::min(whole.size(), ids_.size())), ids_))
    return whole;
  G3N_ASSIGN_OR_RETURN(const std::string text, engine_.RenderChat(messages));
  if (!text.starts_with(ids_text_)) return whole;  // the template changed what was said
  std::vector<int32_t> ids = ids_;
  G3N_ASSIGN_OR_RETURN(const auto rest,
                       engine_.Tokenize(std::string_view(text).substr(ids_text_.size()), false));
  ids.insert(ids.end(), rest.begin(), rest.end());
  return ids;
}

void Conversation::Add(const std::string& user, std::span<const int32_t> prompt,
                       const GenerationResult& answer) {
  messages_.push_back(Message::Text("user", user));
  const auto rendered = engine_.RenderChat(messages_);
  ids_.clear();
  ids_text_.clear();
  // A stop string cuts the text but not the ids; then the ids no longer say what was said.
  if (rendered.ok() && engine_.Detokenize(answer.tokens) == answer.text) {
    ids_.assign(prompt.begin(), prompt.end());
    ids_.insert(ids_.end(), answer.tokens.begin(), answer.tokens.end());
    ids_text_ = *rendered + answer.text;
  }
  messages_.push_back(Message::Text("assistant", answer.text));
}

Status Conversation::Save(const std::string& path) const {
  Json list = Json::array();
  for (const Message& m : messages_)
    list.push_back({{"role", m.role}, {"content", m.parts.at(0).text}});
  G3N_RETURN_IF_ERROR(CheckOutputPath(path));
  G3N_ASSIGN_OR_RETURN(AtomicFileWriter file, AtomicFileWriter::Create(path));
  const Json json = {{"messages", std::move(list)}};
  G3N_RETURN_IF_ERROR(file.Write(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"));
  return file.Commit();
}

Status Conversation::Load(const std::string& path) {
  G3N_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, size_t{1} << 28));
  const Json json = Json::parse(text, nullptr, false);
  const Json& list = json.is_object() && json.contains("messages") ? json["messages"] : json;
  const auto bad = [&](const std::string& what) {
    return Error(StatusCode::kCorruptFile,
                 "{}: expected a conversation ({{\"messages\": [...]}}), found {}", path, what);
  };
  if (!list.is_array())
    return bad(json.is_discarded() ? "text that is not JSON" : list.type_name());
  std::vector<Message> messages;
  for (const Json& item : list) {
    const bool good = item.is_object() && item.contains("role") && item["role"].is_string() &&
                      item.contains("content") && item["content"].is_string();
    if (!good)
      return bad(
          fmt::format("message {} without a role or content of plain text", messages.size()));
    messages.push_back(
        Message::Text(item["role"].get<std::string>(), item["content"].get<std::string>()));
  }
  // A conversation waits for the user: a trailing question would be asked twice.
  if (!messages.empty() && messages.back().role == "user")
    return bad("a question without its answer at the end");
  std::vector<Message> next = messages;
  next.push_back(Message::Text("user", "?"));
  if (const auto rendered = engine_.RenderChat(next); !rendered.ok())
    return rendered.status().WithContext(path);
  system_ =
      !messages.empty() && messages[0].role == "system" ? messages[0].parts[0].text : std::string();
  messages_ = std::move(messages);
  ids_.clear();
  ids_text_.clear();
  return OkStatus();
}

}  // namespace gemma3n::cli
