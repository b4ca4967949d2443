// Expressions.
#include "chat/jinja/interpreter.h"
#include "chat/jinja/methods.h"
#include "chat/jinja/operators.h"
#include "chat/jinja/repr.h"
#include "chat/jinja/text.h"

namespace gemma3n::jinja {

Result<Value> Interpreter::Eval(const Expr& expr) {
  struct Guard {
    int& depth;
    ~Guard() { --depth; }
  } guard{++depth_};
  G3N_RETURN_IF_ERROR(CheckDepth());
  G3N_RETURN_IF_ERROR(budget_.Steps());
  auto value = std::visit([this](const auto& n) { return Eval(n); }, expr.node);
  if (!value.ok()) Locate(expr.line);
  return value;
}

Result<Value> Interpreter::Eval(const Name& node) {
  size_t hops = 0;
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get(), ++hops) {
    const auto it = scope->variables.find(node.name);
    if (it == scope->variables.end()) continue;
    G3N_RETURN_IF_ERROR(budget_.Steps(hops / 8));
    return it->second;
  }
  return Value::Missing(fmt::format("'{}' is undefined", node.name));
}

Result<Value> Interpreter::Eval(const Sequence& node) {
  std::vector<Value> items;
  for (const ExprPtr& item : node.items) {
    G3N_ASSIGN_OR_RETURN(Value value, Eval(*item));
    items.push_back(std::move(value));
  }
  return MakeList(std::move(items), budget_, node.tuple);
}

Result<Value> Interpreter::Eval(const DictDisplay& node) {
  std::vector<std::pair<Value, Value>> items;
  for (const auto& [key_expr, value_expr] : node.items) {
    G3N_ASSIGN_OR_RETURN(Value key, Eval(*key_expr));
    G3N_ASSIGN_OR_RETURN(Value value, Eval(*value_expr));
    items.emplace_back(std::move(key), std::move(value));
  }
  return MakeDict(std::move(items), budget_);
}

Result<Value> Interpreter::Eval(const Unary& node) {
  G3N_ASSIGN_OR_RETURN(const Value operand, Eval(*node.operand));
  if (node.op == '!') return Value(!Truthy(operand));
  return Sign(node.op, operand);
}

Result<Value> Interpreter::Eval(const Binary& node) {
  G3N_ASSIGN_OR_RETURN(const Value left, Eval(*node.left));
  G3N_ASSIGN_OR_RETURN(const Value right, Eval(*node.right));
  return Arithmetic(node.op, left, right, budget_);
}

Result<Value> Interpreter::Eval(const Logical& node) {
  G3N_ASSIGN_OR_RETURN(Value left, Eval(*node.left));
  if (Truthy(left) != node.is_and) return left;
  return Eval(*node.right);
}

