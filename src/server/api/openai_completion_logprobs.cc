#include "server/api/openai_completion_logprobs.h"

#include <algorithm>
#include <utility>

#include "server/api/openai_logprobs.h"

namespace gemma3n::server {

void CompletionLogprobs::Add(const ScoredToken& scored) {
  const std::string bytes = TokenBytesOf(engine_, scored.token);
  const std::string text = TokenTextOf(engine_, scored.token);
  Json top;
  if (scored.logprob) {
    top = Json::object();
    const size_t most = std::min(scored.top.size(), static_cast<size_t>(most_));
    for (size_t i = 0; i < most; ++i) {
      const std::string other = TokenTextOf(engine_, scored.top[i].token);
      if (!top.contains(other)) top[other] = FiniteLogprob(scored.top[i].logprob);
    }
    if (!top.contains(text)) top[text] = FiniteLogprob(*scored.logprob);
  }
  tokens_.push_back(text);
  token_logprobs_.push_back(scored.logprob ? Json(FiniteLogprob(*scored.logprob)) : Json());
  top_.push_back(std::move(top));
  offsets_.push_back(offset_);
  // Characters, as Python counts them: bytes that begin one.
  offset_ += std::count_if(bytes.begin(), bytes.end(),
                           [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

Json CompletionLogprobs::Take() {
  return {{"tokens", std::exchange(tokens_, Json::array())},
          {"token_logprobs", std::exchange(token_logprobs_, Json::array())},
          {"top_logprobs", std::exchange(top_, Json::array())},
          {"text_offset", std::exchange(offsets_, Json::array())}};
}

}  // namespace gemma3n::server
