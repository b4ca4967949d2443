#include "cli/messages_json.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

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

Result<std::vector<Message>> ParseMessages(std::string_view text, const std::string& name) {
  const Json json = Json::parse(text, nullptr, false);
  const Json& list = json.is_object() && json.contains("messages") ? json["messages"] : json;
  const auto bad = [&](const std::string& what) {
    return Error(StatusCode::kCorruptFile,
                 "{}: expected a conversation ({{\"messages\": [...]}}), found {}", name, what);
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
  return messages;
}

Result<std::vector<Message>> ReadMessages(const std::string& file) {
  G3N_ASSIGN_OR_RETURN(const std::string json, ReadFileOrStdin(file));
  return ParseMessages(json, file);
}

std::string MessagesJson(std::span<const Message> messages) {
  Json list = Json::array();
  for (const Message& m : messages) {
    list.push_back({{"role", m.role}, {"content", ContentJson(m)}});
  }
  const Json json = {{"messages", std::move(list)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gemma3n::cli
