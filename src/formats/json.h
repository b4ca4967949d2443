// JSON text from untrusted files to a document, with the position of what is wrong in the message.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gemma3n {

// `name` is the file's name for messages. Deeper nesting than max_depth is refused before a
// document is built: walking it recursively would overflow the stack. Errors: kCorruptFile.
Result<nlohmann::json> ParseJson(std::string_view text, const std::string& name,
                                 int max_depth = 64);

// What a document from a stranger may hold, checked before it is built.
struct JsonLimits {
  int depth = 64;           // of nesting
  size_t values = 1 << 20;  // in all
  size_t keys = 1024;       // of one object: an ordered one is searched from its front
};

// The same, with the keys of an object in the text's order. Errors: kCorruptFile.
Result<nlohmann::ordered_json> ParseOrderedJson(std::string_view text, const std::string& name,
                                                const JsonLimits& limits = {});

// The document as text. Invalid UTF-8 inside strings becomes U+FFFD (the library's own dump would
// throw).
std::string DumpJson(const nlohmann::json& document, int indent = -1);
std::string DumpOrderedJson(const nlohmann::ordered_json& document, int indent = -1);

// A float as the shortest decimal that gives it back: 0.95, not 0.949999988079071.
double ShortestDecimal(float value);

}  // namespace gemma3n
