// Whether a schema takes a document, byte by byte.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "constraint/program.h"
#include "constraint/reader.h"

namespace gemma3n {

// "whole", "part" (a beginning of one), or the place of the first byte that may not come.
inline std::string Read(std::string_view schema, std::string_view document) {
  const auto program = CompileSchema(schema);
  if (!program.ok()) return program.status().message();
  Reader reader(*program);
  Reader::State state = reader.start();
  for (size_t i = 0; i < document.size(); ++i) {
    state = reader.Next(state, static_cast<uint8_t>(document[i]));
    if (state == Reader::kDead) return "not byte " + std::to_string(i);
  }
  return reader.Complete(state) ? "whole" : "part";
}

inline bool Takes(std::string_view schema, std::string_view document) {
  return Read(schema, document) == "whole";
}

}  // namespace gemma3n
