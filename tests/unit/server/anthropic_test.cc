#include "server/api/anthropic.h"

#include "tests/unit/server/api_fixture.h"

namespace gemma3n::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AnthropicTest : public ApiTest {
 protected:
  void SetUp() override { AddAnthropicRoutes(router_, Context()); }

  // A request with these fields besides the model and the limit.
  std::shared_ptr<FakeExchange> Ask(Json fields) {
    Json body = {{"model", "tiny"}, {"max_tokens", 50}};
    body.update(fields);
    return Call("POST", "/v1/messages", body.dump());
  }
  std::shared_ptr<FakeExchange> AskContent(Json content) {
    return Ask({{"messages", {{{"role", "user"}, {"content", std::move(content)}}}}});
  }
  static Json Hello() { return {{{"role", "user"}, {"content", "Hello"}}}; }

  void ExpectRefused(const Json& fields, const std::string& words) {
    const int before = generator_.runs;
    const auto exchange = Ask(fields);
    EXPECT_EQ(generator_.runs, before) << fields.dump();
    EXPECT_EQ(exchange->http_status, 400) << exchange->body;
    if (exchange->body.empty()) return;
    EXPECT_EQ(exchange->json()["type"], "error");
    EXPECT_EQ(exchange->json()["error"]["type"], "invalid_request_error");
    EXPECT_THAT(exchange->json()["error"]["message"].get<std::string>(), HasSubstr(words));
  }
};

std::string TextOf(const Message& message) {
  std::string text;
  for (const Part& part : message.parts) text += part.text;
  return text;
}

TEST_F(AnthropicTest, OptionsAndText) {
  Ask({{"messages", Hello()},
       {"system", "Be brief."},
       {"temperature", 0.5},
       {"top_p", 0.9},
       {"top_k", 10},
       {"stop_sequences", {"a", "b"}},
       {"metadata", {{"user_id", "x"}}},
       {"thinking", {{"type", "disabled"}}}});
  ASSERT_EQ(generator_.runs, 1);
  EXPECT_EQ(asked().options.max_tokens, 50);
  EXPECT_EQ(asked().options.temperature, 0.5f);
  EXPECT_EQ(asked().options.top_p, 0.9f);
  EXPECT_EQ(asked().options.top_k, 10);
  EXPECT_THAT(asked().options.stop, ElementsAre("a", "b"));
  ASSERT_EQ(asked().messages.size(), 2u);
  EXPECT_EQ(asked().messages[0].role, "system");
  EXPECT_EQ(TextOf(asked().messages[0]), "Be brief.");
  EXPECT_TRUE(asked().messages[1].is_string);
  EXPECT_EQ(TextOf(asked().messages[1]), "Hello");
}

TEST_F(AnthropicTest, SystemBlocks) {
  Ask({{"messages", Hello()},
       {"system",
        {{{"type", "text"}, {"text", "One."}, {"cache_control", {{"type", "ephemeral"}}}},
         {{"type", "text"}, {"text", "Two."}}}}});
  ASSERT_EQ(generator_.runs, 1);
  EXPECT_EQ(TextOf(asked().messages[0]), "One.\nTwo.");
}

TEST_F(AnthropicTest, MediaBlocks) {
  AskContent({{{"type", "image"},
               {"source", {{"type", "base64"}, {"media_type", "image/png"}, {"data", "aGk="}}}},
              {{"type", "audio"}, {"source", {{"type", "url"}, {"url", "data:,sound"}}}},
              {{"type", "video"}, {"source", {{"type", "url"}, {"url", "data:,film"}}}},
              {{"type", "text"}, {"text", "What?"}}});
  ASSERT_EQ(generator_.runs, 1);
  const std::vector<Part>& parts = asked().messages.at(0).parts;
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[0].kind, Part::Kind::kImage);
  EXPECT_EQ(parts[0].source.bytes->size(), 2u);
  EXPECT_EQ(parts[1].kind, Part::Kind::kAudio);
  EXPECT_EQ(parts[2].kind, Part::Kind::kVideo);
  EXPECT_EQ(parts[3].text, "What?");
}

