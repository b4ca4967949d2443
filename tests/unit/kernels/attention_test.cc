// Attention of every table against double precision: every type of cache, windows, rings that wrap,
// head counts; and that company, wraps and threads change no bit.
#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernel_test_util.h"

namespace gemma3n {
namespace {

constexpr DType kCacheTypes[] = {DType::kF32, DType::kF16, DType::kQ8_0};

// Queries, keys and values at positions 0 .. end - 1, of which the ring keeps the last `capacity`.
struct Problem {
  int64_t heads, head_dim, end, capacity;
  DType dtype;
  std::vector<float> q, k, v;  // [end, heads, d], [end, d], [end, d]
  std::vector<std::byte> ring_k, ring_v;

  Problem(const KernelTable& table, DType type, int64_t h, int64_t d, int64_t keys, int64_t room,
          Random& random)
      : heads(h), head_dim(d), end(keys), capacity(room), dtype(type) {
    q = random.Normals(end * heads * d);
    k = random.Normals(end * d, 1 / std::sqrt(static_cast<float>(d) * 0.3f));
    v = random.Normals(end * d);
    Write(table);
  }
  void Write(const KernelTable& table) {
    const int64_t row = RowBytes(dtype, head_dim);
    ring_k.resize(static_cast<size_t>(capacity * row));
    ring_v.resize(ring_k.size());
    for (int64_t p = 0; p < end; ++p) {
      for (auto [from, to] : {std::pair(&k, &ring_k), std::pair(&v, &ring_v)}) {
        std::byte* stored = to->data() + p % capacity * row;
        StoreCacheRow(table, dtype, from->data() + p * head_dim, stored, head_dim);
        // What the cache holds is what the result is compared with.
        table.dequantize[static_cast<int>(dtype)](stored, from->data() + p * head_dim, head_dim);
      }
    }
  }
  AttentionArgs Args(int64_t position, int64_t rows, int64_t window,
                     std::vector<float>& out) const {
    out.assign(static_cast<size_t>(rows * heads * head_dim), -77.0f);
    AttentionArgs args;
    args.kv = {dtype, head_dim, RowBytes(dtype, head_dim), capacity, ring_k.data(), ring_v.data()};
    args.position = position, args.rows = rows, args.window = window, args.heads = heads;
    args.q = q.data() + position * heads * head_dim;
    args.q_stride = args.out_stride = heads * head_dim;
    args.out = out.data();
    return args;
  }
  std::vector<float> Run(const KernelTable& table, int64_t position, int64_t rows,
                         int64_t window) const {
    std::vector<float> out;
    const AttentionArgs args = Args(position, rows, window, out);
    std::vector<float> scratch(static_cast<size_t>(AttentionScratch(rows, heads, head_dim)) + 16);
    Attend(table, args, scratch.data());
    return out;
  }
  std::vector<double> Expected(int64_t position, int64_t h, int64_t window) const {
    const float* query = q.data() + (position * heads + h) * head_dim;
    const int64_t first = std::max<int64_t>(0, position - window + 1);
    std::vector<double> p, result(static_cast<size_t>(head_dim));
    double max = -1e300, sum = 0;
    for (int64_t j = first; j <= position; ++j) {
      double score = 0;
      for (int64_t d = 0; d < head_dim; ++d)
        score += static_cast<double>(query[d]) * static_cast<double>(k[j * head_dim + d]);
      p.push_back(score);
      max = std::max(max, score);
    }
    for (double& s : p) sum += s = std::exp(s - max);
    for (int64_t j = first; j <= position; ++j) {
      for (int64_t d = 0; d < head_dim; ++d)
        result[d] += p[j - first] / sum * static_cast<double>(v[j * head_dim + d]);
    }
    return result;
  }
};

class Attention : public EveryTable {
 protected:
  void Check(DType dtype, int64_t heads, int64_t head_dim, int64_t position, int64_t rows,
             int64_t window, int64_t capacity) {
    const Problem problem(table(), dtype, heads, head_dim, position + rows, capacity, random_);
    const std::vector<float> out = problem.Run(table(), position, rows, window);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t h = 0; h < heads; ++h) {
        const auto expected = problem.Expected(position + r, h, window);
        for (int64_t d = 0; d < head_dim; ++d) {
          ASSERT_NEAR(out[(r * heads + h) * head_dim + d], expected[d], 3e-6)
              << Name(dtype) << ", " << heads << " heads of " << head_dim << ", position "
              << position + r << ", window " << window << ", capacity " << capacity;
        }
      }
    }
  }
  Random random_{23};
};

