// Variables in their scopes, and macros, which keep the scope that they were written in.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "chat/jinja/ast.h"
#include "chat/jinja/value.h"

namespace gemma3n::jinja {

// The template, a loop's turn, a macro's call, a block. What is set in it ends with it.
struct Scope {
  explicit Scope(std::shared_ptr<Scope> outer)
      : parent(std::move(outer)), depth(parent ? parent->depth + 1 : 0) {}
  std::shared_ptr<Scope> parent;
  int depth;
  std::unordered_map<std::string_view, Value>
      variables;  // names live in the syntax tree, or as long as the template
};

struct MacroObject {
  const MacroNode* node;
  std::shared_ptr<Scope> scope;
  const std::string& name() const { return node->name; }
};

}  // namespace gemma3n::jinja
