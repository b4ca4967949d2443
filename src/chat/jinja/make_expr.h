// Parser::Make: a node with its depth. Only for the parser's own files.
#pragma once

#include <algorithm>
#include <memory>
#include <type_traits>
#include <utility>

#include "chat/jinja/parser.h"

namespace gemma3n::jinja {

inline int DepthOf(const ExprPtr& e) { return e ? e->depth : 0; }
inline int DepthOf(const std::vector<ExprPtr>& items) {
  int depth = 0;
  for (const auto& e : items) depth = std::max(depth, DepthOf(e));
  return depth;
}
template <typename K>
inline int DepthOf(const std::vector<std::pair<K, ExprPtr>>& items) {
  int depth = 0;
  for (const auto& [key, e] : items) {
    depth = std::max(depth, DepthOf(e));
    if constexpr (std::is_same_v<K, ExprPtr>) depth = std::max(depth, DepthOf(key));
  }
  return depth;
}
inline int DepthOf(const Arguments& a) {
  return std::max({DepthOf(a.positional), DepthOf(a.named), DepthOf(a.star), DepthOf(a.star_star)});
}

inline int ChildDepth(const Literal&) { return 0; }
inline int ChildDepth(const Name&) { return 0; }
inline int ChildDepth(const Sequence& n) { return DepthOf(n.items); }
inline int ChildDepth(const DictDisplay& n) { return DepthOf(n.items); }
inline int ChildDepth(const Unary& n) { return DepthOf(n.operand); }
inline int ChildDepth(const Binary& n) { return std::max(DepthOf(n.left), DepthOf(n.right)); }
inline int ChildDepth(const Logical& n) { return std::max(DepthOf(n.left), DepthOf(n.right)); }
inline int ChildDepth(const Comparison& n) { return std::max(DepthOf(n.first), DepthOf(n.rest)); }
inline int ChildDepth(const Concat& n) { return DepthOf(n.items); }
inline int ChildDepth(const Conditional& n) {
  return std::max({DepthOf(n.value), DepthOf(n.test), DepthOf(n.otherwise)});
}
inline int ChildDepth(const Attribute& n) { return DepthOf(n.object); }
inline int ChildDepth(const Index& n) { return std::max(DepthOf(n.object), DepthOf(n.key)); }
inline int ChildDepth(const Slice& n) {
  return std::max({DepthOf(n.object), DepthOf(n.start), DepthOf(n.stop), DepthOf(n.step)});
}
inline int ChildDepth(const Call& n) { return std::max(DepthOf(n.callee), DepthOf(n.arguments)); }
inline int ChildDepth(const Filter& n) { return std::max(DepthOf(n.input), DepthOf(n.arguments)); }
inline int ChildDepth(const Test& n) { return std::max(DepthOf(n.input), DepthOf(n.arguments)); }

template <typename T>
Result<ExprPtr> Parser::Make(int line, T node) {
  const int depth = 1 + ChildDepth(node);
  auto expr = std::make_unique<Expr>();
  expr->line = line;
  expr->depth = depth;
  expr->node = std::move(node);
  if (depth > kMaxExprDepth) {
    return Fail(StatusCode::kUnsupported, line,
                fmt::format("an expression of more than {} levels", kMaxExprDepth));
  }
  return expr;
}

}  // namespace gemma3n::jinja