INSTANTIATE_TEST_SUITE_P(Tables, Attention, testing::ValuesIn(DistinctFloatKernels()), TableName);

TEST_P(Attention, EveryHeadCountAndWidth) {
  for (int64_t heads : {1, 2, 3, 4, 5, 8, 11}) {
    for (int64_t head_dim : {1, 4, 8, 15, 16, 20, 32, 50, 64, 100, 256}) {
      for (DType dtype : kCacheTypes) {
        if (head_dim % Traits(dtype).block_elements != 0) continue;
        Check(dtype, heads, head_dim, 7, 2, 100, 9);
      }
    }
  }
}

TEST_P(Attention, EveryKeyCountWindowAndRing) {
  for (int64_t keys = 1; keys <= kMaxCount; ++keys) {
    for (int64_t window : {int64_t{1}, int64_t{3}, keys, int64_t{1000}}) {
      // As small a ring as holds what is seen, so that it wraps; and one that never does.
      for (int64_t capacity : {std::min(window, keys), std::min(window, keys) + 1, keys})
        Check(DType::kF32, 4, 24, keys - 1, 1, window, capacity);
    }
  }
}

TEST_P(Attention, ManyRowsOverBlocksOfKeys) {
  for (DType dtype : kCacheTypes) {
    Check(dtype, 4, 32, 0, 16, 1 << 20, 16);
    Check(dtype, 4, 32, kKeyBlock - 8, 16, 1 << 20, 2 * kKeyBlock);  // rows on both sides of a seam
    Check(dtype, 4, 32, 3 * kKeyBlock - 5, 11, 1 << 20, 4 * kKeyBlock);
    Check(dtype, 4, 32, 2 * kKeyBlock - 3, 9, kKeyBlock, kKeyBlock + 15);
    Check(dtype, 2, 256, kKeyBlock + 100, 3, kKeyBlock, kKeyBlock + 2);
  }
}

// A rolling cache may wrap anywhere, and a row may come with any others: the same bits.
TEST_P(Attention, WrapsAndCompanyChangeNothing) {
  for (DType dtype : kCacheTypes) {
    const int64_t end = kKeyBlock + 60, window = 70;
    const Problem whole(table(), dtype, 4, 64, end, end, random_);
    for (int64_t capacity : {86, 97, 128, 333}) {
      Problem rolling = whole;
      rolling.capacity = capacity;
      rolling.Write(table());
      for (int64_t position = end - 16; position < end; ++position) {
        const auto alone = whole.Run(table(), position, 1, window);
        const int64_t rows = end - position;
        const auto together = rolling.Run(table(), position, rows, window);
        ASSERT_TRUE(std::equal(alone.begin(), alone.end(), together.begin())) << capacity;
        const auto from_before = rolling.Run(table(), end - 16, 16, window);
        ASSERT_TRUE(std::equal(alone.begin(), alone.end(),
                               from_before.begin() + (position - end + 16) * 4 * 64));
      }
    }
  }
}

TEST_P(Attention, InPartsItGivesTheSameBits) {
  for (DType dtype : kCacheTypes) {
    for (int64_t window : {int64_t{1} << 20, int64_t{600}}) {
      const int64_t rows = 3, position = 3 * kKeyBlock - 2;
      const Problem problem(table(), dtype, 4, 32, position + rows, 2000, random_);
      const auto whole = problem.Run(table(), position, rows, window);
      std::vector<float> out;
      const AttentionArgs args = problem.Args(position, rows, window, out);
      const int64_t size = AttentionPart(rows, 4, 32), first = FirstBlock(args);
      std::vector<float> parts(static_cast<size_t>((LastBlock(args) - first) * size));
      std::vector<float> scratch(static_cast<size_t>(AttentionScratch(rows, 4, 32)));
      for (int64_t block = LastBlock(args) - 1; block >= first; --block) {
        AttendBlock(table(), args, block, parts.data() + (block - first) * size, scratch.data());
      }
      MergeParts(table(), args, parts.data());
      ASSERT_EQ(out, whole);
    }
  }
}

