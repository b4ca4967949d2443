// JSON to template values and messages, for the fixtures.
#pragma once

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "chat/jinja/value.h"
#include "gemma3n/content.h"

namespace gemma3n {

using Json = nlohmann::ordered_json;

inline Json ReadFixture(const std::string& name) {
  std::ifstream file(GEMMA3N_SOURCE_DIR "/tests/golden/chat/" + name);
  return Json::parse(file);
}

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline jinja::Value ToValue(const Json& json, jinja::Budget& budget) {
  using jinja::Value;
  if (json.is_null()) return Value(jinja::None{});
  if (json.is_boolean()) return Value(json.get<bool>());
  if (json.is_number_integer()) return Value(json.get<int64_t>());
  if (json.is_number()) return Value(json.get<double>());
  if (json.is_string()) return Value(json.get<std::string>());
  if (json.is_array()) {
    std::vector<Value> items;
    for (const auto& item : json) items.push_back(ToValue(item, budget));
    return MakeList(std::move(items), budget).value();
  }
  std::vector<std::pair<Value, Value>> items;
  for (const auto& [key, value] : json.items())
    items.emplace_back(Value(key), ToValue(value, budget));
  return MakeDict(std::move(items), budget).value();
}

inline std::vector<std::pair<std::string, jinja::Value>> ToVariables(const Json& json) {
  jinja::Budget budget{jinja::Limits{}};
  std::vector<std::pair<std::string, jinja::Value>> variables;
  for (const auto& [name, value] : json.items())
    variables.emplace_back(name, ToValue(value, budget));
  return variables;
}

// [["user", "text" or [{"type": ...}]], ...]
inline std::vector<Message> ToMessages(const Json& json) {
  std::vector<Message> messages;
  for (const auto& turn : json) {
    Message message{turn[0], {}, turn[1].is_string()};
    if (message.is_string) {
      message.parts.push_back(Part::Text(turn[1]));
    } else {
      for (const auto& part : turn[1]) {
        const std::string type = part["type"];
        if (type == "text") message.parts.push_back(Part::Text(part["text"]));
        if (type == "image") message.parts.push_back({Part::Kind::kImage, ""});
        if (type == "audio") message.parts.push_back({Part::Kind::kAudio, ""});
      }
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

// 2024-07-09 08:05:03, the fixtures' time.
inline std::tm FixtureTime() {
  std::tm time{};
  time.tm_year = 124;
  time.tm_mon = 6;
  time.tm_mday = 9;
  time.tm_hour = 8;
  time.tm_min = 5;
  time.tm_sec = 3;
  time.tm_wday = 2;
  time.tm_yday = 190;
  return time;
}

}  // namespace gemma3n
