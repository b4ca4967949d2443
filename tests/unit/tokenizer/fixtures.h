// The tiny vocabulary and the references' answers (tools/tokenizer/make_fixtures.py), and small
// helpers.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace gemma3n {

inline std::string DataPath(const std::string& file) {
  return std::string(GEMMA3N_SOURCE_DIR) + "/tests/unit/tokenizer/data/" + file;
}

inline std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline std::vector<nlohmann::json> ReadLines(const std::string& file) {
  std::ifstream in(DataPath(file));
  std::vector<nlohmann::json> values;
  for (std::string line; std::getline(in, line);) values.push_back(nlohmann::json::parse(line));
  EXPECT_GT(values.size(), 100u) << file;
  return values;
}

inline Tokenizer MustOpen(const std::string& path) {
  auto tokenizer = Tokenizer::Open(path);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  if (!tokenizer.ok()) std::abort();
  return std::move(tokenizer).value();
}

inline Tokenizer TinyModel() { return MustOpen(DataPath("tiny.model")); }
inline Tokenizer TinyJson() { return MustOpen(DataPath("tiny.json")); }
inline nlohmann::json TinyJsonValue() {
  return nlohmann::json::parse(ReadAll(DataPath("tiny.json")));
}

inline Result<Tokenizer> FromValue(const nlohmann::json& value) {
  return Tokenizer::FromTokenizerJson(value.dump(), "t.json");
}

inline std::string SpacesForMarks(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool mark = text.compare(i, 3, "\xE2\x96\x81") == 0;
    out += mark ? ' ' : text[i];
    if (mark) i += 2;
  }
  return out;
}

// Text made of pieces, added tokens, other scripts and blanks.
inline std::string RandomText(const Tokenizer& tokenizer, std::mt19937& rng, int parts) {
  static const char* const kOdd[] = {" ",  "  ",   "\n", "\n\n\n", "\t", "\u2581", "é",
                                     "世", "🙂", "ǂ",  "\u3000", "=",  "a"};
  std::string text;
  for (int i = 0; i < parts; ++i) {
    if (rng() % 3 == 0) {
      text += kOdd[rng() % std::size(kOdd)];
    } else {
      text += tokenizer.TokenText(static_cast<TokenId>(rng() % tokenizer.vocab_size()));
    }
  }
  return text;
}

}  // namespace gemma3n
