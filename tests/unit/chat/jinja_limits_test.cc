// Hostile templates: each ends with one clear error, soon and within memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chat/jinja/template.h"
#include "tests/unit/chat/json_value.h"

namespace gemma3n::jinja {
namespace {

using testing::HasSubstr;

Limits Small() {
  Limits limits;
  limits.steps = 200000;
  limits.bytes = 1 << 22;
  return limits;
}

Status RunTemplate(const std::string& source, const Limits& limits = Small()) {
  auto parsed = Template::Parse(source, "t", limits);
  if (!parsed.ok()) return parsed.status();
  return parsed->Render({{"s", Value(std::string(1000, 'x'))}}, FixtureTime).status();
}

std::string Times(size_t n, const std::string& piece) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += piece;
  return out;
}

TEST(JinjaLimits, Steps) {
  const Status status = RunTemplate(
      "{% for i in range(1000) %}{% for j in range(1000) %}{{ i }}{% endfor %}{% endfor %}");
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("t: line 1: takes more than 200000 steps"));
}

TEST(JinjaLimits, Bytes) {
  for (const char* source : {
           "{{ 'x' * 100000000000 }}",
           "{{ 'xx' * 9223372036854775807 }}",
           "{{ [1] * 100000000000 }}",
           "{{ 'x' | center(100000000000) }}",
           "{{ 'x'.ljust(9223372036854775807) }}",
           "{{ 'x' | indent(99999999999) }}",
           "{{ (s * 1000) | replace('x', s) }}",
           "{{ (s * 1000).replace('', s) }}",
           "{{ s.join((s * 10) | list) }}",
           "{{ (s * 10) | list | join(s) }}",
           "{% set ns = namespace(a='x') %}{% for i in range(100) %}{% set ns.a = ns.a ~ ns.a %}{% "
           "endfor %}",
           "{% set ns = namespace(a=[1]) %}{% for i in range(100) %}{% set ns.a = ns.a + ns.a %}{% "
           "endfor %}",
           "{% for i in range(100000) %}{{ s }}{% endfor %}",
           "{% set x = s ~ s ~ s ~ s ~ s %}{% set x = [x, x, x, x] %}{% set x = [x, x, x, x] %}{% "
           "set "
           "x = [x, x, x, x] %}"
           "{% set x = [x, x, x, x] %}{% set x = [x, x, x, x] %}{{ x }}",
           "{% set x = [] %}{% set ns = namespace(x=[]) %}{% for i in range(60) %}{% set ns.x = "
           "[ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
           "{{ '%9999s' % 'x' * 1000 }}",
           "{% for i in range(2000) %}{{ '%09999d' % i }}{% endfor %}",
           "{{ [[1]] | tojson(indent=s * 4000) }}",
       }) {
    const Status status = RunTemplate(source);
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << source << "\n" << status.message();
  }
}

