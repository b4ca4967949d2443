#include "model/text/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace gemma3n {
namespace {

constexpr int64_t kWindow = 5;

TextConfig Config() {
  TextConfig c;
  c.num_layers = 4;
  c.num_kv_shared_layers = 1;
  c.num_kv_heads = 2;
  c.head_dim = 3;
  c.sliding_window = kWindow;
  c.sliding = {true, false, true, true};
  return c;
}

float* Floats(std::byte* row) { return reinterpret_cast<float*>(row); }

// Every position's key is its own number, its value the negative.
void Write(KvCache& cache, const TextConfig& c, int64_t position, float salt) {
  for (int64_t layer = 0; layer < c.first_kv_shared(); ++layer) {
    for (int64_t head = 0; head < c.num_kv_heads; ++head) {
      for (int64_t i = 0; i < c.head_dim; ++i) {
        const float x = salt + 1000.0f * position + 100.0f * layer + 10.0f * head + i;
        Floats(cache.Key(layer, head, position))[i] = x;
        Floats(cache.Value(layer, head, position))[i] = -x;
      }
    }
  }
}

void ExpectVisible(KvCache& cache, const TextConfig& c, int64_t position, float salt) {
  for (int64_t layer = 0; layer < c.first_kv_shared(); ++layer) {
    for (int64_t head = 0; head < c.num_kv_heads; ++head) {
      const KeysValues held = cache.Head(layer, head);
      const int64_t window = cache.Window(layer);
      ASSERT_EQ(window, c.sliding[layer] ? kWindow : cache.context());
      for (int64_t p = std::max<int64_t>(0, position - window + 1); p <= position; ++p) {
        const auto row = [&](const std::byte* ring) {
          return reinterpret_cast<const float*>(ring + p % held.capacity * held.row_bytes);
        };
        for (int64_t i = 0; i < c.head_dim; ++i) {
          const float x = salt + 1000.0f * p + 100.0f * layer + 10.0f * head + i;
          ASSERT_EQ(row(held.k)[i], x)
              << "layer " << layer << " query " << position << " key " << p;
          ASSERT_EQ(row(held.v)[i], -x);
        }
      }
    }
  }
}

TEST(KvCache, EveryRowOfASliceSeesItsWindowAfterTheWholeSliceIsWritten) {
  const TextConfig c = Config();
  for (int64_t max_rows : {1, 2, 3, 7, 40}) {
    auto cache = KvCache::Create(c, 100, max_rows, DType::kF32);
    ASSERT_TRUE(cache.ok());
    std::mt19937 rng(static_cast<unsigned>(max_rows));
    while (cache->length() < 90) {
      const int64_t begin = cache->length(), rows = 1 + static_cast<int64_t>(rng() % max_rows);
      const int64_t end = std::min<int64_t>(begin + rows, 100);
      for (int64_t p = begin; p < end; ++p) Write(*cache, c, p, 0);
      for (int64_t p = begin; p < end; ++p) ExpectVisible(*cache, c, p, 0);
      cache->Advance(end - begin);
    }
  }
}

TEST(KvCache, TruncationIsRefusedOnceTheWindowHasRolledAway) {
  const TextConfig c = Config();
  auto cache = KvCache::Create(c, 100, 4, DType::kF32);  // rolling capacity 8
  for (int64_t p = 0; p < 30; ++p) {
    Write(*cache, c, p, 0);
    cache->Advance(1);
  }
  // Positions 22 .. 29 are held; a query at position q needs q - 4 .. q - 1 before it.
  EXPECT_TRUE(cache->CanTruncate(30));
  EXPECT_TRUE(cache->CanTruncate(26));
  EXPECT_FALSE(cache->CanTruncate(25));
  EXPECT_FALSE(cache->CanTruncate(31));
  EXPECT_FALSE(cache->CanTruncate(-1));
  EXPECT_TRUE(cache->CanTruncate(0)) << "starting anew is always possible";
  cache->Truncate(26);
  Write(*cache, c, 26, 0.5f);
  cache->Advance(1);
  EXPECT_TRUE(cache->CanTruncate(26)) << "what was there before the cut still is";
  EXPECT_FALSE(cache->CanTruncate(25)) << "and what had rolled away stays away";
}

TEST(KvCache, TruncatedCacheSeesTheNewTokens) {
  const TextConfig c = Config();
  auto cache = KvCache::Create(c, 100, 10, DType::kF32);
  for (int64_t p = 0; p < 20; ++p) {
    Write(*cache, c, p, 0);
    cache->Advance(1);
  }
  ASSERT_TRUE(cache->CanTruncate(12));
  cache->Truncate(12);
  for (int64_t p = 12; p < 22; ++p) Write(*cache, c, p, 0);
  for (int64_t p = 12; p < 22; ++p) ExpectVisible(*cache, c, p, 0);
}

TEST(KvCache, OnlyOwningLayersAndWindowsTakeMemory) {
  const TextConfig c = Config();
  const int64_t row = 2 * c.num_kv_heads * c.head_dim * static_cast<int64_t>(sizeof(float));
  EXPECT_EQ(KvCache::Bytes(c, 1000, 4, DType::kF32), row * (1000 + 2 * (kWindow - 1 + 4)));
  EXPECT_EQ(KvCache::Bytes(c, 1000, 4, DType::kF16) * 2, KvCache::Bytes(c, 1000, 4, DType::kF32));
  EXPECT_EQ(KvCache::Bytes(c, 3, 4, DType::kF32), row * 3 * 3)
      << "a short context is shorter than the window";
}

TEST(KvCache, BlocksMustFillAHead) {
  TextConfig c = Config();
  const auto refused = KvCache::Create(c, 100, 4, DType::kQ8_0);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  c.head_dim = 64;
  ASSERT_TRUE(KvCache::Create(c, 100, 4, DType::kQ8_0).ok());
  EXPECT_EQ(KvCache::Bytes(c, 10, 90, DType::kQ8_0), 10 * 3 * 2 * 2 * 2 * 34);
}

TEST(KvCache, PiecesOfOneContinueAnother) {
  const TextConfig c = Config();
  for (const int64_t max_rows : {1, 3, 16}) {
    for (const int64_t piece : {1, 4, 5}) {
      auto from = KvCache::Create(c, 60, max_rows, DType::kF32);
      auto to = KvCache::Create(c, 60, 7, DType::kF32);
      ASSERT_TRUE(from.ok() && to.ok());
      std::vector<std::byte> bytes(static_cast<size_t>(from->PieceBytes(piece)));
      for (int64_t p = 0; p < 40; ++p) {
        Write(*from, c, p, 0.5f);
        from->Advance(1);
        if ((p + 1) % piece != 0) continue;
        const int64_t first = p + 1 - piece;
        ASSERT_TRUE(from->Holds(first));
        from->CopyOut(first, piece, bytes.data());
        to->Append(piece, bytes.data(), /*rolling=*/p + 1 > 30);
        ASSERT_EQ(to->length(), p + 1);
        if (p + 1 > 30 + kWindow) ExpectVisible(*to, c, p, 0.5f);
      }
      EXPECT_FALSE(from->Holds(41));
      EXPECT_EQ(from->Holds(0), max_rows + kWindow - 1 >= 40);
      EXPECT_FALSE(to->CanTruncate(29)) << "its rolling layers begin later";
      to->Release();
      EXPECT_EQ(to->length(), 0);
      Write(*to, c, 0, 2);
      to->Advance(1);
      ExpectVisible(*to, c, 0, 2);
    }
  }
}

}  // namespace
}  // namespace gemma3n