TEST_F(AnthropicTest, Documents) {
  AskContent(
      {{{"type", "document"},
        {"title", "Title"},
        {"source", {{"type", "text"}, {"media_type", "text/plain"}, {"data", "Words"}}}},
       {{"type", "document"},
        {"source", {{"type", "content"}, {"content", {{{"type", "text"}, {"text", "More"}}}}}}}});
  ASSERT_EQ(generator_.runs, 1);
  EXPECT_EQ(TextOf(asked().messages.at(0)), "Title\nWords\nMore");
}

// What coding agents send besides what is answered: passed over.
TEST_F(AnthropicTest, AgentsRequests) {
  const Json cached = {{"type", "ephemeral"}};
  Ask({{"system", {{{"type", "text"}, {"text", "You code."}, {"cache_control", cached}}}},
       {"messages",
        {{{"role", "user"},
          {"content", {{{"type", "text"}, {"text", "Hello"}, {"cache_control", cached}}}}},
         {{"role", "system"}, {"content", "The date has changed."}},
         {{"role", "user"},
          {"content",
           {{{"type", "search_result"},
             {"title", "T"},
             {"source", "S"},
             {"content", {{{"type", "text"}, {"text", "found"}}}},
             {"citations", {{"enabled", true}}}}}}}}},
       {"tools",
        {{{"name", "read"},
          {"input_schema", {{"type", "object"}}},
          {"cache_control", cached},
          {"eager_input_streaming", true}}}},
       {"thinking", {{"type", "adaptive"}}},
       {"output_config", {{"effort", "high"}}},
       {"metadata", {{"user_id", "u"}}},
       {"service_tier", "auto"},
       {"context_management", {{"edits", Json::array()}}}});
  ASSERT_EQ(generator_.runs, 1);
  ASSERT_EQ(asked().messages.size(), 4u);
  EXPECT_EQ(asked().messages[2].role, "system");
  EXPECT_EQ(TextOf(asked().messages[3]), "T\nS\nfound");
  EXPECT_FALSE(asked().options.json_schema.has_value());
}

TEST_F(AnthropicTest, ToolsAndTheirResults) {
  Ask({{"messages",
        {{{"role", "user"}, {"content", "Weather?"}},
         {{"role", "assistant"},
          {"content",
           {{{"type", "thinking"}, {"thinking", "hm"}, {"signature", "x"}},
            {{"type", "text"}, {"text", "I look."}},
            {{"type", "tool_use"},
             {"id", "t1"},
             {"name", "weather"},
             {"input", {{"city", "Bonn"}}}}}}},
         {{"role", "user"},
          {"content",
           {{{"type", "tool_result"},
             {"tool_use_id", "t1"},
             {"content", "rain"},
             {"is_error", false}},
            {{"type", "text"}, {"text", "So?"}}}}}}},
       {"tools",
        {{{"name", "weather"},
          {"description", "Says it"},
          {"input_schema", {{"type", "object"}}}}}},
       {"tool_choice", {{"type", "any"}, {"disable_parallel_tool_use", true}}}});
  ASSERT_EQ(generator_.runs, 1);
  ASSERT_EQ(asked().messages.size(), 4u);
  EXPECT_THAT(TextOf(asked().messages[1]), HasSubstr("I look."));
  EXPECT_THAT(TextOf(asked().messages[1]), HasSubstr("Bonn"));
  EXPECT_THAT(TextOf(asked().messages[1]), ::testing::Not(HasSubstr("hm")));
  EXPECT_EQ(asked().messages[2].role, "user");
  EXPECT_THAT(TextOf(asked().messages[2]), HasSubstr("weather"));
  EXPECT_THAT(TextOf(asked().messages[2]), HasSubstr("rain"));
  EXPECT_EQ(TextOf(asked().messages[3]), "So?");
  ASSERT_EQ(asked().tools.size(), 1u);
  EXPECT_EQ(asked().tools[0].name, "weather");
  EXPECT_EQ(asked().tools[0].parameters, "{\"type\":\"object\"}");
  EXPECT_EQ(asked().tool_choice.kind, ToolChoice::Kind::kRequired);
  EXPECT_FALSE(asked().tool_choice.parallel);
  Ask({{"messages", Hello()}, {"tool_choice", {{"type", "tool"}, {"name", "weather"}}}});
  EXPECT_EQ(asked().tool_choice.kind, ToolChoice::Kind::kNamed);
  EXPECT_EQ(asked().tool_choice.name, "weather");
}

