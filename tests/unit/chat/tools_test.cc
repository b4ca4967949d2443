#include "chat/tools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "chat/chat_template.h"

namespace gemma3n {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;

const std::vector<FunctionSpec> kFunctions = {
    {"get_weather", "Weather of a place",
     R"({"type":"object","properties":{"place":{"$ref":"#/$defs/place"}},"required":["place"],)"
     R"("$defs":{"place":{"type":"string"}}})"},
    {"stop", "", ""}};

TEST(FunctionPrompt, ListsTheFunctionsAndSaysHowToCall) {
  const std::string text = *FunctionPrompt(kFunctions, {});
  EXPECT_THAT(text, HasSubstr("You have access to functions. If you decide to invoke any of the "
                              "function(s),\nyou MUST put it in the format of\n"
                              "{\"name\": function name, \"parameters\": dictionary of argument "
                              "name and its value}"));
  const Json list = Json::parse(text.substr(text.rfind("\n[") + 1));
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0]["name"], "get_weather");
  EXPECT_EQ(list[0]["description"], "Weather of a place");
  EXPECT_EQ(list[0]["parameters"], Json::parse(kFunctions[0].parameters));
  EXPECT_EQ(list[1]["parameters"]["type"], "object");
  EXPECT_THAT(*FunctionPrompt(kFunctions, {.parallel = false}), Not(HasSubstr("JSON list")));
  EXPECT_THAT(*FunctionPrompt(kFunctions, {.required = true}), HasSubstr("You MUST invoke a"));
  EXPECT_THAT(*FunctionPrompt(kFunctions, {.name = "stop"}),
              HasSubstr("MUST invoke the function stop"));
}

TEST(FunctionPrompt, RefusesWhatIsNoFunction) {
  const auto refusal = [](std::vector<FunctionSpec> functions, const FunctionChoice& choice = {}) {
    const auto status = FunctionPrompt(functions, choice).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    return status.message();
  };
  EXPECT_THAT(refusal({{"", "", ""}}), HasSubstr("no name"));
  EXPECT_THAT(refusal({{"f", "", ""}, {"f", "", ""}}), HasSubstr("f is there twice"));
  EXPECT_THAT(refusal({{"f", "", "[]"}}), HasSubstr("expected a JSON object, found array"));
  EXPECT_THAT(refusal({{"f", "", "{"}}), HasSubstr("parameters of function f: not valid JSON"));
  EXPECT_THAT(refusal({{"f", "", ""}}, {.name = "g"}), HasSubstr("g is not among"));
  EXPECT_THAT(refusal({}, {.required = true}), HasSubstr("no functions"));
}

TEST(AddFunctions, StandsInFrontOfTheFirstTurn) {
  const auto render = [](std::vector<Message> messages) {
    return *ChatTemplate::Builtin().Render(*AddFunctions(std::move(messages), kFunctions, {}), {});
  };
  const std::string text = *FunctionPrompt(kFunctions, {});
  EXPECT_EQ(render({Message::Text("user", "Hi")}),
            "<bos><start_of_turn>user\n" + text + "\n\nHi<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(render({Message::Text("system", "Be brief."), Message::Text("user", "Hi")}),
            "<bos><start_of_turn>user\nBe brief.\n\n" + text +
                "\n\nHi<end_of_turn>\n<start_of_turn>model\n");
}

TEST(AddFunctions, EarlierCallsAndResultsAreTurns) {
  const std::vector<FunctionCall> calls = {{"get_weather", R"({"place":"Bern"})"}};
  std::vector<Message> messages = {Message::Text("user", "Rain?"), CallMessage("", calls),
                                   ResultMessage("get_weather", {Part::Text("sunny")}),
                                   Message::Text("user", "So?")};
  EXPECT_EQ(*ChatTemplate::Builtin().Render(JoinTurns(messages), {}),
            "<bos><start_of_turn>user\nRain?<end_of_turn>\n<start_of_turn>model\n"
            R"({"name":"get_weather","parameters":{"place":"Bern"}})"
            "<end_of_turn>\n<start_of_turn>user\nResult of get_weather:\nsunny\n\nSo?"
            "<end_of_turn>\n<start_of_turn>model\n");
  const std::vector<FunctionCall> two = {{"stop", ""}, {"stop", "no JSON"}};
  EXPECT_EQ(CallMessage("So:", two).parts[0].text,
            R"(So:
[{"name":"stop","parameters":{}},{"name":"stop","parameters":"no JSON"}])");
}

TEST(JoinTurns, KeepsMediaInTheirPlaces) {
  const auto joined = JoinTurns({Message::Parts("user", {Part::Image({}), Part::Text("a")}),
                                 Message::Text("user", "b"), Message::Text("assistant", "c")});
  ASSERT_EQ(joined.size(), 2u);
  EXPECT_FALSE(joined[0].is_string);
  ASSERT_EQ(joined[0].parts.size(), 2u);
  EXPECT_EQ(joined[0].parts[0].kind, Part::Kind::kImage);
  EXPECT_EQ(joined[0].parts[1].text, "a\n\nb");
  EXPECT_TRUE(joined[1].is_string);
}

TEST(FunctionCallSchema, IsACallOrAListOfCalls) {
  const Json schema = Json::parse(*FunctionCallSchema(kFunctions, {.required = true}));
  EXPECT_EQ(schema["anyOf"][0]["$ref"], "#/$defs/call");
  EXPECT_EQ(schema["anyOf"][1]["type"], "array");
  EXPECT_EQ(schema["anyOf"][1]["minItems"], 1);
  const Json& calls = schema["$defs"]["call"]["anyOf"];
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0]["properties"]["name"]["const"], "get_weather");
  EXPECT_EQ(calls[0]["properties"]["parameters"]["$ref"], "#/$defs/parameters0");
  // A reference inside the parameters still finds its definition.
  EXPECT_EQ(schema["$defs"]["parameters0"]["properties"]["place"]["$ref"],
            "#/$defs/parameters0/$defs/place");
  EXPECT_EQ(schema["$defs"]["parameters1"]["additionalProperties"], false);

  const Json named =
      Json::parse(*FunctionCallSchema(kFunctions, {.name = "stop", .parallel = false}));
  EXPECT_EQ(named["$ref"], "#/$defs/call");
  ASSERT_EQ(named["$defs"]["call"]["anyOf"].size(), 1u);
  EXPECT_EQ(named["$defs"]["call"]["anyOf"][0]["properties"]["name"]["const"], "stop");
}

}  // namespace
}  // namespace gemma3n
