// Thompson's construction; see Cox, "Regular Expression Matching Can Be Simple And Fast".
#include "constraint/nfa.h"

#include <algorithm>
#include <utility>

#include "constraint/json_bytes.h"

namespace gemma3n {

int32_t Nfa::Add() {
  nodes_.emplace_back();
  return static_cast<int32_t>(nodes_.size()) - 1;
}

void Nfa::Finish(int32_t start, int32_t accept) {
  start_ = start;
  accepts_.assign(nodes_.size(), false);
  accepts_[static_cast<size_t>(accept)] = true;
}

Status Nfa::Build(const Regex& regex, Ends ends) {
  if (nodes_.size() > kMaxNodes)
    return Error(StatusCode::kUnsupported, "a regular expression of more than {} steps", kMaxNodes);
  switch (regex.kind) {
    case Regex::Kind::kSet:
      for (const SymbolRange& range : regex.set) Link(ends.first, range, ends.last);
      return OkStatus();
    case Regex::Kind::kSequence: {
      int32_t at = ends.first;
      for (const Regex& part : regex.children) {
        const int32_t next = Add();
        G3N_RETURN_IF_ERROR(Build(part, {at, next}));
        at = next;
      }
      Link(at, ends.last);
      return OkStatus();
    }
    case Regex::Kind::kChoice:
      for (const Regex& part : regex.children) {
        const int32_t first = Add();
        Link(ends.first, first);
        G3N_RETURN_IF_ERROR(Build(part, {first, ends.last}));
      }
      return OkStatus();
    case Regex::Kind::kRepeat:
      return BuildRepeat(regex, ends);
  }
  return OkStatus();
}

Status Nfa::BuildRepeat(const Regex& regex, Ends ends) {
  const Regex& part = regex.children.front();
  int32_t at = ends.first;
  for (int i = 0; i < regex.least; ++i) {
    const int32_t next = Add();
    G3N_RETURN_IF_ERROR(Build(part, {at, next}));
    at = next;
  }
  if (regex.most < 0) {
    const int32_t loop = Add();
    Link(at, loop);
    Link(loop, ends.last);
    const int32_t back = Add();
    Link(back, loop);
    return Build(part, {loop, back});
  }
  for (int i = regex.least; i < regex.most; ++i) {
    Link(at, ends.last);
    const int32_t next = Add();
    G3N_RETURN_IF_ERROR(Build(part, {at, next}));
    at = next;
  }
  Link(at, ends.last);
  return OkStatus();
}

Result<Nfa> Nfa::Whole(const Regex& regex) {
  Nfa nfa;
  const Ends ends{nfa.Add(), nfa.Add()};
  G3N_RETURN_IF_ERROR(nfa.Build(regex, ends));
  nfa.Finish(ends.first, ends.last);
  return nfa;
}

// ^ and $ are symbols before and after the text, as many as are asked for: the expression may begin
// and end anywhere in BEGIN ... BEGIN text END ... END. Then the two symbols are taken away again.
Result<Nfa> Nfa::Search(const Regex& regex) {
  const Regex any = Regex::Repeat(Regex::Set({{0, kTextEnd}}), 0, -1);
  G3N_ASSIGN_OR_RETURN(Nfa nfa, Whole(Regex::Sequence({any, regex, any})));
  Closer closer(nfa);
  // Where one or more of a symbol lead.
  const auto after = [&](std::vector<int32_t> set, uint32_t symbol) {
    closer.Close(set);
    std::vector<int32_t> all;
    for (size_t before = 0;; before = all.size()) {
      for (const int32_t node : set) {
        for (const Edge& edge : nfa.nodes_[static_cast<size_t>(node)].edges) {
          if (edge.on.low <= symbol && symbol <= edge.on.high) all.push_back(edge.to);
        }
      }
      closer.Close(all);
      if (all.size() == before) return all;
      set = all;
    }
  };
  std::vector<bool> accepts(nfa.nodes_.size() + 1, false);
  for (size_t i = 0; i < nfa.nodes_.size(); ++i) {
    const auto& edges = nfa.nodes_[i].edges;
    const bool ends = std::any_of(edges.begin(), edges.end(),
                                  [](const Edge& edge) { return edge.on.high == kTextEnd; });
    if (!ends) continue;  // nodes that reach it for free accept through their closure
    for (const int32_t node : after({static_cast<int32_t>(i)}, kTextEnd))
      accepts[i] = accepts[i] || nfa.Accepts(node);
  }
  const std::vector<int32_t> starts = after({nfa.start_}, kTextBegin);
  nfa.start_ = nfa.Add();
  nfa.nodes_.back().free = starts;
  nfa.accepts_ = std::move(accepts);
  for (Node& node : nfa.nodes_) {
    std::erase_if(node.edges, [](const Edge& edge) { return edge.on.low > kMaxCodePoint; });
    for (Edge& edge : node.edges) edge.on.high = std::min(edge.on.high, kMaxCodePoint);
  }
  return nfa;
}

// Ends that are alike share their nodes.
void Nfa::LinkBytes(int32_t from, const std::vector<SymbolRange>& bytes, int32_t to, Ways& ways) {
  for (size_t i = bytes.size() - 1; i > 0; --i) {
    const auto [it, added] = ways.try_emplace({bytes[i].low, bytes[i].high, to}, 0);
    if (added) {
      it->second = Add();
      Link(it->second, bytes[i], to);
    }
    to = it->second;
  }
  Link(from, bytes[0], to);
}

Result<Nfa> Nfa::ToJsonStrings() const {
  Nfa bytes;
  bytes.nodes_.resize(nodes_.size());
  const int32_t open = bytes.Add(), close = bytes.Add();
  bytes.Link(open, {'"', '"'}, start_);
  Ways ways;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const auto from = static_cast<int32_t>(i);
    bytes.nodes_[i].free = nodes_[i].free;
    for (const Edge& edge : nodes_[i].edges) {
      for (const auto& sequence : JsonStringBytes(edge.on))
        bytes.LinkBytes(from, sequence, edge.to, ways);
    }
    if (accepts_[i]) bytes.Link(from, {'"', '"'}, close);
    if (bytes.nodes_.size() > kMaxNodes) {
      return Error(StatusCode::kUnsupported, "a regular expression of more than {} steps",
                   kMaxNodes);
    }
  }
  bytes.Finish(open, close);
  return bytes;
}

void Nfa::Closer::Close(std::vector<int32_t>& set) {
  ++round_;
  std::erase_if(set, [this](int32_t node) { return !First(node); });
  for (size_t i = 0; i < set.size(); ++i) {
    for (const int32_t next : nfa_.nodes_[static_cast<size_t>(set[i])].free) {
      if (First(next)) set.push_back(next);
    }
  }
  std::sort(set.begin(), set.end());
}

}  // namespace gemma3n
