#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/constraint/document.h"

namespace gemma3n {
namespace {

using ::testing::HasSubstr;

TEST(Schema, AnyValue) {
  for (const char* schema : {"{}", "true", R"({"title":"x","description":"y","default":1})"}) {
    for (const char* document :
         {"null", "true", "false", "0", "-12.5e+3", "\"\"", R"("a\n\u00e9\ud83d\ude00é😀")", "[]",
          "[1,\"a\",[{}]]", "{}", R"({"a":1,"b":{"c":[null]}})", "[\n  1,\n  2\n]", "{ }",
          R"({ "a": 1, "b": [ 1, 2 ] })"})
      EXPECT_EQ(Read(schema, document), "whole") << schema << " " << document;
    for (const char* document : {"nul",
                                 "01",
                                 "1.",
                                 "+1",
                                 "[1,]",
                                 "{\"a\"}",
                                 "{a:1}",
                                 "'a'",
                                 "\"\x01\"",
                                 "\"\xff\"",
                                 "\"\xc0\x80\"",
                                 R"("\ud800")",
                                 R"("\udc00\ud800")",
                                 "[1 2]",
                                 " 1",
                                 "1 ",
                                 "[  1]",
                                 "{\"a\":1,}",
                                 R"("\x")",
                                 "[1]]"})
      EXPECT_FALSE(Takes(schema, document)) << schema << " " << document;
  }
}

TEST(Schema, ObjectsKeepTheSchemasOrder) {
  const char* schema =
      R"({"type":"object","properties":{"b":{"type":"integer"},"a":{"type":"string"},
    "c":{"type":"boolean"}},"required":["b","c"],"additionalProperties":false})";
  EXPECT_TRUE(Takes(schema, R"({"b":1,"a":"x","c":true})"));
  EXPECT_TRUE(Takes(schema, R"({"b": 1, "c": false})"));
  EXPECT_EQ(Read(schema, R"({"a":"x")"), "not byte 2");
  EXPECT_EQ(Read(schema, R"({"b":1})"), "not byte 6");
  EXPECT_EQ(Read(schema, R"({"b":1,"c":true,)"), "not byte 15");
  EXPECT_EQ(Read(schema, R"({"b":"x")"), "not byte 5");
  EXPECT_EQ(Read(schema, R"({"b":1,"d")"), "not byte 8");
}

TEST(Schema, OtherPropertiesComeLastAndHaveOtherNames) {
  const char* schema =
      R"({"properties":{"ab":{"type":"integer"},"a\"":{"type":"null"}},"required":["ab"],
    "additionalProperties":{"type":"boolean"}})";
  EXPECT_TRUE(Takes(schema, R"({"ab":1,"a\"":null,"a":true,"abc":false,"a\n":true,"":true})"));
  EXPECT_TRUE(Takes(schema, R"({"ab":1,"x\u0061":true})"));
  EXPECT_FALSE(Takes(schema, R"({"a":true,"ab":1})"));
  EXPECT_FALSE(Takes(schema, R"({"ab":1,"ab":true})"));
  EXPECT_FALSE(Takes(schema, R"({"ab":1,"a\u0062":true})"));
  EXPECT_FALSE(Takes(schema, R"({"ab":1,"a\"":true})"));
  EXPECT_FALSE(Takes(schema, R"({"ab":1,"b":1})"));
}

TEST(Schema, RequiredWithoutDescription) {
  EXPECT_TRUE(Takes(R"({"type":"object","required":["x"]})", R"({"x":[1],"y":2})"));
  EXPECT_FALSE(Takes(R"({"type":"object","required":["x"]})", R"({"y":2})"));
}

TEST(Schema, KeywordsThatHoldAnywayPass) {
  EXPECT_TRUE(Takes(R"({"type":"object","propertyNames":{"type":"string"},"minProperties":0})",
                    R"({"x":1})"));
  EXPECT_TRUE(Takes(R"({"properties":{"a":true,"b":true},"required":["a"],"minProperties":1,
    "maxProperties":2,"additionalProperties":false})",
                    R"({"a":1})"));
  EXPECT_TRUE(Takes(R"({"type":"array","uniqueItems":false})", "[1,1]"));
}

