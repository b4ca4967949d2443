#include "server/api/openai_chat_sinks.h"

#include "server/api/openai_error.h"
#include "server/api/openai_logprobs.h"

namespace gemma3n::server {
namespace {

// The token of an event, unless it only carries text that was held back.
Json Logprobs(const ApiContext& context, const OpenAiReply& reply, const TokenEvent& event) {
  if (!reply.logprobs || event.top.empty()) return nullptr;
  return LogprobEntry(*context.engine, event.token, event.logprob, event.top, reply.top_logprobs);
}

Json ToolCallJson(const ToolCall& call) {
  return {{"id", call.id},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

}  // namespace

void ChatSink::OnToken(int index, const TokenEvent& event) {
  Answer& answer = answers_[index];
  answer.text += event.text;
  if (Json entry = Logprobs(context(), reply(), event); !entry.is_null()) {
    answer.logprobs.push_back(std::move(entry));
  }
}

void ChatSink::OnEnd(int index, AnswerEnd end) {
  Answer& answer = answers_[index];
  Json message = {{"role", "assistant"}, {"content", std::move(answer.text)}, {"refusal", nullptr}};
  if (!end.tool_calls.empty()) {
    if (message["content"] == "") message["content"] = nullptr;
    Json calls = Json::array();
    for (const ToolCall& call : end.tool_calls) calls.push_back(ToolCallJson(call));
    message["tool_calls"] = std::move(calls);
  }
  Json logprobs;
  if (reply().logprobs) logprobs = {{"content", std::move(answer.logprobs)}, {"refusal", nullptr}};
  answer.choice = {{"index", index},
                   {"message", std::move(message)},
                   {"logprobs", std::move(logprobs)},
                   {"finish_reason", FinishReason(end)}};
}

void ChatSink::OnFinish(const Usage& usage) {
  Json choices = Json::array();
  for (Answer& answer : answers_) choices.push_back(std::move(answer.choice));
  Json body = Head("chat.completion");
  body["choices"] = std::move(choices);
  body["usage"] = UsageJson(usage);
  RespondJson(exchange(), body);
}

void ChatStreamSink::SendChoice(int index, Json delta, Json logprobs, Json finish_reason) {
  if (!logprobs.is_null()) logprobs = {{"content", std::move(logprobs)}, {"refusal", nullptr}};
  Json chunk = Head("chat.completion.chunk");
  chunk["choices"] = Json::array({{{"index", index},
                                   {"delta", std::move(delta)},
                                   {"logprobs", std::move(logprobs)},
                                   {"finish_reason", std::move(finish_reason)}}});
  if (reply().include_usage) chunk["usage"] = nullptr;
  Send(chunk);
}

void ChatStreamSink::OnStart(int64_t) {
  BeginStream();
  for (int i = 0; i < n_; ++i) {
    SendChoice(i, {{"role", "assistant"}, {"content", ""}, {"refusal", nullptr}}, nullptr, nullptr);
  }
}

void ChatStreamSink::OnToken(int index, const TokenEvent& event) {
  Json entry = Logprobs(context(), reply(), event);
  if (event.text.empty() && entry.is_null()) return;
  SendChoice(index, {{"content", event.text}},
             entry.is_null() ? Json() : Json::array({std::move(entry)}), nullptr);
}

void ChatStreamSink::OnEnd(int index, AnswerEnd end) {
  for (size_t i = 0; i < end.tool_calls.size(); ++i) {
    Json call = ToolCallJson(end.tool_calls[i]);
    call["index"] = i;
    SendChoice(index, {{"tool_calls", Json::array({std::move(call)})}}, nullptr, nullptr);
  }
  SendChoice(index, Json::object(), nullptr, FinishReason(end));
}

void ChatStreamSink::OnFinish(const Usage& usage) {
  if (reply().include_usage) {
    Json chunk = Head("chat.completion.chunk");
    chunk["choices"] = Json::array();
    chunk["usage"] = UsageJson(usage);
    Send(chunk);
  }
  EndStream();
}

}  // namespace gemma3n::server
