#include "server/api/openai_responses_sink.h"

#include <utility>

#include "formats/json.h"
#include "server/api/openai_error.h"
#include "server/api/openai_logprobs.h"
#include "server/api/openai_tools.h"
#include "server/api/random_id.h"

namespace gemma3n::server {

Json ResponsesSink::Response(const char* status) const {
  Json response = {{"id", id()},
                   {"object", "response"},
                   {"created_at", created()},
                   {"status", status},
                   {"background", false},
                   {"error", nullptr},
                   {"incomplete_details", nullptr},
                   {"model", reply().model},
                   {"output", output_},
                   {"usage", nullptr}};
  if (cut_) response["incomplete_details"] = {{"reason", "max_output_tokens"}};
  response.update(form_.echoed);
  return response;
}

Json ResponsesSink::TextPart() const {
  return {{"type", "output_text"},
          {"text", text_},
          {"annotations", Json::array()},
          {"logprobs", logprobs_}};
}

Json ResponsesSink::MessageItem(const char* status) const {
  const bool complete = std::string_view(status) != "in_progress";
  return {{"id", message_id_},
          {"type", "message"},
          {"status", status},
          {"role", "assistant"},
          {"content", complete ? Json::array({TextPart()}) : Json::array()}};
}

void ResponsesSink::Event(const char* type, Json fields) {
  Json event = {{"type", type}, {"sequence_number", events_++}};
  event.update(fields);
  if (reply().stream) {
    exchange().Write(fmt::format("event: {}\ndata: {}\n\n", type, DumpOrderedJson(event)));
  }
}

Json ResponsesSink::TextPlace() const {
  return {{"item_id", message_id_}, {"output_index", 0}, {"content_index", 0}};
}

void ResponsesSink::OnStart(int64_t) {
  if (reply().stream) BeginStream();
  Event("response.created", {{"response", Response("in_progress")}});
  Event("response.in_progress", {{"response", Response("in_progress")}});
}

void ResponsesSink::OpenMessage() {
  message_id_ = RandomId("msg_");
  Event("response.output_item.added", {{"output_index", 0}, {"item", MessageItem("in_progress")}});
  Json place = TextPlace();
  place["part"] = TextPart();
  Event("response.content_part.added", std::move(place));
}

void ResponsesSink::OnToken(int, const TokenEvent& event) {
  Json entries = Json::array();
  if (reply().logprobs && !event.top.empty()) {
    entries.push_back(LogprobEntry(*context().engine, event.token, event.logprob, event.top,
                                   reply().top_logprobs));
  }
  if (event.text.empty() && entries.empty()) return;
  if (message_id_.empty()) OpenMessage();
  text_ += event.text;
  for (const Json& entry : entries) logprobs_.push_back(entry);
  Json delta = TextPlace();
  delta["delta"] = event.text;
  delta["logprobs"] = std::move(entries);
  Event("response.output_text.delta", std::move(delta));
}

void ResponsesSink::CloseMessage() {
  Json done = TextPlace();
  done["text"] = text_;
  done["logprobs"] = logprobs_;
  Event("response.output_text.done", std::move(done));
  Json part = TextPlace();
  part["part"] = TextPart();
  Event("response.content_part.done", std::move(part));
  output_.push_back(MessageItem(cut_ ? "incomplete" : "completed"));
  Event("response.output_item.done", {{"output_index", 0}, {"item", output_.back()}});
}

void ResponsesSink::AddCall(const ToolCall& call) {
  const size_t index = output_.size();
  Json item = {{"id", RandomId("fc_")}, {"type", "function_call"}, {"status", "in_progress"},
               {"call_id", call.id},    {"name", call.name},       {"arguments", ""}};
  Event("response.output_item.added", {{"output_index", index}, {"item", item}});
  const Json place = {{"item_id", item["id"]}, {"output_index", index}};
  Json delta = place, done = place;
  delta["delta"] = call.arguments;
  Event("response.function_call_arguments.delta", std::move(delta));
  done["name"] = call.name;
  done["arguments"] = call.arguments;
  Event("response.function_call_arguments.done", std::move(done));
  item["status"] = "completed";
  item["arguments"] = call.arguments;
  Event("response.output_item.done", {{"output_index", index}, {"item", item}});
  output_.push_back(std::move(item));
}

void ResponsesSink::OnEnd(int, AnswerEnd end) {
  cut_ = std::string_view(FinishReason(end)) == "length";
  calls_ = std::move(end.tool_calls);
  if (message_id_.empty() && calls_.empty()) OpenMessage();
  if (!message_id_.empty()) CloseMessage();
  for (const ToolCall& call : calls_) AddCall(call);
}

void ResponsesSink::OnFinish(const Usage& usage) {
  const char* status = cut_ ? "incomplete" : "completed";
  Json response = Response(status);
  response["usage"] = {
      {"input_tokens", usage.prompt_tokens},
      {"input_tokens_details", {{"cached_tokens", usage.cached_tokens}, {"cache_write_tokens", 0}}},
      {"output_tokens", usage.completion_tokens},
      {"output_tokens_details", {{"reasoning_tokens", 0}}},
      {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
  Keep(response);
  if (!reply().stream) return RespondJson(exchange(), response);
  Event(cut_ ? "response.incomplete" : "response.completed", {{"response", std::move(response)}});
  exchange().Finish();
}

void ResponsesSink::OnError(int http_status, const Status& status) {
  if (events_ == 0 || !reply().stream) return OpenAiSink::OnError(http_status, status);
  const std::string_view code = OpenAiErrorCode(http_status, status);
  Event("error", {{"code", code.empty() ? "server_error" : code},
                  {"message", status.message()},
                  {"param", nullptr}});
  exchange().Finish();
}

void ResponsesSink::Keep(const Json& response) {
  if (!form_.store) return;
  StoredConversation& conversation = form_.conversation;
  for (const ToolCall& call : calls_) conversation.call_names[call.id] = call.name;
  conversation.messages.push_back(calls_.empty() ? Message::Text("assistant", text_)
                                                 : CallMessage(text_, FunctionCallsOf(calls_)));
  conversation.response = response;
  form_.store->Put(id(), std::move(conversation));
}

}  // namespace gemma3n::server
