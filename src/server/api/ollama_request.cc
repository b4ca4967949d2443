#include "server/api/ollama_request.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "chat/tools.h"
#include "formats/json.h"
#include "server/api/answer_start.h"
#include "server/api/media_json.h"
#include "server/api/model_field.h"

namespace gemma3n::server {
namespace {

constexpr size_t kMany = 100000;
constexpr size_t kMostStops = 64;
constexpr int kMostLogprobs = 20;  // Ollama's
constexpr float kBig = 1e30f;

constexpr std::pair<const char*, Part::Kind> kMediaLists[] = {
    {"images", Part::Kind::kImage}, {"audios", Part::Kind::kAudio}, {"videos", Part::Kind::kVideo}};

// The media beside a text, which go in front of it.
std::vector<Part> ReadMedia(const Fields& owner, const MediaAccess& media) {
  std::vector<Part> parts;
  for (const auto& [key, kind] : kMediaLists) {
    std::vector<std::string> list;
    owner.Strings(key, kMany, &list);
    for (const std::string& text : list) {
      if (!owner.ok()) return parts;
      // Some clients give the data: URL that they have.
      parts.push_back(text.starts_with("data:") ? OpenMedium(owner, key, media, kind, text)
                                                : Base64Medium(owner, key, media, kind, text));
    }
  }
  return parts;
}

Message UserMessage(std::string role, std::vector<Part> media, std::string text) {
  if (media.empty()) return Message::Text(std::move(role), std::move(text));
  if (!text.empty()) media.push_back(Part::Text(std::move(text)));
  return Message::Parts(std::move(role), std::move(media));
}

std::vector<FunctionCall> ReadCalls(const Fields& message) {
  std::vector<FunctionCall> calls;
  size_t index = 0;
  for (const Json& element : message.List("tool_calls", kMany)) {
    const Fields function = message.Element("tool_calls", index++, element).Object("function");
    const Json* arguments = function.Find("arguments");
    calls.push_back(
        {function.NeedString("name"), arguments == nullptr ? "{}" : DumpOrderedJson(*arguments)});
  }
  return calls;
}

std::vector<Message> ReadMessages(const Fields& fields, const MediaAccess& media) {
  std::vector<Message> messages;
  std::deque<std::string> called;  // functions whose results have not come yet
  size_t index = 0;
  for (const Json& element : fields.List("messages", kMany)) {
    const Fields message = fields.Element("messages", index++, element);
    const std::string role = message.NeedString("role");
    std::string text, name;
    message.String("content", &text);
    message.String("tool_name", &name);
    const std::vector<FunctionCall> calls = ReadCalls(message);
    if (role == "tool") {
      if (name.empty() && !called.empty()) name = called.front();
      if (!called.empty()) called.pop_front();
      messages.push_back(ResultMessage(name, {Part::Text(std::move(text))}));
    } else if (role == "assistant") {
      for (const FunctionCall& call : calls) called.push_back(call.name);
      messages.push_back(CallMessage(text, calls));
    } else if (role == "user" || role == "system") {
      messages.push_back(UserMessage(role, ReadMedia(message, media), std::move(text)));
    } else {
      message.Unexpected("role", "\"system\", \"user\", \"assistant\" or \"tool\"");
    }
    if (!fields.ok()) break;
  }
  return messages;
}

void ReadTools(const Fields& fields, Generation* generation) {
  size_t index = 0;
  for (const Json& element : fields.List("tools", kMany)) {
    const Fields function = fields.Element("tools", index++, element).Object("function");
    Tool tool;
    tool.name = function.NeedString("name");
    function.String("description", &tool.description);
    if (const Json* schema = function.Find("parameters")) {
      if (!schema->is_object()) function.Unexpected("parameters", "an object");
      tool.parameters = DumpOrderedJson(*schema);
    }
    generation->tools.push_back(std::move(tool));
  }
}

// "json", or a JSON Schema.
void ReadFormat(const Fields& fields, GenerationOptions* options) {
  const Json* format = fields.Find("format");
  if (format == nullptr || *format == "") return;
  if (*format == "json") {
    options->json_schema = "{\"type\":\"object\"}";
  } else if (format->is_object()) {
    options->json_schema = DumpOrderedJson(*format);
  } else {
    fields.Unexpected("format", "\"json\" or a JSON Schema");
  }
}

void ReadOptions(const Fields& fields, GenerationOptions* out) {
  const Fields options = fields.Object("options");
  options.Number("temperature", 0, kBig, &out->temperature);
  options.Number("top_p", 0, 1, &out->top_p);
  options.Number("min_p", 0, 1, &out->min_p);
  options.Number("repeat_penalty", 1e-3, kBig, &out->repetition_penalty);
  options.Number("presence_penalty", -kBig, kBig, &out->presence_penalty);
  options.Number("frequency_penalty", -kBig, kBig, &out->frequency_penalty);
  options.Strings("stop", kMostStops, &out->stop);
  std::optional<int> top_k;
  options.Integer("top_k", -1, INT32_MAX, &top_k);
  if (top_k) out->top_k = std::max(*top_k, 0);  // both mean all
  std::optional<int64_t> seed;
  options.Integer("seed", INT64_MIN, INT64_MAX, &seed);
  if (seed && *seed >= 0) out->seed = static_cast<uint64_t>(*seed);  // less: any
  int64_t tokens = -1;
  options.Integer("num_predict", -2, INT32_MAX, &tokens);
  if (tokens > 0) out->max_tokens = tokens;  // less: until the end or the context's
}

void ReadLogprobs(const Fields& fields, GenerationOptions* options, int* shown) {
  bool wanted = false;
  int top = 0;
  fields.Bool("logprobs", &wanted);
  fields.Integer("top_logprobs", 0, kMostLogprobs, &top);
  // One alternative at least tells a token's event from one that only carries text that was held
  // back (TokenEvent::top is empty there).
  if (wanted) options->top_logprobs = std::max(top, 1);
  *shown = wanted ? top : -1;
}

// What both requests have.
void ReadCommon(const Fields& fields, const ApiContext& context, OllamaRequest* request) {
  request->model = fields.NeedString("model");
  ReadModelSize(fields, context, OllamaModelName(request->model), &request->generation.size);
  fields.Bool("stream", &request->stream);
  const Json* think = fields.Find("think");
  if (think != nullptr && *think != false) {
    fields.Fail("think", Error(StatusCode::kInvalidArgument, "\"{}\" does not support thinking",
                               request->model));
  }
  GenerationOptions& options = request->generation.options;
  ReadFormat(fields, &options);
  ReadOptions(fields, &options);
  ReadLogprobs(fields, &options, &request->top_logprobs);
}

void Refuse(const Fields& fields, const char* key) {
  const Json* value = fields.Find(key);
  if (value != nullptr && *value != "") fields.Unexpected(key, "nothing (it is not supported)");
}

void ReadContext(const Fields& fields, std::vector<int32_t>* out) {
  for (const Json& element : fields.List("context", size_t{1} << 20)) {
    if (!element.is_number_integer() || element < 0 || element > INT32_MAX) {
      return fields.Unexpected("context", "a list of token ids");
    }
    out->push_back(element.get<int32_t>());
  }
}

}  // namespace

std::string OllamaModelName(std::string model) {
  constexpr std::string_view kLatest = ":latest";
  if (model.ends_with(kLatest)) model.resize(model.size() - kLatest.size());
  return model;
}

std::optional<RequestError> ReadOllamaChat(const Json& body, const ApiContext& context,
                                           OllamaRequest* request) {
  std::optional<RequestError> error;
  const Fields fields(body, "", &error);
  ReadCommon(fields, context, request);
  ReadTools(fields, &request->generation);
  request->generation.messages = ReadMessages(fields, *context.media);
  request->empty = request->generation.messages.empty();
  TakeAnswerStart(&request->generation);
  return error;
}

std::optional<RequestError> ReadOllamaGenerate(const Json& body, const ApiContext& context,
                                               OllamaRequest* request) {
  std::optional<RequestError> error;
  const Fields fields(body, "", &error);
  ReadCommon(fields, context, request);
  for (const char* key : {"suffix", "template"}) Refuse(fields, key);
  std::string prompt, system;
  fields.String("prompt", &prompt);
  fields.String("system", &system);
  fields.Bool("raw", &request->raw);
  ReadContext(fields, &request->context);
  std::vector<Part> parts = ReadMedia(fields, *context.media);
  request->empty = prompt.empty() && parts.empty();
  if (!request->context.empty() && (request->raw || !parts.empty())) {
    fields.Fail("context", Error(StatusCode::kInvalidArgument,
                                 "context: not together with raw or media; send the conversation "
                                 "to /api/chat instead"));
  }
  Generation& generation = request->generation;
  if (request->raw) {
    generation.text = std::move(prompt);
    generation.text_media = std::move(parts);
    return error;
  }
  if (!system.empty()) generation.messages.push_back(Message::Text("system", std::move(system)));
  generation.messages.push_back(UserMessage("user", std::move(parts), std::move(prompt)));
  return error;
}

}  // namespace gemma3n::server
