// tokenize_lines TOKENIZER MODE < strings.jsonl    (one JSON string a line)
//   encode   one JSON array of ids a line
//   plain    the same, special tokens spelled out
//   decode   reads arrays of ids, writes {"text", "streamed"}: special tokens left out
//   decode-special   the same with special tokens shown
//   time     encodes all of it five times, writes processor seconds of each pass and of loading,
//   bytes and ids of one
#include <cstdio>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace {

using nlohmann::json;

// Processor time of this process, which other work on the machine disturbs less than it does the
// clock on the wall.
double Seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void Time(const gemma3n::Tokenizer& tokenizer, const std::vector<std::string>& texts, double load) {
  json report = {{"load", load}, {"bytes", 0}, {"ids", 0}, {"seconds", json::array()}};
  size_t bytes = 0, ids = 0;
  for (const auto& text : texts) bytes += text.size();
  for (int pass = 0; pass < 5; ++pass) {
    const double start = Seconds();
    ids = 0;
    for (const auto& text : texts) ids += tokenizer.Encode(text).size();
    report["seconds"].push_back(Seconds() - start);
  }
  report["bytes"] = bytes;
  report["ids"] = ids;
  std::cout << report.dump() << "\n";
}

std::string Streamed(const gemma3n::Tokenizer& tokenizer, const std::vector<int32_t>& ids,
                     bool skip) {
  gemma3n::StreamingDecoder decoder(tokenizer, skip);
  std::string text;
  for (const int32_t id : ids) text += decoder.Push(id);
  return text + decoder.Finish();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: tokenize_lines TOKENIZER MODE < LINES\n"), 2;
  const std::string mode = argv[2];
  const double start = Seconds();
  auto tokenizer = gemma3n::Tokenizer::Open(argv[1]);
  const double load = Seconds() - start;
  if (!tokenizer.ok()) return std::fprintf(stderr, "%s\n", tokenizer.status().message().c_str()), 1;
  std::ios::sync_with_stdio(false);
  std::vector<std::string> texts;
  for (std::string line; std::getline(std::cin, line);) {
    const json value = json::parse(line);
    if (mode == "encode" || mode == "plain") {
      std::cout
          << json(tokenizer->Encode(value.get_ref<const std::string&>(), mode == "encode")).dump()
          << "\n";
    } else if (mode == "decode" || mode == "decode-special") {
      const auto ids = value.get<std::vector<int32_t>>();
      const bool skip = mode == "decode";
      std::cout << json{{"text", tokenizer->Decode(ids, skip)},
                        {"streamed", Streamed(*tokenizer, ids, skip)}}
                       .dump()
                << "\n";
    } else {
      texts.push_back(value.get<std::string>());
    }
  }
  if (mode == "time") Time(*tokenizer, texts, load);
  return 0;
}
