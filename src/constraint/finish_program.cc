#include <algorithm>
#include <utility>

#include "constraint/schema_compiler.h"

namespace gemma3n {
namespace {

using Node = Program::Node;

constexpr int32_t kNever = Program::kMaxDepth + 1;

int32_t DepthOf(const Program& program, int32_t node) {
  return node == Program::kNone ? kNever : program.nodes[static_cast<size_t>(node)].depth;
}

// The value that stands at `index` of an array.
int32_t ItemAt(const Node& array, size_t index) {
  return index < array.parts.size() ? array.parts[index] : array.rest;
}

// The nesting of a node's flattest value, from what is known of its parts.
int32_t Depth(const Program& program, const Node& node) {
  int32_t depth = 0;
  switch (node.kind) {
    case Node::Kind::kChoice:
      depth = kNever;
      for (const int32_t part : node.parts) depth = std::min(depth, DepthOf(program, part));
      return depth;
    case Node::Kind::kText:
    case Node::Kind::kString:
      return 0;
    case Node::Kind::kObject:
      for (const auto& property : node.properties) {
        if (property.required) depth = std::max(depth, DepthOf(program, property.value));
      }
      break;
    case Node::Kind::kArray: {
      const size_t needed =
          std::min<size_t>(static_cast<size_t>(node.least), node.parts.size() + 1);
      for (size_t i = 0; i < needed; ++i)
        depth = std::max(depth, DepthOf(program, ItemAt(node, i)));
      break;
    }
  }
  return std::min(depth + 1, kNever);
}

// From "no value" downwards until nothing changes: at most kMaxDepth + 1 rounds, each of which
// finds what is one deeper.
void FindDepths(Program& program) {
  for (Node& node : program.nodes) node.depth = kNever;
  for (bool changed = true; changed;) {
    changed = false;
    for (auto node = program.nodes.rbegin(); node != program.nodes.rend(); ++node) {
      const int32_t depth = Depth(program, *node);  // parts have higher numbers as a rule
      changed = changed || depth < node->depth;
      node->depth = std::min(node->depth, depth);
    }
  }
}

// The values among which a choice's choices choose, each once.
std::vector<int32_t> Flatten(const Program& program, int32_t choice, std::vector<int32_t>& mark,
                             size_t& steps) {
  std::vector<int32_t> flat, stack = {choice};
  while (!stack.empty()) {
    const int32_t id = stack.back();
    stack.pop_back();
    ++steps;
    if (std::exchange(mark[static_cast<size_t>(id)], choice) == choice) continue;
    const Node& node = program.nodes[static_cast<size_t>(id)];
    if (node.depth >= kNever) continue;
    if (node.kind != Node::Kind::kChoice) {
      flat.push_back(id);
    } else {
      stack.insert(stack.end(), node.parts.rbegin(), node.parts.rend());
    }
  }
  return flat;
}

void FinishObject(const Program& program, Node& node) {
  if (DepthOf(program, node.rest) >= kNever) node.rest = Program::kNone;
  std::vector<Program::Property> kept;
  std::vector<std::string> gone;
  for (Program::Property& property : node.properties) {
    if (DepthOf(program, property.value) >= kNever)
      gone.push_back(std::move(property.name));
    else
      kept.push_back(std::move(property));
  }
  node.properties = std::move(kept);
  const size_t count = node.properties.size();
  node.next_required.assign(count + 1, static_cast<int32_t>(count));
  for (size_t i = count; i-- > 0;) {
    node.next_required[i] =
        node.properties[i].required ? static_cast<int32_t>(i) : node.next_required[i + 1];
  }
  for (size_t i = 0; i < count; ++i)
    node.names.Add(DumpOrderedJson(node.properties[i].name), static_cast<int32_t>(i));
  for (const std::string& name : gone) node.names.Add(DumpOrderedJson(name), NameTrie::kNone);
}

void FinishArray(const Program& program, Node& node) {
  for (size_t i = 0; i <= node.parts.size(); ++i) {
    if (DepthOf(program, ItemAt(node, i)) < kNever) continue;
    node.most = std::min(node.most, static_cast<int32_t>(i));
    node.parts.resize(std::min(node.parts.size(), i));
    node.rest = Program::kNone;
  }
}

}  // namespace

Status FinishProgram(Program& program) {
  FindDepths(program);
  if (DepthOf(program, program.root) >= kNever) {
    return Error(StatusCode::kInvalidArgument,
                 "JSON Schema: no value is allowed (or only such as are nested more than {} deep)",
                 Program::kMaxDepth);
  }
  std::vector<int32_t> mark(program.nodes.size(), -1);
  std::vector<std::vector<int32_t>> flat(program.nodes.size());
  size_t steps = 0;
  for (size_t i = 0; i < program.nodes.size(); ++i) {
    if (program.nodes[i].kind != Node::Kind::kChoice) continue;
    flat[i] = Flatten(program, static_cast<int32_t>(i), mark, steps);
    if (steps > 5'000'000)
      return Error(StatusCode::kResourceExhausted, "JSON Schema: too many nested choices");
  }
  for (size_t i = 0; i < program.nodes.size(); ++i) {
    Node& node = program.nodes[i];
    if (node.depth >= kNever) continue;
    if (node.kind == Node::Kind::kChoice) node.parts = std::move(flat[i]);
    if (node.kind == Node::Kind::kObject) FinishObject(program, node);
    if (node.kind == Node::Kind::kArray) FinishArray(program, node);
  }
  return OkStatus();
}

}  // namespace gemma3n
