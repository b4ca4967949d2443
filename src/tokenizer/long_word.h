// The merges of a long stretch of text: symbols linked in text order, candidates in a heap.
// O(n log n).
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <string_view>
#include <vector>

#include "tokenizer/bpe.h"
#include "tokenizer/utf8.h"

namespace gemma3n {

class LongWord {
 public:
  // One symbol for each character, as symbol_of(character, its text) has it. Precondition: valid
  // UTF-8, not empty, shorter than 4 GiB.
  template <typename SymbolOf>
  LongWord(std::string_view text, const SymbolOf& symbol_of) : text_(text) {
    for (size_t pos = 0; pos < text.size();) {
      const Utf8Char c = DecodeUtf8(text, pos);
      const auto i = static_cast<uint32_t>(symbols_.size());
      symbols_.push_back({symbol_of(c.code, text.substr(pos, c.length)), static_cast<uint32_t>(pos),
                          i - 1, i + 1});
      pos += c.length;
    }
    symbols_.front().previous = kNone;
    symbols_.back().next = kNone;
  }

  // find(left, right, their joint text): the merge of two neighbours, of rank kNoMerge for none.
  template <typename Find>
  void MergeAll(const Find& find) {
    for (uint32_t i = 0; i < symbols_.size(); ++i) Look(find, i);
    while (!queue_.empty()) {
      const auto i = static_cast<uint32_t>(queue_.top());
      const auto rank = static_cast<uint32_t>(queue_.top() >> 32);
      queue_.pop();
      Symbol& s = symbols_[i];
      if (s.rank != rank) continue;
      Symbol& right = symbols_[s.next];
      s.id = s.result;
      s.next = right.next;
      right.rank = kNoMerge;
      if (s.next != kNone) symbols_[s.next].previous = i;
      Look(find, i);
      if (s.previous != kNone) Look(find, s.previous);
    }
  }

  // visit(symbol, its text) for what is left, in order.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (uint32_t i = 0; i != kNone; i = symbols_[i].next) {
      visit(symbols_[i].id, text_.substr(symbols_[i].begin, End(i) - symbols_[i].begin));
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Symbol {
    TokenId id;
    uint32_t begin, previous, next;
    // Of the merge with the symbol to the right; kNoMerge also when this one went into its left
    // neighbour.
    uint32_t rank = kNoMerge;
    TokenId result = -1;
  };

  size_t End(uint32_t i) const {
    return symbols_[i].next == kNone ? text_.size() : symbols_[symbols_[i].next].begin;
  }

  template <typename Find>
  void Look(const Find& find, uint32_t i) {
    Symbol& s = symbols_[i];
    s.rank = kNoMerge;
    if (s.next == kNone) return;
    const Merge& merge =
        find(s.id, symbols_[s.next].id, text_.substr(s.begin, End(s.next) - s.begin));
    s.rank = merge.rank;
    s.result = merge.result;
    if (s.rank != kNoMerge) queue_.push(static_cast<uint64_t>(s.rank) << 32 | i);
  }

  std::string_view text_;
  std::vector<Symbol> symbols_;
  // Rank above position: the lowest rank first, the leftmost of equals. An entry is stale when the
  // rank has changed.
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue_;
};

}  // namespace gemma3n
