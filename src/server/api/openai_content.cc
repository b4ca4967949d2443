#include "server/api/openai_content.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <utility>

#include "server/api/media_json.h"

#include "chat/tools.h"
#include "server/api/openai_tools.h"

namespace gemma3n::server {
namespace {

constexpr size_t kMostMessages = 10000, kMostParts = 10000;

// {"type": KEY, KEY: {"url": ...}} or {"type": KEY, KEY: "..."}
constexpr std::pair<const char*, Part::Kind> kByUrl[] = {{"image_url", Part::Kind::kImage},
                                                         {"audio_url", Part::Kind::kAudio},
                                                         {"video_url", Part::Kind::kVideo}};

Part ReadPart(const Fields& part, const MediaAccess& media) {
  const std::string type = part.NeedString("type");
  if (!part.ok()) return {};
  if (type == "text") return Part::Text(part.NeedString("text"));
  if (type == "refusal") return Part::Text(part.NeedString("refusal"));
  if (type == "input_audio") return OpenInputAudio(part.Object("input_audio"), media);
  for (const auto& [key, kind] : kByUrl) {
    if (type != key) continue;
    const Json* value = part.Find(key);
    if (value != nullptr && value->is_string()) {
      return OpenMedium(part, key, media, kind, value->get<std::string>());
    }
    const Fields holder = part.Object(key);
    const std::string url = holder.NeedString("url");
    return OpenMedium(holder, "url", media, kind, url);
  }
  part.Unexpected("type", "text, image_url, input_audio, audio_url or video_url");
  return {};
}

void ReadContent(const Fields& fields, const MediaAccess& media, Message* message) {
  const Json* content = fields.Find("content");
  if (content == nullptr) {
    if (message->role != "assistant") fields.Unexpected("content", "a string or a list of parts");
    *message = Message::Text(message->role, "");
  } else if (content->is_string()) {
    *message = Message::Text(message->role, content->get<std::string>());
  } else if (content->is_array()) {
    const Json& list = fields.List("content", kMostParts);
    message->is_string = false;
    for (size_t i = 0; i < list.size() && fields.ok(); ++i) {
      message->parts.push_back(ReadPart(fields.Element("content", i, list[i]), media));
    }
  } else {
    fields.Unexpected("content", "a string or a list of parts");
  }
}

// What one message says, as the conversation so far is known.
class MessageReader {
 public:
  explicit MessageReader(const MediaAccess& media) : media_(media) {}

  Message Read(const Fields& fields) {
    constexpr std::array kRoles = {"system", "developer", "user", "assistant", "tool"};
    Message message;
    message.role = fields.NeedString("role");
    if (std::find(kRoles.begin(), kRoles.end(), message.role) == kRoles.end()) {
      fields.Unexpected("role", "system, developer, user, assistant or tool");
    }
    if (message.role == "developer") message.role = "system";
    ReadContent(fields, media_, &message);
    if (message.role == "tool") return ToolResult(fields, std::move(message));
    if (message.role == "assistant" && fields.Has("tool_calls")) {
      return Calls(ReadToolCalls(fields), message);
    }
    return message;
  }

 private:
  Message Calls(const std::vector<ToolCall>& calls, const Message& message) {
    for (const ToolCall& call : calls) names_[call.id] = call.name;
    std::string text;
    for (const Part& part : message.parts) text += part.text;
    return calls.empty() ? message : CallMessage(text, FunctionCallsOf(calls));
  }

  Message ToolResult(const Fields& fields, Message message) {
    const std::string id = fields.NeedString("tool_call_id");
    const auto name = names_.find(id);
    if (name == names_.end()) fields.Unexpected("tool_call_id", "the id of an earlier call");
    if (!fields.ok()) return message;
    return ResultMessage(name->second, std::move(message.parts));
  }

  const MediaAccess& media_;
  std::map<std::string, std::string> names_;  // of the functions called, by the calls' ids
};

}  // namespace

Part OpenInputAudio(const Fields& audio, const MediaAccess& media) {
  std::string format = "wav";
  audio.String("format", &format);
  const bool plain = std::all_of(format.begin(), format.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '+';
  });
  if (!plain || format.size() > 32) audio.Unexpected("format", "a name such as \"wav\" or \"mp3\"");
  const std::string data = audio.NeedString("data");
  return OpenMedium(audio, "data", media, Part::Kind::kAudio,
                    "data:audio/" + format + ";base64," + data);
}

std::vector<Message> ReadOpenAiMessages(const Fields& fields, const MediaAccess& media) {
  std::vector<Message> messages;
  const Json& list = fields.List("messages", kMostMessages);
  if (list.empty()) fields.Unexpected("messages", "a list of at least one message");
  MessageReader reader(media);
  for (size_t i = 0; i < list.size() && fields.ok(); ++i) {
    messages.push_back(reader.Read(fields.Element("messages", i, list[i])));
  }
  return messages;
}

}  // namespace gemma3n::server