TEST(Schema, Arrays) {
  const char* schema = R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3})";
  EXPECT_TRUE(Takes(schema, "[1]"));
  EXPECT_TRUE(Takes(schema, "[1, 2, 3]"));
  EXPECT_EQ(Read(schema, "[]"), "not byte 1");
  EXPECT_EQ(Read(schema, "[1,2,3,"), "not byte 6");
  const char* prefix =
      R"({"prefixItems":[{"type":"string"},{"type":"null"}],"items":{"type":"boolean"}})";
  EXPECT_TRUE(Takes(prefix, "[]"));
  EXPECT_TRUE(Takes(prefix, R"(["a",null,true,false])"));
  EXPECT_FALSE(Takes(prefix, R"(["a",true])"));
  EXPECT_EQ(Read(R"({"prefixItems":[{"type":"string"}],"items":false})", R"(["a",)"), "not byte 4");
  EXPECT_EQ(Read(R"({"type":"array","items":false})", "[1"), "not byte 1");
}

TEST(Schema, EnumAndConst) {
  const char* schema = R"({"enum":["a","ab",1,null,{"x":[1]},"é\n"]})";
  for (const char* document : {"\"a\"", "\"ab\"", "1", "null", R"({"x":[1]})", "\"é\\n\""})
    EXPECT_TRUE(Takes(schema, document)) << document;
  for (const char* document : {"\"b\"", "2", "\"abc\"", "{}", "12"})
    EXPECT_FALSE(Takes(schema, document)) << document;
  EXPECT_TRUE(Takes(R"({"const":"x"})", "\"x\""));
  EXPECT_TRUE(Takes(R"({"type":"string","enum":["a",1]})", "\"a\""));
  EXPECT_FALSE(Takes(R"({"type":"string","enum":["a",1]})", "1"));
  EXPECT_FALSE(Takes(R"({"enum":["a","bb"],"minLength":2})", "\"a\""));
  EXPECT_TRUE(Takes(R"({"enum":[1,5,9],"minimum":2,"maximum":6})", "5"));
  EXPECT_FALSE(Takes(R"({"enum":[1,5,9],"minimum":2,"maximum":6})", "9"));
}

TEST(Schema, StringsHaveLengthsInCharacters) {
  const char* schema = R"({"type":"string","minLength":2,"maxLength":3})";
  EXPECT_TRUE(Takes(schema, "\"é😀\""));
  EXPECT_TRUE(Takes(schema, R"("\ud83d\ude00\n\u00e9")"));
  EXPECT_EQ(Read(schema, "\"a\""), "not byte 2");
  EXPECT_EQ(Read(schema, "\"abcd"), "not byte 4");
}

