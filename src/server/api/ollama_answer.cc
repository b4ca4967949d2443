#include "server/api/ollama_answer.h"

#include <chrono>
#include <utility>

#include "formats/json.h"
#include "server/api/event_stream.h"
#include "server/api/ollama.h"
#include "server/api/openai_logprobs.h"
#include "server/api/utc_time.h"

namespace gemma3n::server {
namespace {

using Clock = std::chrono::steady_clock;

int64_t Nanoseconds(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

Json CallJson(const ToolCall& call, size_t index) {
  auto arguments = ParseOrderedJson(call.arguments, "arguments");
  return {{"id", call.id},
          {"function",
           {{"index", index},
            {"name", call.name},
            {"arguments", arguments.ok() ? *std::move(arguments) : Json::object()}}}};
}

// What every object begins with, and the text where the two APIs have it.
Json LineJson(const OllamaReply& reply, std::string_view text) {
  Json line = {{"model", reply.model}, {"created_at", UtcNow()}};
  if (reply.chat) {
    line["message"] = {{"role", "assistant"}, {"content", text}};
  } else {
    line["response"] = text;
  }
  return line;
}

class OllamaSink : public Sink {
 public:
  OllamaSink(std::shared_ptr<const Engine> engine, std::shared_ptr<Exchange> exchange,
             OllamaReply reply)
      : engine_(std::move(engine)), exchange_(std::move(exchange)), reply_(std::move(reply)) {}

  void OnStart(int64_t) override {
    if (!reply_.stream) return;
    BeginPieces(*exchange_, "application/x-ndjson");
    begun_ = true;
  }

  void OnToken(int, const TokenEvent& event) override {
    const bool logprobs = reply_.top_logprobs >= 0 && !event.top.empty();
    if (!reply_.stream) {
      text_ += event.text;
      if (logprobs) logprobs_.push_back(LogprobJson(event));
    } else if (!event.text.empty() || logprobs) {
      Json line = LineJson(reply_, event.text);
      line["done"] = false;
      if (logprobs) line["logprobs"] = Json::array({LogprobJson(event)});
      WriteLine(line);
    }
  }

  void OnEnd(int, AnswerEnd end) override {
    end_ = std::move(end);
    for (const ToolCall& call : end_.tool_calls) calls_.push_back(CallJson(call, calls_.size()));
    if (!reply_.stream || calls_.empty()) return;
    Json line = LineJson(reply_, "");
    line["message"]["tool_calls"] = std::move(calls_);
    line["done"] = false;
    WriteLine(line);
  }

  void OnFinish(const Usage& usage) override {
    Json line = LineJson(reply_, text_);
    if (!reply_.stream) {
      if (!calls_.empty()) line["message"]["tool_calls"] = std::move(calls_);
      if (!logprobs_.empty()) line["logprobs"] = std::move(logprobs_);
    }
    AddEnd(usage, line);
    if (!reply_.stream) {
      return exchange_->Respond(200, "application/json; charset=utf-8", DumpOrderedJson(line));
    }
    WriteLine(line);
    exchange_->Finish();
  }

  void OnError(int http_status, const Status& status) override {
    if (!begun_) return RespondOllamaError(*exchange_, http_status, status.message());
    WriteLine({{"error", status.message()}});
    exchange_->Finish();
  }

 private:
  void WriteLine(const Json& line) { exchange_->Write(DumpOrderedJson(line) + "\n"); }

  void AddEnd(const Usage& usage, Json& line) const {
    const bool full =
        end_.reason == StopReason::kMaxTokens || end_.reason == StopReason::kContextFull;
    const GenerationResult& result = end_.outcome.result;
    line["done"] = true;
    line["done_reason"] = full ? "length" : "stop";
    if (reply_.prompt) {
      Json ids = *reply_.prompt;
      for (const int32_t token : result.tokens) ids.push_back(token);
      line["context"] = std::move(ids);
    }
    const std::chrono::duration<double> total = Clock::now() - begin_;
    line["total_duration"] = Nanoseconds(total.count());
    line["load_duration"] = 0;  // the model is there
    line["prompt_eval_count"] = usage.prompt_tokens;
    line["prompt_eval_duration"] = Nanoseconds(result.stats.prefill_seconds);
    line["eval_count"] = usage.completion_tokens;
    line["eval_duration"] = Nanoseconds(result.stats.decode_seconds);
  }

  Json LogprobJson(const TokenEvent& event) const {
    Json json = LogprobEntry(*engine_, event.token, event.logprob, event.top, reply_.top_logprobs);
    if (reply_.top_logprobs < 1) json.erase("top_logprobs");
    return json;
  }

  const std::shared_ptr<const Engine> engine_;
  const std::shared_ptr<Exchange> exchange_;
  const OllamaReply reply_;
  const Clock::time_point begin_ = Clock::now();
  bool begun_ = false;
  std::string text_;
  Json logprobs_ = Json::array(), calls_ = Json::array();
  AnswerEnd end_;
};

}  // namespace

std::shared_ptr<Sink> MakeOllamaSink(const ApiContext& context, std::shared_ptr<Exchange> exchange,
                                     OllamaReply reply) {
  return std::make_shared<OllamaSink>(context.engine, std::move(exchange), std::move(reply));
}

void RespondOllamaLoaded(Exchange& exchange, const OllamaReply& reply) {
  Json line = LineJson(reply, "");
  line["done"] = true;
  line["done_reason"] = "load";
  exchange.Respond(200, "application/json; charset=utf-8", DumpOrderedJson(line));
}

}  // namespace gemma3n::server
