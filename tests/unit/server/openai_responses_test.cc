#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/server/openai_fixture.h"

namespace gemma3n::server {
namespace {

using ::testing::HasSubstr;

class OpenAiResponses : public OpenAiTest {
 protected:
  std::shared_ptr<FakeExchange> Respond(const std::string& fields) {
    HttpRequest request;
    request.body = R"({"model":"tiny",)" + fields + "}";
    auto exchange = std::make_shared<FakeExchange>(std::move(request));
    HandleResponse(context_, store_, exchange);
    return exchange;
  }
  std::shared_ptr<FakeExchange> Stored(void (*handle)(const std::shared_ptr<ResponseStore>&,
                                                      const std::shared_ptr<Exchange>&),
                                       const std::string& id) {
    HttpRequest request;
    request.path = "/v1/responses/" + id;
    auto exchange = std::make_shared<FakeExchange>(std::move(request));
    handle(store_, exchange);
    return exchange;
  }
  // The model says `words`, and calls.
  void Answer(const std::string& words, std::vector<ToolCall> calls = {},
              StopReason reason = StopReason::kEndToken) {
    Sink& sink = *generator_.sink;
    sink.OnStart(3);
    if (!words.empty()) sink.OnToken(0, FakeToken(5, words).event());
    AnswerEnd end = FakeEnd(reason);
    end.tool_calls = std::move(calls);
    sink.OnEnd(0, std::move(end));
    sink.OnFinish({.prompt_tokens = 3, .cached_tokens = 1, .completion_tokens = 2});
  }
  const Generation& asked() const { return generator_.generation; }

