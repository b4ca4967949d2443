#include "server/api/anthropic_request.h"

#include <map>
#include <utility>
#include <vector>

#include "chat/tools.h"
#include "formats/json.h"
#include "server/api/answer_start.h"
#include "server/api/media_json.h"
#include "server/api/model_field.h"

namespace gemma3n::server {
namespace {

constexpr size_t kMany = 100000;
constexpr size_t kMostStops = 64;

std::optional<Part::Kind> MediaKind(std::string_view type) {
  if (type == "image") return Part::Kind::kImage;
  if (type == "audio") return Part::Kind::kAudio;
  if (type == "video") return Part::Kind::kVideo;
  return std::nullopt;
}

// Reads a conversation message by message; names of called functions are kept for their results.
class ConversationReader {
 public:
  // What is read is added to `messages`.
  ConversationReader(const MediaAccess& media, std::vector<Message>& messages)
      : media_(media), messages_(messages) {}

  void ReadMessage(const Fields& message) {
    const std::string role = message.NeedString("role");
    if (message.ok() && role != "user" && role != "assistant" && role != "system") {
      return message.Unexpected("role", "\"user\", \"assistant\" or \"system\"");
    }
    const Json* content = message.Find("content");
    if (content != nullptr && content->is_string()) {
      messages_.push_back(Message::Text(role, content->get<std::string>()));
    } else if (content == nullptr || !content->is_array()) {
      message.Unexpected("content", "a string or a list of blocks");
    } else if (role == "assistant") {
      ReadAnswer(message);
    } else {
      ReadQuestion(role, message);
    }
  }

 private:
  void ReadAnswer(const Fields& message) {
    std::string text;
    std::vector<FunctionCall> calls;
    ForEach(message, "content", [&](const Fields& block, const std::string& type) {
      if (type == "text") {
        text += block.NeedString("text");
      } else if (type == "tool_use") {
        const std::string name = block.NeedString("name");
        function_names_[block.NeedString("id")] = name;
        const Json* input = block.Find("input");
        if (input != nullptr && !input->is_object()) return block.Unexpected("input", "an object");
        calls.push_back({name, input == nullptr ? "{}" : DumpOrderedJson(*input)});
      } else if (type != "thinking" && type != "redacted_thinking") {
        block.Unexpected("type", "\"text\" or \"tool_use\" in the assistant's content");
      }
    });
    messages_.push_back(CallMessage(text, calls));
  }

  void ReadQuestion(const std::string& role, const Fields& message) {
    std::vector<Part> parts;
    const auto flush = [&] {
      if (!parts.empty()) messages_.push_back(Message::Parts(role, std::exchange(parts, {})));
    };
    ForEach(message, "content", [&](const Fields& block, const std::string& type) {
      if (type != "tool_result") return ReadBlock(block, type, parts);
      flush();
      ReadToolResult(block);
    });
    flush();
  }

  void ReadToolResult(const Fields& block) {
    const auto name = function_names_.find(block.NeedString("tool_use_id"));
    if (name == function_names_.end()) {
      return block.Unexpected("tool_use_id", "the id of an earlier tool_use block");
    }
    std::vector<Part> parts = ReadContent(block, "content");
    bool is_error = false;
    block.Bool("is_error", &is_error);
    if (is_error) parts.insert(parts.begin(), Part::Text("Error: "));
    messages_.push_back(ResultMessage(name->second, std::move(parts)));
  }

  // A string, or a list of blocks; nothing where it is absent.
  std::vector<Part> ReadContent(const Fields& owner, std::string_view key) {
    std::vector<Part> parts;
    const Json* content = owner.Find(key);
    if (content != nullptr && content->is_string()) {
      parts.push_back(Part::Text(content->get<std::string>()));
    } else {
      ForEach(owner, key,
              [&](const Fields& block, const std::string& type) { ReadBlock(block, type, parts); });
    }
    return parts;
  }

  void ReadBlock(const Fields& block, const std::string& type, std::vector<Part>& parts) {
    if (type == "text") {
      parts.push_back(Part::Text(block.NeedString("text")));
    } else if (const auto kind = MediaKind(type)) {
      parts.push_back(ReadMedium(*kind, block.Object("source")));
    } else if (type == "document") {
      ReadDocument(block, parts);
    } else if (type == "search_result") {
      parts.push_back(
          Part::Text(block.NeedString("title") + "\n" + block.NeedString("source") + "\n"));
      for (Part& part : ReadContent(block, "content")) parts.push_back(std::move(part));
    } else {
      block.Unexpected(
          "type", "\"text\", \"image\", \"audio\", \"video\", \"document\" or \"tool_result\"");
    }
  }

  Part ReadMedium(Part::Kind kind, const Fields& source) const {
    const std::string type = source.NeedString("type");
    if (type == "base64") {
      return Base64Medium(source, "data", media_, kind, source.NeedString("data"));
    }
    if (type == "url") return OpenMedium(source, "url", media_, kind, source.NeedString("url"));
    source.Unexpected("type", "\"base64\" or \"url\"");
    return {};
  }

