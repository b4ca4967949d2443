#include "server/api/openai_logprobs.h"

#include <algorithm>

#include "formats/json.h"
#include "tokenizer/utf8.h"

namespace gemma3n::server {
namespace {

Json Plain(const Engine& engine, int32_t token, float logprob) {
  Json bytes = Json::array();
  for (const char c : TokenBytesOf(engine, token)) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", TokenTextOf(engine, token)},
          {"logprob", FiniteLogprob(logprob)},
          {"bytes", std::move(bytes)}};
}

}  // namespace

std::string TokenBytesOf(const Engine& engine, int32_t token) {
  std::string bytes = engine.TokenBytes(token);
  return bytes.empty() ? engine.Detokenize({&token, 1}, /*skip_special=*/false) : bytes;
}

std::string TokenTextOf(const Engine& engine, int32_t token) {
  std::string bytes = TokenBytesOf(engine, token);
  if (IsValidUtf8(bytes)) return bytes;
  std::string text = "bytes:";
  for (const char c : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return text;
}

double FiniteLogprob(float logprob) { return logprob >= -9999 ? ShortestDecimal(logprob) : -9999; }

Json LogprobEntry(const Engine& engine, int32_t token, float logprob,
                  std::span<const TokenLogprob> top, int most) {
  Json entry = Plain(engine, token, logprob);
  Json list = Json::array();
  for (const TokenLogprob& t : top.first(std::min(top.size(), static_cast<size_t>(most)))) {
    list.push_back(Plain(engine, t.token, t.logprob));
  }
  entry["top_logprobs"] = std::move(list);
  return entry;
}

}  // namespace gemma3n::server
