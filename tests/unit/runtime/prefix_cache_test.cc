#include "runtime/prefix_cache.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

namespace gemma3n::internal {
namespace {

constexpr int64_t kBlock = PrefixCache::kBlock;

// Two owning layers, the first one sliding.
TextConfig Config() {
  TextConfig config;
  config.num_layers = 3;
  config.num_kv_shared_layers = 1;
  config.num_kv_heads = 2;
  config.head_dim = 4;
  config.sliding_window = 40;
  config.sliding = {true, false, false};
  config.max_position = 1000;
  return config;
}

class PrefixCacheTest : public testing::Test {
 protected:
  static std::unique_ptr<CachedText> NewText(int64_t max_rows = 64) {
    auto cache = KvCache::Create(Config(), 1000, max_rows, DType::kF32);
    EXPECT_TRUE(cache.ok());
    return std::make_unique<CachedText>(std::move(cache).value());
  }

  static std::vector<PromptRow> Rows(int64_t count, int32_t salt, int64_t common = 0) {
    std::vector<PromptRow> rows;
    for (int64_t i = 0; i < count; ++i) {
      const auto token = static_cast<int32_t>(i < common ? i : 1000 * salt + i);
      rows.push_back({token, nullptr, static_cast<uint64_t>(token)});
    }
    return rows;
  }

  // What a position's stored values are, by its identity.
  static float Value(int64_t layer, int64_t head, uint64_t identity, bool key) {
    return static_cast<float>(identity) + 0.1f * static_cast<float>(4 * layer + 2 * head + key);
  }

  static void Write(CachedText& text, std::span<const PromptRow> rows) {
    for (const PromptRow& row : rows) {
      for (int64_t layer = 0; layer < 2; ++layer) {
        for (int64_t head = 0; head < 2; ++head) {
          for (const bool key : {true, false}) {
            const int64_t at = text.cache.length();
            std::byte* out =
                key ? text.cache.Key(layer, head, at) : text.cache.Value(layer, head, at);
            const float value = Value(layer, head, row.identity, key);
            std::memcpy(out, &value, sizeof(value));
          }
        }
      }
      text.cache.Advance(1);
      text.Took({&row, 1});
    }
  }

  // Everything that a next row can see is there.
  static void Check(CachedText& text, std::span<const PromptRow> rows, int64_t length) {
    ASSERT_EQ(text.cache.length(), length);
    ASSERT_EQ(std::ssize(text.identities), length);
    for (int64_t at = 0; at < length; ++at) {
      EXPECT_EQ(text.identities[at], rows[at].identity);
      for (int64_t layer = 0; layer < 2; ++layer) {
        if (layer == 0 && at <= length - 40) continue;
        for (int64_t head = 0; head < 2; ++head) {
          float key = 0, value = 0;
          std::memcpy(&key, text.cache.Key(layer, head, at), sizeof(key));
          std::memcpy(&value, text.cache.Value(layer, head, at), sizeof(value));
          EXPECT_EQ(key, Value(layer, head, rows[at].identity, true)) << at;
          EXPECT_EQ(value, Value(layer, head, rows[at].identity, false)) << at;
        }
      }
    }
  }

  // As a prompt runs: slices, of which the complete blocks are kept.
  static int64_t RunAndKeep(PrefixCache& cache, int model, std::span<const PromptRow> rows,
                            int64_t slice = 50) {
    const auto text = NewText();
    int64_t kept = 0;
    for (size_t done = 0; done < rows.size();) {
      const size_t count = std::min(static_cast<size_t>(slice), rows.size() - done);
      Write(*text, rows.subspan(done, count));
      done += count;
      kept = cache.Keep(model, *text, kept);
    }
    return kept;
  }
};

TEST_F(PrefixCacheTest, WhatWasKeptComesBack) {
  PrefixCache cache(1 << 20);
  const auto rows = Rows(203, 1);
  EXPECT_EQ(RunAndKeep(cache, 0, rows), 192);
  EXPECT_EQ(cache.tokens(), 192);
  for (const int64_t count : {1, 32, 33, 34, 64, 65, 100, 193, 203}) {
    const auto text = NewText();
    const auto some = std::span(rows).first(static_cast<size_t>(count));
    const int64_t usable = (count - 1) / kBlock * kBlock;
    EXPECT_EQ(cache.Find(0, some), usable) << count;
    EXPECT_EQ(cache.Restore(0, some, text.get()), usable) << count;
    Check(*text, rows, usable);
    Write(*text, some.subspan(static_cast<size_t>(usable)));  // and it goes on
    Check(*text, rows, count);
  }
  EXPECT_EQ(cache.Find(1, rows), 0) << "another size";
}

TEST_F(PrefixCacheTest, TextsThatBeginAlikeShareTheirBlocks) {
  PrefixCache cache(1 << 20);
  const auto a = Rows(160, 1, 70), b = Rows(160, 2, 70);
  RunAndKeep(cache, 0, a);
  EXPECT_EQ(cache.Find(0, b), 64);
  RunAndKeep(cache, 0, b);
  EXPECT_EQ(cache.tokens(), 64 + 96 + 96);
  for (const auto& rows : {a, b}) {
    const auto text = NewText();
    EXPECT_EQ(cache.Restore(0, rows, text.get()), 128);
    Check(*text, rows, 128);
  }
}

TEST_F(PrefixCacheTest, TheLeastRecentlyUsedGoes) {
  const int64_t block_bytes = NewText()->cache.PieceBytes(kBlock);
  PrefixCache cache(6 * block_bytes);
  const auto a = Rows(65, 1), b = Rows(65, 2), c = Rows(65, 3), d = Rows(65, 4);
  for (const auto& rows : {a, b, c}) EXPECT_EQ(RunAndKeep(cache, 0, rows), 64);
  EXPECT_EQ(cache.bytes(), 6 * block_bytes);
  cache.Restore(0, a, NewText().get());
  RunAndKeep(cache, 0, d);
  EXPECT_EQ(cache.Find(0, b), 0);
  for (const auto& rows : {a, c, d}) EXPECT_EQ(cache.Find(0, rows), 64);
  EXPECT_EQ(cache.bytes(), 6 * block_bytes);
  // Longer than all there is: its beginning stays, nothing is kept after it.
  const auto longer = Rows(400, 5);
  EXPECT_EQ(RunAndKeep(cache, 0, longer), -1);
  EXPECT_EQ(cache.Find(0, longer), 192);
  EXPECT_LE(cache.bytes(), 6 * block_bytes);
}

TEST_F(PrefixCacheTest, WithoutRoomNothingIsKept) {
  PrefixCache cache(100);
  EXPECT_EQ(RunAndKeep(cache, 0, Rows(100, 1)), -1);
  EXPECT_EQ(cache.bytes(), 0);
  EXPECT_EQ(cache.Find(0, Rows(100, 1)), 0);
}

TEST_F(PrefixCacheTest, ABlockThatHasRolledAwayEndsTheKeeping) {
  PrefixCache cache(1 << 20);
  const auto rows = Rows(300, 1);
  const auto text = NewText(/*max_rows=*/1);  // rolling layers hold 40 positions
  Write(*text, std::span(rows).first(100));
  EXPECT_EQ(cache.Keep(0, *text, 0), -1);
  EXPECT_EQ(cache.tokens(), 0);
}

}  // namespace
}  // namespace gemma3n::internal
