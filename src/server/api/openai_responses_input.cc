#include "server/api/openai_responses_input.h"

#include <algorithm>
#include <array>
#include <utility>

#include "chat/tools.h"
#include "server/api/media_json.h"
#include "server/api/openai_content.h"

namespace gemma3n::server {
namespace {

constexpr size_t kMostItems = 10000, kMostParts = 10000;

// {"type": TYPE, KEY: LOCATION}
struct MediumType {
  const char *type, *key;
  Part::Kind kind;
};
constexpr MediumType kMedia[] = {{"input_image", "image_url", Part::Kind::kImage},
                                 {"input_video", "video_url", Part::Kind::kVideo}};

Part ReadPart(const Fields& part, const MediaAccess& media) {
  constexpr std::array kWords = {"input_text", "output_text", "text"};
  const std::string type = part.NeedString("type");
  if (!part.ok()) return {};
  if (std::find(kWords.begin(), kWords.end(), type) != kWords.end()) {
    return Part::Text(part.NeedString("text"));
  }
  if (type == "refusal") return Part::Text(part.NeedString("refusal"));
  if (type == "input_audio") return OpenInputAudio(part.Object("input_audio"), media);
  for (const MediumType& medium : kMedia) {
    if (type != medium.type) continue;
    const std::string location = part.NeedString(medium.key);
    return OpenMedium(part, medium.key, media, medium.kind, location);
  }
  part.Unexpected("type", "input_text, input_image, input_audio, input_video or output_text");
  return {};
}

// A string or a list of parts.
Message ReadContent(const Fields& fields, std::string_view key, const std::string& role,
                    const MediaAccess& media) {
  const Json* content = fields.Find(key);
  if (content != nullptr && content->is_string()) {
    return Message::Text(role, content->get<std::string>());
  }
  if (content == nullptr || !content->is_array()) {
    fields.Unexpected(key, "a string or a list of parts");
  }
  std::vector<Part> parts;
  const Json& list = fields.List(key, kMostParts);
  for (size_t i = 0; i < list.size() && fields.ok(); ++i) {
    parts.push_back(ReadPart(fields.Element(key, i, list[i]), media));
  }
  return Message::Parts(role, std::move(parts));
}

Message ReadMessage(const Fields& item, const MediaAccess& media) {
  constexpr std::array kRoles = {"user", "assistant", "system", "developer"};
  std::string role = item.NeedString("role");
  if (std::find(kRoles.begin(), kRoles.end(), role) == kRoles.end()) {
    item.Unexpected("role", "user, assistant, system or developer");
  }
  if (role == "developer") role = "system";
  return ReadContent(item, "content", role, media);
}

void ReadItem(const Fields& item, const MediaAccess& media, StoredConversation* conversation) {
  std::string type = "message";
  item.String("type", &type);
  if (!item.ok()) return;
  if (type == "message") {
    conversation->messages.push_back(ReadMessage(item, media));
  } else if (type == "function_call") {
    const FunctionCall call{item.NeedString("name"), item.NeedString("arguments")};
    conversation->call_names[item.NeedString("call_id")] = call.name;
    conversation->messages.push_back(CallMessage("", {&call, 1}));
  } else if (type == "function_call_output") {
    const std::string id = item.NeedString("call_id");
    const auto name = conversation->call_names.find(id);
    if (name == conversation->call_names.end()) {
      return item.Unexpected("call_id", "the id of an earlier function_call");
    }
    Message output = ReadContent(item, "output", "user", media);
    conversation->messages.push_back(ResultMessage(name->second, std::move(output.parts)));
  } else if (type != "reasoning") {
    item.Unexpected("type", "message, function_call or function_call_output");
  }
}

}  // namespace

void ReadResponsesInput(const Fields& fields, const MediaAccess& media,
                        StoredConversation* conversation) {
  const Json* input = fields.Find("input");
  if (input != nullptr && input->is_string()) {
    conversation->messages.push_back(Message::Text("user", input->get<std::string>()));
    return;
  }
  const Json& list = fields.List("input", kMostItems);
  if (list.empty()) fields.Unexpected("input", "a string or a list of items");
  for (size_t i = 0; i < list.size() && fields.ok(); ++i) {
    ReadItem(fields.Element("input", i, list[i]), media, conversation);
  }
}

}  // namespace gemma3n::server
