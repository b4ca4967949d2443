#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/api/openai_logprobs.h"
#include "tests/unit/server/openai_fixture.h"

namespace gemma3n::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OpenAiChat : public OpenAiTest {
 protected:
  // A request with a short question and what `more` adds: ", \"n\": 2".
  std::shared_ptr<FakeExchange> Chat(const std::string& more) {
    return Call(HandleChatCompletion,
                R"({"model":"tiny","messages":[{"role":"user","content":"Hi"}])" + more + "}");
  }
  std::shared_ptr<FakeExchange> Messages(const std::string& messages) {
    return Call(HandleChatCompletion, R"({"model":"tiny","messages":)" + messages + "}");
  }
  const Generation& asked() const { return generator_.generation; }
};

TEST_F(OpenAiChat, ReadsEveryOption) {
  const auto exchange = Chat(R"(,"max_completion_tokens":7,"temperature":0.25,"top_p":0.5,"n":3,
      "seed":-1,"stop":["a","b"],"presence_penalty":1,"frequency_penalty":-2,
      "logit_bias":{"5":-100,"6":1000},"top_k":-1,"min_p":0.125,"repetition_penalty":1.5,
      "draft_tokens":0,"ignore_eos":true,"stop_token_ids":[9],"logprobs":true,"top_logprobs":4,
      "user":"someone","metadata":{"a":"b"},"image_size":256,"max_tokens":null)");
  ASSERT_EQ(generator_.runs, 1) << exchange->body;
  const GenerationOptions& o = asked().options;
  EXPECT_EQ(o.max_tokens, 7);
  EXPECT_EQ(o.temperature, 0.25f);
  EXPECT_EQ(o.top_p, 0.5f);
  EXPECT_EQ(asked().n, 3);
  EXPECT_EQ(o.seed, ~uint64_t{0});
  EXPECT_THAT(o.stop, ElementsAre("a", "b"));
  EXPECT_EQ(o.presence_penalty, 1);
  EXPECT_EQ(o.frequency_penalty, -2);
  EXPECT_EQ(o.logit_bias, (std::map<int32_t, float>{{5, -100}, {6, 100}}));
  EXPECT_EQ(o.top_k, 0);
  EXPECT_EQ(o.min_p, 0.125f);
  EXPECT_EQ(o.repetition_penalty, 1.5f);
  EXPECT_EQ(o.draft_tokens, 0);
  EXPECT_TRUE(o.ignore_end_tokens);
  EXPECT_THAT(o.stop_tokens, ElementsAre(9));
  EXPECT_EQ(o.top_logprobs, 4);
  EXPECT_EQ(asked().media.image_size, 256);
}

TEST_F(OpenAiChat, LeavesOutToTheCheckpoint) {
  Chat("");
  EXPECT_FALSE(asked().options.temperature.has_value());
  EXPECT_FALSE(asked().options.seed.has_value());
  EXPECT_EQ(asked().options.max_tokens, -1);
  EXPECT_EQ(asked().options.top_logprobs, -1);
  EXPECT_EQ(asked().n, 1);
  EXPECT_TRUE(asked().size.full());
}

