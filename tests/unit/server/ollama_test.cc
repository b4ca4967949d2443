#include "server/api/ollama.h"

#include <sstream>

#include "server/api/utc_time.h"
#include "tests/unit/server/api_fixture.h"

namespace gemma3n::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OllamaTest : public ApiTest {
 protected:
  void SetUp() override { AddOllamaRoutes(router_, Context()); }

  std::shared_ptr<FakeExchange> Ask(const std::string& path, const Json& fields) {
    Json body = {{"model", "tiny"}};
    body.update(fields);
    return Call("POST", path, body.dump());
  }
  std::shared_ptr<FakeExchange> Chat(const Json& fields) {
    Json body = {{"messages", {{{"role", "user"}, {"content", "Hello"}}}}};
    body.update(fields);
    return Ask("/api/chat", body);
  }
  std::shared_ptr<FakeExchange> Generate(const Json& fields) {
    Json body = {{"prompt", "Hello"}};
    body.update(fields);
    return Ask("/api/generate", body);
  }
  static void ExpectRefused(const FakeExchange& exchange, const std::string& words) {
    EXPECT_EQ(exchange.http_status, 400) << exchange.body;
    EXPECT_THAT(exchange.json()["error"].get<std::string>(), HasSubstr(words));
  }
};

std::vector<Json> Lines(const std::string& body) {
  std::vector<Json> lines;
  std::istringstream in(body);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

std::string TextOf(const Message& message) {
  std::string text;
  for (const Part& part : message.parts) text += part.text;
  return text;
}

TEST_F(OllamaTest, Options) {
  Chat({{"options",
         {{"temperature", 0.5},
          {"top_k", 10},
          {"top_p", 0.9},
          {"min_p", 0.1},
          {"seed", 7},
          {"num_predict", 30},
          {"stop", {"a"}},
          {"repeat_penalty", 1.5},
          {"presence_penalty", 0.25},
          {"frequency_penalty", -0.5},
          {"num_ctx", 4096}}},
        {"keep_alive", "5m"}});
  ASSERT_EQ(generator_.runs, 1);
  const GenerationOptions& options = asked().options;
  EXPECT_EQ(options.temperature, 0.5f);
  EXPECT_EQ(options.top_k, 10);
  EXPECT_EQ(options.top_p, 0.9f);
  EXPECT_EQ(options.min_p, 0.1f);
  EXPECT_EQ(options.seed, 7u);
  EXPECT_EQ(options.max_tokens, 30);
  EXPECT_THAT(options.stop, ElementsAre("a"));
  EXPECT_EQ(options.repetition_penalty, 1.5f);
  EXPECT_EQ(options.presence_penalty, 0.25f);
  EXPECT_EQ(options.frequency_penalty, -0.5f);
  Chat({{"options", {{"top_k", -1}, {"seed", -1}, {"num_predict", -2}}}});
  EXPECT_EQ(asked().options.top_k, 0);
  EXPECT_FALSE(asked().options.seed.has_value());
  EXPECT_EQ(asked().options.max_tokens, -1);
}

TEST_F(OllamaTest, Formats) {
  Chat({{"format", "json"}});
  EXPECT_EQ(asked().options.json_schema, "{\"type\":\"object\"}");
  Chat({{"format", {{"type", "array"}}}});
  EXPECT_EQ(asked().options.json_schema, "{\"type\":\"array\"}");
  Chat({{"format", ""}});
  EXPECT_FALSE(asked().options.json_schema.has_value());
  ExpectRefused(*Chat({{"format", "xml"}}), "format");
}

TEST_F(OllamaTest, Conversation) {
  Chat({{"messages",
         {{{"role", "system"}, {"content", "Be brief."}},
          {{"role", "user"},
           {"content", "What?"},
           {"images", {"aGk=", "data:image/png;base64,aGk="}},
           {"audios", {"aGVq"}},
           {"videos", {"aGVq"}}},
          {{"role", "assistant"},
           {"content", ""},
           {"tool_calls",
            {{{"function", {{"name", "weather"}, {"arguments", {{"city", "Bonn"}}}}}},
             {{"function", {{"name", "time"}, {"arguments", Json::object()}}}}}}},
          {{"role", "tool"}, {"content", "rain"}},
          {{"role", "tool"}, {"content", "noon"}, {"tool_name", "clock"}}}},
        {"tools",
         {{{"type", "function"},
           {"function",
            {{"name", "weather"}, {"description", "d"}, {"parameters", {{"type", "object"}}}}}}}}});
  ASSERT_EQ(generator_.runs, 1);
  ASSERT_EQ(asked().messages.size(), 5u);
  const std::vector<Part>& parts = asked().messages[1].parts;
  ASSERT_EQ(parts.size(), 5u);
  EXPECT_EQ(parts[0].kind, Part::Kind::kImage);
  EXPECT_EQ(parts[1].kind, Part::Kind::kImage);
  EXPECT_EQ(parts[2].kind, Part::Kind::kAudio);
  EXPECT_EQ(parts[3].kind, Part::Kind::kVideo);
  EXPECT_EQ(parts[4].text, "What?");
  EXPECT_THAT(TextOf(asked().messages[2]), HasSubstr("Bonn"));
  EXPECT_THAT(TextOf(asked().messages[3]), HasSubstr("weather"));
  EXPECT_THAT(TextOf(asked().messages[3]), HasSubstr("rain"));
  EXPECT_THAT(TextOf(asked().messages[4]), HasSubstr("clock"));
  ASSERT_EQ(asked().tools.size(), 1u);
  EXPECT_EQ(asked().tools[0].parameters, "{\"type\":\"object\"}");
}

TEST_F(OllamaTest, AnswersBeginning) {
  Chat({{"messages",
         {{{"role", "user"}, {"content", "Hello"}},
          {{"role", "assistant"}, {"content", "Well,"}}}}});
  EXPECT_EQ(asked().messages.size(), 1u);
  EXPECT_EQ(asked().answer_start, "Well,");
}

TEST_F(OllamaTest, StreamIsTheDefault) {
  const auto exchange = Chat(Json::object());
  sink().OnStart(10);
  EXPECT_EQ(exchange->content_type, "application/x-ndjson");
  EXPECT_THAT(exchange->headers, ::testing::Contains(::testing::Pair("X-Accel-Buffering", "no")));
  Say("Good");
  Say("");
  Say(" day");
  AnswerEnd end = FakeEnd();
  end.outcome.result.stats.prefill_seconds = 0.5;
  end.outcome.result.stats.decode_seconds = 0.25;
  sink().OnEnd(0, end);
  sink().OnFinish({.prompt_tokens = 10, .cached_tokens = 4, .completion_tokens = 2});
  EXPECT_TRUE(exchange->finished);
  const std::vector<Json> lines = Lines(exchange->body);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["model"], "tiny");
  EXPECT_EQ(lines[0]["message"].dump(), R"({"role":"assistant","content":"Good"})");
  EXPECT_EQ(lines[0]["done"], false);
  EXPECT_EQ(lines[1]["message"]["content"], " day");
  EXPECT_EQ(lines[2]["message"]["content"], "");
  EXPECT_EQ(lines[2]["done"], true);
  EXPECT_EQ(lines[2]["done_reason"], "stop");
  EXPECT_EQ(lines[2]["prompt_eval_count"], 10);
  EXPECT_EQ(lines[2]["prompt_eval_duration"], 500000000);
  EXPECT_EQ(lines[2]["eval_count"], 2);
  EXPECT_EQ(lines[2]["eval_duration"], 250000000);
  EXPECT_GE(lines[2]["total_duration"], 0);
  EXPECT_FALSE(lines[2].contains("context"));
}