TEST_F(AnthropicTest, AnswersBeginning) {
  Ask({{"messages",
        {{{"role", "user"}, {"content", "Hello"}},
         {{"role", "assistant"}, {"content", "Well,"}}}}});
  ASSERT_EQ(generator_.runs, 1);
  EXPECT_EQ(asked().messages.size(), 1u);
  EXPECT_EQ(asked().answer_start, "Well,");
}

TEST_F(AnthropicTest, Schemas) {
  const Json format = {{"type", "json_schema"}, {"schema", {{"type", "object"}}}};
  Ask({{"messages", Hello()}, {"output_config", {{"format", format}}}});
  EXPECT_EQ(asked().options.json_schema, "{\"type\":\"object\"}");
  Ask({{"messages", Hello()}, {"output_format", format}});
  EXPECT_EQ(asked().options.json_schema, "{\"type\":\"object\"}");
  Ask({{"messages", Hello()}});
  EXPECT_FALSE(asked().options.json_schema.has_value());
}

TEST_F(AnthropicTest, WhatIsRefused) {
  ExpectRefused({{"messages", Hello()}, {"max_tokens", nullptr}}, "max_tokens");
  ExpectRefused({{"messages", Hello()}, {"max_tokens", 0}}, "max_tokens");
  ExpectRefused({{"messages", Json::array()}}, "messages");
  ExpectRefused(Json::object(), "messages");
  ExpectRefused({{"messages", {{{"role", "robot"}, {"content", "x"}}}}}, "messages[0].role");
  ExpectRefused({{"messages", {{{"role", "user"}}}}}, "messages[0].content");
  ExpectRefused({{"messages", Hello()}, {"temperature", 3}}, "temperature");
  ExpectRefused({{"messages", Hello()}, {"tools", {{{"type", "web_search_1"}, {"name", "x"}}}}},
                "tools[0].type");
  ExpectRefused({{"messages", Hello()}, {"tools", {{{"name", "x"}}}}}, "input_schema");
  ExpectRefused({{"messages", Hello()}, {"tool_choice", {{"type", "some"}}}}, "tool_choice.type");
  const auto refuse_block = [&](Json block, const std::string& words) {
    ExpectRefused({{"messages", {{{"role", "user"}, {"content", Json::array({block})}}}}}, words);
  };
  refuse_block({{"type", "sculpture"}}, "messages[0].content[0].type");
  refuse_block({{"type", "text"}}, "messages[0].content[0].text");
  refuse_block({{"type", "tool_result"}, {"tool_use_id", "x"}}, "earlier tool_use");
  refuse_block({{"type", "image"}, {"source", {{"type", "file"}, {"file_id", "x"}}}},
               "source.type");
  refuse_block({{"type", "image"}, {"source", {{"type", "base64"}, {"data", "*"}}}}, "source.data");
  refuse_block({{"type", "image"}, {"source", {{"type", "url"}, {"url", "http://a.org/b"}}}},
               "--allow-remote-media");
  refuse_block({{"type", "image"}, {"source", {{"type", "url"}, {"url", "/etc/passwd"}}}},
               "not below a folder");
  refuse_block({{"type", "document"}, {"source", {{"type", "base64"}, {"data", "x"}}}}, "PDF");
  EXPECT_EQ(Call("POST", "/v1/messages", "no JSON")->http_status, 400);
}