TEST_F(OpenAiChat, RefusesWrongTypesAndRangesNamingTheParameter) {
  ExpectRefused(*Chat(R"(,"temperature":"hot")"), "temperature",
                "temperature: expected a number from 0 to 2, found \"hot\"");
  ExpectRefused(*Chat(R"(,"temperature":2.5)"), "temperature", "found 2.5");
  ExpectRefused(*Chat(R"(,"n":17)"), "n", "expected a whole number from 1 to 16, found 17");
  ExpectRefused(*Chat(R"(,"n":1.5)"), "n", "found 1.5");
  ExpectRefused(*Chat(R"(,"max_tokens":0)"), "max_tokens", "1 or more");
  ExpectRefused(*Chat(R"(,"stop":["a",1])"), "stop", "a string or a list");
  ExpectRefused(*Chat(R"(,"stop":"")"), "stop", "not empty");
  ExpectRefused(*Chat(R"(,"logit_bias":{"x":1})"), "logit_bias", "token ids");
  ExpectRefused(*Chat(R"(,"stream":1)"), "stream", "true or false, found 1");
  ExpectRefused(*Chat(R"(,"top_logprobs":2)"), "top_logprobs", "logprobs to be true");
  ExpectRefused(*Chat(R"(,"logprobs":true,"top_logprobs":21)"), "top_logprobs", "0 to 20");
  ExpectRefused(*Chat(R"(,"response_format":{"type":"xml"})"), "response_format.type", "\"xml\"");
  ExpectRefused(*Chat(R"(,"response_format":{"type":"json_schema"})"),
                "response_format.json_schema.schema", "a JSON Schema, found nothing");
  ExpectRefused(*Chat(R"(,"tools":[{"type":"function","function":{}}])"), "tools[0].function.name",
                "expected a string, found nothing");
  ExpectRefused(*Chat(R"(,"functions":[])"), "functions", "\"tools\"");
  ExpectRefused(*Call(HandleChatCompletion, "{"), "", "not valid JSON");
  ExpectRefused(*Call(HandleChatCompletion, "[]"), "", "expected a JSON object, found []");
  ExpectRefused(*Call(HandleChatCompletion, R"({"messages":[]})"), "model", "found nothing");
  EXPECT_EQ(generator_.runs, 0);
}

TEST_F(OpenAiChat, ReadsMessages) {
  Messages(R"([{"role":"developer","content":"Be brief."},
               {"role":"user","content":[{"type":"text","text":"a"},
                   {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},
                   {"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},
                   {"type":"video_url","video_url":"data:video/mp4;base64,AAAA"}]},
               {"role":"assistant","content":"ok"},{"role":"user","content":"b"}])");
  ASSERT_EQ(generator_.runs, 1);
  const std::vector<Message>& m = asked().messages;
  ASSERT_EQ(m.size(), 4);
  EXPECT_EQ(m[0].role, "system");
  EXPECT_TRUE(m[0].is_string);
  ASSERT_EQ(m[1].parts.size(), 4);
  EXPECT_FALSE(m[1].is_string);
  EXPECT_EQ(m[1].parts[0].text, "a");
  EXPECT_EQ(m[1].parts[1].kind, Part::Kind::kImage);
  EXPECT_EQ(m[1].parts[2].kind, Part::Kind::kAudio);
  EXPECT_EQ(m[1].parts[3].kind, Part::Kind::kVideo);
}

TEST_F(OpenAiChat, RefusesMessagesNamingThePlace) {
  ExpectRefused(*Messages("[]"), "messages", "at least one message, found []");
  ExpectRefused(*Messages(R"([{"role":"wizard","content":"x"}])"), "messages[0].role", "wizard");
  ExpectRefused(*Messages(R"([{"role":"user"}])"), "messages[0].content", "found nothing");
  ExpectRefused(*Messages(R"([{"role":"user","content":[{"type":"smell"}]}])"),
                "messages[0].content[0].type", "\"smell\"");
  ExpectRefused(
      *Messages(
          R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"/etc/passwd"}}]}])"),
      "messages[0].content[0].image_url.url", "/etc/passwd");
  ExpectRefused(*Messages(R"([{"role":"tool","tool_call_id":"x","content":"1"}])"),
                "messages[0].tool_call_id", "an earlier call");
  ExpectRefused(*Messages("[7]"), "messages[0]", "expected an object, found 7");
  EXPECT_EQ(generator_.runs, 0);
}

TEST_F(OpenAiChat, GoesOnAfterTheLastMessage) {
  Call(HandleChatCompletion, R"({"model":"tiny","continue_final_message":true,"messages":[
      {"role":"user","content":"Hi"},{"role":"assistant","content":"Hel"}]})");
  ASSERT_EQ(asked().messages.size(), 1u);
  EXPECT_EQ(asked().answer_start, "Hel");
  ExpectRefused(*Chat(R"(,"continue_final_message":true)"), "continue_final_message",
                "a last message of the assistant");
}

