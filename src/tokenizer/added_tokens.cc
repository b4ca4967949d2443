#include "tokenizer/added_tokens.h"

#include "tokenizer/utf8.h"

namespace gemma3n {
namespace {

// Unicode's White_Space property.
bool IsWhiteSpace(char32_t c) {
  return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher() : nodes_(1) {}

int32_t AddedTokenMatcher::Child(int32_t node, uint8_t byte) const {
  int32_t child = nodes_[node].child;
  while (child >= 0 && nodes_[child].byte != byte) child = nodes_[child].sibling;
  return child;
}

void AddedTokenMatcher::Add(const AddedToken& token, std::string_view pattern) {
  if (pattern.empty()) return;
  int32_t node = 0;
  for (const char c : pattern) {
    const auto byte = static_cast<uint8_t>(c);
    int32_t child = Child(node, byte);
    if (child < 0) {
      child = static_cast<int32_t>(nodes_.size());
      nodes_.push_back({-1, nodes_[node].child, -1, byte});
      nodes_[node].child = child;
    }
    node = child;
  }
  if (nodes_[node].token < 0) ++live_;
  nodes_[node].token = static_cast<int32_t>(tokens_.size());
  tokens_.push_back(token);
  starts_[static_cast<uint8_t>(pattern[0])] = true;
}

int32_t AddedTokenMatcher::Walk(std::string_view pattern) const {
  int32_t node = 0;
  for (const char c : pattern) {
    node = Child(node, static_cast<uint8_t>(c));
    if (node < 0) return -1;
  }
  return node;
}

void AddedTokenMatcher::Remove(std::string_view pattern) {
  const int32_t node = Walk(pattern);
  if (node <= 0 || nodes_[node].token < 0) return;
  nodes_[node].token = -1;
  --live_;
}

AddedTokenMatcher::Match AddedTokenMatcher::LongestAt(std::string_view text, size_t pos) const {
  Match best;
  int32_t node = 0;
  for (size_t i = pos; i < text.size(); ++i) {
    node = Child(node, static_cast<uint8_t>(text[i]));
    if (node < 0) break;
    if (nodes_[node].token >= 0) best = {nodes_[node].token, i + 1 - pos};
  }
  return best;
}

size_t AddedTokenMatcher::BeforeSpaces(std::string_view text, size_t end, size_t floor) {
  while (end > floor) {
    size_t start = end - 1;
    while (start > floor && (text[start] & 0xC0) == 0x80) --start;
    const Utf8Char c = DecodeUtf8(text.substr(0, end), start);
    if (c.length == 0 || start + c.length != end || !IsWhiteSpace(c.code)) break;
    end = start;
  }
  return end;
}

size_t AddedTokenMatcher::AfterSpaces(std::string_view text, size_t start) {
  while (start < text.size()) {
    const Utf8Char c = DecodeUtf8(text, start);
    if (c.length == 0 || !IsWhiteSpace(c.code)) break;
    start += c.length;
  }
  return start;
}

}  // namespace gemma3n
