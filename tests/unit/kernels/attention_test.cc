// Attention of every table against double precision: every split of the keys into two runs,
// strides, head counts.
#include <gtest/gtest.h>

#include <cmath>

#include "kernel_test_util.h"

namespace gemma3n {
namespace {

class Attention : public EveryTable {
 protected:
  // Keys and values lie kv_stride apart in a ring of first + second rows; the older run is at its
  // end.
  void Check(int64_t heads, int64_t head_dim, int64_t first, int64_t second, int64_t padding) {
    const int64_t keys = first + second, stride = head_dim + padding;
    const auto q = random_.Normals(heads * stride),
               k = random_.Normals(keys * stride, 1 / std::sqrt(head_dim * 0.3f)),
               v = random_.Normals(keys * stride);
    std::vector<float> scores(heads * keys + 1, -77.0f), out(heads * stride, -77.0f);
    AttentionArgs args;
    args.q = q.data(), args.q_stride = stride, args.heads = heads, args.head_dim = head_dim;
    args.k[0] = k.data() + second * stride, args.k[1] = k.data();
    args.v[0] = v.data() + second * stride, args.v[1] = v.data();
    args.count[0] = first, args.count[1] = second, args.kv_stride = stride;
    args.scores = scores.data(), args.out = out.data(), args.out_stride = stride;
    table().attention(args);
    ASSERT_EQ(scores[heads * keys], -77.0f);
    for (int64_t h = 0; h < heads; ++h) {
      std::vector<double> p(keys), expected(head_dim);
      double sum = 0;
      for (int64_t j = 0; j < keys; ++j) {
        double score = 0;
        for (int64_t d = 0; d < head_dim; ++d)
          score += static_cast<double>(q[h * stride + d]) * k[j * stride + d];
        sum += p[j] = std::exp(score);
      }
      for (int64_t j = 0; j < keys; ++j) {
        for (int64_t d = 0; d < head_dim; ++d) expected[d] += p[j] / sum * v[j * stride + d];
      }
      for (int64_t d = 0; d < stride; ++d) {
        if (d < head_dim) {
          ASSERT_NEAR(out[h * stride + d], expected[d], 3e-6)
              << heads << " heads, " << keys << " keys, " << head_dim;
        } else {
          ASSERT_EQ(out[h * stride + d], -77.0f);
        }
      }
    }
  }
  Random random_{23};
};

INSTANTIATE_TEST_SUITE_P(Tables, Attention, testing::ValuesIn(DistinctFloatKernels()), TableName);

TEST_P(Attention, EveryHeadCountAndWidth) {
  for (int64_t heads : {1, 2, 3, 4, 5, 8, 11}) {
    for (int64_t head_dim : {1, 4, 8, 15, 16, 20, 32, 50, 64, 100, 256})
      Check(heads, head_dim, 9, 0, 3);
  }
}

TEST_P(Attention, EveryKeyCountAndSplit) {
  for (int64_t keys = 1; keys <= kMaxCount; ++keys) {
    for (int64_t second : {int64_t{0}, keys / 3, keys - 1, keys})
      Check(4, 24, keys - second, second, 0);
  }
  Check(4, 256, 300, 212, 256);
}

// A rolling cache may wrap anywhere: the same bits.
TEST_P(Attention, SplittingTheKeysChangesNothing) {
  const int64_t dim = 64, keys = 100;
  const auto q = random_.Normals(4 * dim), k = random_.Normals(keys * dim, 0.2f),
             v = random_.Normals(keys * dim);
  std::vector<float> scores(4 * keys), whole(4 * dim), split(4 * dim);
  AttentionArgs args;
  args.q = q.data(), args.q_stride = dim, args.heads = 4, args.head_dim = dim;
  args.kv_stride = dim, args.scores = scores.data(), args.out_stride = dim;
  args.k[0] = k.data(), args.v[0] = v.data(), args.count[0] = keys, args.out = whole.data();
  table().attention(args);
  args.out = split.data();
  for (int64_t first = 0; first <= keys; ++first) {
    args.count[0] = first, args.count[1] = keys - first;
    args.k[1] = k.data() + first * dim, args.v[1] = v.data() + first * dim;
    table().attention(args);
    ASSERT_EQ(split, whole) << first;
  }
}

TEST_P(Attention, ReadsAndWritesNothingPastItsBuffers) {
  for (int64_t heads : {1, 3, 4, 7}) {
    for (int64_t dim : {1, 7, 16, 17, 50, 256}) {
      for (int64_t keys : {1, 2, 5, 33}) {
        AgainstPage q(random_.Normals(heads * dim)), k(random_.Normals(keys * dim)),
            v(random_.Normals(keys * dim)), scores(std::vector<float>(heads * keys)),
            out(std::vector<float>(heads * dim));
        AttentionArgs args;
        args.q = q.floats(), args.q_stride = dim, args.heads = heads, args.head_dim = dim;
        args.k[0] = k.floats(), args.v[0] = v.floats(), args.count[0] = keys, args.kv_stride = dim;
        args.scores = scores.floats(), args.out = out.floats(), args.out_stride = dim;
        table().attention(args);
      }
    }
  }
}

TEST_P(Attention, OneHotScoresPickOneValue) {
  const int64_t dim = 32, keys = 70;
  std::vector<float> q(dim), k(keys * dim), scores(keys), out(dim);
  const auto v = random_.Normals(keys * dim);
  q[0] = 300;
  k[41 * dim] = 1;  // scores 0 but 300 for key 41
  AttentionArgs args;
  args.q = q.data(), args.q_stride = dim, args.heads = 1, args.head_dim = dim;
  args.k[0] = k.data(), args.v[0] = v.data(), args.count[0] = keys, args.kv_stride = dim;
  args.scores = scores.data(), args.out = out.data(), args.out_stride = dim;
  table().attention(args);
  for (int64_t d = 0; d < dim; ++d) ASSERT_EQ(out[d], v[41 * dim + d]);
}

}  // namespace
}  // namespace gemma3n
