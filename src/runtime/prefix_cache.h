// Keys and values of prompts and answers that others may begin with, in blocks of positions: a tree
// in which a block hangs below the one that it follows. Blocks are copied out of a cache when they
// are complete (a rolling layer forgets them soon) and into the cache of whoever begins alike.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/cached_text.h"
#include "runtime/prompt_rows.h"

namespace gemma3n::internal {

// One thread at a time.
class PrefixCache {
 public:
  static constexpr int64_t kBlock = 32;  // positions

  // bytes: of keys and values at most; the least recently used go.
  explicit PrefixCache(int64_t bytes) : most_bytes_(bytes) {}

  // How many of the rows a cache for `model` (a number that stands for its size) could begin with.
  int64_t Find(int model, std::span<const PromptRow> rows) const;

  // Puts that much of the rows into an empty text; returns how much.
  int64_t Restore(int model, std::span<const PromptRow> rows, CachedText* text);

  // Keeps the blocks of `text` that are complete and begin at `from` (a multiple of kBlock) or
  // later; returns where the next one will begin, or -1 where the beginning has been dropped or the
  // text's cache no longer has a block, so that nothing more of it can be kept.
  int64_t Keep(int model, const CachedText& text, int64_t from);

  int64_t bytes() const { return bytes_; }
  int64_t tokens() const { return std::ssize(used_) * kBlock; }

  // Whole blocks of a prompt that may come from elsewhere: its last row always runs.
  static int64_t Usable(int64_t rows) { return (rows - 1) / kBlock * kBlock; }

 private:
  using Identities = std::array<uint64_t, kBlock>;
  struct Node {
    Identities identities{};
    std::unique_ptr<std::byte[]> piece;  // KvCache::CopyOut's
    int64_t bytes = 0;
    Node* parent = nullptr;
    std::unordered_map<uint64_t, std::unique_ptr<Node>> children;  // by Hash of their identities
    std::list<Node*>::iterator used;
  };

  static uint64_t Hash(const Identities& identities);
  Node* Root(int model) const;
  // The child that holds this block; null when there is none.
  static Node* Child(const Node& node, const Identities& identities);
  // Root to the last block of the rows that is kept.
  std::vector<Node*> Path(int model, std::span<const PromptRow> rows) const;
  // Makes a node and those above it the most recently used ones, the root's end last: so the least
  // recently used node never has children.
  void Touch(Node* node);
  void MakeRoom(int64_t bytes, const Node* keep);

  int64_t most_bytes_, bytes_ = 0;
  std::unordered_map<int, std::unique_ptr<Node>> roots_;  // by model; hold no block
  std::list<Node*> used_;                                 // most recently used first
};

}  // namespace gemma3n::internal