TEST_F(OpenAiChat, ReadsToolsAndEarlierCalls) {
  const auto exchange = Call(HandleChatCompletion, R"({"model":"tiny","messages":[
      {"role":"user","content":"Weather?"},
      {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",
          "function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]},
      {"role":"tool","tool_call_id":"c1","content":"sunny"}],
      "tools":[{"type":"function","function":{"name":"weather","description":"Says it",
          "parameters":{"type":"object","properties":{"z":{},"a":{}}}}}],
      "tool_choice":{"type":"function","function":{"name":"weather"}},
      "parallel_tool_calls":false})");
  ASSERT_EQ(generator_.runs, 1) << exchange->body;
  ASSERT_EQ(asked().tools.size(), 1);
  EXPECT_EQ(asked().tools[0].name, "weather");
  EXPECT_EQ(asked().tools[0].parameters, R"({"type":"object","properties":{"z":{},"a":{}}})");
  EXPECT_EQ(asked().tool_choice.kind, ToolChoice::Kind::kNamed);
  EXPECT_EQ(asked().tool_choice.name, "weather");
  EXPECT_FALSE(asked().tool_choice.parallel);
  ASSERT_EQ(asked().messages.size(), 3);
  EXPECT_THAT(asked().messages[1].parts[0].text, HasSubstr("Rome"));
  EXPECT_EQ(asked().messages[2].role, "user");
}

TEST_F(OpenAiChat, ReadsResponseFormat) {
  Chat(R"(,"response_format":{"type":"json_object"})");
  EXPECT_EQ(asked().options.json_schema, R"({"type":"object"})");
  Chat(R"(,"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,
      "schema":{"properties":{"b":{},"a":{}}}}})");
  EXPECT_EQ(asked().options.json_schema, R"({"properties":{"b":{},"a":{}}})");
  Chat(R"(,"response_format":{"type":"text"})");
  EXPECT_FALSE(asked().options.json_schema.has_value());
}

TEST_F(OpenAiChat, ModelNamesItsSize) {
  const auto ask = [&](const std::string& model) {
    return Call(HandleChatCompletion,
                R"({"model":")" + model + R"(","messages":[{"role":"user","content":"Hi"}]})");
  };
  ask("tiny:64,32");
  EXPECT_THAT(asked().size.mlp_widths, ElementsAre(64, 32));
  const auto unknown = ask("gpt-4");
  EXPECT_EQ(unknown->http_status, 404);
  EXPECT_EQ(unknown->json()["error"]["code"], "model_not_found");
  EXPECT_THAT(unknown->body, HasSubstr("gpt-4"));
  EXPECT_EQ(ask("tiny:huge")->http_status, 400);
  context_.any_model = true;
  const int before = generator_.runs;
  ask("gpt-4");
  EXPECT_EQ(generator_.runs, before + 1);
}