TEST_F(AnthropicTest, UnknownModel) {
  auto exchange = Ask({{"model", "claude"}, {"messages", Hello()}});
  EXPECT_EQ(exchange->http_status, 404);
  EXPECT_EQ(exchange->json()["error"]["type"], "not_found_error");
  // Said before any medium is opened.
  exchange = Ask({{"model", "claude"}, {"messages", "none"}});
  EXPECT_EQ(exchange->http_status, 404);
  EXPECT_EQ(Ask({{"model", "tiny:x"}, {"messages", Hello()}})->http_status, 400);
}

TEST_F(AnthropicTest, WholeAnswer) {
  const auto exchange = Ask({{"messages", Hello()}});
  sink().OnStart(10);
  Say("Good ");
  Say("day");
  AnswerEnd end = FakeEnd(StopReason::kStopString);
  end.stop_string = "b";
  sink().OnEnd(0, end);
  sink().OnFinish({.prompt_tokens = 10, .cached_tokens = 4, .completion_tokens = 2});
  EXPECT_EQ(exchange->http_status, 200);
  const Json json = exchange->json();
  EXPECT_THAT(json["id"].get<std::string>(), ::testing::StartsWith("msg_"));
  EXPECT_EQ(json["type"], "message");
  EXPECT_EQ(json["role"], "assistant");
  EXPECT_EQ(json["model"], "tiny");
  EXPECT_EQ(json["content"].dump(), R"([{"type":"text","text":"Good day"}])");
  EXPECT_EQ(json["stop_reason"], "stop_sequence");
  EXPECT_EQ(json["stop_sequence"], "b");
  EXPECT_EQ(json["usage"]["input_tokens"], 6);
  EXPECT_EQ(json["usage"]["cache_read_input_tokens"], 4);
  EXPECT_EQ(json["usage"]["output_tokens"], 2);
}

TEST_F(AnthropicTest, StopReasons) {
  for (const auto& [reason, name] :
       {std::pair(StopReason::kEndToken, "end_turn"),
        std::pair(StopReason::kMaxTokens, "max_tokens"),
        std::pair(StopReason::kContextFull, "model_context_window_exceeded")}) {
    const auto exchange = Ask({{"messages", Hello()}});
    sink().OnStart(1);
    sink().OnEnd(0, FakeEnd(reason));
    sink().OnFinish({});
    EXPECT_EQ(exchange->json()["stop_reason"], name);
    EXPECT_TRUE(exchange->json()["stop_sequence"].is_null());
    EXPECT_EQ(exchange->json()["content"], Json::array());
  }
}

AnswerEnd CallsEnd() {
  AnswerEnd end = FakeEnd();
  end.tool_calls = {{"c1", "weather", "{\"city\":\"Bonn\"}"}, {"c2", "time", "{}"}};
  return end;
}

TEST_F(AnthropicTest, WholeAnswerOfCalls) {
  const auto exchange = Ask({{"messages", Hello()}});
  sink().OnStart(1);
  sink().OnEnd(0, CallsEnd());
  sink().OnFinish({});
  const Json json = exchange->json();
  EXPECT_EQ(json["stop_reason"], "tool_use");
  EXPECT_EQ(json["content"].dump(),
            R"([{"type":"tool_use","id":"c1","name":"weather","input":{"city":"Bonn"}},)"
            R"({"type":"tool_use","id":"c2","name":"time","input":{}}])");
}

// "event: NAME" lines in order.
std::vector<std::string> EventNames(const std::string& body) {
  std::vector<std::string> names;
  for (size_t at = 0; (at = body.find("event: ", at)) != body.npos;) {
    const size_t end = body.find('\n', at);
    names.push_back(body.substr(at + 7, end - at - 7));
    at = end;
  }
  return names;
}

