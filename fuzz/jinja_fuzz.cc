// A chat template: any bytes give an error that says something, or valid UTF-8 within the limits,
// the same each time.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/jinja/template.h"
#include "chat/jinja/text.h"

namespace {

namespace jinja = gemma3n::jinja;
using jinja::Value;

jinja::Limits SmallLimits() {
  jinja::Limits limits;
  limits.steps = 20000;
  limits.bytes = 1 << 20;
  return limits;
}

Value Dict(std::vector<std::pair<Value, Value>> items) {
  jinja::Budget budget{jinja::Limits{}};
  return MakeDict(std::move(items), budget).value();
}

Value List(std::vector<Value> items) {
  jinja::Budget budget{jinja::Limits{}};
  return MakeList(std::move(items), budget).value();
}

std::vector<std::pair<std::string, Value>> Variables() {
  const Value part = Dict({{"type", "text"}, {"text", " wörds "}}),
              image = Dict({{"type", "image"}});
  return {
      {"messages", List({Dict({{"role", "system"}, {"content", "Be brief. "}}),
                         Dict({{"role", "user"}, {"content", List({image, part})}}),
                         Dict({{"role", "assistant"}, {"content", "<think>\nso</think>yes"}})})},
      {"bos_token", "<bos>"},
      {"add_generation_prompt", true},
      {"tools", jinja::None{}},
      {"n", int64_t{7}},
      {"x", -2.5}};
}

std::tm Noon() {
  std::tm time{};
  time.tm_year = 124;
  time.tm_mday = 1;
  time.tm_hour = 12;
  return time;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  const auto parsed = jinja::Template::Parse(source, "fuzz.jinja", SmallLimits());
  if (!parsed.ok()) {
    if (parsed.status().message().empty()) std::abort();
    return 0;
  }
  static const auto variables = Variables();
  const auto first = parsed->Render(variables, Noon);
  if (first.ok() && !jinja::IsValidUtf8(*first)) std::abort();
  if (first.ok() && first->size() > static_cast<size_t>(SmallLimits().bytes)) std::abort();
  if (!first.ok() && (first.status().message().empty() ||
                      first.status().code() == gemma3n::StatusCode::kInternal)) {
    std::abort();
  }
  const auto second = parsed->Render(variables, Noon);
  if (first.ok() != second.ok() || (first.ok() && *first != *second)) std::abort();
  return 0;
}