TEST_F(OpenAiChat, AnswersWhole) {
  const auto exchange = Chat(R"(,"n":2,"logprobs":true)");
  Sink& sink = *generator_.sink;
  sink.OnStart(5);
  const int32_t id = engine_->Tokenize("cat", false).value().at(0);
  sink.OnToken(1, FakeToken(id, "cat").event());
  sink.OnToken(0, FakeToken(id, "").event());
  TokenEvent held;  // text that was held back, no token of its own
  held.token = id;
  held.text = "cat";
  sink.OnToken(0, held);
  sink.OnEnd(1, FakeEnd(StopReason::kMaxTokens));
  sink.OnEnd(0, FakeEnd());
  EXPECT_FALSE(exchange->finished);
  sink.OnFinish({.prompt_tokens = 5, .cached_tokens = 4, .completion_tokens = 2});
  ASSERT_TRUE(exchange->finished);
  EXPECT_EQ(exchange->http_status, 200);
  const Json answer = exchange->json();
  EXPECT_EQ(answer["object"], "chat.completion");
  EXPECT_EQ(answer["model"], "tiny");
  ASSERT_EQ(answer["choices"].size(), 2);
  EXPECT_EQ(answer["choices"][0]["message"]["content"], "cat");
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(answer["choices"][1]["finish_reason"], "length");
  const Json& logprobs = answer["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(logprobs.size(), 1);
  EXPECT_EQ(logprobs[0]["logprob"], -0.5);
  EXPECT_EQ(logprobs[0]["token"], TokenTextOf(*engine_, id));
  EXPECT_TRUE(logprobs[0]["top_logprobs"].empty());
  EXPECT_EQ(answer["usage"]["total_tokens"], 7);
  EXPECT_EQ(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
}

TEST_F(OpenAiChat, Streams) {
  const auto exchange = Chat(R"(,"stream":true,"stream_options":{"include_usage":true})");
  Sink& sink = *generator_.sink;
  sink.OnStart(5);
  EXPECT_EQ(exchange->content_type, "text/event-stream");
  sink.OnToken(0, FakeToken(5, "Hel").event());
  sink.OnToken(0, FakeToken(6, "").event());
  sink.OnToken(0, FakeToken(7, "lo").event());
  AnswerEnd end = FakeEnd();
  end.tool_calls.push_back({"call_1", "f", "{}"});
  sink.OnEnd(0, std::move(end));
  sink.OnFinish({.prompt_tokens = 5, .completion_tokens = 3});
  ASSERT_TRUE(exchange->finished);
  const auto events = exchange->events();
  ASSERT_EQ(events.size(), 7);
  const auto json = [&](size_t i) { return Json::parse(events[i]); };
  EXPECT_EQ(json(0)["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(json(0)["object"], "chat.completion.chunk");
  EXPECT_EQ(json(1)["choices"][0]["delta"]["content"], "Hel");
  EXPECT_EQ(json(2)["choices"][0]["delta"]["content"], "lo");
  EXPECT_EQ(json(3)["choices"][0]["delta"]["tool_calls"][0]["id"], "call_1");
  EXPECT_EQ(json(3)["choices"][0]["delta"]["tool_calls"][0]["index"], 0);
  EXPECT_EQ(json(4)["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_TRUE(json(4)["usage"].is_null());
  EXPECT_EQ(json(5)["usage"]["completion_tokens"], 3);
  EXPECT_EQ(events[6], "[DONE]");
}

TEST_F(OpenAiChat, ErrorsBeforeAndInAStream) {
  const auto full = Chat("");
  generator_.sink->OnError(429, Error(StatusCode::kResourceExhausted, "256 requests wait"));
  EXPECT_EQ(full->http_status, 429);
  EXPECT_EQ(full->json()["error"]["code"], "rate_limit_exceeded");
  EXPECT_THAT(full->headers, ElementsAre(testing::Pair("Retry-After", "1")));
  const auto early = Chat(R"(,"stream":true)");
  generator_.sink->OnError(400, Error(StatusCode::kOutOfRange, "too long"));
  EXPECT_EQ(early->http_status, 400);
  EXPECT_EQ(early->json()["error"]["code"], "context_length_exceeded");
  const auto late = Chat(R"(,"stream":true)");
  generator_.sink->OnStart(1);
  generator_.sink->OnError(500, Error(StatusCode::kInternal, "a defect"));
  EXPECT_EQ(late->http_status, 200);
  EXPECT_TRUE(late->finished);
  EXPECT_EQ(Json::parse(late->events().back())["error"]["type"], "server_error");
}

TEST_F(OpenAiChat, ListsModels) {
  const Json list = Call(HandleModels, "")->json();
  EXPECT_EQ(list["object"], "list");
  EXPECT_EQ(list["data"][0]["id"], "tiny");
  EXPECT_EQ(Call(HandleModel, "", "/v1/models/tiny")->json()["created"], 1700000000);
  EXPECT_EQ(Call(HandleModel, "", "/v1/models/other")->http_status, 404);
}

}  // namespace
}  // namespace gemma3n::server
