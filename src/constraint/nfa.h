// Nondeterministic finite automata over code points or bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "base/result.h"
#include "constraint/regex.h"

namespace gemma3n {

class Nfa {
 public:
  struct Edge {
    SymbolRange on;
    int32_t to = 0;
  };
  struct Node {
    std::vector<Edge> edges;
    std::vector<int32_t> free;  // without a symbol
  };
  static constexpr size_t kMaxNodes = 200'000;

  // The texts that the expression matches as a whole; its symbols may be bytes. Errors:
  // kUnsupported (more than kMaxNodes).
  static Result<Nfa> Whole(const Regex& regex);
  // The texts in which it matches somewhere, where ^ and $ match at the ends.
  static Result<Nfa> Search(const Regex& regex);

  // From code points to the bytes of JSON strings with their quotes: characters as UTF-8, those
  // that JSON wants escaped (and no others) by each of their escapes.
  Result<Nfa> ToJsonStrings() const;

  const std::vector<Node>& nodes() const { return nodes_; }
  int32_t start() const { return start_; }
  bool Accepts(int32_t node) const { return accepts_[static_cast<size_t>(node)]; }

  // Finds what is reached without a symbol, in the time that it takes to write it down.
  class Closer {
   public:
    explicit Closer(const Nfa& nfa) : nfa_(nfa), seen_(nfa.nodes_.size(), 0) {}
    // The nodes that are reached from `set`, `set` among them: sorted, each once.
    void Close(std::vector<int32_t>& set);

   private:
    bool First(int32_t node) {
      return std::exchange(seen_[static_cast<size_t>(node)], round_) != round_;
    }
    const Nfa& nfa_;
    std::vector<uint32_t> seen_;  // in which round
    uint32_t round_ = 0;
  };

 private:
  struct Ends {
    int32_t first, last;
  };
  int32_t Add();
  void Link(int32_t from, int32_t to) { nodes_[static_cast<size_t>(from)].free.push_back(to); }
  void Link(int32_t from, SymbolRange on, int32_t to) {
    nodes_[static_cast<size_t>(from)].edges.push_back({on, to});
  }
  // The node from which a range leads to a node.
  using Ways = std::map<std::tuple<uint32_t, uint32_t, int32_t>, int32_t>;
  void LinkBytes(int32_t from, const std::vector<SymbolRange>& bytes, int32_t to, Ways& ways);
  Status Build(const Regex& regex, Ends ends);
  Status BuildRepeat(const Regex& regex, Ends ends);
  void Finish(int32_t start, int32_t accept);

  std::vector<Node> nodes_;
  int32_t start_ = 0;
  std::vector<bool> accepts_;
};

}  // namespace gemma3n
