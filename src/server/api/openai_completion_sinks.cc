#include "server/api/openai_completion_sinks.h"

#include <algorithm>
#include <limits>

#include "server/api/openai_error.h"

namespace gemma3n::server {
namespace {

Json Choice(int index, std::string_view text, Json logprobs, Json finish_reason) {
  return {{"index", index},
          {"text", text},
          {"logprobs", std::move(logprobs)},
          {"finish_reason", std::move(finish_reason)}};
}

ScoredToken Scored(const TokenEvent& event) {
  return {event.token, event.logprob, {event.top.begin(), event.top.end()}};
}

double MeanLogprob(const GenerationResult& result) {
  if (result.logprobs.empty()) return -std::numeric_limits<double>::infinity();
  double sum = 0;
  for (const TokenLogprob& t : result.logprobs) sum += t.logprob;
  return sum / static_cast<double>(result.logprobs.size());
}

}  // namespace

void CompletionSink::OnToken(int index, const TokenEvent& event) {
  answers_[index].text += event.text;
  // An event without alternatives only carries text that was held back.
  if (reply().logprobs && !event.top.empty()) answers_[index].tokens.push_back(Scored(event));
}

Json CompletionSink::LogprobsOf(int index, const AnswerEnd& end) const {
  if (!reply().logprobs) return nullptr;
  CompletionLogprobs list(*context().engine, reply().top_logprobs);
  const std::vector<PromptToken>& prompt = end.outcome.prompt;
  const size_t hidden = form_.hidden[index / form_.best_of];
  for (size_t i = form_.echo ? hidden : prompt.size(); i < prompt.size(); ++i) {
    ScoredToken scored{prompt[i].token, prompt[i].logprob, prompt[i].top};
    if (i == 0) scored.logprob.reset();
    list.Add(scored);
  }
  for (const ScoredToken& scored : answers_[index].tokens) list.Add(scored);
  return list.Take();
}

void CompletionSink::OnEnd(int index, AnswerEnd end) {
  Answer& answer = answers_[index];
  const std::string& prompt = form_.prompts[index / form_.best_of];
  answer.choice = Choice(0, form_.echo ? prompt + answer.text : answer.text, LogprobsOf(index, end),
                         FinishReason(end));
  answer.mean_logprob = MeanLogprob(end.outcome.result);
  answer.text.clear();
  answer.tokens.clear();
}

void CompletionSink::OnFinish(const Usage& usage) {
  Json choices = Json::array();
  for (size_t prompt = 0; prompt < form_.prompts.size(); ++prompt) {
    const auto first = answers_.begin() + static_cast<ptrdiff_t>(prompt * form_.best_of);
    if (form_.best_of > form_.n) {
      std::stable_sort(first, first + form_.best_of, [](const Answer& a, const Answer& b) {
        return a.mean_logprob > b.mean_logprob;
      });
    }
    for (int i = 0; i < form_.n; ++i) {
      first[i].choice["index"] = choices.size();
      choices.push_back(std::move(first[i].choice));
    }
  }
  Json body = Head("text_completion");
  body["choices"] = std::move(choices);
  body["usage"] = UsageJson(usage);
  RespondJson(exchange(), body);
}

CompletionStreamSink::CompletionStreamSink(const ApiContext& api,
                                           std::shared_ptr<Exchange> exchange, OpenAiReply reply,
                                           CompletionForm form)
    : OpenAiSink(api, std::move(exchange), std::move(reply), "cmpl-"),
      form_(std::move(form)),
      logprobs_(form_.prompts.size() * form_.n,
                CompletionLogprobs(*context().engine, this->reply().top_logprobs)) {}

void CompletionStreamSink::SendChoice(int index, std::string_view text, Json logprobs,
                                      Json finish_reason) {
  Json chunk = Head("text_completion");
  chunk["choices"] =
      Json::array({Choice(index, text, std::move(logprobs), std::move(finish_reason))});
  if (reply().include_usage) chunk["usage"] = nullptr;
  Send(chunk);
}

void CompletionStreamSink::OnStart(int64_t) {
  BeginStream();
  if (!form_.echo) return;
  for (size_t i = 0; i < logprobs_.size(); ++i) {
    SendChoice(static_cast<int>(i), form_.prompts[i / form_.n], nullptr, nullptr);
  }
}

void CompletionStreamSink::OnToken(int index, const TokenEvent& event) {
  Json logprobs;
  if (reply().logprobs && !event.top.empty()) {
    logprobs_[index].Add(Scored(event));
    logprobs = logprobs_[index].Take();
  }
  if (event.text.empty() && logprobs.is_null()) return;
  SendChoice(index, event.text, std::move(logprobs), nullptr);
}

void CompletionStreamSink::OnEnd(int index, AnswerEnd end) {
  SendChoice(index, "", nullptr, FinishReason(end));
}

void CompletionStreamSink::OnFinish(const Usage& usage) {
  if (reply().include_usage) {
    Json chunk = Head("text_completion");
    chunk["choices"] = Json::array();
    chunk["usage"] = UsageJson(usage);
    Send(chunk);
  }
  EndStream();
}

}  // namespace gemma3n::server