Result<Value> Interpreter::Eval(const Comparison& node) {
  G3N_ASSIGN_OR_RETURN(Value left, Eval(*node.first));
  for (const auto& [op, expr] : node.rest) {
    G3N_ASSIGN_OR_RETURN(Value right, Eval(*expr));
    G3N_ASSIGN_OR_RETURN(const bool holds, Holds(op, left, right, budget_));
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Result<Value> Interpreter::Eval(const Concat& node) {
  TextWriter out(budget_);
  for (const ExprPtr& item : node.items) {
    G3N_ASSIGN_OR_RETURN(const Value value, Eval(*item));
    if (value.is_string()) {
      out.Put(value.string());
    } else {
      G3N_ASSIGN_OR_RETURN(const std::string text, ToText(value, budget_));
      out.Put(text);
    }
  }
  G3N_ASSIGN_OR_RETURN(std::string text, out.Take());
  return Value(std::move(text));
}

Result<Value> Interpreter::Eval(const Conditional& node) {
  G3N_ASSIGN_OR_RETURN(const Value test, Eval(*node.test));
  if (Truthy(test)) return Eval(*node.value);
  if (node.otherwise) return Eval(*node.otherwise);
  return Value::Missing("the inline if-expression was false and has no else");
}

Result<Value> Interpreter::Eval(const Attribute& node) {
  G3N_ASSIGN_OR_RETURN(const Value object, Eval(*node.object));
  return GetAttribute(object, node.name);
}

Result<Value> Interpreter::Eval(const Index& node) {
  G3N_ASSIGN_OR_RETURN(const Value object, Eval(*node.object));
  G3N_ASSIGN_OR_RETURN(const Value key, Eval(*node.key));
  return GetItem(object, key);
}

Result<Value> Interpreter::Eval(const Slice& node) {
  G3N_ASSIGN_OR_RETURN(const Value object, Eval(*node.object));
  Value parts[3] = {Value(None{}), Value(None{}), Value(None{})};
  const ExprPtr* exprs[3] = {&node.start, &node.stop, &node.step};
  for (size_t i = 0; i < 3; ++i) {
    if (!*exprs[i]) continue;
    G3N_ASSIGN_OR_RETURN(parts[i], Eval(**exprs[i]));
  }
  if (object.undefined()) return UndefinedError(object);
  return TakeSlice(object, parts[0], parts[1], parts[2], budget_);
}

Result<CallArguments> Interpreter::EvalArguments(const Arguments& arguments) {
  CallArguments out;
  for (const ExprPtr& expr : arguments.positional) {
    G3N_ASSIGN_OR_RETURN(Value value, Eval(*expr));
    out.positional.push_back(std::move(value));
  }
  if (arguments.star) {
    G3N_ASSIGN_OR_RETURN(const Value value, Eval(*arguments.star));
    G3N_ASSIGN_OR_RETURN(const Value items, Iterate(value, budget_));
    G3N_RETURN_IF_ERROR(budget_.Bytes(items.items().size(), sizeof(Value)));
    out.positional.insert(out.positional.end(), items.items().begin(), items.items().end());
  }
  for (const auto& [name, expr] : arguments.named) {
    G3N_ASSIGN_OR_RETURN(Value value, Eval(*expr));
    out.named.emplace_back(name, std::move(value));
  }
  if (arguments.star_star) {
    G3N_ASSIGN_OR_RETURN(const Value value, Eval(*arguments.star_star));
    if (!value.is_dict())
      return Error(StatusCode::kInvalidArgument, "expected a dict behind **, found {}",
                   TypeName(value));
    G3N_RETURN_IF_ERROR(budget_.Bytes(value.dict().items.size(), 2 * sizeof(Value)));
    for (const auto& [key, item] : value.dict().items) {
      if (!key.is_string()) return Error(StatusCode::kInvalidArgument, "keywords must be strings");
      out.named.emplace_back(key.string(), item);
    }
  }
  for (size_t i = 0; i < out.named.size(); ++i) {
    G3N_RETURN_IF_ERROR(budget_.Steps(1 + i / 8));
    for (size_t j = 0; j < i; ++j) {
      if (out.named[i].first != out.named[j].first) continue;
      return Error(StatusCode::kInvalidArgument, "two values for the keyword argument '{}'",
                   out.named[i].first);
    }
  }
  return out;
}

Result<Value> Interpreter::Eval(const Call& node) {
  G3N_ASSIGN_OR_RETURN(const Value callee, Eval(*node.callee));
  G3N_ASSIGN_OR_RETURN(const CallArguments arguments, EvalArguments(node.arguments));
  return CallValue(callee, arguments);
}

Result<Value> Interpreter::CallValue(const Value& callee, const CallArguments& arguments) {
  if (callee.is(Value::Kind::kMacro)) return CallMacro(callee.macro(), arguments);
  if (callee.is(Value::Kind::kFunction)) return CallFunction(callee.function(), arguments);
  if (callee.undefined()) return UndefinedError(callee);
  return Error(StatusCode::kInvalidArgument, "'{}' object is not callable", TypeName(callee));
}

Result<Value> Interpreter::Eval(const Filter& node) {
  Value input;
  if (node.input) {
    G3N_ASSIGN_OR_RETURN(input, Eval(*node.input));
  } else if (block_body_ != nullptr) {
    input = *block_body_;
  }
  G3N_ASSIGN_OR_RETURN(const CallArguments arguments, EvalArguments(node.arguments));
  return ApplyFilter(node.name, input, arguments);
}

Result<Value> Interpreter::Eval(const Test& node) {
  G3N_ASSIGN_OR_RETURN(const Value input, Eval(*node.input));
  G3N_ASSIGN_OR_RETURN(const CallArguments arguments, EvalArguments(node.arguments));
  G3N_ASSIGN_OR_RETURN(const bool holds, ApplyTest(node.name, input, arguments));
  return Value(holds != node.negated);
}

Result<Value> Interpreter::NewNamespace(std::vector<std::pair<Value, Value>> attributes) {
  G3N_RETURN_IF_ERROR(budget_.Bytes(attributes.size() + 4, 64));
  auto object = std::make_shared<NamespaceObject>();
  namespaces_.push_back(object);
  for (auto& [key, value] : attributes) {
    if (!key.is_string() || key.string().starts_with("_")) {
      return Error(StatusCode::kInvalidArgument,
                   "a namespace's attributes are names that do not start with '_'");
    }
    G3N_RETURN_IF_ERROR(budget_.Steps(1 + object->attributes.size() / 8));
    object->Set(key.string(), std::move(value));
  }
  return Value(std::move(object));
}

}  // namespace gemma3n::jinja
