#include "constraint/token_index.h"

#include <algorithm>
#include <utility>

#include "constraint/json_text.h"

namespace gemma3n {
namespace {

constexpr size_t kMaxTokens = size_t{1} << 22, kMaxBytes = size_t{1} << 16;
// Plain tokens have at most this many characters: each number of them has its own set.
constexpr size_t kMaxPlain = 64;

// The characters of a text that stands for itself in a JSON string; 0 for others.
size_t PlainCharacters(std::string_view text) {
  int32_t state = StringText::kBody;
  size_t characters = 0;
  for (const char c : text) {
    if (c == '"' || c == '\\') return 0;
    state = StringText::Next(state, static_cast<uint8_t>(c));
    if (state == StringText::kDead) return 0;
    if (state == StringText::kBody) ++characters;
  }
  return state == StringText::kBody && characters <= kMaxPlain ? characters : 0;
}

}  // namespace

TokenTree::TokenTree(std::vector<int32_t> ids, std::span<const std::string> texts) {
  const auto text = [&](int32_t id) -> std::string_view { return texts[static_cast<size_t>(id)]; };
  std::sort(ids.begin(), ids.end(),
            [&](int32_t a, int32_t b) { return text(a) != text(b) ? text(a) < text(b) : a < b; });
  std::vector<size_t> path;  // nodes on the way to the last text's end
  std::string_view last;
  const auto close = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back())
      nodes_[path.back()].size = static_cast<uint32_t>(nodes_.size() - path.back());
  };
  for (const int32_t id : ids) {
    const std::string_view bytes = text(id);
    size_t common = 0;
    while (common < last.size() && common < bytes.size() && last[common] == bytes[common]) ++common;
    close(common);
    for (size_t i = common; i < bytes.size(); ++i) {
      path.push_back(nodes_.size());
      nodes_.push_back({1, static_cast<uint8_t>(bytes[i]), static_cast<uint32_t>(tokens_.size())});
    }
    tokens_.push_back(id);
    depth_ = std::max(depth_, bytes.size());
    last = bytes;
  }
  close(0);
  nodes_.push_back({1, 0, static_cast<uint32_t>(tokens_.size())});
}

Result<std::shared_ptr<const TokenIndex>> TokenIndex::Build(std::vector<std::string> texts,
                                                            std::vector<int32_t> ends) {
  if (texts.size() > kMaxTokens) {
    return Error(StatusCode::kInvalidArgument, "token index: expected at most {} tokens, found {}",
                 kMaxTokens, texts.size());
  }
  if (ends.empty()) {
    return Error(StatusCode::kInvalidArgument, "token index: expected at least one end token");
  }
  for (const int32_t end : ends) {
    if (end < 0 || end >= std::ssize(texts)) {
      return Error(StatusCode::kInvalidArgument,
                   "token index: end token {} is outside the vocabulary of {}", end, texts.size());
    }
    texts[static_cast<size_t>(end)].clear();
  }
  std::shared_ptr<TokenIndex> index(new TokenIndex());
  std::vector<int32_t> plain, others;
  std::vector<size_t> characters(texts.size());
  size_t longest = 0, bytes = 0;
  for (size_t id = 0; id < texts.size(); ++id) {
    if (texts[id].size() > kMaxBytes) {
      return Error(StatusCode::kInvalidArgument,
                   "token index: expected at most {} bytes in a token, found {} in token {}",
                   kMaxBytes, texts[id].size(), id);
    }
    bytes += texts[id].size();
    characters[id] = PlainCharacters(texts[id]);
    longest = std::max(longest, characters[id]);
    if (characters[id] > 0)
      plain.push_back(static_cast<int32_t>(id));
    else if (!texts[id].empty())
      others.push_back(static_cast<int32_t>(id));
  }
  if (bytes >= (size_t{1} << 24)) {
    return Error(StatusCode::kInvalidArgument,
                 "token index: expected less than 16 MiB of text, found {} bytes", bytes);
  }
  index->plain_up_to_.assign(longest + 1, Bits((texts.size() + 63) / 64));
  for (size_t id = 0; id < texts.size(); ++id) {
    for (size_t n = characters[id]; n > 0 && n <= longest; ++n)
      index->plain_up_to_[n][id / 64] |= uint64_t{1} << (id % 64);
  }
  index->plain_ = std::make_unique<TokenTree>(std::move(plain), texts);
  index->others_ = std::make_unique<TokenTree>(std::move(others), texts);
  index->texts_ = std::move(texts);
  index->ends_ = std::move(ends);
  return std::shared_ptr<const TokenIndex>(std::move(index));
}

std::string_view TokenIndex::Text(int32_t token) const {
  if (token < 0 || token >= std::ssize(texts_)) return {};
  return texts_[static_cast<size_t>(token)];
}

bool TokenIndex::IsEnd(int32_t token) const {
  return std::find(ends_.begin(), ends_.end(), token) != ends_.end();
}

const TokenIndex::Bits& TokenIndex::PlainUpTo(size_t characters) const {
  return plain_up_to_[std::min(characters, longest_plain())];
}

}  // namespace gemma3n
