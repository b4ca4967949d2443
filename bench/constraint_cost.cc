// What a constraint costs, in one thread's own time: constraint_cost TOKENIZER. For each of some
// schemas a document is tokenized and followed: per token the mask (computed afresh, then from
// memory), setting the logits and going on.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/token_index_of.h"
#include "constraint/constraint.h"

namespace {

using namespace gemma3n;  // NOLINT

double Microseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

struct Case {
  const char *name, *schema, *document;
};

const Case kCases[] = {
    {"any value", "{}",
     R"({"city": "Zürich", "people": [{"name": "Ada", "age": 36}, {"name": "Bob", "age": null}], "note": "It rained all day long."})"},
    {"object",
     R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},"email":{"type":"string","format":"email"},
      "tags":{"type":"array","items":{"enum":["red","green","blue"]}}},"required":["name","age","email","tags"],"additionalProperties":false})",
     R"({"name": "Ada Lovelace", "age": 36, "email": "ada.lovelace@example.org", "tags": ["red", "blue"]})"},
    {"bounded strings",
     R"({"type":"object","properties":{"title":{"type":"string","maxLength":80},"text":{"type":"string","minLength":5,"maxLength":400}},
      "required":["title","text"],"additionalProperties":false})",
     R"({"title": "A walk through the old town", "text": "We started at the station and followed the river until the bridge, where the market was."})"},
    {"pattern",
     R"({"type":"object","properties":{"code":{"type":"string","pattern":"^[A-Z]{3}-\\d{4}$"},"free":{"type":"string","pattern":"end$"}},
      "required":["code","free"],"additionalProperties":false})",
     R"({"code": "ABC-1234", "free": "Anything at all may stand here until the end"})"},
    {"recursive choice",
     R"({"$ref":"#/$defs/e","$defs":{"e":{"anyOf":[{"type":"number"},{"type":"object","properties":{"op":{"enum":["add","mul"]},
      "args":{"type":"array","items":{"$ref":"#/$defs/e"}}},"required":["op","args"],"additionalProperties":false}]}}})",
     R"({"op": "add", "args": [1, {"op": "mul", "args": [2.5, {"op": "add", "args": [3, 4]}]}]})"},
};

double Quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: constraint_cost TOKENIZER\n");
    return 2;
  }
  const auto tokenizer = Tokenizer::Open(argv[1]);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", tokenizer.status().message().c_str());
    return 1;
  }
  double start = Microseconds();
  const auto index = TokenIndexOf(*tokenizer);
  std::printf("index of %zu tokens: %.0f ms\n", index->size(), (Microseconds() - start) / 1e3);
  std::printf("%-18s %7s %8s | %s | %s\n", "schema", "tokens", "compile",
              "us a token, first answer: median p95 most", "a later answer");
  for (const Case& c : kCases) {
    start = Microseconds();
    const auto constraint = Constraint::Compile(c.schema, index);
    const double compiled = Microseconds() - start;
    if (!constraint.ok()) {
      std::fprintf(stderr, "%s: %s\n", c.name, constraint.status().message().c_str());
      return 1;
    }
    const std::vector<int32_t> tokens = tokenizer->Encode(c.document, false);
    std::vector<float> logits(index->size());
    std::string figures;
    for (int answer = 0; answer < 2; ++answer) {
      ConstraintState state(*constraint);
      std::vector<double> times;
      for (const int32_t token : tokens) {
        std::fill(logits.begin(), logits.end(), 1.0f);
        start = Microseconds();
        state.Mask(logits);
        if (!state.Accept(token)) {
          std::fprintf(stderr, "%s: not allowed: %.*s\n", c.name,
                       static_cast<int>(index->Text(token).size()), index->Text(token).data());
          return 1;
        }
        times.push_back(Microseconds() - start);
      }
      char text[80];
      std::snprintf(text, sizeof(text), " | %7.0f %7.0f %7.0f", Quantile(times, 0.5),
                    Quantile(times, 0.95), Quantile(times, 1));
      figures += text;
    }
    std::printf("%-18s %7zu %5.1f ms%s\n", c.name, tokens.size(), compiled / 1e3, figures.c_str());
  }
  return 0;
}
