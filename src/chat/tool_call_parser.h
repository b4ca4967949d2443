// Finds function calls in an answer that arrives in pieces.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "chat/tools.h"

namespace gemma3n {

// An answer is calls when it begins with them: a JSON object {"name": ..., "parameters": {...}}
// ("arguments" is taken too) whose name is one of the functions', a list of such, several one after
// the other, each also inside a ``` fence (json, tool_code, tool_call or nothing behind it).
// Everything else is text, none of which is lost: what may still become a call is held back, and
// comes out as soon as it certainly is none. Text after a call is text to the end. How the answer
// was cut into pieces makes no difference.
class ToolCallParser {
 public:
  explicit ToolCallParser(std::span<const FunctionSpec> functions);

  // Takes the next piece and appends to `text` what is certainly no call.
  void Push(std::string_view piece, std::string& text);
  // The answer has ended: appends what was held back and is no call.
  void Finish(std::string& text);

  // Those that are complete, in order.
  const std::vector<FunctionCall>& calls() const { return calls_; }
  // Bytes held back.
  size_t pending() const { return held_.size(); }

 private:
  enum class Place { kLead, kFence, kFenceWord, kJson, kText };
  enum class Verdict { kGoOn, kText };

  Verdict Take(char c);
  Verdict TakeLead(char c);
  Verdict TakeJson(char c);
  Verdict EndString();
  Verdict EndJson();

  std::unordered_set<std::string> names_;
  std::vector<FunctionCall> calls_;
  Place place_ = Place::kLead;
  std::string held_;      // since the last call or the beginning
  size_t start_ = 0;      // of the JSON value in held_
  bool fenced_ = false;   // inside ``` ... ```
  std::string fence_;     // back-quotes, then the word behind them
  std::string brackets_;  // open ones
  bool in_string_ = false, escaped_ = false;
  size_t string_ = 0;     // where the last string began in held_
  bool key_ = false;      // a string that comes now is a key of a call
  std::string last_key_;  // of the call
};

}  // namespace gemma3n