TEST_F(OllamaTest, WholeAnswer) {
  const auto exchange = Chat({{"stream", false}});
  sink().OnStart(10);
  Say("Good");
  Say(" day");
  sink().OnEnd(0, FakeEnd(StopReason::kMaxTokens));
  sink().OnFinish({});
  const Json json = exchange->json();
  EXPECT_EQ(json["message"]["content"], "Good day");
  EXPECT_EQ(json["done_reason"], "length");
  EXPECT_FALSE(json.contains("logprobs"));
}

TEST_F(OllamaTest, Calls) {
  for (const bool stream : {true, false}) {
    const auto exchange = Chat({{"stream", stream}});
    sink().OnStart(10);
    AnswerEnd end = FakeEnd();
    end.tool_calls = {{"c1", "weather", "{\"city\":\"Bonn\"}"}};
    sink().OnEnd(0, end);
    sink().OnFinish({});
    const std::vector<Json> lines = Lines(exchange->body);
    ASSERT_EQ(lines.size(), stream ? 2u : 1u);
    const Json& call = lines[0]["message"]["tool_calls"][0]["function"];
    EXPECT_EQ(call["name"], "weather");
    EXPECT_EQ(call["arguments"]["city"], "Bonn");
  }
}

TEST_F(OllamaTest, Logprobs) {
  for (const bool stream : {true, false}) {
    const auto exchange = Chat({{"stream", stream}, {"logprobs", true}, {"top_logprobs", 2}});
    EXPECT_EQ(asked().options.top_logprobs, 2);
    sink().OnStart(10);
    sink().OnToken(0, FakeToken(300, "x", -0.5f).event());
    sink().OnToken(0, TokenEvent{-1, "held back", 0, {}});
    sink().OnEnd(0, FakeEnd());
    sink().OnFinish({});
    const Json first = Lines(exchange->body)[0];
    ASSERT_EQ(first["logprobs"].size(), 1u) << first;
    EXPECT_EQ(first["logprobs"][0]["logprob"], -0.5);
    const std::vector<int32_t> ids = {300};
    EXPECT_EQ(first["logprobs"][0]["token"], engine_->Detokenize(ids, false));
    EXPECT_EQ(first["logprobs"][0]["top_logprobs"].size(), 2u);
    EXPECT_EQ(first["logprobs"][0]["top_logprobs"][1]["logprob"], -1.5);
  }
  Chat({{"logprobs", true}});
  EXPECT_EQ(asked().options.top_logprobs, 1);  // tells tokens from text that was held back
}

