// Log-probabilities as OpenAI's chat API writes them.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "gemma3n/engine.h"
#include "gemma3n/session.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

// What a token adds to the text, or its name where it is special: any bytes.
std::string TokenBytesOf(const Engine& engine, int32_t token);

// The same as text: bytes that are no characters are written "bytes:\xe2\x82".
std::string TokenTextOf(const Engine& engine, int32_t token);

// JSON has no infinity: what is impossible is -9999, as OpenAI writes it.
double FiniteLogprob(float logprob);

// {"token", "logprob", "bytes", "top_logprobs": the first `most` of `top`}
Json LogprobEntry(const Engine& engine, int32_t token, float logprob,
                  std::span<const TokenLogprob> top, int most);

}  // namespace gemma3n::server
