#include "chat/tool_call_parser.h"

#include <utility>

#include "formats/json.h"

namespace gemma3n {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFence = "```";

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

bool IsFenceWord(std::string_view word) {
  return word.empty() || word == "json" || word == "tool_code" || word == "tool_call";
}

bool MayBecomeFenceWord(std::string_view word) {
  for (const std::string_view whole : {"json", "tool_code", "tool_call"}) {
    if (whole.starts_with(word)) return true;
  }
  return false;
}

bool IsArgumentsKey(std::string_view key) { return key == "parameters" || key == "arguments"; }

// A call of one of the functions, exactly.
bool ToCall(const Json& value, const std::unordered_set<std::string>& names, FunctionCall& call) {
  if (!value.is_object() || !value.contains("name") || !value["name"].is_string()) return false;
  call.name = value["name"].get<std::string>();
  if (!names.contains(call.name)) return false;
  call.arguments = "{}";
  bool found = false;
  for (const auto& [key, member] : value.items()) {
    if (key == "name") continue;
    if (!IsArgumentsKey(key) || !member.is_object() || found) return false;
    call.arguments = DumpOrderedJson(member);
    found = true;
  }
  return true;
}

}  // namespace

ToolCallParser::ToolCallParser(std::span<const FunctionSpec> functions) {
  for (const FunctionSpec& function : functions) names_.insert(function.name);
  if (names_.empty()) place_ = Place::kText;
}

void ToolCallParser::Push(std::string_view piece, std::string& text) {
  for (size_t i = 0; i < piece.size(); ++i) {
    if (place_ == Place::kText) {
      text += piece.substr(i);
      return;
    }
    held_ += piece[i];
    if (Take(piece[i]) == Verdict::kGoOn) continue;
    place_ = Place::kText;
    text += std::exchange(held_, {});
  }
}

void ToolCallParser::Finish(std::string& text) {
  // Space and separators after a call belong to it.
  if (calls_.empty() || held_.find_first_not_of(" \n\r\t,;") != std::string::npos) text += held_;
  held_.clear();
  place_ = Place::kText;
}

ToolCallParser::Verdict ToolCallParser::Take(char c) {
  switch (place_) {
    case Place::kLead:
      return TakeLead(c);
    case Place::kFence:
      fence_ += c;
      if (!kFence.starts_with(fence_)) return Verdict::kText;
      if (fence_.size() < kFence.size()) return Verdict::kGoOn;
      fence_.clear();
      fenced_ = !fenced_;
      place_ = fenced_ ? Place::kFenceWord : Place::kLead;
      if (!fenced_ && !calls_.empty()) held_.clear();
      return Verdict::kGoOn;
    case Place::kFenceWord:
      if (c == '{' || c == '[' || IsSpace(c)) {
        if (!IsFenceWord(fence_)) return Verdict::kText;
        place_ = Place::kLead;
        return TakeLead(c);
      }
      fence_ += c;
      return MayBecomeFenceWord(fence_) ? Verdict::kGoOn : Verdict::kText;
    case Place::kJson:
      return TakeJson(c);
    case Place::kText:
      break;
  }
  return Verdict::kText;
}

// Before, between and after calls.
ToolCallParser::Verdict ToolCallParser::TakeLead(char c) {
  if (IsSpace(c)) return Verdict::kGoOn;
  if (!calls_.empty() && (c == ',' || c == ';')) return Verdict::kGoOn;
  if (c == '`') {
    place_ = Place::kFence;
    fence_ = c;
    return Verdict::kGoOn;
  }
  if (c != '{' && c != '[') return Verdict::kText;
  place_ = Place::kJson;
  start_ = held_.size() - 1;
  brackets_ = c;
  key_ = c == '{';
  last_key_.clear();
  return Verdict::kGoOn;
}

ToolCallParser::Verdict ToolCallParser::TakeJson(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
      return EndString();
    }
    return Verdict::kGoOn;
  }
  // A call is the outermost value, or one in the outermost list.
  const bool in_call = brackets_ == "{" || brackets_ == "[{";
  switch (c) {
    case '"':
      in_string_ = true;
      string_ = held_.size() - 1;
      return brackets_ == "[" ? Verdict::kText : Verdict::kGoOn;
    case '{':
    case '[':
      if (brackets_ == "[" && c == '[') return Verdict::kText;
      brackets_ += c;
      key_ = brackets_ == "[{";
      if (key_) last_key_.clear();
      return Verdict::kGoOn;
    case '}':
    case ']':
      if (brackets_.back() != (c == '}' ? '{' : '[')) return Verdict::kText;
      brackets_.pop_back();
      return brackets_.empty() ? EndJson() : Verdict::kGoOn;
    case ',':
      if (in_call) key_ = true;
      return Verdict::kGoOn;
    default:
      return brackets_ == "[" && !IsSpace(c) ? Verdict::kText : Verdict::kGoOn;
  }
}

// Keys that no call has, and names that are no function's, need not be waited out.
ToolCallParser::Verdict ToolCallParser::EndString() {
  if (brackets_ != "{" && brackets_ != "[{") return Verdict::kGoOn;
  const auto parsed = ParseJson(std::string_view(held_).substr(string_), "string");
  if (!parsed.ok()) return Verdict::kText;
  const std::string string = parsed->get<std::string>();
  if (std::exchange(key_, false)) {
    last_key_ = string;
    return string == "name" || IsArgumentsKey(string) ? Verdict::kGoOn : Verdict::kText;
  }
  return last_key_ == "name" && names_.contains(string) ? Verdict::kGoOn : Verdict::kText;
}

ToolCallParser::Verdict ToolCallParser::EndJson() {
  const auto value = ParseOrderedJson(std::string_view(held_).substr(start_), "call");
  if (!value.ok()) return Verdict::kText;
  std::vector<FunctionCall> found(value->is_array() ? value->size() : 1);
  for (size_t i = 0; i < found.size(); ++i) {
    if (!ToCall(value->is_array() ? (*value)[i] : *value, names_, found[i])) return Verdict::kText;
  }
  if (found.empty()) return Verdict::kText;
  for (FunctionCall& call : found) calls_.push_back(std::move(call));
  held_.clear();
  place_ = Place::kLead;
  return Verdict::kGoOn;
}

}  // namespace gemma3n