  std::shared_ptr<ResponseStore> store_ = std::make_shared<ResponseStore>();
};

TEST_F(OpenAiResponses, ReadsInputOfEveryKind) {
  Respond(R"("input":"Hi","instructions":"Be brief.","max_output_tokens":9)");
  ASSERT_EQ(asked().messages.size(), 2);
  EXPECT_EQ(asked().messages[0].role, "system");
  EXPECT_EQ(asked().messages[1].parts[0].text, "Hi");
  EXPECT_EQ(asked().options.max_tokens, 9);
  const auto exchange = Respond(R"("input":[
      {"role":"developer","content":"d"},
      {"type":"message","role":"user","content":[{"type":"input_text","text":"a"},
          {"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"auto"},
          {"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}]},
      {"type":"reasoning","summary":[]},
      {"type":"function_call","call_id":"c","name":"weather","arguments":"{}"},
      {"type":"function_call_output","call_id":"c","output":"sunny"}])");
  ASSERT_EQ(generator_.runs, 2) << exchange->body;
  ASSERT_EQ(asked().messages.size(), 4);
  EXPECT_EQ(asked().messages[1].parts.size(), 3);
  EXPECT_THAT(asked().messages[2].parts[0].text, HasSubstr("weather"));
  EXPECT_EQ(asked().messages[2].role, "assistant");
  EXPECT_EQ(asked().messages[3].role, "user");
}

TEST_F(OpenAiResponses, ReadsFormatAndTools) {
  Respond(R"("input":"x","text":{"format":{"type":"json_schema","name":"n",
      "schema":{"type":"integer"}}},"tools":[{"type":"function","name":"f",
      "parameters":{"type":"object"}}],"tool_choice":{"type":"function","name":"f"})");
  EXPECT_EQ(asked().options.json_schema, R"({"type":"integer"})");
  ASSERT_EQ(asked().tools.size(), 1);
  EXPECT_EQ(asked().tool_choice.name, "f");
}

TEST_F(OpenAiResponses, RefusesNamingTheParameter) {
  ExpectRefused(*Respond(R"("inputs":"x")"), "input", "found nothing");
  ExpectRefused(*Respond(R"("input":[{"type":"smell"}])"), "input[0].type", "\"smell\"");
  ExpectRefused(*Respond(R"("input":[{"role":"user","content":[{"type":"input_file"}]}])"),
                "input[0].content[0].type", "input_file");
  ExpectRefused(*Respond(R"("input":[{"type":"function_call_output","call_id":"c","output":"x"}])"),
                "input[0].call_id", "earlier function_call");
  ExpectRefused(*Respond(R"("input":"x","background":true)"), "background", "found true");
  ExpectRefused(*Respond(R"("input":"x","n":2)"), "n", "found 2");
  const auto unknown = Respond(R"("input":"x","previous_response_id":"resp_1")");
  EXPECT_EQ(unknown->http_status, 404);
  EXPECT_THAT(unknown->body, HasSubstr("resp_1"));
  EXPECT_EQ(generator_.runs, 0);
}

TEST_F(OpenAiResponses, RemembersTheConversationButNotTheInstructions) {
  const auto first = Respond(R"("input":"Hi","instructions":"Be brief.")");
  Answer("Hello", {{"call_9", "f", "{}"}});
  const Json response = first->json();
  const std::string id = response["id"];
  EXPECT_EQ(response["status"], "completed");
  EXPECT_EQ(response["instructions"], "Be brief.");
  EXPECT_EQ(response["output"][0]["content"][0]["text"], "Hello");
  EXPECT_EQ(response["output"][1]["type"], "function_call");
  EXPECT_EQ(response["output"][1]["call_id"], "call_9");
  EXPECT_EQ(response["usage"]["input_tokens_details"]["cached_tokens"], 1);
  Respond(R"("previous_response_id":")" + id +
          R"(","input":[{"type":"function_call_output","call_id":"call_9","output":"1"}])");
  ASSERT_EQ(asked().messages.size(), 3);
  EXPECT_EQ(asked().messages[0].parts[0].text, "Hi");
  EXPECT_EQ(asked().messages[1].role, "assistant");
  EXPECT_EQ(Stored(HandleStoredResponse, id)->json(), response);
  EXPECT_EQ(Stored(HandleDeletedResponse, id)->json()["deleted"], true);
  EXPECT_EQ(Stored(HandleStoredResponse, id)->http_status, 404);
  EXPECT_EQ(Stored(HandleDeletedResponse, id)->http_status, 404);
  const auto forgotten = Respond(R"("input":"Hi","store":false)");
  Answer("Hello");
  EXPECT_EQ(store_->Get(forgotten->json()["id"]), nullptr);
}

TEST_F(OpenAiResponses, StreamsNamedEvents) {
  const auto exchange = Respond(R"("input":"Hi","stream":true)");
  Answer("Hel", {{"call_1", "f", "{\"a\":1}"}}, StopReason::kMaxTokens);
  ASSERT_TRUE(exchange->finished);
  std::vector<std::string> types;
  const auto events = exchange->events();
  for (size_t i = 0; i < events.size(); ++i) {
    const Json event = Json::parse(events[i]);
    EXPECT_EQ(event["sequence_number"], i);
    types.push_back(event["type"]);
    EXPECT_THAT(exchange->body, HasSubstr("event: " + types.back() + "\ndata: "));
  }
  EXPECT_THAT(
      types,
      ::testing::ElementsAre(
          "response.created", "response.in_progress", "response.output_item.added",
          "response.content_part.added", "response.output_text.delta", "response.output_text.done",
          "response.content_part.done", "response.output_item.done", "response.output_item.added",
          "response.function_call_arguments.delta", "response.function_call_arguments.done",
          "response.output_item.done", "response.completed"));
  EXPECT_EQ(Json::parse(events.back())["response"]["output"].size(), 2);
}

TEST_F(OpenAiResponses, SaysWhatIsIncompleteAndWhatFailed) {
  const auto cut = Respond(R"("input":"Hi","stream":true)");
  Answer("Hel", {}, StopReason::kMaxTokens);
  const Json last = Json::parse(cut->events().back());
  EXPECT_EQ(last["type"], "response.incomplete");
  EXPECT_EQ(last["response"]["incomplete_details"]["reason"], "max_output_tokens");
  const auto failed = Respond(R"("input":"Hi","stream":true)");
  generator_.sink->OnStart(1);
  generator_.sink->OnError(500, Error(StatusCode::kInternal, "a defect"));
  EXPECT_EQ(Json::parse(failed->events().back())["message"], "a defect");
  EXPECT_TRUE(failed->finished);
  const auto refused = Respond(R"("input":"Hi","stream":true)");
  generator_.sink->OnError(429, Error(StatusCode::kResourceExhausted, "full"));
  EXPECT_EQ(refused->http_status, 429);
}

TEST(ResponseStore, ForgetsWhatWasNotAskedForLongest) {
  ResponseStore store(2, 1 << 20);
  const auto conversation = [](size_t size) {
    StoredConversation c;
    c.messages = {Message::Text("user", std::string(size, 'x'))};
    return c;
  };
  store.Put("a", conversation(10));
  store.Put("b", conversation(10));
  EXPECT_NE(store.Get("a"), nullptr);
  store.Put("c", conversation(10));
  EXPECT_EQ(store.Get("b"), nullptr);
  EXPECT_NE(store.Get("a"), nullptr);
  store.Put("d", conversation(2 << 20));  // larger than all may be
  EXPECT_EQ(store.Get("d"), nullptr);
  EXPECT_NE(store.Get("c"), nullptr);
  store.Put("e", conversation((1 << 20) - 200));
  EXPECT_EQ(store.Get("c"), nullptr);
  EXPECT_LE(store.bytes(), size_t{1} << 20);
  EXPECT_TRUE(store.Remove("e"));
  EXPECT_EQ(store.bytes(), 0u);
}

class OpenAiTokenizer : public OpenAiTest {};

TEST_F(OpenAiTokenizer, TextsAndIdsBothWays) {
  const Json with =
      Call(HandleTokenize, R"({"prompt":"three birds","return_token_strs":true})")->json();
  const Json without =
      Call(HandleTokenize, R"({"prompt":"three birds","add_special_tokens":false})")->json();
  EXPECT_EQ(with["count"].get<int>(), without["count"].get<int>() + 1);
  EXPECT_EQ(with["token_strs"][0], "<bos>");
  EXPECT_EQ(without["tokens"], Json(*engine_->Tokenize("three birds", false)));
  EXPECT_EQ(
      Call(HandleDetokenize, R"({"tokens":)" + without["tokens"].dump() + "}")->json()["prompt"],
      "three birds");
  generator_.prompt = Prompt({2, 7});
  EXPECT_EQ(
      Call(HandleTokenize, R"({"messages":[{"role":"user","content":"x"}]})")->json()["tokens"],
      Json({2, 7}));
  EXPECT_EQ(Call(HandleTokenizerInfo, "")->json()["eos_token"], "<eos>");
  ExpectRefused(*Call(HandleTokenize, R"({"prompt":5})"), "prompt", "a string, found 5");
  ExpectRefused(*Call(HandleDetokenize, R"({"tokens":["a"]})"), "tokens", "token ids");
  ExpectRefused(*Call(HandleDetokenize, "{}"), "tokens", "found nothing");
}

}  // namespace
}  // namespace gemma3n::server