TEST_P(Attention, ReadsAndWritesNothingPastItsBuffers) {
  for (DType dtype : kCacheTypes) {
    for (int64_t heads : {1, 3, 4, 7}) {
      for (int64_t dim : {1, 7, 16, 17, 32, 50, 256}) {
        if (dim % Traits(dtype).block_elements != 0) continue;
        for (int64_t keys : {1, 2, 5, 33}) {
          const int64_t rows = std::min<int64_t>(keys, 2);
          Problem problem(table(), dtype, heads, dim, keys, keys, random_);
          std::vector<float> out;
          AttentionArgs args = problem.Args(keys - rows, rows, 1000, out);
          AgainstPage q(problem.q), k(problem.ring_k), v(problem.ring_v), guarded(out),
              scratch(std::vector<float>(
                  static_cast<size_t>(AttentionScratch(rows, heads, dim) + 15) / 16 * 16));
          args.q = q.floats() + (keys - rows) * heads * dim;
          args.kv.k = k.bytes(), args.kv.v = v.bytes(), args.out = guarded.floats();
          Attend(table(), args, scratch.floats());
        }
      }
    }
  }
}

TEST_P(Attention, OneHotScoresPickOneValue) {
  const int64_t dim = 32, keys = 2 * kKeyBlock;
  for (int64_t chosen : {int64_t{41}, kKeyBlock - 1, kKeyBlock, keys - 1}) {
    Problem problem(table(), DType::kF32, 1, dim, keys, keys, random_);
    std::fill(problem.q.begin(), problem.q.end(), 0.0f);
    std::fill(problem.k.begin(), problem.k.end(), 0.0f);
    problem.q[(keys - 1) * dim] = 300;
    problem.k[chosen * dim] = 1;  // scores 0 but 300 for one key
    problem.Write(table());
    const auto out = problem.Run(table(), keys - 1, 1, keys);
    for (int64_t d = 0; d < dim; ++d) ASSERT_EQ(out[d], problem.v[chosen * dim + d]);
  }
}

TEST_P(Attention, HugeScoresAndFarMaximaAreExact) {
  const int64_t dim = 32, keys = 2 * kKeyBlock + 10;
  Problem problem(table(), DType::kF32, 2, dim, keys, keys, random_);
  for (float& x : problem.k) x *= 300;  // scores of some hundreds, both signs
  problem.Write(table());
  const auto out = problem.Run(table(), keys - 1, 1, keys);
  for (int64_t h = 0; h < 2; ++h) {
    const auto expected = problem.Expected(keys - 1, h, keys);
    for (int64_t d = 0; d < dim; ++d) ASSERT_NEAR(out[h * dim + d], expected[d], 1e-3);
  }
}

TEST_P(Attention, NaNReachesThoseWhoSeeItAndNobodyElse) {
  for (DType dtype : kCacheTypes) {
    for (bool key : {true, false}) {
      const int64_t dim = 32, end = kKeyBlock + 20, bad = kKeyBlock + 7, window = 8;
      Problem problem(table(), dtype, 4, dim, end, end, random_);
      (key ? problem.k : problem.v)[bad * dim + 5] = NAN;
      problem.Write(table());
      const auto out = problem.Run(table(), end - 16, 16, window);
      for (int64_t r = 0; r < 16; ++r) {
        const int64_t position = end - 16 + r;
        const bool sees = position >= bad && position < bad + window;
        for (int64_t h = 0; h < 4; ++h) {
          ASSERT_EQ(std::isnan(out[(r * 4 + h) * dim + 5]), sees) << Name(dtype) << position;
        }
      }
    }
  }
}

