#include "server/api/anthropic_answer.h"

#include <utility>

#include "formats/json.h"
#include "server/api/event_stream.h"
#include "server/api/request_json.h"
#include "server/http/router.h"

namespace gemma3n::server {
namespace {

std::string StopReasonText(const AnswerEnd& end) {
  if (!end.tool_calls.empty()) return "tool_use";
  switch (end.reason) {
    case StopReason::kStopString:
      return "stop_sequence";
    case StopReason::kMaxTokens:
      return "max_tokens";
    case StopReason::kContextFull:
      return "model_context_window_exceeded";
    case StopReason::kEndToken:
    case StopReason::kStopToken:
    case StopReason::kCancelled:
      return "end_turn";
  }
  return "end_turn";
}

Json StopSequence(const AnswerEnd& end) {
  return end.reason == StopReason::kStopString && end.tool_calls.empty() ? Json(end.stop_string)
                                                                         : Json(nullptr);
}

// The API counts what came from the cache apart from the rest of the prompt.
Json UsageJson(int64_t prompt, int64_t cached, int64_t completion) {
  return {{"input_tokens", prompt - cached},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", cached},
          {"output_tokens", completion}};
}

Json UsageJson(const Usage& usage) {
  return UsageJson(usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens);
}

Json MessageJson(const std::string& id, const std::string& model) {
  return {{"id", id},
          {"type", "message"},
          {"role", "assistant"},
          {"model", model},
          {"content", Json::array()},
          {"stop_reason", nullptr},
          {"stop_sequence", nullptr}};
}

Json ToolUseBlock(const ToolCall& call, Json input) {
  return {{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", std::move(input)}};
}

class WholeAnswer : public Sink {
 public:
  WholeAnswer(std::shared_ptr<Exchange> exchange, std::string id, std::string model)
      : exchange_(std::move(exchange)), id_(std::move(id)), model_(std::move(model)) {}

  void OnStart(int64_t) override {}
  void OnToken(int, const TokenEvent& event) override { text_ += event.text; }
  void OnEnd(int, AnswerEnd end) override { end_ = std::move(end); }

  void OnFinish(const Usage& usage) override {
    Json message = MessageJson(id_, model_);
    Json& content = message["content"];
    if (!text_.empty()) content.push_back({{"type", "text"}, {"text", text_}});
    for (const ToolCall& call : end_.tool_calls) {
      auto input = ParseOrderedJson(call.arguments, "arguments");
      content.push_back(ToolUseBlock(call, input.ok() ? *std::move(input) : Json::object()));
    }
    message["stop_reason"] = StopReasonText(end_);
    message["stop_sequence"] = StopSequence(end_);
    message["usage"] = UsageJson(usage);
    exchange_->Respond(200, "application/json", DumpOrderedJson(message));
  }

  void OnError(int http_status, const Status& status) override {
    RespondAnthropicError(*exchange_, http_status, status.message());
  }

 private:
  std::shared_ptr<Exchange> exchange_;
  std::string id_, model_, text_;
  AnswerEnd end_;
};

class StreamedAnswer : public Sink {
 public:
  StreamedAnswer(std::shared_ptr<Exchange> exchange, std::string id, std::string model)
      : exchange_(std::move(exchange)), id_(std::move(id)), model_(std::move(model)) {}

  void OnStart(int64_t prompt_tokens) override {
    BeginPieces(*exchange_, "text/event-stream");
    begun_ = true;
    Json message = MessageJson(id_, model_);
    // What of the prompt is cached shows only when it runs: the last event counts anew.
    message["usage"] = UsageJson(prompt_tokens, 0, 0);
    Event("message_start", {{"message", std::move(message)}});
    Event("ping", Json::object());
  }

  void OnToken(int, const TokenEvent& event) override {
    if (event.text.empty()) return;
    if (!in_text_) StartBlock({{"type", "text"}, {"text", ""}});
    in_text_ = true;
    Delta({{"type", "text_delta"}, {"text", event.text}});
  }

  void OnEnd(int, AnswerEnd end) override {
    if (in_text_) StopBlock();
    for (const ToolCall& call : end.tool_calls) {
      StartBlock(ToolUseBlock(call, Json::object()));
      Delta({{"type", "input_json_delta"}, {"partial_json", call.arguments}});
      StopBlock();
    }
    delta_ = {{"stop_reason", StopReasonText(end)}, {"stop_sequence", StopSequence(end)}};
  }

  void OnFinish(const Usage& usage) override {
    Event("message_delta", {{"delta", delta_}, {"usage", UsageJson(usage)}});
    Event("message_stop", Json::object());
    exchange_->Finish();
  }

  void OnError(int http_status, const Status& status) override {
    if (!begun_) return RespondAnthropicError(*exchange_, http_status, status.message());
    exchange_->Write("event: error\ndata: " +
                     ErrorBody(ErrorStyle::kAnthropic, http_status, status.message()) + "\n\n");
    exchange_->Finish();
  }

 private:
  // fields: of the event's data, besides its type.
  void Event(const char* type, const Json& fields) {
    Json data = {{"type", type}};
    data.update(fields);
    exchange_->Write("event: " + std::string(type) + "\ndata: " + DumpOrderedJson(data) + "\n\n");
  }

  void StartBlock(Json block) {
    Event("content_block_start", {{"index", block_}, {"content_block", std::move(block)}});
  }
  void Delta(Json delta) {
    Event("content_block_delta", {{"index", block_}, {"delta", std::move(delta)}});
  }
  void StopBlock() { Event("content_block_stop", {{"index", block_++}}); }

  std::shared_ptr<Exchange> exchange_;
  std::string id_, model_;
  bool begun_ = false, in_text_ = false;
  int block_ = 0;
  Json delta_;
};

}  // namespace

void RespondAnthropicError(Exchange& exchange, int http_status, const std::string& message) {
  Headers headers;
  if (http_status == 429 || http_status == 503) headers.emplace_back("Retry-After", "1");
  exchange.Respond(http_status, "application/json",
                   ErrorBody(ErrorStyle::kAnthropic, http_status, message), std::move(headers));
}

std::shared_ptr<Sink> MakeAnthropicSink(std::shared_ptr<Exchange> exchange, std::string id,
                                        std::string model, bool stream) {
  if (stream) {
    return std::make_shared<StreamedAnswer>(std::move(exchange), std::move(id), std::move(model));
  }
  return std::make_shared<WholeAnswer>(std::move(exchange), std::move(id), std::move(model));
}

}  // namespace gemma3n::server
