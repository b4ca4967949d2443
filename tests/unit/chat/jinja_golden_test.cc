// The interpreter against Jinja2's own renderings (tools/golden/chat_fixtures.py).
#include <gtest/gtest.h>

#include <cstdlib>

#include "chat/chat_template.h"
#include "chat/jinja/template.h"
#include "tests/unit/chat/json_value.h"

namespace gemma3n {
namespace {

Result<std::string> RenderSnippet(
    const std::string& source, const std::vector<std::pair<std::string, jinja::Value>>& variables) {
  G3N_ASSIGN_OR_RETURN(const jinja::Template parsed, jinja::Template::Parse(source, "t"));
  return parsed.Render(variables, FixtureTime);
}

// Cases are [template, output or null, variables?]. Where Jinja2 refuses, so must we.
void CheckSnippets(const Json& fixture, size_t at_least) {
  const auto common = ToVariables(fixture["variables"]);
  ASSERT_GE(fixture["cases"].size(), at_least);
  int wrong = 0;
  for (const auto& c : fixture["cases"]) {
    const std::string source = c[0];
    const auto got = RenderSnippet(source, c.size() > 2 ? ToVariables(c[2]) : common);
    bool same = false;
    if (c[1].is_null()) {
      same = !got.ok();
    } else {
      same = got.ok() && *got == c[1].get<std::string>();
    }
    if (same) continue;
    ADD_FAILURE() << source << "\n  expected " << c[1].dump() << "\n  found    "
                  << (got.ok() ? Json(*got).dump() : "error: " + got.status().message());
    if (++wrong == 40) FAIL() << "and so on";
  }
}

TEST(JinjaGolden, Snippets) { CheckSnippets(ReadFixture("snippets.json"), 850); }
TEST(JinjaGolden, RandomTemplates) { CheckSnippets(ReadFixture("random.json"), 600); }

// More of them: GEMMA3N_JINJA_FIXTURE names a file that chat_fixtures.py made with another count
// and seed.
TEST(JinjaGolden, MoreRandomTemplates) {
  const char* path = std::getenv("GEMMA3N_JINJA_FIXTURE");
  if (path == nullptr) GTEST_SKIP() << "GEMMA3N_JINJA_FIXTURE is not set";
  CheckSnippets(Json::parse(ReadText(path)), 1);
}

TEST(JinjaGolden, ChatTemplates) {
  const Json fixture = ReadFixture("templates.json");
  ASSERT_GE(fixture["cases"].size(), 400u);
  std::map<std::string, ChatTemplate> templates;
  for (const auto& c : fixture["cases"]) {
    const std::string name = c["template"];
    if (!templates.contains(name)) {
      const std::string path = GEMMA3N_SOURCE_DIR "/tests/golden/chat/templates/" + name + ".jinja";
      auto parsed = ChatTemplate::Parse(ReadText(path), name);
      ASSERT_TRUE(parsed.ok()) << parsed.status().message();
      templates.emplace(name, std::move(parsed).value());
    }
    ChatTemplate::Variables variables;
    variables.add_generation_prompt = c["prompt"];
    variables.clock = FixtureTime;
    const auto got = templates.at(name).Render(ToMessages(c["messages"]), variables);
    if (c["output"].is_null()) {
      EXPECT_FALSE(got.ok()) << c.dump() << "\n" << *got;
    } else {
      ASSERT_TRUE(got.ok()) << c.dump() << "\n" << got.status().message();
      EXPECT_EQ(*got, c["output"].get<std::string>()) << c.dump();
    }
  }
}

}  // namespace
}  // namespace gemma3n
