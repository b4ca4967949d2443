#include "constraint/dfa.h"

#include <algorithm>
#include <map>
#include <utility>

namespace gemma3n {
namespace {

Status TooLarge() {
  return Error(StatusCode::kUnsupported, "a pattern whose automaton has more than {} states",
               Dfa::kMaxStates);
}

// Work on sets of nodes before a pattern is refused: keeps strange ones from taking seconds.
constexpr size_t kMaxWork = 10'000'000;

}  // namespace

Result<Dfa> Dfa::FromNfa(const Nfa& bytes) {
  Dfa dfa;
  std::array<bool, 257> cut{};  // a class of bytes begins here
  for (const Nfa::Node& node : bytes.nodes()) {
    for (const Nfa::Edge& edge : node.edges) cut[edge.on.low] = cut[edge.on.high + 1] = true;
  }
  std::vector<uint8_t> first_byte = {0};  // of each class
  for (size_t byte = 1; byte < 256; ++byte) {
    if (cut[byte]) first_byte.push_back(static_cast<uint8_t>(byte));
    dfa.class_of_[byte] = static_cast<uint8_t>(first_byte.size() - 1);
  }
  dfa.classes_ = first_byte.size();

  std::map<std::vector<int32_t>, int32_t> ids;
  std::vector<const std::vector<int32_t>*> sets;
  const auto id_of = [&](std::vector<int32_t> set) {
    const auto [it, added] = ids.emplace(std::move(set), static_cast<int32_t>(sets.size()));
    if (added) sets.push_back(&it->first);
    return it->second;
  };
  std::vector<int32_t> start = {bytes.start()};
  Nfa::Closer closer(bytes);
  closer.Close(start);
  id_of(std::move(start));
  // Closing one node at a time and keeping the result: sets are joined from these.
  std::vector<std::vector<int32_t>> closed(bytes.nodes().size());
  size_t work = 0;
  for (size_t state = 0; state < sets.size(); ++state) {
    const std::vector<int32_t>& set = *sets[state];
    dfa.accepts_.push_back(
        std::any_of(set.begin(), set.end(), [&](int32_t node) { return bytes.Accepts(node); }));
    for (const uint8_t byte : first_byte) {
      if (work > kMaxWork) return TooLarge();
      std::vector<int32_t> reached;
      for (const int32_t node : set) {
        for (const Nfa::Edge& edge : bytes.nodes()[static_cast<size_t>(node)].edges) {
          if (byte < edge.on.low || byte > edge.on.high) continue;
          auto& closure = closed[static_cast<size_t>(edge.to)];
          if (closure.empty()) {
            closure = {edge.to};
            closer.Close(closure);
            work += 4 * closure.size();
            if (work > kMaxWork) return TooLarge();
          }
          reached.insert(reached.end(), closure.begin(), closure.end());
        }
      }
      work += set.size() + 4 * reached.size();
      std::sort(reached.begin(), reached.end());
      reached.erase(std::unique(reached.begin(), reached.end()), reached.end());
      dfa.next_.push_back(reached.empty() ? kDead : id_of(std::move(reached)));
    }
    if (sets.size() > kMaxStates) return TooLarge();
  }
  dfa.Trim();
  return dfa;
}

Result<Dfa> Dfa::Both(const Dfa& a, const Dfa& b) {
  Dfa both;
  if (a.empty() || b.empty()) return both;
  std::map<std::pair<uint8_t, uint8_t>, uint8_t> classes;
  std::vector<uint8_t> first_byte;
  for (size_t byte = 0; byte < 256; ++byte) {
    const auto [it, added] = classes.emplace(std::pair(a.class_of_[byte], b.class_of_[byte]),
                                             static_cast<uint8_t>(first_byte.size()));
    if (added) first_byte.push_back(static_cast<uint8_t>(byte));
    both.class_of_[byte] = it->second;
  }
  both.classes_ = first_byte.size();
  std::map<std::pair<int32_t, int32_t>, int32_t> ids = {{{0, 0}, 0}};
  std::vector<std::pair<int32_t, int32_t>> pairs = {{0, 0}};
  for (size_t state = 0; state < pairs.size(); ++state) {
    const auto [in_a, in_b] = pairs[state];
    both.accepts_.push_back(a.Accepts(in_a) && b.Accepts(in_b));
    for (const uint8_t byte : first_byte) {
      const std::pair next(a.Next(in_a, byte), b.Next(in_b, byte));
      if (next.first == kDead || next.second == kDead) {
        both.next_.push_back(kDead);
        continue;
      }
      const auto [it, added] = ids.emplace(next, static_cast<int32_t>(pairs.size()));
      if (added) pairs.push_back(next);
      both.next_.push_back(it->second);
    }
    if (pairs.size() > kMaxStates) return TooLarge();
  }
  both.Trim();
  return both;
}

void Dfa::Trim() {
  const size_t count = accepts_.size();
  std::vector<std::vector<int32_t>> from(count);
  for (size_t i = 0; i < next_.size(); ++i) {
    if (next_[i] != kDead)
      from[static_cast<size_t>(next_[i])].push_back(static_cast<int32_t>(i / classes_));
  }
  std::vector<bool> lives = accepts_;
  std::vector<int32_t> queue;
  for (size_t i = 0; i < count; ++i) {
    if (lives[i]) queue.push_back(static_cast<int32_t>(i));
  }
  for (size_t i = 0; i < queue.size(); ++i) {
    for (const int32_t state : from[static_cast<size_t>(queue[i])]) {
      if (lives[static_cast<size_t>(state)]) continue;
      lives[static_cast<size_t>(state)] = true;
      queue.push_back(state);
    }
  }
  if (count == 0 || !lives[0]) {
    *this = Dfa();
    return;
  }
  std::vector<int32_t> renamed(count, kDead);
  int32_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    if (lives[i]) renamed[i] = kept++;
  }
  for (size_t i = 0; i < count; ++i) {
    if (!lives[i]) continue;
    const auto to = static_cast<size_t>(renamed[i]);
    bool goes_on = false;
    for (size_t c = 0; c < classes_; ++c) {
      const int32_t next = next_[i * classes_ + c];
      next_[to * classes_ + c] = next == kDead ? kDead : renamed[static_cast<size_t>(next)];
      goes_on = goes_on || next_[to * classes_ + c] != kDead;
    }
    accepts_[to] = accepts_[i];
    goes_on_.push_back(goes_on);
  }
  next_.resize(static_cast<size_t>(kept) * classes_);
  accepts_.resize(static_cast<size_t>(kept));
}

bool Dfa::Accepts(std::string_view text) const {
  if (empty()) return false;
  int32_t state = 0;
  for (const char c : text) {
    state = Next(state, static_cast<uint8_t>(c));
    if (state == kDead) return false;
  }
  return Accepts(state);
}

}  // namespace gemma3n
