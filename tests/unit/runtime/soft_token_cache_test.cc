#include "runtime/soft_token_cache.h"

#include <gtest/gtest.h>

namespace gemma3n::internal {
namespace {

SoftTokenCache::Entry Rows(size_t floats) {
  auto soft = std::make_shared<SoftTokens>();
  soft->count = 1;
  soft->rows.assign(floats, 1.0f);
  return soft;
}

TEST(SoftTokenCache, TheLeastRecentlyUsedGoesFirst) {
  SoftTokenCache cache(3 * 40);
  for (uint64_t i = 0; i < 3; ++i) cache.Insert({i, 0}, Rows(10));
  EXPECT_NE(cache.Find({0, 0}), nullptr);  // now the most recent
  cache.Insert({3, 0}, Rows(10));
  EXPECT_EQ(cache.Find({1, 0}), nullptr);
  EXPECT_NE(cache.Find({0, 0}), nullptr);
  EXPECT_NE(cache.Find({2, 0}), nullptr);
  EXPECT_NE(cache.Find({3, 0}), nullptr);
  EXPECT_EQ(cache.bytes(), 3 * 40);
}

TEST(SoftTokenCache, OneLargeEntryTakesSeveralSmallOnesPlaces) {
  SoftTokenCache cache(100);
  cache.Insert({1, 0}, Rows(10));
  cache.Insert({2, 0}, Rows(10));
  cache.Insert({3, 0}, Rows(20));
  EXPECT_EQ(cache.Find({1, 0}), nullptr);
  EXPECT_EQ(cache.bytes(), 80);  // 2 had to go as well: 40 + 80 > 100
  EXPECT_EQ(cache.Find({2, 0}), nullptr);
  cache.Insert({4, 0}, Rows(1000));  // larger than all of it
  EXPECT_EQ(cache.Find({4, 0}), nullptr);
  EXPECT_NE(cache.Find({3, 0}), nullptr);
}

TEST(SoftTokenCache, AKeyHasOneEntry) {
  SoftTokenCache cache(1000);
  cache.Insert({1, 2}, Rows(10));
  const auto second = Rows(20);
  cache.Insert({1, 2}, second);
  EXPECT_EQ(cache.Find({1, 2}), second);
  EXPECT_EQ(cache.bytes(), 80);
  EXPECT_EQ(cache.Find({2, 1}), nullptr);
}

TEST(ContentHasher, KeepsKindsAndPartsApart) {
  const auto hash = [](std::string_view kind, std::string_view a, std::string_view b) {
    return ContentHasher(kind).Add(a).Add(b).Finish();
  };
  EXPECT_EQ(hash("x", "ab", "c"), hash("x", "ab", "c"));
  EXPECT_NE(hash("x", "ab", "c"), hash("x", "a", "bc"));
  EXPECT_NE(hash("x", "ab", "c"), hash("y", "ab", "c"));
  EXPECT_NE(ContentHasher("x").Add(int64_t{1}).Finish(), ContentHasher("x").Add(1.0).Finish());
}

}  // namespace
}  // namespace gemma3n::internal
