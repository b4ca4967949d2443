// tokenizer.json: any bytes give an error or a tokenizer that encodes and decodes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = gemma3n::Tokenizer::FromTokenizerJson(json, "fuzz.json");
  if (!tokenizer.ok()) {
    if (tokenizer.status().message().empty()) std::abort();
    return 0;
  }
  const std::string_view text = json.substr(0, 2000);
  for (const bool special : {true, false}) {
    const auto ids = tokenizer->Encode(text, special);
    for (const auto id : ids) {
      if (id < 0 || id >= tokenizer->vocab_size()) std::abort();
    }
    (void)tokenizer->Decode(ids, special);
  }
  return 0;
}
