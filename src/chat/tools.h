// Functions that a model may call. Gemma 3n has no tokens of its own for them: the functions stand
// in the prompt as text, in the wording of Google's guide to function calling with Gemma, and a
// call is JSON in the answer.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gemma3n/content.h"

namespace gemma3n {

struct FunctionSpec {
  std::string name, description;
  std::string parameters;  // JSON Schema of the arguments' object; empty: none
};

struct FunctionCall {
  std::string name;
  std::string arguments;  // a JSON object
};

// Which calls an answer must hold.
struct FunctionChoice {
  bool required = false;  // the answer is a call
  std::string name;       // not empty: a call of this function, and required
  bool parallel = true;   // more than one call in an answer
};

// What tells the model about its functions. Errors: kInvalidArgument (a name that is empty or
// there twice, parameters that are no JSON object, a choice that is not among the functions).
Result<std::string> FunctionPrompt(std::span<const FunctionSpec> functions,
                                   const FunctionChoice& choice);

// The conversation with that text at the end of its system message, or as one before it.
Result<std::vector<Message>> AddFunctions(std::vector<Message> messages,
                                          std::span<const FunctionSpec> functions,
                                          const FunctionChoice& choice);

// The JSON Schema of an answer that is a call, for GenerationOptions::json_schema with a choice
// that is required. Errors: as FunctionPrompt's.
Result<std::string> FunctionCallSchema(std::span<const FunctionSpec> functions,
                                       const FunctionChoice& choice);

// An earlier turn of the model that was calls, with the text before them if there was some. An
// argument text that is no JSON stands as a JSON string.
Message CallMessage(std::string_view text, std::span<const FunctionCall> calls);
// What a function gave back, as a turn of the user: Gemma's templates know no other role.
Message ResultMessage(std::string_view name, std::vector<Part> content);

// Neighbours of one role as one message: templates want user and assistant in turn.
std::vector<Message> JoinTurns(std::vector<Message> messages);

}  // namespace gemma3n