TEST_F(OllamaTest, GenerateGivesTheContextBack) {
  const auto exchange = Generate({{"system", "Be brief."}, {"stream", false}});
  ASSERT_EQ(generator_.runs, 1);
  EXPECT_EQ(asked().tokens, (std::vector<int32_t>{2, 3, 4}));
  ASSERT_EQ(asked().messages.size(), 2u);
  EXPECT_EQ(TextOf(asked().messages[0]), "Be brief.");
  sink().OnStart(3);
  Say("day");
  AnswerEnd end = FakeEnd();
  end.outcome.result.tokens = {5, 6};
  sink().OnEnd(0, end);
  sink().OnFinish({});
  EXPECT_EQ(exchange->json()["response"], "day");
  EXPECT_EQ(exchange->json()["context"].dump(), "[2,3,4,5,6]");
}

TEST_F(OllamaTest, GenerateGoesOnAfterAContext) {
  Generate({{"context", {2, 9, 10}}});
  const auto turn_end = engine_->Tokenize("<end_of_turn>\n", false).value();
  std::vector<int32_t> expected = {2, 9, 10};
  expected.insert(expected.end(), turn_end.begin(), turn_end.end());
  expected.insert(expected.end(), {3, 4});
  EXPECT_EQ(asked().tokens, expected);
  ExpectRefused(*Generate({{"context", {1.5}}}), "context");
  ExpectRefused(*Generate({{"context", {-1}}}), "context");
  ExpectRefused(*Generate({{"context", {1}}, {"images", {"aGk="}}}), "/api/chat");
}

TEST_F(OllamaTest, GenerateRawAndMedia) {
  Generate({{"raw", true}, {"prompt", "<start_of_turn>"}});
  EXPECT_EQ(asked().text, "<start_of_turn>");
  EXPECT_FALSE(asked().tokens.has_value());
  Generate({{"images", {"aGk="}}});
  EXPECT_FALSE(asked().tokens.has_value());
  ASSERT_EQ(asked().messages.at(0).parts.size(), 2u);
}

