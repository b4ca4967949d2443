// Documents of schemas for constraint_proof.py: constraint_probe TOKENIZER. Lines of JSON come in,
// lines of JSON go out:
//   {"schema": S, "seed": N, "count": N}  ->  {"documents": [text, ...]}  random walks over tokens
//   {"schema": S, "check": [text, ...]}   ->  {"takes": [bool, ...]}      tokenized and followed
//   either                                ->  {"error": message, "code": name}
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "bench/token_index_of.h"
#include "constraint/constraint.h"

namespace {

using namespace gemma3n;  // NOLINT
using Json = nlohmann::ordered_json;

class Probe {
 public:
  explicit Probe(const Tokenizer& tokenizer)
      : tokenizer_(tokenizer), index_(TokenIndexOf(tokenizer)) {}

  Json Answer(const Json& request) {
    const auto constraint = Constraint::Compile(request.at("schema").dump(), index_);
    if (!constraint.ok()) {
      return {{"error", constraint.status().message()},
              {"code", StatusCodeName(constraint.status().code())}};
    }
    Json list = Json::array();
    if (request.contains("check")) {
      for (const Json& text : request["check"]) list.push_back(Takes(*constraint, text));
      return {{"takes", list}};
    }
    std::mt19937_64 rng(request.at("seed").get<uint64_t>());
    for (int i = 0; i < request.at("count").get<int>(); ++i) list.push_back(Walk(*constraint, rng));
    return {{"documents", list}};
  }

 private:
  bool Takes(const std::shared_ptr<const Constraint>& constraint, const std::string& text) const {
    ConstraintState state(constraint);
    for (const int32_t token : tokenizer_.Encode(text, false)) {
      if (!state.Accept(token)) return false;
    }
    return state.Complete();
  }

  // Uniform among the allowed tokens, closing ones more and more often. A walk that finds no end in
  // 2000 tokens gives its beginning, behind "...".
  std::string Walk(const std::shared_ptr<const Constraint>& constraint,
                   std::mt19937_64& rng) const {
    ConstraintState state(constraint);
    std::string text;
    std::vector<float> logits(index_->size());
    const float never = -std::numeric_limits<float>::infinity();
    for (uint64_t step = 0; step < 2000; ++step) {
      if (state.Complete() && (state.Final() || rng() % 3 == 0 || step > 30)) return text;
      std::fill(logits.begin(), logits.end(), 0.0f);
      state.Mask(logits);
      std::vector<int32_t> allowed, closing;
      for (int32_t id = 0; id < std::ssize(logits); ++id) {
        if (logits[static_cast<size_t>(id)] == never || index_->IsEnd(id)) continue;
        allowed.push_back(id);
        const std::string_view bytes = index_->Text(id);
        if (bytes == "\"" || bytes == "}" || bytes == "]" || bytes == "1" || bytes == "x")
          closing.push_back(id);
      }
      const auto& from = !closing.empty() && rng() % 60 < step ? closing : allowed;
      if (from.empty()) return "... nothing may follow " + text;
      const int32_t token = from[rng() % from.size()];
      if (!state.Accept(token)) return "... the mask and Accept differ after " + text;
      text += index_->Text(token);
    }
    return "..." + text;
  }

  const Tokenizer& tokenizer_;
  std::shared_ptr<const TokenIndex> index_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto tokenizer = Tokenizer::Open(argc == 2 ? argv[1] : "");
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "usage: constraint_probe TOKENIZER\n%s\n",
                 tokenizer.status().message().c_str());
    return 1;
  }
  Probe probe(*tokenizer);
  for (std::string line; std::getline(std::cin, line);)
    std::cout << probe.Answer(Json::parse(line)).dump() << std::endl;
  return 0;
}
