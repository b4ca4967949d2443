// The built-in format, and what a ChatTemplate refuses.
#include "chat/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/chat/json_value.h"

namespace gemma3n {
namespace {

using testing::HasSubstr;

Part Image() { return {Part::Kind::kImage, ""}; }
Part Audio() { return {Part::Kind::kAudio, ""}; }
Message Parts(std::string role, std::vector<Part> parts) {
  return {std::move(role), std::move(parts), false};
}

std::string Builtin(const std::vector<Message>& messages, bool prompt = true) {
  ChatTemplate::Variables variables;
  variables.add_generation_prompt = prompt;
  auto text = ChatTemplate::Builtin().Render(messages, variables);
  return text.ok() ? *text : "error: " + text.status().message();
}

TEST(BuiltinTemplate, SystemMediaAndTrimming) {
  EXPECT_EQ(Builtin({Message::Text("system", "Sys "),
                     Parts("user", {Image(), Part::Text(" Hi "), Audio(), Image()}),
                     Message::Text("assistant", "yo "), Message::Text("user", "Hi")}),
            "<bos><start_of_turn>user\nSys "
            "\n\n<image_soft_token>Hi<audio_soft_token><image_soft_token><end_of_turn>\n"
            "<start_of_turn>model\nyo<end_of_turn>\n<start_of_turn>user\nHi<end_of_turn>\n<start_"
            "of_turn>model\n");
}

TEST(BuiltinTemplate, WithoutGenerationPrompt) {
  EXPECT_EQ(Builtin({Message::Text("user", "Hi")}, false),
            "<bos><start_of_turn>user\nHi<end_of_turn>\n");
}

TEST(BuiltinTemplate, OtherBosToken) {
  ChatTemplate::Variables variables;
  variables.bos_token = "<s>";
  const std::vector<Message> messages = {Message::Text("user", "x")};
  EXPECT_THAT(*ChatTemplate::Builtin().Render(messages, variables),
              testing::StartsWith("<s><start_of_turn>user\nx"));
}

TEST(BuiltinTemplate, Refusals) {
  EXPECT_THAT(Builtin({}), HasSubstr("at least one message"));
  EXPECT_THAT(Builtin({Message::Text("assistant", "x")}), HasSubstr("roles must alternate"));
  EXPECT_THAT(Builtin({Message::Text("user", "a"), Message::Text("user", "b")}),
              HasSubstr("found 'user' as message 2"));
  EXPECT_THAT(Builtin({Parts("system", {Image()}), Message::Text("user", "b")}),
              HasSubstr("expected text"));
  EXPECT_THAT(Builtin({Message::Text("user", "a\xff")}), HasSubstr("message 1: expected UTF-8"));
  EXPECT_THAT(Builtin({{"user", {Image()}, true}}), HasSubstr("expected one text part"));
}

// The fixture was made by Jinja2 from our gemma3n.jinja: the interpreter's test checks one side,
// this the other.
TEST(BuiltinTemplate, AgreesWithJinja2OnTheFixture) {
  const Json fixture = ReadFixture("templates.json");
  int compared = 0;
  for (const auto& c : fixture["cases"]) {
    if (c["template"] != "gemma3n") continue;
    ChatTemplate::Variables variables;
    variables.add_generation_prompt = c["prompt"];
    const auto got = ChatTemplate::Builtin().Render(ToMessages(c["messages"]), variables);
    if (c["output"].is_null()) {
      EXPECT_EQ(got.status().code(), StatusCode::kInvalidArgument) << c.dump();
    } else {
      ASSERT_TRUE(got.ok()) << c.dump() << got.status().message();
      EXPECT_EQ(*got, c["output"].get<std::string>());
    }
    ++compared;
  }
  EXPECT_GE(compared, 40);
}

TEST(BuiltinTemplate, AgreesWithItsJinjaFormOnRandomConversations) {
  auto parsed = ChatTemplate::Parse(
      ReadText(GEMMA3N_SOURCE_DIR "/tests/golden/chat/templates/gemma3n.jinja"), "gemma3n");
  ASSERT_TRUE(parsed.ok());
  std::mt19937_64 rng(5);
  const auto pick = [&](uint64_t n) { return static_cast<size_t>(rng() % n); };
  static const char* kRoles[] = {"user", "assistant", "system", "tool"};
  static const char* kPieces[] = {" ",       "\n", "a", "é",    "\u3000", "<end_of_turn>",
                                  "{{ x }}", "\t", "😀", "\x1f", ""};
  int rendered = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<Message> messages;
    const bool proper = pick(4) > 0;
    for (size_t i = 0, n = pick(6); i < n; ++i) {
      Message m{proper ? kRoles[i % 2] : kRoles[pick(4)], {}, pick(2) == 0};
      for (size_t j = 0, parts = m.is_string ? 1 : pick(4); j < parts; ++j) {
        if (!m.is_string && pick(3) == 0) {
          m.parts.push_back(pick(2) == 0 ? Image() : Audio());
          continue;
        }
        std::string text;
        for (size_t k = 0, pieces = pick(5); k < pieces; ++k)
          text += kPieces[pick(std::size(kPieces))];
        m.parts.push_back(Part::Text(text));
      }
      messages.push_back(std::move(m));
    }
    if (proper && pick(3) == 0)
      messages.insert(messages.begin(), Message::Text("system", " be brief "));
    ChatTemplate::Variables variables;
    variables.add_generation_prompt = pick(2) == 0;
    const auto jinja = parsed->Render(messages, variables);
    const auto native = ChatTemplate::Builtin().Render(messages, variables);
    ASSERT_EQ(jinja.ok(), native.ok()) << (jinja.ok() ? native : jinja).status().message();
    if (!jinja.ok()) continue;
    ASSERT_EQ(*jinja, *native);
    ++rendered;
  }
  EXPECT_GT(rendered, 1500);
}

Status ParseStatus(const std::string& source) {
  return ChatTemplate::Parse(source, "tokenizer_config.json").status();
}

TEST(ChatTemplate, SyntaxErrorsNameTheLine) {
  const Status status = ParseStatus("line one\n{% if x %}\n{{ y | }}\n{% endif %}");
  EXPECT_EQ(status.code(), StatusCode::kCorruptFile);
  EXPECT_EQ(status.message(), "tokenizer_config.json: line 3: expected a name, found '}}'");
  EXPECT_THAT(ParseStatus("{% if x %}\n\nabc").message(),
              HasSubstr("line 3: expected 'endif', the template ends"));
  EXPECT_EQ(ParseStatus("{{ 'a\xff' }}").code(), StatusCode::kCorruptFile);
}

TEST(ChatTemplate, UnsupportedStatementsAreNamed) {
  for (const char* name :
       {"include 'x'", "extends 'x'", "import 'x' as y", "block b", "do x", "autoescape true"}) {
    const Status status = ParseStatus("\n{% " + std::string(name) + " %}");
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << name;
    const std::string word = std::string(name).substr(0, std::string(name).find(' '));
    EXPECT_THAT(status.message(),
                HasSubstr("line 2: the statement '" + word + "' is not supported"));
  }
  EXPECT_EQ(ParseStatus("{% for x in y recursive %}{% endfor %}").code(), StatusCode::kUnsupported);
  EXPECT_EQ(ParseStatus("{{ 99999999999999999999 }}").code(), StatusCode::kUnsupported);
}

Status RenderStatus(const std::string& source) {
  auto parsed = ChatTemplate::Parse(source, "t.jinja");
  if (!parsed.ok()) return parsed.status();
  const std::vector<Message> messages = {Message::Text("user", "hello")};
  return parsed->Render(messages, {}).status();
}

TEST(ChatTemplate, RunTimeErrorsNameConstructAndLine) {
  const Status filter = RenderStatus("a\n{{ messages\n | urlize }}");
  EXPECT_EQ(filter.code(), StatusCode::kUnsupported);
  EXPECT_EQ(filter.message(), "t.jinja: line 3: the filter 'urlize' is not supported");
  EXPECT_EQ(RenderStatus("{% if false %}{{ x | urlize }}{% endif %}").code(), StatusCode::kOk)
      << "not reached";
  EXPECT_EQ(RenderStatus("{{ 'a'.encode() }}").message(),
            "t.jinja: line 1: the method 'str.encode' is not supported");
  EXPECT_EQ(RenderStatus("{{ 1 is frobnicated }}").message(),
            "t.jinja: line 1: the test 'frobnicated' is not supported");
  EXPECT_EQ(RenderStatus("{{ 9223372036854775807 + 1 }}").code(), StatusCode::kUnsupported);
  const Status refused = RenderStatus("\n{{ raise_exception('Only text!') }}");
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.message(), "t.jinja: line 2: Only text!");
  EXPECT_EQ(RenderStatus("{{ x.y }}").message(), "t.jinja: line 1: 'x' is undefined");
  EXPECT_EQ(RenderStatus("{{ messages[0].name.first }}").message(),
            "t.jinja: line 1: 'dict object' has no attribute 'name'");
  EXPECT_THAT(RenderStatus("{{ messages.append(1) }}").message(),
              HasSubstr("'append' of 'list' object is unsafe"));
}

