// Answers of /v1/chat/completions: as one document, and as a stream of chunks.
#pragma once

#include <string>
#include <vector>

#include "server/api/openai_sink.h"

namespace gemma3n::server {

class ChatSink : public OpenAiSink {
 public:
  ChatSink(const ApiContext& context, std::shared_ptr<Exchange> exchange, OpenAiReply reply, int n)
      : OpenAiSink(context, std::move(exchange), std::move(reply), "chatcmpl-"), answers_(n) {}

  void OnStart(int64_t) override {}
  void OnToken(int index, const TokenEvent& event) override;
  void OnEnd(int index, AnswerEnd end) override;
  void OnFinish(const Usage& usage) override;

 private:
  struct Answer {
    std::string text;
    Json logprobs = Json::array();
    Json choice;
  };
  std::vector<Answer> answers_;
};

class ChatStreamSink : public OpenAiSink {
 public:
  ChatStreamSink(const ApiContext& context, std::shared_ptr<Exchange> exchange, OpenAiReply reply,
                 int n)
      : OpenAiSink(context, std::move(exchange), std::move(reply), "chatcmpl-"), n_(n) {}

  void OnStart(int64_t prompt_tokens) override;
  void OnToken(int index, const TokenEvent& event) override;
  void OnEnd(int index, AnswerEnd end) override;
  void OnFinish(const Usage& usage) override;

 private:
  // A chunk with one choice. logprobs: null, or a list of entries.
  void SendChoice(int index, Json delta, Json logprobs, Json finish_reason);

  const int n_;
};

}  // namespace gemma3n::server