TEST(Schema, Patterns) {
  const char* schema = R"({"type":"string","pattern":"^[A-Z]{2}-\\d+$"})";
  EXPECT_TRUE(Takes(schema, "\"AB-12\""));
  EXPECT_EQ(Read(schema, "\"Ab"), "not byte 2");
  EXPECT_EQ(Read(schema, "\"AB-\""), "not byte 4");
  EXPECT_TRUE(Takes(R"({"pattern":"b"})", "\"abc\""));
  EXPECT_FALSE(Takes(R"({"pattern":"b"})", "\"ac\""));
  EXPECT_TRUE(Takes(R"({"pattern":"^a|b$"})", "\"ax\""));
  EXPECT_TRUE(Takes(R"({"pattern":"^a|b$"})", "\"xb\""));
  EXPECT_FALSE(Takes(R"({"pattern":"^a|b$"})", "\"xa\""));
  EXPECT_TRUE(Takes(R"({"pattern":"^^a$$"})", "\"a\""));
  EXPECT_TRUE(Takes(R"({"pattern":"^[^a]$"})", "\"\\\"\""));
  EXPECT_TRUE(Takes(R"({"pattern":"^[^a]$"})", "\"\\u001F\""));
  EXPECT_TRUE(Takes(R"({"pattern":"^[^a]$"})", R"("\u000a")"));
  EXPECT_TRUE(Takes(R"({"pattern":"^[^a]$"})", R"("\u005C")"));
  EXPECT_FALSE(Takes(R"({"pattern":"^[^a]$"})", R"("\u0061")"));
  EXPECT_FALSE(Takes(R"({"pattern":"^[^a]$"})", R"("\u0062")"));  // needs no escape
  EXPECT_TRUE(Takes(R"({"pattern":"^.{1,1000}$"})", std::string("\"").append(1000, 'a').append("\"")));
  EXPECT_FALSE(Takes(R"({"pattern":"^.{1,1000}$"})", std::string("\"").append(1001, 'a').append("\"")));
  EXPECT_TRUE(Takes(R"({"pattern":"^.{2}$"})", "\"é😀\""));
  EXPECT_FALSE(Takes(R"({"pattern":"^.$"})", "\"\\n\""));
  EXPECT_TRUE(Takes(R"({"pattern":"^a+$","maxLength":3})", "\"aaa\""));
  EXPECT_FALSE(Takes(R"({"pattern":"^a+$","maxLength":3})", "\"aaaa\""));
  EXPECT_FALSE(Takes(R"({"pattern":"^a+$","minLength":2})", "\"a\""));
}

TEST(Schema, Formats) {
  const auto takes = [](const std::string& format, const std::string& text) {
    return Takes(R"({"type":"string","format":")" + format + "\"}", "\"" + text + "\"");
  };
  EXPECT_TRUE(takes("date", "2024-02-29"));
  EXPECT_FALSE(takes("date", "2023-02-29"));
  EXPECT_FALSE(takes("date", "1900-02-29"));
  EXPECT_TRUE(takes("date", "2000-02-29"));
  EXPECT_FALSE(takes("date", "2024-04-31"));
  EXPECT_TRUE(takes("date-time", "2024-04-30T23:59:59.5+02:00"));
  EXPECT_TRUE(takes("time", "00:00:00Z"));
  EXPECT_FALSE(takes("time", "24:00:00Z"));
  EXPECT_TRUE(takes("uuid", "123e4567-e89b-12d3-a456-426614174000"));
  EXPECT_TRUE(takes("email", "a.b+c@example.org"));
  EXPECT_FALSE(takes("email", "a@b@c"));
  EXPECT_TRUE(takes("ipv4", "255.0.10.1"));
  EXPECT_FALSE(takes("ipv4", "256.0.10.1"));
  for (const char* good : {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "fe80::1:2", "1:2:3:4:5:6:7::"})
    EXPECT_TRUE(takes("ipv6", good)) << good;
  for (const char* bad : {"1:2:3", ":::", "1::2::3", "1:2:3:4:5:6:7:8:9"})
    EXPECT_FALSE(takes("ipv6", bad)) << bad;
  EXPECT_TRUE(takes("uri", "https://example.org/a?b=c#d"));
  EXPECT_TRUE(takes("duration", "P1Y2M3DT4H5M6S"));
  EXPECT_TRUE(takes("hostname", "a-b.example"));
  EXPECT_TRUE(takes("unheard-of", "anything"));
}

TEST(Schema, IntegersBetweenBounds) {
  for (int low = -25; low <= 25; low += 5) {
    for (int high = low; high <= 120; high += 23) {
      const std::string schema = R"({"type":"integer","minimum":)" + std::to_string(low) +
                                 R"(,"exclusiveMaximum":)" + std::to_string(high + 1) + "}";
      for (int value = -150; value <= 150; ++value) {
        EXPECT_EQ(Takes(schema, std::to_string(value)), low <= value && value <= high)
            << schema << value;
        if (value == -31) value = -30;
      }
      break;
    }
  }
  EXPECT_TRUE(Takes(R"({"type":"integer","minimum":9007199254740993})", "9007199254740993"));
  EXPECT_FALSE(Takes(R"({"type":"integer","minimum":9007199254740993})", "9007199254740992"));
  EXPECT_TRUE(Takes(R"({"type":"integer","minimum":1.5})", "2"));
  EXPECT_FALSE(Takes(R"({"type":"integer","minimum":1.5})", "1"));
}

