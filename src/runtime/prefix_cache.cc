#include "runtime/prefix_cache.h"

#include <algorithm>

namespace gemma3n::internal {

uint64_t PrefixCache::Hash(const Identities& identities) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint64_t identity : identities) {
    hash = (hash ^ identity) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  return hash;
}

PrefixCache::Node* PrefixCache::Root(int model) const {
  const auto found = roots_.find(model);
  return found == roots_.end() ? nullptr : found->second.get();
}

PrefixCache::Node* PrefixCache::Child(const Node& node, const Identities& identities) {
  const auto found = node.children.find(Hash(identities));
  if (found == node.children.end()) return nullptr;
  return found->second->identities == identities ? found->second.get() : nullptr;
}

std::vector<PrefixCache::Node*> PrefixCache::Path(int model,
                                                  std::span<const PromptRow> rows) const {
  std::vector<Node*> path;
  const Node* node = Root(model);
  const int64_t usable = Usable(std::ssize(rows));
  Identities identities;
  for (int64_t at = 0; node != nullptr && at < usable; at += kBlock) {
    for (int64_t i = 0; i < kBlock; ++i) identities[i] = rows[at + i].identity;
    Node* const next = Child(*node, identities);
    if (next != nullptr) path.push_back(next);
    node = next;
  }
  return path;
}

int64_t PrefixCache::Find(int model, std::span<const PromptRow> rows) const {
  return std::ssize(Path(model, rows)) * kBlock;
}

int64_t PrefixCache::Restore(int model, std::span<const PromptRow> rows, CachedText* text) {
  const std::vector<Node*> path = Path(model, rows);
  if (path.empty()) return 0;
  const int64_t length = std::ssize(path) * kBlock;
  for (int64_t b = 0; b < std::ssize(path); ++b) {
    const bool seen = text->cache.SeesThroughWindow(length, (b + 1) * kBlock - 1);
    text->cache.Append(kBlock, path[b]->piece.get(), seen);
  }
  text->Took(rows.first(static_cast<size_t>(length)));
  Touch(path.back());
  return length;
}

int64_t PrefixCache::Keep(int model, const CachedText& text, int64_t from) {
  if (from < 0 || from + kBlock > text.cache.length()) return from;
  std::unique_ptr<Node>& root = roots_[model];
  if (root == nullptr) root = std::make_unique<Node>();
  Node* node = root.get();
  Identities identities;
  int64_t at = 0;
  for (; at + kBlock <= text.cache.length(); at += kBlock) {
    std::copy_n(text.identities.begin() + at, kBlock, identities.begin());
    Node* next = Child(*node, identities);
    if (next == nullptr) {
      const int64_t bytes = text.cache.PieceBytes(kBlock);
      if (at < from || !text.cache.Holds(at)) return -1;
      Touch(node);
      MakeRoom(bytes, node);
      if (bytes_ + bytes > most_bytes_) return -1;
      auto made = std::make_unique<Node>();
      made->identities = identities;
      made->piece = std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(bytes));
      text.cache.CopyOut(at, kBlock, made->piece.get());
      made->bytes = bytes;
      made->parent = node;
      next = made.get();
      if (!node->children.emplace(Hash(identities), std::move(made)).second) return -1;
      next->used = used_.insert(used_.begin(), next);
      bytes_ += bytes;
    }
    node = next;
  }
  Touch(node);
  return at;
}

void PrefixCache::Touch(Node* node) {
  for (; node->parent != nullptr; node = node->parent) {
    used_.splice(used_.begin(), used_, node->used);
  }
}

void PrefixCache::MakeRoom(int64_t bytes, const Node* keep) {
  while (bytes_ + bytes > most_bytes_ && !used_.empty()) {
    Node* const oldest = used_.back();
    if (oldest == keep || !oldest->children.empty()) return;
    bytes_ -= oldest->bytes;
    used_.pop_back();
    Node* const parent = oldest->parent;
    parent->children.erase(Hash(oldest->identities));
    if (parent->parent == nullptr && parent->children.empty() && parent != keep) {
      std::erase_if(roots_, [&](const auto& root) { return root.second.get() == parent; });
    }
  }
}

}  // namespace gemma3n::internal
