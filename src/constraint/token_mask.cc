#include "constraint/token_mask.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "constraint/json_text.h"

namespace gemma3n {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
// More single tokens than this are kept as bits.
constexpr size_t kFew = 4096;

// Characters that may follow in a string without a pattern; -1: the frame is none, or inside a
// character.
int64_t PlainRoom(const Reader& reader, const Frame& frame) {
  if (frame.a != StringText::kBody) return -1;
  if (frame.phase == Frame::Phase::kOtherName)
    return frame.b == NameTrie::kNone ? std::numeric_limits<int64_t>::max() : -1;
  if (frame.phase != Frame::Phase::kString) return -1;
  const int32_t most = reader.program().nodes[static_cast<size_t>(frame.node)].most;
  if (most == Program::kNoLimit) return std::numeric_limits<int64_t>::max();
  return int64_t{most} - frame.b;
}

// Once the reader has taken this much, only first bytes are looked at: schemas that can be read in
// hundreds of ways take a state for each token. Single bytes are tokens, so some always may come.
constexpr size_t kMaxReaderBytes = size_t{96} << 20;

// Appends the tokens of the tree that lead from the state to another.
void Walk(Reader& reader, Reader::State state, const TokenTree& tree, std::vector<int32_t>& out) {
  const auto nodes = tree.nodes();
  std::vector<Reader::State> states(tree.depth() + 1);
  std::vector<size_t> ends(tree.depth() + 1);  // of the subtrees that are being walked
  states[0] = state;
  ends[0] = nodes.size();
  size_t depth = 0;
  for (size_t i = 0; i < nodes.size();) {
    while (i >= ends[depth]) --depth;
    const bool looks = depth == 0 || reader.bytes() < kMaxReaderBytes;
    const Reader::State next =
        looks ? reader.Next(states[depth], static_cast<uint8_t>(nodes[i].byte)) : Reader::kDead;
    if (next == Reader::kDead) {
      i += nodes[i].size;
      continue;
    }
    const auto tokens = tree.TokensOf(i);
    out.insert(out.end(), tokens.begin(), tokens.end());
    ++depth;
    states[depth] = next;
    ends[depth] = i + nodes[i].size;
    ++i;
  }
}

// Sets those of 64 logits to -inf whose bits are 0, eight at a time and without branches in these:
// which bits are set follows no pattern.
void Keep(uint64_t bits, float* logits) {
  using Lanes = std::array<uint32_t, 8>;
  static const auto kLanes = [] {
    std::array<Lanes, 256> lanes{};
    for (size_t byte = 0; byte < lanes.size(); ++byte) {
      for (size_t i = 0; i < 8; ++i) lanes[byte][i] = (byte >> i & 1) != 0 ? ~uint32_t{0} : 0;
    }
    return lanes;
  }();
  constexpr auto kNeverBits = std::bit_cast<uint32_t>(kNever);
  for (int group = 0; group < 8; ++group, bits >>= 8, logits += 8) {
    if ((bits & 0xFF) == 0xFF) continue;
    const Lanes& lanes = kLanes[bits & 0xFF];
    Lanes values;
    std::memcpy(values.data(), logits, sizeof(values));
    for (size_t i = 0; i < 8; ++i) values[i] = (values[i] & lanes[i]) | (kNeverBits & ~lanes[i]);
    std::memcpy(logits, values.data(), sizeof(values));
  }
}

}  // namespace

TokenMask TokenMask::Of(Reader& reader, Reader::State state, const TokenIndex& index) {
  TokenMask mask;
  int64_t room = 0;
  std::vector<int32_t> rest;  // readings that are in no such string
  for (const int32_t reading : reader.Readings(state)) {
    const int64_t here = PlainRoom(reader, reader.frame(reading));
    room = std::max(room, here);
    if (here < 0) rest.push_back(reading);
  }
  Walk(reader, state, index.others(), mask.more_);
  if (room > 0)
    mask.base_ = &index.PlainUpTo(static_cast<size_t>(std::min<int64_t>(room, 1 << 20)));
  if (room < static_cast<int64_t>(index.longest_plain()) && !rest.empty()) {
    const Reader::State others = reader.StateOf(std::move(rest), false);
    Walk(reader, others, index.plain(), mask.more_);
  }
  if (mask.more_.size() > kFew) {
    mask.own_ = mask.base_ != nullptr ? *mask.base_ : TokenIndex::Bits((index.size() + 63) / 64);
    for (const int32_t token : mask.more_)
      mask.own_[static_cast<size_t>(token) / 64] |= uint64_t{1} << (token % 64);
    mask.more_.clear();
  }
  mask.more_.shrink_to_fit();
  return mask;
}

void TokenMask::Apply(std::span<float> logits, std::span<const int32_t> kept) const {
  std::vector<std::pair<size_t, float>> saved;
  saved.reserve(more_.size() + kept.size());
  for (const std::span<const int32_t> tokens : {std::span<const int32_t>(more_), kept}) {
    for (const int32_t token : tokens) {
      const auto id = static_cast<size_t>(token);
      if (id < logits.size()) saved.emplace_back(id, logits[id]);
    }
  }
  size_t done = 0;
  if (const TokenIndex::Bits* bits = base()) {
    for (; done / 64 < bits->size() && done + 64 <= logits.size(); done += 64) {
      const uint64_t allowed = (*bits)[done / 64];
      if (allowed != ~uint64_t{0}) Keep(allowed, &logits[done]);
    }
    for (; done / 64 < bits->size() && done < logits.size(); ++done) {  // less than a word's
      if (((*bits)[done / 64] >> (done % 64) & 1) == 0) logits[done] = kNever;
    }
  }
  std::fill(logits.begin() + static_cast<std::ptrdiff_t>(done), logits.end(), kNever);
  for (const auto& [id, logit] : saved) logits[id] = logit;
}

}  // namespace gemma3n
