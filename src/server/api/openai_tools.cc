#include "server/api/openai_tools.h"

#include <utility>

#include "formats/json.h"

namespace gemma3n::server {
namespace {

constexpr size_t kMostTools = 128, kMostCalls = 128;

Tool ReadTool(const Fields& outer, bool flat) {
  Tool tool;
  if (outer.NeedString("type") != "function") outer.Unexpected("type", "\"function\"");
  const Fields function = flat ? outer : outer.Object("function");
  tool.name = function.NeedString("name");
  if (function.ok() && tool.name.empty()) function.Unexpected("name", "a name");
  function.String("description", &tool.description);
  if (const Json* parameters = function.Find("parameters")) {
    if (!parameters->is_object()) function.Unexpected("parameters", "a JSON Schema");
    tool.parameters = DumpOrderedJson(*parameters);
  }
  return tool;
}

void ReadToolChoice(const Fields& fields, bool flat, ToolChoice* choice) {
  using Kind = ToolChoice::Kind;
  constexpr std::pair<const char*, Kind> kNames[] = {
      {"auto", Kind::kAuto}, {"none", Kind::kNone}, {"required", Kind::kRequired}};
  const Json* value = fields.Find("tool_choice");
  if (value == nullptr) return;
  for (const auto& [name, kind] : kNames) {
    if (*value != name) continue;
    choice->kind = kind;
    return;
  }
  if (!value->is_object()) {
    return fields.Unexpected("tool_choice", "\"auto\", \"none\", \"required\" or a function");
  }
  const Fields named = fields.Object("tool_choice");
  if (named.NeedString("type") != "function") named.Unexpected("type", "\"function\"");
  choice->kind = Kind::kNamed;
  choice->name = (flat ? named : named.Object("function")).NeedString("name");
}

}  // namespace

void ReadOpenAiTools(const Fields& fields, bool flat, Generation* generation) {
  const Json& list = fields.List("tools", kMostTools);
  for (size_t i = 0; i < list.size() && fields.ok(); ++i) {
    generation->tools.push_back(ReadTool(fields.Element("tools", i, list[i]), flat));
  }
  ReadToolChoice(fields, flat, &generation->tool_choice);
  fields.Bool("parallel_tool_calls", &generation->tool_choice.parallel);
}

std::vector<ToolCall> ReadToolCalls(const Fields& message) {
  std::vector<ToolCall> calls;
  const Json& list = message.List("tool_calls", kMostCalls);
  for (size_t i = 0; i < list.size() && message.ok(); ++i) {
    const Fields call = message.Element("tool_calls", i, list[i]);
    const Fields function = call.Object("function");
    ToolCall read;
    call.String("id", &read.id);
    read.name = function.NeedString("name");
    read.arguments = "{}";
    function.String("arguments", &read.arguments);
    calls.push_back(std::move(read));
  }
  return calls;
}

std::vector<FunctionCall> FunctionCallsOf(const std::vector<ToolCall>& calls) {
  std::vector<FunctionCall> functions;
  for (const ToolCall& call : calls) functions.push_back({call.name, call.arguments});
  return functions;
}

}  // namespace gemma3n::server
