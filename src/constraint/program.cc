#include "constraint/program.h"

#include <utility>

namespace gemma3n {

int32_t NameTrie::Child(int32_t node, uint8_t byte) const {
  for (const auto& [label, child] : nodes_[static_cast<size_t>(node)].children) {
    if (label == byte) return child;
  }
  return kNone;
}

void NameTrie::Add(std::string_view name, int32_t index) {
  int32_t node = 0;
  const auto pass = [&] {
    auto& through = nodes_[static_cast<size_t>(node)].through;
    if (index != kNone) through.push_back(index);
  };
  pass();
  for (const char c : name.substr(1)) {
    const auto byte = static_cast<uint8_t>(c);
    int32_t child = Child(node, byte);
    if (child == kNone) {
      child = static_cast<int32_t>(nodes_.size());
      nodes_.emplace_back();
      nodes_[static_cast<size_t>(node)].children.emplace_back(byte, child);
    }
    node = child;
    pass();
  }
  nodes_[static_cast<size_t>(node)].property = index;
}

}  // namespace gemma3n
