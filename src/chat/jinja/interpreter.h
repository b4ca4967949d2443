// Runs a syntax tree.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/jinja/ast.h"
#include "chat/jinja/budget.h"
#include "chat/jinja/scope.h"
#include "chat/jinja/value.h"

namespace gemma3n::jinja {

// Arguments of a call, evaluated.
struct CallArguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

class Interpreter {
 public:
  Interpreter(const Limits& limits, std::function<std::tm()> clock)
      : budget_(limits), clock_(std::move(clock)) {}
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // The text that the template makes. One run per interpreter. Errors: kInvalidArgument,
  // kUnsupported, kResourceExhausted; "line N: ...".
  Result<std::string> Run(const Body& body,
                          const std::vector<std::pair<std::string, Value>>& variables);

  // For filters, tests, functions and methods.
  Budget& budget() { return budget_; }
  const std::function<std::tm()>& clock() const { return clock_; }
  Result<Value> ApplyFilter(std::string_view name, const Value& input,
                            const CallArguments& arguments);
  Result<bool> ApplyTest(std::string_view name, const Value& input, const CallArguments& arguments);
  Result<Value> CallFunction(const FunctionObject& function, const CallArguments& arguments);
  // object.name and object[key] as Jinja2 looks them up: undefined when there is nothing.
  Result<Value> GetAttribute(const Value& object, std::string_view name);
  Result<Value> GetItem(const Value& object, const Value& key);
  Result<Value> NewNamespace(std::vector<std::pair<Value, Value>> attributes);

 private:
  enum class Flow { kNext, kBreak, kContinue };
  using ScopePtr = std::shared_ptr<Scope>;

  // Statements (interpreter.cc).
  Result<Flow> Execute(const Body& body);
  Result<Flow> Execute(const Node& node);
  Result<Flow> Do(const DataNode& node);
  Result<Flow> Do(const PrintNode& node);
  Result<Flow> Do(const IfNode& node);
  Result<Flow> Do(const ForNode& node);
  Result<Flow> Do(const SetNode& node);
  Result<Flow> Do(const SetBlockNode& node);
  Result<Flow> Do(const std::unique_ptr<MacroNode>& node);
  Result<Flow> Do(const CallNode& node);
  Result<Flow> Do(const FilterNode& node);
  Result<Flow> Do(const WithNode& node);
  Result<Flow> Do(const GenerationNode& node);
  Result<Flow> Do(const BreakNode&) { return Flow::kBreak; }
  Result<Flow> Do(const ContinueNode&) { return Flow::kContinue; }
  Result<Flow> InnerScope(const Body& body);
  Result<std::string> Capture(const Body& body, Flow* flow);
  Result<bool> ChooseNext(const ForNode& node, const std::shared_ptr<Scope>& outer,
                          LoopObject& loop, size_t& next);
  Status RunLoop(const ForNode& node, const std::shared_ptr<LoopObject>& loop, bool* completed);
  Status Assign(const Target& target, const Value& value);
  Status Write(const Value& value);
  Result<Value> MakeMacro(const MacroNode& node);
  Result<Value> CallMacro(const MacroObject& macro, const CallArguments& arguments);
  Status BindParameters(const MacroNode& node, const CallArguments& arguments);

  // Expressions (eval.cc).
  Result<Value> Eval(const Expr& expr);
  Result<Value> Eval(const Literal& node) { return node.value; }
  Result<Value> Eval(const Name& node);
  Result<Value> Eval(const Sequence& node);
  Result<Value> Eval(const DictDisplay& node);
  Result<Value> Eval(const Unary& node);
  Result<Value> Eval(const Binary& node);
  Result<Value> Eval(const Logical& node);
  Result<Value> Eval(const Comparison& node);
  Result<Value> Eval(const Concat& node);
  Result<Value> Eval(const Conditional& node);
  Result<Value> Eval(const Attribute& node);
  Result<Value> Eval(const Index& node);
  Result<Value> Eval(const Slice& node);
  Result<Value> Eval(const Call& node);
  Result<Value> Eval(const Filter& node);
  Result<Value> Eval(const Test& node);
  Result<CallArguments> EvalArguments(const Arguments& arguments);
  Result<Value> CallValue(const Value& callee, const CallArguments& arguments);
  Result<Value> EvalFilterBlock(const ExprPtr& filter, Value body);
  Status CheckDepth() const;
  void Locate(int line) {
    if (line_ == 0) line_ = line;
  }

  Budget budget_;
  std::function<std::tm()> clock_;
  ScopePtr scope_;
  std::string out_;
  const Value* block_body_ =
      nullptr;  // input of the innermost filter of a {% filter %} or {% set %} block
  int depth_ = 0;
  int line_ = 0;  // of the innermost construct that failed
  // Macros and namespaces can hold one another in a circle; the interpreter takes them apart at its
  // end.
  std::vector<ScopePtr> captured_;
  std::vector<std::shared_ptr<NamespaceObject>> namespaces_;
};

}  // namespace gemma3n::jinja