  void ReadDocument(const Fields& block, std::vector<Part>& parts) {
    for (const char* key : {"title", "context"}) {
      std::string text;
      block.String(key, &text);
      if (!text.empty()) parts.push_back(Part::Text(text + "\n"));
    }
    const Fields source = block.Object("source");
    const std::string type = source.NeedString("type");
    if (type == "text") {
      parts.push_back(Part::Text(source.NeedString("data") + "\n"));
    } else if (type == "content") {
      for (Part& part : ReadContent(source, "content")) parts.push_back(std::move(part));
    } else {
      source.Unexpected("type", "\"text\" or \"content\" (PDF files are not read)");
    }
  }

  template <typename Read>
  void ForEach(const Fields& owner, std::string_view key, const Read& read) const {
    size_t index = 0;
    for (const Json& element : owner.List(key, kMany)) {
      const Fields block = owner.Element(key, index++, element);
      read(block, block.NeedString("type"));
      if (!owner.ok()) return;
    }
  }

  const MediaAccess& media_;
  std::vector<Message>& messages_;
  std::map<std::string, std::string> function_names_;  // by the calls' ids
};

// A text, or a list of text blocks.
std::string ReadSystem(const Fields& fields) {
  std::string text;
  const Json* system = fields.Find("system");
  if (system == nullptr || system->is_string()) {
    fields.String("system", &text);
    return text;
  }
  size_t index = 0;
  for (const Json& element : fields.List("system", kMany)) {
    const Fields block = fields.Element("system", index++, element);
    if (!text.empty()) text += '\n';
    text += block.NeedString("text");
  }
  return text;
}

void ReadTools(const Fields& fields, Generation* generation) {
  size_t index = 0;
  for (const Json& element : fields.List("tools", kMany)) {
    const Fields tool = fields.Element("tools", index++, element);
    std::string type = "custom";
    tool.String("type", &type);
    if (tool.ok() && type != "custom") tool.Unexpected("type", "\"custom\"");
    Tool read;
    read.name = tool.NeedString("name");
    tool.String("description", &read.description);
    const Json* schema = tool.Find("input_schema");
    if (schema == nullptr || !schema->is_object()) tool.Unexpected("input_schema", "an object");
    if (!tool.ok()) return;
    read.parameters = DumpOrderedJson(*schema);
    generation->tools.push_back(std::move(read));
  }
  if (!fields.Has("tool_choice")) return;
  const Fields choice = fields.Object("tool_choice");
  const std::string type = choice.NeedString("type");
  ToolChoice& out = generation->tool_choice;
  bool one_call = false;
  choice.Bool("disable_parallel_tool_use", &one_call);
  out.parallel = !one_call;
  if (type == "auto") {
    out.kind = ToolChoice::Kind::kAuto;
  } else if (type == "any") {
    out.kind = ToolChoice::Kind::kRequired;
  } else if (type == "none") {
    out.kind = ToolChoice::Kind::kNone;
  } else if (type == "tool") {
    out.kind = ToolChoice::Kind::kNamed;
    out.name = choice.NeedString("name");
  } else {
    choice.Unexpected("type", "\"auto\", \"any\", \"tool\" or \"none\"");
  }
}

// {"type": "json_schema", "schema": ...}; the first betas had it one level higher.
void ReadFormat(const Fields& fields, GenerationOptions* options) {
  const bool nested = fields.Has("output_config");
  const Fields owner = nested ? fields.Object("output_config") : fields;
  const char* key = nested ? "format" : "output_format";
  if (!owner.Has(key)) return;
  const Fields format = owner.Object(key);
  if (format.NeedString("type") != "json_schema") format.Unexpected("type", "\"json_schema\"");
  const Json* schema = format.Find("schema");
  if (schema == nullptr || !schema->is_object()) format.Unexpected("schema", "an object");
  if (format.ok()) options->json_schema = DumpOrderedJson(*schema);
}

void ReadOptions(const Fields& fields, bool counting, GenerationOptions* options) {
  if (!counting && !fields.Has("max_tokens")) fields.Unexpected("max_tokens", "a whole number");
  fields.Integer("max_tokens", 1, INT32_MAX, &options->max_tokens);
  fields.Number("temperature", 0, 2, &options->temperature);
  fields.Number("top_p", 0, 1, &options->top_p);
  fields.Integer("top_k", 0, INT32_MAX, &options->top_k);
  fields.Strings("stop_sequences", kMostStops, &options->stop);
  ReadFormat(fields, options);
}

}  // namespace

std::optional<RequestError> ReadAnthropicRequest(const Json& body, const ApiContext& context,
                                                 bool counting, AnthropicRequest* request) {
  std::optional<RequestError> error;
  const Fields fields(body, "", &error);
  Generation& generation = request->generation;
  request->model = fields.NeedString("model");
  ReadModelSize(fields, context, request->model, &generation.size);
  fields.Bool("stream", &request->stream);
  ReadOptions(fields, counting, &generation.options);
  ReadTools(fields, &generation);
  if (std::string system = ReadSystem(fields); !system.empty()) {
    generation.messages.push_back(Message::Text("system", std::move(system)));
  }

  const Json& messages = fields.List("messages", kMany);
  if (messages.empty()) fields.Unexpected("messages", "a list of at least one message");
  ConversationReader reader(*context.media, generation.messages);
  size_t index = 0;
  for (const Json& message : messages) {
    reader.ReadMessage(fields.Element("messages", index++, message));
    if (error) break;
  }
  TakeAnswerStart(&generation);
  return error;
}

}  // namespace gemma3n::server
