#include "cli/conversation.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.h"
#include "cli/media_options.h"
#include "cli/text_input.h"

namespace gemma3n::cli {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::pair<Part::Kind, const char*> kMediaTypes[] = {
    {Part::Kind::kImage, "image"}, {Part::Kind::kAudio, "audio"}, {Part::Kind::kVideo, "video"}};

Json ContentJson(const Message& message) {
  if (message.is_string) return message.parts.empty() ? "" : message.parts[0].text;
  Json content = Json::array();
  for (const Part& part : message.parts) {
    if (part.kind == Part::Kind::kText) {
      content.push_back({{"type", "text"}, {"text", part.text}});
    }
    for (const auto& [kind, type] : kMediaTypes) {
      if (part.kind == kind) content.push_back({{"type", type}, {"path", part.source.location}});
    }
  }
  return content;
}

std::optional<std::string> StringField(const Json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_string()) return std::nullopt;
  return object[key].get<std::string>();
}

std::optional<Part> ParsePart(const Json& item) {
  const auto type = StringField(item, "type");
  if (!type) return std::nullopt;
  if (*type == "text") {
    const auto text = StringField(item, "text");
    return text ? std::optional(Part::Text(*text)) : std::nullopt;
  }
  const auto path = StringField(item, "path");
  for (const auto& [kind, name] : kMediaTypes) {
    if (path && *type == name) return FilePart(kind, *path);
  }
  return std::nullopt;
}

std::optional<Message> ParseMessage(const Json& item) {
  const auto role = StringField(item, "role");
  if (!role) return std::nullopt;
  if (const auto content = StringField(item, "content")) return Message::Text(*role, *content);
  if (!item.contains("content") || !item["content"].is_array()) return std::nullopt;
  std::vector<Part> parts;
  for (const Json& element : item["content"]) {
    std::optional<Part> part = ParsePart(element);
    if (!part) return std::nullopt;
    parts.push_back(std::move(*part));
  }
  return Message::Parts(*role, std::move(parts));
}

}  // namespace

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

Result<Prompt> Conversation::PromptWith(const Message& user, const MediaOptions& media) const {
  std::vector<Message> messages = messages_;
  messages.push_back(user);
  G3N_ASSIGN_OR_RETURN(Prompt prompt, engine_.ChatPrompt(messages, media));
  const auto& whole = prompt.tokens;
  const bool same =
      std::ranges::equal(std::span(whole).first(std::min(whole.size(), ids_.size())), ids_);
  // Otherwise the template may have changed what was said.
  if (ids_.empty() || same || !prompt.text.starts_with(ids_text_)) return prompt;
  const std::string_view rest = std::string_view(prompt.text).substr(ids_text_.size());
  G3N_ASSIGN_OR_RETURN(const auto new_ids, engine_.Tokenize(rest, false, /*expand_media=*/true));
  prompt.tokens = ids_;
  prompt.tokens.insert(prompt.tokens.end(), new_ids.begin(), new_ids.end());
  return prompt;
}

void Conversation::Add(const Message& user, const Prompt& prompt, const GenerationResult& answer) {
  messages_.push_back(user);
  ids_.clear();
  ids_text_.clear();
  // A stop string cuts the text but not the ids; then the ids no longer say what was said.
  if (engine_.Detokenize(answer.tokens) == answer.text) {
    ids_ = prompt.tokens;
    ids_.insert(ids_.end(), answer.tokens.begin(), answer.tokens.end());
    ids_text_ = prompt.text + answer.text;
  }
  messages_.push_back(Message::Text("assistant", answer.text));
}

Status Conversation::Save(const std::string& path) const {
  Json list = Json::array();
  for (const Message& m : messages_) {
    list.push_back({{"role", m.role}, {"content", ContentJson(m)}});
  }
  G3N_RETURN_IF_ERROR(CheckOutputPath(path));
  G3N_ASSIGN_OR_RETURN(AtomicFileWriter file, AtomicFileWriter::Create(path));
  const Json json = {{"messages", std::move(list)}};
  G3N_RETURN_IF_ERROR(file.Write(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"));
  return file.Commit();
}

Status Conversation::Load(const std::string& path, const MediaOptions& media) {
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
    std::optional<Message> message = ParseMessage(item);
    if (!message) {
      return bad(
          fmt::format("message {} without a role or content of text and media", messages.size()));
    }
    messages.push_back(std::move(*message));
  }
  // A conversation waits for the user: a trailing question would be asked twice.
  if (!messages.empty() && messages.back().role == "user")
    return bad("a question without its answer at the end");
  std::vector<Message> next = messages;
  next.push_back(Message::Text("user", "?"));
  if (const auto prompt = engine_.ChatPrompt(next, media); !prompt.ok())
    return prompt.status().WithContext(path);
  const bool has_system = !messages.empty() && messages[0].role == "system";
  system_ = has_system && !messages[0].parts.empty() ? messages[0].parts[0].text : std::string();
  messages_ = std::move(messages);
  ids_.clear();
  ids_text_.clear();
  return OkStatus();
}

}  // namespace gemma3n::cli
