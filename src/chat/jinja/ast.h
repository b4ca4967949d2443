// Syntax trees of templates.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "chat/jinja/value.h"

namespace gemma3n::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;  // null where a part is optional

struct Arguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star, star_star;  // *list, **dict
};

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
struct Sequence {
  std::vector<ExprPtr> items;
  bool tuple = false;
};
struct DictDisplay {
  std::vector<std::pair<ExprPtr, ExprPtr>> items;
};
struct Unary {
  char op;
  ExprPtr operand;
};  // '-', '+', '!' (not)
struct Binary {
  std::string op;
  ExprPtr left, right;
};  // + - * / // % **
struct Logical {
  bool is_and;
  ExprPtr left, right;
};
struct Comparison {
  ExprPtr first;
  std::vector<std::pair<std::string, ExprPtr>> rest;
};  // a < b < c; "in", "not in"
struct Concat {
  std::vector<ExprPtr> items;
};  // a ~ b ~ c
struct Conditional {
  ExprPtr value, test, otherwise;
};
struct Attribute {
  ExprPtr object;
  std::string name;
};
struct Index {
  ExprPtr object, key;
};
struct Slice {
  ExprPtr object, start, stop, step;
};
struct Call {
  ExprPtr callee;
  Arguments arguments;
};
struct Filter {
  ExprPtr input;
  std::string name;
  Arguments arguments;
};  // no input: the body of a block
struct Test {
  ExprPtr input;
  std::string name;
  Arguments arguments;
  bool negated = false;
};

struct Expr {
  int line = 1;
  int depth = 1;  // levels of expressions in it
  std::variant<Literal, Name, Sequence, DictDisplay, Unary, Binary, Logical, Comparison, Concat,
               Conditional, Attribute, Index, Slice, Call, Filter, Test>
      node;
};

struct Node;
using Body = std::vector<Node>;

// What an assignment fills: a name, an attribute of a namespace, or a tuple of targets.
struct Target {
  std::string name;
  std::string attribute;      // of the namespace `name`; empty for a plain name
  std::vector<Target> tuple;  // when not empty, the rest is unused
};

struct Parameters {
  std::vector<std::string> names;
  std::vector<ExprPtr> defaults;  // of the last ones
};

// A macro, or the body of {% call %}.
struct MacroNode {
  std::string name;
  Parameters parameters;
  Body body;
  bool takes_varargs = false, takes_kwargs = false, takes_caller = false;  // the body names them
};

struct DataNode {
  std::string text;
};
struct PrintNode {
  ExprPtr value;
};
struct IfNode {
  std::vector<std::pair<ExprPtr, Body>> branches;
  Body otherwise;
};
struct ForNode {
  Target target;
  ExprPtr iterable, condition;
  Body body, otherwise;
};
struct SetNode {
  Target target;
  ExprPtr value;
};
struct SetBlockNode {
  Target target;
  ExprPtr filter;
  Body body;
};  // filter: a chain whose innermost input is the body
struct CallNode {
  ExprPtr call;
  std::unique_ptr<MacroNode> caller;
};
struct FilterNode {
  ExprPtr filter;
  Body body;
};
struct WithNode {
  std::vector<std::pair<Target, ExprPtr>> values;
  Body body;
};
struct GenerationNode {
  Body body;
};
struct BreakNode {};
struct ContinueNode {};

struct Node {
  int line = 1;
  std::variant<DataNode, PrintNode, IfNode, ForNode, SetNode, SetBlockNode,
               std::unique_ptr<MacroNode>, CallNode, FilterNode, WithNode, GenerationNode,
               BreakNode, ContinueNode>
      node;
};

}  // namespace gemma3n::jinja
