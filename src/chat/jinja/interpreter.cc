// Statements.
#include "chat/jinja/interpreter.h"

#include <algorithm>

#include "chat/jinja/repr.h"

namespace gemma3n::jinja {
namespace {

// Enters a new scope inside another until the end of the block.
class ScopeGuard {
 public:
  ScopeGuard(std::shared_ptr<Scope>& current, std::shared_ptr<Scope> outer)
      : current_(current), saved_(current) {
    current_ = std::make_shared<Scope>(std::move(outer));
  }
  ~ScopeGuard() { current_ = std::move(saved_); }

 private:
  std::shared_ptr<Scope>& current_;
  std::shared_ptr<Scope> saved_;
};

struct DepthGuard {
  explicit DepthGuard(int& depth) : depth_(depth) { ++depth_; }
  ~DepthGuard() { --depth_; }
  int& depth_;
};

constexpr const char* kFunctions[] = {"raise_exception", "strftime_now", "range", "namespace",
                                      "dict"};

}  // namespace

Interpreter::~Interpreter() {
  for (const auto& object : namespaces_) object->attributes.clear();
  for (const ScopePtr& scope : captured_) scope->variables.clear();
  for (const ScopePtr& scope : captured_) scope->parent.reset();
}

Result<std::string> Interpreter::Run(const Body& body,
                                     const std::vector<std::pair<std::string, Value>>& variables) {
  scope_ = std::make_shared<Scope>(nullptr);
  for (const char* name : kFunctions) {
    scope_->variables[name] =
        Value(std::make_shared<const FunctionObject>(FunctionObject{name, Value()}));
  }
  for (const auto& [name, value] : variables) scope_->variables[name] = value;
  auto globals = scope_;
  scope_ = std::make_shared<Scope>(globals);
  auto flow = Execute(body);
  if (!flow.ok()) return flow.status().WithContext(fmt::format("line {}", line_));
  return std::move(out_);
}

Status Interpreter::CheckDepth() const {
  if (depth_ <= budget_.limits().depth) return OkStatus();
  return Error(StatusCode::kResourceExhausted,
               "goes deeper than {} statements, expressions and calls", budget_.limits().depth);
}

Result<Interpreter::Flow> Interpreter::Execute(const Body& body) {
  for (const Node& node : body) {
    G3N_ASSIGN_OR_RETURN(const Flow flow, Execute(node));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::Execute(const Node& node) {
  DepthGuard guard(depth_);
  G3N_RETURN_IF_ERROR(CheckDepth());
  G3N_RETURN_IF_ERROR(budget_.Steps());
  auto flow = std::visit([this](const auto& n) { return Do(n); }, node.node);
  if (!flow.ok()) Locate(node.line);
  return flow;
}

Result<Interpreter::Flow> Interpreter::Do(const DataNode& node) {
  G3N_RETURN_IF_ERROR(budget_.Bytes(node.text.size()));
  out_ += node.text;
  return Flow::kNext;
}

Status Interpreter::Write(const Value& value) {
  if (value.is_string()) {
    G3N_RETURN_IF_ERROR(budget_.Bytes(value.string().size()));
    out_ += value.string();
    return OkStatus();
  }
  G3N_ASSIGN_OR_RETURN(const std::string text, ToText(value, budget_));
  out_ += text;
  return OkStatus();
}

Result<Interpreter::Flow> Interpreter::Do(const PrintNode& node) {
  G3N_ASSIGN_OR_RETURN(const Value value, Eval(*node.value));
  G3N_RETURN_IF_ERROR(Write(value));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::Do(const IfNode& node) {
  for (const auto& [test, body] : node.branches) {
    G3N_ASSIGN_OR_RETURN(const Value value, Eval(*test));
    if (Truthy(value)) return Execute(body);
  }
  return Execute(node.otherwise);
}

// Looks from item `next` on for one for which the loop's own `if` holds.
Result<bool> Interpreter::ChooseNext(const ForNode& node, const ScopePtr& outer, LoopObject& loop,
                                     size_t& next) {
  const auto& items = loop.source.items();
  while (next < items.size()) {
    const size_t i = next++;
    ScopeGuard scope(scope_, outer);
    G3N_RETURN_IF_ERROR(Assign(node.target, items[i]));
    G3N_ASSIGN_OR_RETURN(const Value keep, Eval(*node.condition));
    if (!Truthy(keep)) continue;
    G3N_RETURN_IF_ERROR(budget_.Bytes(sizeof(size_t)));
    loop.chosen.push_back(i);
    return true;
  }
  return false;
}

Result<Interpreter::Flow> Interpreter::Do(const ForNode& node) {
  G3N_ASSIGN_OR_RETURN(const Value iterable, Eval(*node.iterable));
  G3N_RETURN_IF_ERROR(budget_.Bytes(256));
  auto loop = std::make_shared<LoopObject>();
  G3N_ASSIGN_OR_RETURN(loop->source, Iterate(iterable, budget_));
  const ScopePtr outer = scope_;
  size_t next = 0;
  loop->filtered = node.condition != nullptr;
  if (loop->filtered) loop->more = [&] { return ChooseNext(node, outer, *loop, next); };
  bool completed = false;
  const Status status = RunLoop(node, loop, &completed);
  loop->more = nullptr;
  G3N_RETURN_IF_ERROR(status);
  // Jinja2 counts a turn as one only when it reaches the body's end.
  if (!completed) return InnerScope(node.otherwise);
  return Flow::kNext;
}

Status Interpreter::RunLoop(const ForNode& node, const std::shared_ptr<LoopObject>& loop,
                            bool* completed) {
  for (size_t i = 0;; ++i) {
    G3N_ASSIGN_OR_RETURN(const bool has, loop->Has(i));
    if (!has) return OkStatus();
    loop->index = i;
    ScopeGuard scope(scope_, scope_);
    scope_->variables["loop"] = Value(loop);
    G3N_RETURN_IF_ERROR(Assign(node.target, loop->item(i)));
    G3N_RETURN_IF_ERROR(budget_.Steps());
    G3N_ASSIGN_OR_RETURN(const Flow flow, Execute(node.body));
    if (flow == Flow::kBreak) return OkStatus();
    *completed |= flow == Flow::kNext;
  }
}

Status Interpreter::Assign(const Target& target, const Value& value) {
  if (target.tuple.empty() && target.attribute.empty()) {
    scope_->variables[target.name] = value;
    return OkStatus();
  }
  if (target.tuple.empty()) {
    G3N_ASSIGN_OR_RETURN(const Value object, Eval(Name{target.name}));
    if (!object.is(Value::Kind::kNamespace)) {
      return Error(StatusCode::kInvalidArgument,
                   "cannot assign attribute on non-namespace object '{}'", target.name);
    }
    if (target.attribute.starts_with("_")) {
      return Error(StatusCode::kInvalidArgument,
                   "a namespace cannot hold '{}', which starts with '_'", target.attribute);
    }
    G3N_RETURN_IF_ERROR(budget_.Bytes(sizeof(Value)));
    G3N_RETURN_IF_ERROR(budget_.Steps(1 + object.name_space().attributes.size() / 8));
    object.name_space().Set(target.attribute, value);
    return OkStatus();
  }
  if (value.undefined()) return UndefinedError(value);
  G3N_ASSIGN_OR_RETURN(const Value items, Iterate(value, budget_));
  if (items.items().size() != target.tuple.size()) {
    return Error(StatusCode::kInvalidArgument, "expected {} values to unpack, found {}",
                 target.tuple.size(), items.items().size());
  }
  for (size_t i = 0; i < target.tuple.size(); ++i)
    G3N_RETURN_IF_ERROR(Assign(target.tuple[i], items.items()[i]));
  return OkStatus();
}

Result<Interpreter::Flow> Interpreter::Do(const SetNode& node) {
  G3N_ASSIGN_OR_RETURN(const Value value, Eval(*node.value));
  G3N_RETURN_IF_ERROR(Assign(node.target, value));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::InnerScope(const Body& body) {
  ScopeGuard scope(scope_, scope_);
  return Execute(body);
}

// What the body writes, kept from the output.
Result<std::string> Interpreter::Capture(const Body& body, Flow* flow) {
  std::string saved;
  std::swap(saved, out_);
  auto result = InnerScope(body);
  std::swap(saved, out_);
  if (!result.ok()) return result.status();
  *flow = *result;
  return saved;
}

Result<Value> Interpreter::EvalFilterBlock(const ExprPtr& filter, Value body) {
  if (!filter) return body;
  const Value* saved = std::exchange(block_body_, &body);
  auto result = Eval(*filter);
  block_body_ = saved;
  return result;
}

Result<Interpreter::Flow> Interpreter::Do(const SetBlockNode& node) {
  Flow flow = Flow::kNext;
  G3N_ASSIGN_OR_RETURN(std::string text, Capture(node.body, &flow));
  if (flow != Flow::kNext) return flow;
  G3N_ASSIGN_OR_RETURN(const Value value, EvalFilterBlock(node.filter, Value(std::move(text))));
  G3N_RETURN_IF_ERROR(Assign(node.target, value));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::Do(const FilterNode& node) {
  Flow flow = Flow::kNext;
  G3N_ASSIGN_OR_RETURN(std::string text, Capture(node.body, &flow));
  if (flow != Flow::kNext) return flow;
  G3N_ASSIGN_OR_RETURN(const Value value, EvalFilterBlock(node.filter, Value(std::move(text))));
  G3N_RETURN_IF_ERROR(Write(value));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::Do(const WithNode& node) {
  std::vector<Value> values;  // before any name is bound
  for (const auto& [target, expr] : node.values) {
    G3N_ASSIGN_OR_RETURN(Value value, Eval(*expr));
    values.push_back(std::move(value));
  }
  ScopeGuard scope(scope_, scope_);
  for (size_t i = 0; i < values.size(); ++i)
    G3N_RETURN_IF_ERROR(Assign(node.values[i].first, values[i]));
  return Execute(node.body);
}

Result<Interpreter::Flow> Interpreter::Do(const GenerationNode& node) {
  return InnerScope(node.body);
}

Result<Value> Interpreter::MakeMacro(const MacroNode& node) {
  G3N_RETURN_IF_ERROR(budget_.Bytes(256));
  captured_.push_back(scope_);
  return Value(std::make_shared<const MacroObject>(MacroObject{&node, scope_}));
}

Result<Interpreter::Flow> Interpreter::Do(const std::unique_ptr<MacroNode>& node) {
  G3N_ASSIGN_OR_RETURN(scope_->variables[node->name], MakeMacro(*node));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::Do(const CallNode& node) {
  const Call& call = std::get<Call>(node.call->node);
  G3N_ASSIGN_OR_RETURN(const Value callee, Eval(*call.callee));
  G3N_ASSIGN_OR_RETURN(CallArguments arguments, EvalArguments(call.arguments));
  G3N_ASSIGN_OR_RETURN(Value caller, MakeMacro(*node.caller));
  arguments.named.emplace_back("caller", std::move(caller));
  G3N_ASSIGN_OR_RETURN(const Value value, CallValue(callee, arguments));
  G3N_RETURN_IF_ERROR(Write(value));
  return Flow::kNext;
}

Result<Value> Interpreter::CallMacro(const MacroObject& macro, const CallArguments& arguments) {
  DepthGuard guard(depth_);
  G3N_RETURN_IF_ERROR(CheckDepth());
  if (macro.scope->depth > budget_.limits().depth) {
    return Error(StatusCode::kResourceExhausted, "macro '{}' is inside {} scopes", macro.name(),
                 macro.scope->depth);
  }
  ScopeGuard scope(scope_, macro.scope);
  G3N_RETURN_IF_ERROR(BindParameters(*macro.node, arguments));
  Flow flow = Flow::kNext;
  G3N_ASSIGN_OR_RETURN(std::string text, Capture(macro.node->body, &flow));
  return Value(std::move(text));
}

// Fills the new scope with a macro's parameters.
Status Interpreter::BindParameters(const MacroNode& node, const CallArguments& arguments) {
  const auto& names = node.parameters.names;
  auto named = arguments.named;
  const auto take = [&](std::string_view name) -> std::optional<Value> {
    const auto it =
        std::find_if(named.begin(), named.end(), [&](const auto& n) { return n.first == name; });
    if (it == named.end()) return std::nullopt;
    Value value = std::move(it->second);
    named.erase(it);
    return value;
  };
  const size_t first_default = names.size() - node.parameters.defaults.size();
  for (size_t i = 0; i < names.size(); ++i) {
    if (i < arguments.positional.size()) {
      scope_->variables[names[i]] = arguments.positional[i];
    } else if (auto value = take(names[i])) {
      scope_->variables[names[i]] = std::move(*value);
    } else if (i >= first_default) {
      G3N_ASSIGN_OR_RETURN(Value fallback, Eval(*node.parameters.defaults[i - first_default]));
      scope_->variables[names[i]] = std::move(fallback);
    } else {
      scope_->variables[names[i]] =
          Value::Missing(fmt::format("parameter '{}' was not provided", names[i]));
    }
  }
  if (node.takes_caller && std::find(names.begin(), names.end(), "caller") == names.end()) {
    auto caller = take("caller");
    scope_->variables["caller"] = caller ? std::move(*caller) : Value::Missing("no caller defined");
  }
  if (node.takes_kwargs) {
    std::vector<std::pair<Value, Value>> items;
    for (auto& [name, value] : named) items.emplace_back(Value(name), std::move(value));
    G3N_ASSIGN_OR_RETURN(scope_->variables["kwargs"], MakeDict(std::move(items), budget_));
  } else if (!named.empty()) {
    return Error(StatusCode::kInvalidArgument, "macro '{}' takes no keyword argument '{}'",
                 node.name, named.front().first);
  }
  if (node.takes_varargs) {
    const auto& all = arguments.positional;
    std::vector<Value> rest(
        all.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), all.size())), all.end());
    G3N_ASSIGN_OR_RETURN(scope_->variables["varargs"], MakeList(std::move(rest), budget_, true));
  } else if (arguments.positional.size() > names.size()) {
    return Error(StatusCode::kInvalidArgument,
                 "macro '{}' takes not more than {} arguments, found {}", node.name, names.size(),
                 arguments.positional.size());
  }
  return OkStatus();
}

}  // namespace gemma3n::jinja
