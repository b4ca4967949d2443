// The prompt is that of ai.google.dev/gemma/docs/capabilities/function-calling, JSON style.
#include "chat/tools.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "formats/json.h"

namespace gemma3n {
namespace {

using Json = nlohmann::ordered_json;

Json NoParameters() { return {{"type", "object"}, {"properties", Json::object()}}; }

Result<Json> Parameters(const FunctionSpec& function) {
  if (function.parameters.empty()) return NoParameters();
  auto parsed = ParseOrderedJson(function.parameters, "parameters of function " + function.name);
  if (!parsed.ok()) return Status(StatusCode::kInvalidArgument, parsed.status().message());
  if (!parsed->is_object()) {
    return Error(StatusCode::kInvalidArgument,
                 "parameters of function {}: expected a JSON object, found {}", function.name,
                 parsed->type_name());
  }
  return parsed;
}

Status Check(std::span<const FunctionSpec> functions, const FunctionChoice& choice) {
  std::set<std::string_view> names;
  for (const FunctionSpec& function : functions) {
    if (function.name.empty()) return Error(StatusCode::kInvalidArgument, "a function has no name");
    if (!names.insert(function.name).second) {
      return Error(StatusCode::kInvalidArgument, "function {} is there twice", function.name);
    }
  }
  if (!choice.name.empty() && !names.contains(choice.name)) {
    return Error(StatusCode::kInvalidArgument, "the chosen function {} is not among the functions",
                 choice.name);
  }
  if (choice.required && functions.empty())
    return Error(StatusCode::kInvalidArgument, "a call is required, but there are no functions");
  return OkStatus();
}

// References into the parameters' own document must lead there from inside a larger one.
void MoveReferences(Json& schema, const std::string& root) {
  if (schema.is_object()) {
    for (auto& [key, value] : schema.items()) {
      if (key == "$ref" && value.is_string() &&
          value.get_ref<const std::string&>().starts_with('#'))
        value = root + value.get_ref<const std::string&>().substr(1);
      else
        MoveReferences(value, root);
    }
  } else if (schema.is_array()) {
    for (Json& value : schema) MoveReferences(value, root);
  }
}

Json CallValue(const FunctionCall& call) {
  auto arguments = ParseOrderedJson(call.arguments.empty() ? "{}" : call.arguments, "arguments");
  return {{"name", call.name},
          {"parameters", arguments.ok() ? std::move(*arguments) : Json(call.arguments)}};
}

}  // namespace

Result<std::string> FunctionPrompt(std::span<const FunctionSpec> functions,
                                   const FunctionChoice& choice) {
  G3N_RETURN_IF_ERROR(Check(functions, choice));
  const bool must = choice.required || !choice.name.empty();
  std::string text = must ? "You have access to functions. You MUST invoke "
                          : "You have access to functions. If you decide to invoke ";
  text += !choice.name.empty() ? "the function " + choice.name
          : must               ? std::string("a function")
                               : std::string("any of the function(s)");
  text += must ? ", and you MUST put it" : ",\nyou MUST put it";
  text +=
      " in the format of\n{\"name\": function name, \"parameters\": dictionary of argument name "
      "and its value}\n";
  if (choice.parallel && choice.name.empty())
    text += "or, for more than one call, a JSON list of these.\n";
  text += "\nYou SHOULD NOT include any other text in the response if you call a function\n";
  Json list = Json::array();
  for (const FunctionSpec& function : functions) {
    G3N_ASSIGN_OR_RETURN(Json parameters, Parameters(function));
    Json entry = {{"name", function.name}};
    if (!function.description.empty()) entry["description"] = function.description;
    entry["parameters"] = std::move(parameters);
    list.push_back(std::move(entry));
  }
  return text + DumpOrderedJson(list, 2);
}

Result<std::vector<Message>> AddFunctions(std::vector<Message> messages,
                                          std::span<const FunctionSpec> functions,
                                          const FunctionChoice& choice) {
  G3N_ASSIGN_OR_RETURN(std::string text, FunctionPrompt(functions, choice));
  if (!messages.empty() && messages.front().role == "system") {
    std::string words;
    for (const Part& part : messages.front().parts) words += part.text;
    messages.front() = Message::Text("system", words.empty() ? text : words + "\n\n" + text);
  } else {
    messages.insert(messages.begin(), Message::Text("system", std::move(text)));
  }
  return messages;
}

Result<std::string> FunctionCallSchema(std::span<const FunctionSpec> functions,
                                       const FunctionChoice& choice) {
  FunctionChoice required = choice;
  required.required = true;
  G3N_RETURN_IF_ERROR(Check(functions, required));
  Json calls = Json::array(), definitions = Json::object();
  for (size_t i = 0; i < functions.size(); ++i) {
    const FunctionSpec& function = functions[i];
    if (!choice.name.empty() && function.name != choice.name) continue;
    G3N_ASSIGN_OR_RETURN(Json parameters, Parameters(function));
    if (function.parameters.empty()) parameters["additionalProperties"] = false;
    const std::string key = "parameters" + std::to_string(i);
    MoveReferences(parameters, "#/$defs/" + key);
    if (!parameters.contains("type")) parameters["type"] = "object";
    definitions[key] = std::move(parameters);
    calls.push_back(
        {{"type", "object"},
         {"properties",
          {{"name", {{"const", function.name}}}, {"parameters", {{"$ref", "#/$defs/" + key}}}}},
         {"required", {"name", "parameters"}},
         {"additionalProperties", false}});
  }
  definitions["call"] = {{"anyOf", std::move(calls)}};
  const Json call = {{"$ref", "#/$defs/call"}};
  Json schema = choice.parallel
                    ? Json{{"anyOf", {call, {{"type", "array"}, {"items", call}, {"minItems", 1}}}}}
                    : call;
  schema["$defs"] = std::move(definitions);
  return DumpOrderedJson(schema);
}

Message CallMessage(std::string_view text, std::span<const FunctionCall> calls) {
  std::string words(text);
  if (!calls.empty()) {
    Json list = Json::array();
    for (const FunctionCall& call : calls) list.push_back(CallValue(call));
    if (!words.empty()) words += "\n";
    words += DumpOrderedJson(calls.size() == 1 ? list.front() : list);
  }
  return Message::Text("assistant", std::move(words));
}

Message ResultMessage(std::string_view name, std::vector<Part> content) {
  std::string head = "Result of " + std::string(name) + ":\n";
  if (content.size() == 1 && content.front().kind == Part::Kind::kText)
    return Message::Text("user", head + content.front().text);
  content.insert(content.begin(), Part::Text(std::move(head)));
  return Message::Parts("user", std::move(content));
}

std::vector<Message> JoinTurns(std::vector<Message> messages) {
  std::vector<Message> joined;
  for (Message& message : messages) {
    if (joined.empty() || joined.back().role != message.role) {
      joined.push_back(std::move(message));
      continue;
    }
    Message& last = joined.back();
    last.is_string = last.is_string && message.is_string;
    auto next = message.parts.begin();
    // Templates join the parts of a list without anything between them.
    if (!last.parts.empty() && next != message.parts.end() &&
        last.parts.back().kind == Part::Kind::kText && next->kind == Part::Kind::kText) {
      last.parts.back().text += "\n\n" + next->text;
      ++next;
    }
    std::move(next, message.parts.end(), std::back_inserter(last.parts));
  }
  return joined;
}

}  // namespace gemma3n
