// Log-probabilities as OpenAI's completions API writes them: four lists beside each other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gemma3n/engine.h"
#include "gemma3n/session.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

// A token of a prompt or an answer with what it was worth.
struct ScoredToken {
  int32_t token = 0;
  std::optional<float> logprob;  // none for a prompt's first
  std::vector<TokenLogprob> top;
};

class CompletionLogprobs {
 public:
  explicit CompletionLogprobs(const Engine& engine, int most) : engine_(engine), most_(most) {}

  // most: alternatives listed, besides the token itself.
  void Add(const ScoredToken& scored);
  // {"tokens", "token_logprobs", "top_logprobs", "text_offset"} of those added since the last call.
  Json Take();

 private:
  const Engine& engine_;
  const int most_;
  int64_t offset_ = 0;  // characters before the next token
  Json tokens_ = Json::array(), token_logprobs_ = Json::array(), top_ = Json::array(),
       offsets_ = Json::array();
};

}  // namespace gemma3n::server
