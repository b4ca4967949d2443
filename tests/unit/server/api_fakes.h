// The two ends of an API without a network and without a scheduler: what was answered, and what was
// asked of the model.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "server/api/context.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

class FakeExchange : public Exchange {
 public:
  explicit FakeExchange(HttpRequest request) : request_(std::move(request)) {}

  const HttpRequest& request() const override { return request_; }
  void Respond(int status, std::string type, std::string text, Headers more) override {
    Begin(status, std::move(type), std::move(more));
    body = std::move(text);
    finished = true;
  }
  void Begin(int status, std::string type, Headers more) override {
    http_status = status;
    content_type = std::move(type);
    headers = std::move(more);
  }
  void Write(std::string piece) override {
    body += piece;
    pieces.push_back(std::move(piece));
  }
  void Finish() override { finished = true; }
  void OnGone(std::function<void()> f) override { gone = std::move(f); }
  void OnBehind(std::function<void(bool)> f) override { behind = std::move(f); }

  Json json() const { return ParseOrderedJson(body, "answer").value(); }
  // Server-sent events' data, in order.
  std::vector<std::string> events() const {
    std::vector<std::string> list;
    for (size_t at = 0; (at = body.find("data: ", at)) != std::string::npos;) {
      const size_t end = body.find("\n\n", at);
      list.push_back(body.substr(at + 6, end - at - 6));
      at = end;
    }
    return list;
  }

  int http_status = 0;
  std::string content_type, body;
  Headers headers;
  std::vector<std::string> pieces;
  bool finished = false;
  std::function<void()> gone;
  std::function<void(bool)> behind;

 private:
  HttpRequest request_;
};

// Keeps what was asked; the test plays the model with the sink.
class FakeGenerator : public Generator {
 public:
  void Run(Generation g, std::shared_ptr<Exchange>, std::shared_ptr<Sink> s) override {
    generation = std::move(g);
    sink = std::move(s);
    ++runs;
  }
  Result<Prompt> ReadPrompt(Generation g) override {
    generation = std::move(g);
    return prompt;
  }

  Generation generation;
  Prompt prompt{{2, 3, 4}};  // what ReadPrompt gives
  std::shared_ptr<Sink> sink;
  int runs = 0;
};

// A step of an answer with its log-probability and one alternative.
struct FakeToken {
  FakeToken(int32_t token, std::string_view words, float logprob = -0.5f)
      : top{{token, logprob}, {token + 1, logprob - 1}}, text(words) {}
  TokenEvent event() const { return {top[0].token, text, top[0].logprob, top}; }

  std::vector<TokenLogprob> top;
  std::string text;
};

inline AnswerEnd FakeEnd(StopReason reason = StopReason::kEndToken) {
  AnswerEnd end;
  end.reason = reason;
  return end;
}

}  // namespace gemma3n::server