// What rows of the cache hold, as near as their type allows.
TEST_P(Attention, StoredRowsAreRoundedToNearest) {
  for (int64_t n : {1, 7, 8, 15, 16, 17, 31, 32, 33, 64, 100, 256}) {
    const auto x = random_.Normals(n, 3);
    for (DType dtype : kCacheTypes) {
      if (n % Traits(dtype).block_elements != 0) continue;
      AgainstPage row(std::vector<std::byte>(static_cast<size_t>(RowBytes(dtype, n))));
      AgainstPage source(x);
      StoreCacheRow(table(), dtype, source.floats(), row.bytes(), n);
      std::vector<float> back(static_cast<size_t>(n));
      table().dequantize[static_cast<int>(dtype)](row.bytes(), back.data(), n);
      for (int64_t i = 0; i < n; ++i) {
        if (dtype != DType::kQ8_0) {
          ASSERT_EQ(back[i], dtype == DType::kF32 ? x[i] : HalfToFloat(FloatToHalf(x[i])));
          continue;
        }
        float max = 0;
        for (int64_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j)
          max = std::max(max, std::abs(x[j]));
        ASSERT_LE(std::abs(back[i] - x[i]), 0.501f * HalfToFloat(FloatToHalf(max / 127.0f)));
      }
    }
  }
}

TEST_P(Attention, OddValuesInTheCache) {
  std::vector<float> x(32, 0.0f);
  std::vector<std::byte> row(static_cast<size_t>(RowBytes(DType::kQ8_0, 32)));
  std::vector<float> back(32, 1.0f);
  StoreCacheRow(table(), DType::kQ8_0, x.data(), row.data(), 32);
  table().dequantize[static_cast<int>(DType::kQ8_0)](row.data(), back.data(), 32);
  ASSERT_EQ(back, x);
  for (float odd : {NAN, INFINITY, -INFINITY}) {
    for (int at : {0, 13, 31}) {
      x.assign(32, 1.0f);
      x[at] = odd;
      StoreCacheRow(table(), DType::kQ8_0, x.data(), row.data(), 32);
      table().dequantize[static_cast<int>(DType::kQ8_0)](row.data(), back.data(), 32);
      ASSERT_TRUE(std::isnan(back[at])) << odd << at;
    }
  }
}

// Many rows, rounded to bfloat16 where the table has an instruction for it.
class AttentionOfManyRows : public EveryTable {
 protected:
  std::vector<float> Run(const Problem& problem, int64_t position, int64_t rows, int64_t window) {
    std::vector<float> out;
    const AttentionArgs args = problem.Args(position, rows, window, out);
    AgainstPage scratch(std::vector<float>(static_cast<size_t>(
        (AttendManyFloats(table(), rows, args.heads, args.kv.head_dim) + 15) / 16 * 16)));
    AttendMany(table(), args, scratch.floats());
    return out;
  }
  // Queries, keys and values are rounded beforehand: what is left are the probabilities' 2^-9.
  Problem Rounded(DType dtype, int64_t heads, int64_t d, int64_t keys, int64_t capacity) {
    Problem p(table(), dtype, heads, d, keys, capacity, random_);
    if (!HasAttendMany(table(), d)) return p;
    const auto round = [](float x) { return BFloat16ToFloat(FloatToBFloat16(x)); };
    constexpr float kUnit = 1.44269504f;
    for (float& x : p.q) x = round(x * kUnit) / kUnit;
    for (float& x : p.k) x = round(x);
    for (float& x : p.v) x = round(x);
    return p;
  }
  Random random_{29};
};

INSTANTIATE_TEST_SUITE_P(Tables, AttentionOfManyRows, testing::ValuesIn(AvailableKernels()),
                         TableName);

TEST_P(AttentionOfManyRows, AgreeWithDouble) {
  struct Case {
    int64_t heads, d, position, rows, window, capacity;
  };
  for (const Case& c : {Case{4, 32, 0, 16, 1000, 16}, Case{1, 32, 3, 1, 1000, 4},
                        Case{4, 64, 0, 100, 1000, 100}, Case{4, 32, 250, 20, 1000, 300},
                        Case{2, 32, 509, 37, 1000, 1000}, Case{3, 96, 600, 19, 70, 88},
                        Case{4, 256, 700, 17, 512, 528}, Case{8, 32, 255, 128, 5, 132},
                        Case{4, 24, 40, 33, 1000, 80}, Case{4, 32, 480, 128, 64, 200}}) {
    for (DType dtype : kCacheTypes) {
      if (c.d % Traits(dtype).block_elements != 0) continue;
      const Problem p = Rounded(dtype, c.heads, c.d, c.position + c.rows, c.capacity);
      const std::vector<float> out = Run(p, c.position, c.rows, c.window);
      for (int64_t r = 0; r < c.rows; ++r) {
        for (int64_t h = 0; h < c.heads; ++h) {
          const auto expected = p.Expected(c.position + r, h, c.window);
          for (int64_t i = 0; i < c.d; ++i) {
            ASSERT_NEAR(out[(r * c.heads + h) * c.d + i], expected[i], 0.012)
                << Name(dtype) << ", row " << r << " of " << c.rows << " from " << c.position
                << ", window " << c.window << ", head " << h << " of " << c.heads << ", " << c.d;
          }
        }
      }
    }
  }
}