TEST(ChatTemplate, SeesTheVariablesThatTransformersGives) {
  auto parsed = ChatTemplate::Parse(
      "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ tools }}{{ documents }}{{ "
      "add_generation_prompt }}"
      "{{ messages }}{{ strftime_now('%Y') }}",
      "t");
  ASSERT_TRUE(parsed.ok());
  ChatTemplate::Variables variables;
  variables.tokens = {{"pad_token", "<pad>"}};
  variables.clock = FixtureTime;
  const std::vector<Message> messages = {Parts("user", {Part::Text("it's"), Image(), Audio()}),
                                         Message{"assistant", {}, true}};
  EXPECT_EQ(*parsed->Render(messages, variables),
            "<bos><eos><pad>NoneNoneTrue"
            "[{'role': 'user', 'content': [{'type': 'text', 'text': \"it's\"}, {'type': 'image'}, "
            "{'type': 'audio'}]}, "
            "{'role': 'assistant', 'content': ''}]2024");
}

TEST(ChatTemplate, SystemClockByDefault) {
  auto parsed = ChatTemplate::Parse("{{ strftime_now('%Y') | int > 2000 }}", "t");
  EXPECT_EQ(*parsed->Render({}, {}), "True");
}

TEST(ChatTemplate, OneTemplateRendersManyTimes) {
  auto parsed = ChatTemplate::Parse(
      "{% set ns = namespace(x=0) %}{% for m in messages %}{% set ns.x = ns.x + 1 %}{% endfor %}{{ "
      "ns.x }}",
      "t");
  const std::vector<Message> messages(3, Message::Text("user", "x"));
  EXPECT_EQ(*parsed->Render(messages, {}), "3");
  EXPECT_EQ(*parsed->Render(messages, {}), "3");
}

}  // namespace
}  // namespace gemma3n
