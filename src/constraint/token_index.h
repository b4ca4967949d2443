// A vocabulary's texts, ordered for finding those that may come next.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gemma3n {

// Tokens by their bytes, as a tree in preorder: what begins alike is looked at once.
class TokenTree {
 public:
  struct Node {
    uint32_t size : 24;  // of the subtree, this node among them
    uint32_t byte : 8;
    uint32_t tokens;  // where its own begin; they end where the next node's do
  };
  // `ids` in any order. texts: by id.
  TokenTree(std::vector<int32_t> ids, std::span<const std::string> texts);

  // The root, whose text is empty, is not among them; a last one closes the list.
  std::span<const Node> nodes() const { return {nodes_.data(), nodes_.size() - 1}; }
  std::span<const int32_t> TokensOf(size_t node) const {
    return std::span(tokens_).subspan(nodes_[node].tokens,
                                      nodes_[node + 1].tokens - nodes_[node].tokens);
  }
  size_t depth() const { return depth_; }  // bytes of the longest text

 private:
  std::vector<Node> nodes_;
  std::vector<int32_t> tokens_;
  size_t depth_ = 0;
};

// Immutable, shared by all constraints of an engine.
class TokenIndex {
 public:
  using Bits = std::vector<uint64_t>;  // by id

  // texts: what each token adds to the output, by id; empty: it may never come (special tokens,
  // ids without a token). ends: tokens that end an answer. Errors: kInvalidArgument (no ends, an id
  // outside, a text of more than 2^16 bytes, more texts than 2^22).
  static Result<std::shared_ptr<const TokenIndex>> Build(std::vector<std::string> texts,
                                                         std::vector<int32_t> ends);

  size_t size() const { return texts_.size(); }
  std::string_view Text(int32_t token) const;
  bool IsEnd(int32_t token) const;
  std::span<const int32_t> ends() const { return ends_; }

  // Plain tokens are whole characters that stand for themselves in a JSON string; most are.
  const TokenTree& plain() const { return *plain_; }
  const TokenTree& others() const { return *others_; }
  // Plain tokens of at most this many characters, up to the longest.
  const Bits& PlainUpTo(size_t characters) const;
  size_t longest_plain() const { return plain_up_to_.size() - 1; }

 private:
  TokenIndex() = default;

  std::vector<std::string> texts_;
  std::vector<int32_t> ends_;
  std::unique_ptr<const TokenTree> plain_, others_;
  std::vector<Bits> plain_up_to_;
};

}  // namespace gemma3n