TEST(JinjaLimits, SharedStructureDoesNotExplode) {
  const std::string build =
      "{% set ns = namespace(a=[], b=[]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% "
      "set ns.b = [ns.b, ns.b] %}{% endfor %}";
  EXPECT_EQ(RunTemplate(build + "{{ ns.a == ns.b }}").code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(RunTemplate(build + "{{ ns.a < ns.b }}").code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(RunTemplate(build + "{{ ns.a == ns.a }}").ok());
}

TEST(JinjaLimits, SlowSearches) {
  Limits limits;
  const std::string build = "{% set a = 'a' * 1000000 %}{% set p = 'a' * 50000 ~ 'b' %}";
  EXPECT_TRUE(RunTemplate(build + "{{ p in a }}", limits).ok());
  EXPECT_TRUE(RunTemplate(build + "{{ a.count(p) }}", limits).ok());
  EXPECT_EQ(
      RunTemplate(build + "{% for i in range(100000) %}{{ p in a }}{% endfor %}", limits).code(),
      StatusCode::kResourceExhausted);
  EXPECT_EQ(RunTemplate(build + "{{ a.rfind(p) }}", limits).code(), StatusCode::kUnsupported);
}

TEST(JinjaLimits, Depth) {
  EXPECT_EQ(RunTemplate("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").code(),
            StatusCode::kResourceExhausted);
  EXPECT_EQ(RunTemplate("{% macro f(a=f()) %}{% endmacro %}{{ f() }}").code(),
            StatusCode::kResourceExhausted);
  EXPECT_EQ(RunTemplate("{{ " + Times(5000, "(") + "1" + Times(5000, ")") + " }}").code(),
            StatusCode::kUnsupported);
  EXPECT_EQ(RunTemplate("{{ " + Times(5000, "[") + Times(5000, "]") + " }}").code(),
            StatusCode::kUnsupported);
  EXPECT_EQ(RunTemplate("{{ " + Times(5000, "not ") + "1 }}").code(), StatusCode::kUnsupported);
  EXPECT_EQ(RunTemplate("{{ " + Times(5000, "-") + "1 }}").code(), StatusCode::kUnsupported);
  EXPECT_EQ(RunTemplate("{{ 1" + Times(5000, " + 1") + " }}").code(), StatusCode::kUnsupported);
  EXPECT_EQ(RunTemplate("{{ s" + Times(5000, ".x") + " }}").code(), StatusCode::kUnsupported);
  EXPECT_EQ(RunTemplate("{{ s" + Times(5000, "|trim") + " }}").code(), StatusCode::kUnsupported);
  EXPECT_EQ(RunTemplate("{{ 1" + Times(5000, " if 1 else 2") + " }}").code(),
            StatusCode::kUnsupported);
  EXPECT_EQ(RunTemplate(Times(5000, "{% if 1 %}") + Times(5000, "{% endif %}")).code(),
            StatusCode::kUnsupported);
  EXPECT_EQ(RunTemplate("{% set " + Times(5000, "(") + "x" + Times(5000, ")") + " = 1 %}").code(),
            StatusCode::kUnsupported);
  EXPECT_TRUE(RunTemplate("{{ s" + Times(150, " ~ s") + " }}").ok());
  EXPECT_TRUE(RunTemplate("{{ s" + Times(5000, " ~ 1") + " }}").ok()) << "a flat list";
  EXPECT_TRUE(RunTemplate("{{ 1" + Times(150, " + 1") + " }}").ok());
  EXPECT_EQ(RunTemplate("{{ [1] | map('map', 'map', 'map', 'map', 'upper') }}").code(),
            StatusCode::kInvalidArgument);
}

TEST(JinjaLimits, NestedValues) {
  const Status status = RunTemplate(
      "{% set ns = namespace(a=[]) %}{% for i in range(1000) %}{% set ns.a = [ns.a] %}{% endfor "
      "%}");
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("nests lists or dicts deeper than 64"));
}

TEST(JinjaLimits, CirclesOfNamespacesAndMacros) {
  EXPECT_TRUE(
      RunTemplate("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me.me is defined }}")
          .ok());
  EXPECT_EQ(RunTemplate("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}").code(),
            StatusCode::kResourceExhausted);
  EXPECT_EQ(RunTemplate("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns | tojson }}").code(),
            StatusCode::kInvalidArgument);
  EXPECT_TRUE(RunTemplate("{% for i in range(3) %}{% macro f() %}{{ i }}{% endmacro %}{% set g = f "
                          "%}{{ g() }}{% endfor %}")
                  .ok());
  // A macro from a scope that ended, called later.
  EXPECT_TRUE(RunTemplate("{% set ns = namespace() %}{% for i in range(3) %}{% macro f() %}{{ i "
                          "}}{% endmacro %}{% set ns.f = f %}"
                          "{% endfor %}{{ ns.f() }}")
                  .ok());
  // Scopes inside scopes without end.
  EXPECT_EQ(RunTemplate("{% set ns = namespace() %}{% macro f() %}{% macro g() %}{{ varargs }}{% "
                        "endmacro %}{% set ns.f = ns.h %}{% endmacro %}"
                        "{% set ns.h = f %}{% macro deeper(m) %}{% macro k(x) %}{{ deeper(k) }}{% "
                        "endmacro %}{{ k(1) }}{% endmacro %}"
                        "{{ deeper(f) }}")
                .code(),
            StatusCode::kResourceExhausted);
  // A loop kept beyond its end.
  EXPECT_TRUE(RunTemplate("{% set ns = namespace() %}{% for i in range(5) if i > 1 %}{% set ns.l = "
                          "loop %}{% break %}{% endfor %}"
                          "{{ ns.l.index }}{{ ns.l.last }}{{ ns.l.length }}")
                  .ok());
}

TEST(JinjaLimits, TemplateSize) {
  const Status status = RunTemplate(std::string((1 << 20) + 1, ' '));
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("template of 1048577 bytes, expected at most 1048576"));
}

TEST(JinjaLimits, ErrorsAreOneLine) {
  const Status status = RunTemplate("{{ raise_exception('a\\nb' ~ 'é' * 9000) }}");
  EXPECT_EQ(status.message().find('\n'), std::string::npos);
  EXPECT_LT(status.message().size(), 5000u);
  EXPECT_THAT(status.message(), testing::StartsWith("t: line 1: a\\x0ab"));
}

// Every prefix of a template is refused or rendered, never worse.
TEST(JinjaLimits, TruncatedTemplates) {
  for (const char* name : {"tools", "controls", "reasoning", "gemma3n"}) {
    const std::string source =
        ReadText(GEMMA3N_SOURCE_DIR "/tests/golden/chat/templates/" + std::string(name) + ".jinja");
    ASSERT_GT(source.size(), 500u);
    for (size_t n = 0; n < source.size(); ++n) (void)RunTemplate(source.substr(0, n));
  }
}

TEST(JinjaLimits, LongConversationsFit) {
  const auto source =
      ReadText(GEMMA3N_SOURCE_DIR
               "/tests/golden/chat/templates/pairs.jinja");  // quadratic: joins text turn by turn
  auto parsed = Template::Parse(source, "pairs");
  ASSERT_TRUE(parsed.ok());
  Json messages = Json::array();
  for (int i = 0; i < 1000; ++i) {
    messages.push_back({{"role", i % 2 == 0 ? "user" : "assistant"},
                        {"content", "some words that make up a message"}});
  }
  const auto text =
      parsed->Render(ToVariables({{"messages", messages}, {"bos_token", "<bos>"}}), FixtureTime);
  EXPECT_TRUE(text.ok()) << text.status().message();
}

}  // namespace
}  // namespace gemma3n::jinja
