// Answers of /v1/completions: as one document, and as a stream.
#pragma once

#include <string>
#include <vector>

#include "server/api/openai_completion_logprobs.h"
#include "server/api/openai_sink.h"

namespace gemma3n::server {

struct CompletionForm {
  int n = 1;        // answers shown for each prompt ...
  int best_of = 1;  // ... of so many made: those with the highest mean log-probability
  bool echo = false;
  // Of each prompt: what echo puts in front, and how many of its tokens the client did not write
  // (<bos>), which are left out.
  std::vector<std::string> prompts;
  std::vector<size_t> hidden;
};

class CompletionSink : public OpenAiSink {
 public:
  CompletionSink(const ApiContext& context, std::shared_ptr<Exchange> exchange, OpenAiReply reply,
                 CompletionForm form)
      : OpenAiSink(context, std::move(exchange), std::move(reply), "cmpl-"),
        form_(std::move(form)),
        answers_(form_.prompts.size() * form_.best_of) {}

  void OnStart(int64_t) override {}
  void OnToken(int index, const TokenEvent& event) override;
  void OnEnd(int index, AnswerEnd end) override;
  void OnFinish(const Usage& usage) override;

 private:
  struct Answer {
    std::string text;
    std::vector<ScoredToken> tokens;
    Json choice;
    double mean_logprob = 0;
  };
  Json LogprobsOf(int index, const AnswerEnd& end) const;

  const CompletionForm form_;
  std::vector<Answer> answers_;  // best_of for each prompt
};

class CompletionStreamSink : public OpenAiSink {
 public:
  CompletionStreamSink(const ApiContext& context, std::shared_ptr<Exchange> exchange,
                       OpenAiReply reply, CompletionForm form);

  void OnStart(int64_t prompt_tokens) override;
  void OnToken(int index, const TokenEvent& event) override;
  void OnEnd(int index, AnswerEnd end) override;
  void OnFinish(const Usage& usage) override;

 private:
  void SendChoice(int index, std::string_view text, Json logprobs, Json finish_reason);

  const CompletionForm form_;
  std::vector<CompletionLogprobs> logprobs_;  // of each answer
};

}  // namespace gemma3n::server