TEST_F(AnthropicTest, StreamOfTextAndCalls) {
  const auto exchange = Ask({{"messages", Hello()}, {"stream", true}});
  sink().OnStart(10);
  EXPECT_EQ(exchange->content_type, "text/event-stream");
  Say("Good");
  Say("");
  Say(" day");
  sink().OnEnd(0, CallsEnd());
  sink().OnFinish({.prompt_tokens = 10, .cached_tokens = 4, .completion_tokens = 2});
  EXPECT_TRUE(exchange->finished);
  EXPECT_THAT(
      EventNames(exchange->body),
      ElementsAre("message_start", "ping", "content_block_start", "content_block_delta",
                  "content_block_delta", "content_block_stop", "content_block_start",
                  "content_block_delta", "content_block_stop", "content_block_start",
                  "content_block_delta", "content_block_stop", "message_delta", "message_stop"));
  std::vector<Json> events;
  for (const std::string& data : exchange->events()) events.push_back(Json::parse(data));
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i]["type"], EventNames(exchange->body)[i]);
  }
  EXPECT_EQ(events[0]["message"]["usage"]["input_tokens"], 10);
  EXPECT_TRUE(events[0]["message"]["stop_reason"].is_null());
  EXPECT_EQ(events[2]["content_block"].dump(), R"({"type":"text","text":""})");
  EXPECT_EQ(events[4]["delta"].dump(), R"({"type":"text_delta","text":" day"})");
  EXPECT_EQ(events[6]["index"], 1);
  EXPECT_EQ(events[6]["content_block"].dump(),
            R"({"type":"tool_use","id":"c1","name":"weather","input":{}})");
  EXPECT_EQ(events[7]["delta"]["partial_json"], "{\"city\":\"Bonn\"}");
  EXPECT_EQ(events[9]["index"], 2);
  EXPECT_EQ(events[12]["delta"]["stop_reason"], "tool_use");
  EXPECT_EQ(events[12]["usage"]["input_tokens"], 6);
  EXPECT_EQ(events[12]["usage"]["cache_read_input_tokens"], 4);
  EXPECT_EQ(events[12]["usage"]["output_tokens"], 2);
}

TEST_F(AnthropicTest, ErrorsBeforeAndInAStream) {
  auto exchange = Ask({{"messages", Hello()}, {"stream", true}});
  sink().OnError(429, Status(StatusCode::kResourceExhausted, "full"));
  EXPECT_EQ(exchange->http_status, 429);
  EXPECT_EQ(exchange->json()["error"]["type"], "rate_limit_error");
  EXPECT_THAT(exchange->headers, ::testing::Contains(::testing::Pair("Retry-After", "1")));

  exchange = Ask({{"messages", Hello()}, {"stream", true}});
  sink().OnStart(1);
  sink().OnError(500, Status(StatusCode::kInternal, "broken"));
  EXPECT_EQ(exchange->http_status, 200);
  EXPECT_TRUE(exchange->finished);
  EXPECT_EQ(EventNames(exchange->body).back(), "error");
  EXPECT_EQ(Json::parse(exchange->events().back())["error"]["message"], "broken");
}

TEST_F(AnthropicTest, CountTokens) {
  Json body = {{"model", "tiny"}, {"messages", Hello()}};
  auto exchange = Call("POST", "/v1/messages/count_tokens", body.dump());
  EXPECT_EQ(exchange->http_status, 200);
  EXPECT_EQ(exchange->body, "{\"input_tokens\":3}");
  EXPECT_EQ(generator_.runs, 0);
  EXPECT_EQ(TextOf(asked().messages.at(0)), "Hello");
  body["messages"] = Json::array();
  EXPECT_EQ(Call("POST", "/v1/messages/count_tokens", body.dump())->http_status, 400);
}

}  // namespace
}  // namespace gemma3n::server