TEST_F(OllamaTest, NothingAskedLoads) {
  for (const auto& exchange : {Generate({{"prompt", ""}}), Chat({{"messages", Json::array()}})}) {
    EXPECT_EQ(exchange->http_status, 200);
    EXPECT_EQ(exchange->json()["done_reason"], "load");
    EXPECT_EQ(exchange->json()["done"], true);
  }
  EXPECT_EQ(generator_.runs, 0);
}

TEST_F(OllamaTest, WhatIsRefused) {
  ExpectRefused(*Generate({{"template", "{{ .Prompt }}"}}), "template");
  ExpectRefused(*Generate({{"suffix", "x"}}), "suffix");
  ExpectRefused(*Chat({{"think", true}}), "does not support thinking");
  ExpectRefused(*Chat({{"options", {{"temperature", "hot"}}}}), "options.temperature");
  ExpectRefused(*Chat({{"options", {{"temperature", -1}}}}), "options.temperature");
  ExpectRefused(*Chat({{"messages", {{{"role", "robot"}, {"content", "x"}}}}}), "messages[0].role");
  ExpectRefused(*Chat({{"messages", {{{"role", "user"}, {"images", {"*"}}}}}}), "images");
  ExpectRefused(*Call("POST", "/api/chat", "[]"), "request");
  ExpectRefused(*Call("POST", "/api/chat", "{}"), "model");
  EXPECT_EQ(generator_.runs, 0);
  EXPECT_EQ(Chat({{"model", "llama"}})->http_status, 404);
  Chat({{"model", "tiny:latest"}, {"think", false}});
  EXPECT_EQ(generator_.runs, 1);
}

TEST_F(OllamaTest, ErrorsBeforeAndInAStream) {
  auto exchange = Chat(Json::object());
  sink().OnError(503, Status(StatusCode::kCancelled, "going down"));
  EXPECT_EQ(exchange->http_status, 503);
  EXPECT_EQ(exchange->body, "{\"error\":\"going down\"}");
  exchange = Chat(Json::object());
  sink().OnStart(1);
  sink().OnError(500, Status(StatusCode::kInternal, "broken"));
  EXPECT_EQ(exchange->body, "{\"error\":\"broken\"}\n");
  EXPECT_TRUE(exchange->finished);
}

TEST_F(OllamaTest, WhatIsServed) {
  const Json tags = Call("GET", "/api/tags", "")->json();
  ASSERT_EQ(tags["models"].size(), 1u);
  EXPECT_EQ(tags["models"][0]["name"], "tiny");
  EXPECT_GT(tags["models"][0]["size"], 30000000);
  EXPECT_EQ(tags["models"][0]["digest"].get<std::string>().size(), 64u);
  EXPECT_EQ(tags["models"][0]["details"]["family"], "gemma3n");
  EXPECT_EQ(Call("GET", "/api/tags", "")->json(), tags);
  EXPECT_EQ(Call("GET", "/api/ps", "")->json()["models"][0]["digest"], tags["models"][0]["digest"]);
  EXPECT_TRUE(Call("GET", "/api/version", "")->json()["version"].is_string());

  const Json show = Call("POST", "/api/show", "{\"model\": \"tiny:latest\"}")->json();
  EXPECT_EQ(show["model_info"]["gemma3n.context_length"], engine_->info().context);
  EXPECT_EQ(show["capabilities"].dump(), R"(["completion","tools","vision","audio"])");
  EXPECT_EQ(Call("POST", "/api/show", "{\"model\": \"llama\"}")->http_status, 404);
  EXPECT_EQ(Call("POST", "/api/show", "{}")->http_status, 400);
}

TEST(UtcTime, Rfc3339) {
  EXPECT_EQ(UtcTime(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(UtcTime(951782400), "2000-02-29T00:00:00Z");
  EXPECT_EQ(UtcTimeOfNanoseconds(1769862896123456789), "2026-01-31T12:34:56.123456789Z");
  EXPECT_EQ(UtcNow().size(), UtcTimeOfNanoseconds(0).size());
}

}  // namespace
}  // namespace gemma3n::server
