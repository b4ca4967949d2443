// tokenizer.model: any bytes give an error or a tokenizer that gives back every text's bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer.h"

namespace {

std::string Normalized(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool mark = text.substr(i, 3) == "\xE2\x96\x81";
    out += mark ? ' ' : text[i];
    if (mark) i += 2;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view model(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = gemma3n::Tokenizer::FromSentencePiece(model, "fuzz.model");
  if (!tokenizer.ok()) {
    if (tokenizer.status().message().empty()) std::abort();
    return 0;
  }
  const std::string_view text = model.substr(model.size() - std::min<size_t>(model.size(), 2000));
  std::string bytes, streamed;
  gemma3n::StreamingDecoder stream(*tokenizer);
  const auto ids = tokenizer->Encode(text, false);
  for (const auto id : ids) {
    bytes += tokenizer->TokenBytes(id);
    streamed += stream.Push(id);
  }
  streamed += stream.Finish();
  // A vocabulary without a piece for a space spells it as the bytes of U+2581, and these stay what
  // they are.
  const bool has_space = tokenizer->Encode(" ", false).size() == 1;
  if ((has_space && bytes != Normalized(text)) || streamed != tokenizer->Decode(ids)) std::abort();
  return 0;
}