TEST_P(AttentionOfManyRows, TheSameBitsInAnyCompanyAndAnyRing) {
  for (DType dtype : kCacheTypes) {
    for (int64_t window : {int64_t{1000}, int64_t{70}}) {
      const int64_t end = 600, rows = 100, heads = 4, d = 32;
      const Problem whole(table(), dtype, heads, d, end, end, random_);
      Problem rolling = whole;
      rolling.capacity = window == 70 ? 70 + rows + 3 : end;
      rolling.Write(table());
      const auto together = Run(whole, end - rows, rows, window);
      for (int64_t cut : {1, 7, 16, 50}) {
        for (int64_t r = 0; r < rows; r += cut) {
          const auto part = Run(rolling, end - rows + r, std::min(cut, rows - r), window);
          ASSERT_TRUE(std::equal(part.begin(), part.end(), together.begin() + r * heads * d))
              << Name(dtype) << " " << cut << " " << r;
        }
      }
    }
  }
}

TEST_P(AttentionOfManyRows, NaNReachesThoseWhoSeeItAndNobodyElse) {
  for (float odd : {NAN, INFINITY, 3.4e38f}) {
    for (bool key : {true, false}) {
      const int64_t dim = 32, end = 300, bad = 260, window = 8, rows = 64;
      Problem problem(table(), DType::kF32, 4, dim, end, end, random_);
      (key ? problem.k : problem.v)[bad * dim + 5] = odd;
      problem.Write(table());
      const auto out = Run(problem, end - rows, rows, window);
      for (int64_t i = 0; i < rows; ++i) {
        const int64_t position = end - rows + i;
        if (position >= bad && position < bad + window) continue;
        for (int64_t h = 0; h < 4; ++h) {
          const auto expected = problem.Expected(position, h, window);
          ASSERT_NEAR(out[(i * 4 + h) * dim + 5], expected[5], 3e-2) << odd << " " << position;
        }
      }
      ASSERT_TRUE(!std::isnan(odd) || std::isnan(out[(bad - end + rows) * 4 * dim + 5]));
    }
  }
}

TEST_P(AttentionOfManyRows, ANaNQueryIsItsOwnRowsAffair) {
  Problem problem(table(), DType::kF16, 4, 32, 100, 100, random_);
  problem.q[(80 * 4 + 2) * 32 + 3] = NAN;
  const auto out = Run(problem, 50, 50, 1000);
  for (int64_t i = 0; i < 50 * 4; ++i) ASSERT_EQ(std::isnan(out[i * 32]), i == 30 * 4 + 2) << i;
}

TEST_P(AttentionOfManyRows, ReadNothingPastTheirBuffers) {
  for (DType dtype : kCacheTypes) {
    for (int64_t rows : {1, 16, 33}) {
      Problem problem(table(), dtype, 3, 32, rows, rows, random_);
      std::vector<float> out;
      AttentionArgs args = problem.Args(0, rows, 1000, out);
      AgainstPage q(problem.q), k(problem.ring_k), v(problem.ring_v), guarded(out);
      AgainstPage scratch(std::vector<float>(
          static_cast<size_t>((AttendManyFloats(table(), rows, 3, 32) + 15) / 16 * 16)));
      args.q = q.floats(), args.kv.k = k.bytes(), args.kv.v = v.bytes();
      args.out = guarded.floats();
      AttendMany(table(), args, scratch.floats());
    }
  }
}

}  // namespace
}  // namespace gemma3n
