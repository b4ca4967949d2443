#include "chat/tool_call_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gemma3n {
namespace {

const std::vector<FunctionSpec> kFunctions = {{"f", "", ""}, {"g", "", ""}};

struct Parsed {
  std::string text;
  std::vector<std::string> calls;  // "name(arguments)"
  bool operator==(const Parsed&) const = default;
};

void PrintTo(const Parsed& parsed, std::ostream* out) {
  *out << '"' << parsed.text << '"';
  for (const std::string& call : parsed.calls) *out << ' ' << call;
}

Parsed Parse(const std::vector<std::string_view>& pieces) {
  ToolCallParser parser(kFunctions);
  Parsed parsed;
  for (const std::string_view piece : pieces) parser.Push(piece, parsed.text);
  parser.Finish(parsed.text);
  for (const FunctionCall& call : parser.calls())
    parsed.calls.push_back(call.name + "(" + call.arguments + ")");
  return parsed;
}

// Whole, cut in two at every place, and byte by byte.
void ExpectParsed(std::string_view answer, const Parsed& expected) {
  EXPECT_EQ(Parse({answer}), expected) << answer;
  for (size_t cut = 0; cut <= answer.size(); ++cut)
    EXPECT_EQ(Parse({answer.substr(0, cut), answer.substr(cut)}), expected) << answer << cut;
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < answer.size(); ++i) bytes.push_back(answer.substr(i, 1));
  EXPECT_EQ(Parse(bytes), expected) << answer;
}

void ExpectText(std::string_view answer) { ExpectParsed(answer, {std::string(answer), {}}); }

TEST(ToolCallParser, FindsCalls) {
  ExpectParsed(R"({"name": "f", "parameters": {"a": 1, "b": [{"c": "}"}]}})",
               {"", {R"(f({"a":1,"b":[{"c":"}"}]}))"}});
  ExpectParsed("{\"parameters\": {}, \"name\": \"g\"}\n", {"", {"g({})"}});
  ExpectParsed(R"({"name": "f", "arguments": {"q": "a\"]\\"}})", {"", {R"(f({"q":"a\"]\\"}))"}});
  ExpectParsed(R"({"name":"f"})", {"", {"f({})"}});
  ExpectParsed(R"([{"name":"f","parameters":{}}, {"name":"g","parameters":{"x":null}}])",
               {"", {"f({})", R"(g({"x":null}))"}});
  ExpectParsed("{\"name\":\"f\"}\n{\"name\":\"g\"}, {\"name\":\"f\"}",
               {"", {"f({})", "g({})", "f({})"}});
}

TEST(ToolCallParser, FindsThemInFences) {
  ExpectParsed("```json\n{\"name\":\"f\"}\n```", {"", {"f({})"}});
  ExpectParsed("\n```tool_code\n{\"name\":\"f\"}{\"name\":\"g\"}\n```\n", {"", {"f({})", "g({})"}});
  ExpectParsed("```\n[{\"name\":\"f\"}]\n```\n```tool_call\n{\"name\":\"g\"}\n```",
               {"", {"f({})", "g({})"}});
  ExpectParsed("```json\n{\"name\":\"f\"}", {"", {"f({})"}});  // the end of the fence never came
}

TEST(ToolCallParser, EverythingElseIsText) {
  for (const char* answer : {"",
                             "Hello",
                             " Hello {\"name\":\"f\"}",
                             "{",
                             "[",
                             "[]",
                             "{}",
                             "[1, 2]",
                             "[\"f\"]",
                             "```",
                             "``",
                             "`f`",
                             "```json",
                             "```json\n",
                             "```python\nprint(1)\n```",
                             "```json\n{\"a\": 1}\n```",
                             "{\"name\":\"h\",\"parameters\":{}}",
                             "{\"name\":\"f\",\"parameters\":[]}",
                             "{\"name\":\"f\",\"parameters\":{}",
                             "{\"name\":\"f\",\"x\":1}",
                             "{\"name\":1}",
                             "{\"name\":\"f\" \"parameters\":{}}",
                             "{\"name\":\"f\",\"parameters\":{},\"arguments\":{}}",
                             "[{\"name\":\"f\"},{\"name\":\"h\"}]",
                             "[[{\"name\":\"f\"}]]",
                             "{]",
                             "  \n ",
                             "{\"na\\",
                             "{'name': 'f'}",
                             "{\"name\":\"f\\u00\"}",
                             "```\n```",
                             "```json\n```\nHello",
                             "{\"parameters\":{\"name\":\"f\"}}"})
    ExpectText(answer);
}

TEST(ToolCallParser, TextAfterACallIsKept) {
  ExpectParsed("{\"name\":\"f\"}\nDone {\"name\":\"g\"}", {"\nDone {\"name\":\"g\"}", {"f({})"}});
  ExpectParsed("```json\n{\"name\":\"f\"}\n```\nDone", {"\nDone", {"f({})"}});
  ExpectParsed("{\"name\":\"f\"}{\"name\":\"h\"}", {"{\"name\":\"h\"}", {"f({})"}});
  ExpectParsed("{\"name\":\"f\"}\n```json", {"\n```json", {"f({})"}});
}

TEST(ToolCallParser, HoldsNoLongerThanItMust) {
  const auto held = [](std::string_view answer) {
    ToolCallParser parser(kFunctions);
    std::string text;
    parser.Push(answer, text);
    EXPECT_EQ(text.size() + parser.pending(), answer.size());
    return parser.pending();
  };
  EXPECT_EQ(held("Hello"), 0u);
  EXPECT_EQ(held("{\"answer\""), 0u);
  EXPECT_EQ(held("{\"name\": \"h\""), 0u);
  EXPECT_EQ(held("[1"), 0u);
  EXPECT_EQ(held("```py"), 0u);
  EXPECT_EQ(held("{\"name\": \"f\""), 12u);
}

TEST(ToolCallParser, WithoutFunctionsHoldsNothing) {
  ToolCallParser parser({});
  std::string text;
  parser.Push("{\"name\"", text);
  EXPECT_EQ(text, "{\"name\"");
}

TEST(ToolCallParser, DeepNestingIsText) {
  const std::string deep = "{\"name\":\"f\",\"parameters\":{\"a\":" + std::string(10000, '[') +
                           std::string(10000, ']') + "}}";
  EXPECT_EQ(Parse({deep}), (Parsed{deep, {}}));
}

}  // namespace
}  // namespace gemma3n