TEST(Schema, NumbersBetweenBounds) {
  const char* schema = R"({"type":"number","minimum":-0.25,"exclusiveMaximum":1.5})";
  for (const char* document : {"0", "-0.25", "-0.2", "1.4999", "1", "1.0", "0.00001", "-0"})
    EXPECT_TRUE(Takes(schema, document)) << document;
  for (const char* document : {"-0.26", "-1", "1.5", "1.50", "2", "1.51", "-0.3", "10"})
    EXPECT_FALSE(Takes(schema, document)) << document;
  EXPECT_TRUE(Takes(R"({"type":"number","exclusiveMinimum":0})", "0.1"));
  EXPECT_FALSE(Takes(R"({"type":"number","exclusiveMinimum":0})", "0.0"));
  EXPECT_FALSE(Takes(R"({"type":"number","exclusiveMinimum":0})", "-1"));
  EXPECT_TRUE(Takes(R"({"type":"number","maximum":1e-7})", "0.0000001"));
  EXPECT_FALSE(Takes(R"({"type":"number","maximum":1e-7})", "0.00000011"));
}

TEST(Schema, ChoicesAndConjunctions) {
  const char* any = R"({"anyOf":[{"type":"string"},{"type":"object","properties":{"k":{"const":1}},
    "required":["k"],"additionalProperties":false},{"type":"object","properties":{"k":{"const":12}}}]})";
  EXPECT_TRUE(Takes(any, "\"a\""));
  EXPECT_TRUE(Takes(any, R"({"k":1})"));
  EXPECT_TRUE(Takes(any, R"({"k":12,"x":0})"));
  EXPECT_FALSE(Takes(any, R"({"k":1,"x":0})"));
  const char* all = R"({"allOf":[{"properties":{"a":{"type":"number"}},"required":["a"]},
    {"type":"object","properties":{"a":{"maximum":3},"b":true},"additionalProperties":false}]})";
  EXPECT_TRUE(Takes(all, R"({"a":2.5})"));
  EXPECT_FALSE(Takes(all, R"({"a":4})"));
  EXPECT_TRUE(Takes(all, R"({"a":2,"b":null})"));
  EXPECT_FALSE(Takes(all, R"({"a":2,"c":null})"));
  EXPECT_FALSE(Takes(all, R"({"b":2})"));
  const char* both =
      R"({"type":"object","properties":{"x":{"type":"integer"},"y":{"type":"integer"}},
    "anyOf":[{"required":["x"]},{"required":["y"]}]})";
  EXPECT_TRUE(Takes(both, R"({"y":1})"));
  EXPECT_TRUE(Takes(both, R"({"x":1})"));
  EXPECT_FALSE(Takes(both, "{}"));
}

TEST(Schema, Recursion) {
  const char* tree = R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{
    "value":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},
    "required":["value","next"],"additionalProperties":false}}})";
  EXPECT_TRUE(Takes(tree, R"({"value":1,"next":{"value":2,"next":null}})"));
  EXPECT_FALSE(Takes(tree, R"({"value":1,"next":{"value":2}})"));
  // 64 objects deep and no deeper: the last must end.
  std::string deep;
  for (int i = 0; i < 64; ++i) deep += R"({"value":1,"next":)";
  EXPECT_EQ(Read(tree, deep), "part");
  EXPECT_EQ(Read(tree, deep + "{"), "not byte " + std::to_string(deep.size()));
  EXPECT_EQ(Read(tree, deep + "null" + std::string(64, '}')), "whole");
  EXPECT_EQ(Read("{}", std::string(64, '[')), "part");
  EXPECT_EQ(Read("{}", std::string(65, '[')), "not byte 64");
  EXPECT_TRUE(Takes(R"({"type":"array","items":{"$ref":"#"}})", "[[],[[]]]"));
  // A choice at the end of the root's reference.
  const char* sum = R"({"$ref":"#/$defs/e","$defs":{"e":{"anyOf":[{"type":"number"},
    {"type":"object","properties":{"of":{"type":"array","items":{"$ref":"#"}}},"required":["of"],
    "additionalProperties":false}]}}})";
  EXPECT_TRUE(Takes(sum, R"({"of":[1,{"of":[]},2.5]})"));
  EXPECT_FALSE(Takes(sum, R"({"of":["x"]})"));
  // A branch that is the whole again adds nothing.
  EXPECT_FALSE(
      Takes(R"({"$ref":"#/$defs/e","$defs":{"e":{"anyOf":[{"$ref":"#"},{"type":"null"}]}}})", "1"));
  // References that go round without a value in between.
  EXPECT_TRUE(Takes(R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", "null"));
}

TEST(Schema, RefusalsNameKeywordAndPlace) {
  const auto refusal = [](std::string_view schema) {
    const auto status = CompileSchema(schema).status();
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << status.message();
    return status.message();
  };
  EXPECT_EQ(refusal(R"({"properties":{"a":{"not":{}}}})"),
            R"(JSON Schema: #/properties/a: "not" is not supported)");
  EXPECT_THAT(refusal(R"({"items":{"multipleOf":3}})"), HasSubstr(R"(#/items: "multipleOf")"));
  EXPECT_THAT(refusal(R"({"type":"object","minProperties":1})"), HasSubstr("minProperties"));
  EXPECT_THAT(refusal(R"({"type":"object","maxProperties":1})"), HasSubstr("maxProperties"));
  EXPECT_THAT(refusal(R"({"type":"object","propertyNames":{"pattern":"^a"}})"),
              HasSubstr("propertyNames"));
  EXPECT_THAT(refusal(R"j({"pattern":"a(?=b)"})j"), HasSubstr("#/pattern: look-around"));
  EXPECT_THAT(refusal(R"({"pattern":"\\bx"})"), HasSubstr("\\b in a regular expression"));
  EXPECT_THAT(refusal(R"({"$ref":"https://example.org/x"})"), HasSubstr("$ref"));
  EXPECT_THAT(refusal(R"({"type":"number","minimum":1e30})"), HasSubstr("10^18"));
  EXPECT_THAT(refusal(R"j({"pattern":"^(a|b)*a(a|b){30}$"})j"),
              HasSubstr("automaton has more than"));
}

TEST(Schema, ErrorsInSchemas) {
  const auto error = [](std::string_view schema) {
    const auto status = CompileSchema(schema).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status.message();
    return status.message();
  };
  EXPECT_THAT(error("{"), HasSubstr("not valid JSON"));
  EXPECT_THAT(error("3"), HasSubstr("#: expected an object or a boolean, found number"));
  EXPECT_THAT(error("false"), HasSubstr("no value is allowed"));
  EXPECT_THAT(error(R"({"type":"strin"})"), HasSubstr("#/type: expected the name of a type"));
  EXPECT_THAT(error(R"({"$ref":"#/$defs/x"})"), HasSubstr("leads nowhere"));
  EXPECT_THAT(error(R"({"type":"string","minLength":-1})"),
              HasSubstr("#/minLength: expected a whole"));
  EXPECT_THAT(error(R"({"required":"a"})"), HasSubstr("#/required: expected a list"));
  EXPECT_THAT(error(R"({"pattern":"["})"), HasSubstr("a class without its ]"));
  EXPECT_THAT(error(R"({"enum":[]})"), HasSubstr("no value is allowed"));
  EXPECT_THAT(error(R"({"type":"string","allOf":[{"type":"null"}]})"), HasSubstr("no value"));
  // Endless values only.
  EXPECT_THAT(error(R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})"),
              HasSubstr("no value is allowed"));
}

}  // namespace
}  // namespace gemma3n
