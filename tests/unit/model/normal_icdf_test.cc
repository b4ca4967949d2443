// The sparsity multiplier must be torch's to the last bit: a difference of one moves every cut.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "model/config.h"

namespace gemma3n {
namespace {

struct Quantile {
  uint32_t s, z;  // bits of float32
};

// torch.distributions.Normal(0, 1).icdf(torch.tensor(s, dtype=torch.float32)), torch 2.15.
constexpr Quantile kTorch[] = {
    {0x358637bd, 0xc0980635}, {0x38d1b717, 0xc06e04e9}, {0x3a83126f, 0xc045c66e},
    {0x3c23d70a, 0xc014e2e4}, {0x3d4ccccd, 0xbfd28a90}, {0x3dcccccd, 0xbfa409e2},
    {0x3e4ccccd, 0xbf57747e}, {0x3e800000, 0xbf2cab5c}, {0x3e99999a, 0xbf063f1c},
    {0x3ecccccd, 0xbe81b6b5}, {0x3ee66666, 0xbe00ad60}, {0x3efae148, 0xbccd5d43},
    {0x3eff7cee, 0xbb2445bf}, {0x3f000000, 0x00000000}, {0x3f004189, 0x3b2445bf},
    {0x3f0ccccd, 0x3e00ad60}, {0x3f19999a, 0x3e81b6b8}, {0x3f200000, 0x3ea324b3},
    {0x3f266666, 0x3ec548b7}, {0x3f333333, 0x3f063f1c}, {0x3f400000, 0x3f2cab5c},
    {0x3f4ccccd, 0x3f57747e}, {0x3f59999a, 0x3f84a9da}, {0x3f600000, 0x3f933ea6},
    {0x3f666666, 0x3fa409e1}, {0x3f68f5c3, 0x3fab9dde}, {0x3f6b851f, 0x3fb3d963},
    {0x3f6e147b, 0x3fbce6b9}, {0x3f70a3d7, 0x3fc702d2}, {0x3f733333, 0x3fd28a90},
    {0x3f75c28f, 0x3fe01679}, {0x3f7851ec, 0x3ff0bddb}, {0x3f7ae148, 0x400370a1},
    {0x3f7c28f6, 0x400ae2c4}, {0x3f7d70a4, 0x4014e2e4}, {0x3f7eb852, 0x4024da64},
    {0x3f7fbe77, 0x4045c66e}, {0x3f7ff972, 0x406e03ad}, {0x3f7fff58, 0x40887781},
    {0x3f7fffef, 0x40980635}};

TEST(NormalIcdf, EqualsTorch) {
  for (const Quantile& q : kTorch) {
    const float s = std::bit_cast<float>(q.s);
    EXPECT_EQ(std::bit_cast<uint32_t>(NormalIcdf(s)), q.z) << s;
  }
}

TEST(NormalIcdf, IsTheReleasedConstant) { EXPECT_EQ(NormalIcdf(0.95f), 1.6448535919f); }

TEST(NormalIcdf, RisesOverTheWholeRange) {
  float last = -100;
  for (float s = 1e-7f; s < 1; s += 1e-4f) {
    const float z = NormalIcdf(s);
    EXPECT_GT(z, last) << s;
    last = z;
  }
  EXPECT_TRUE(std::isfinite(NormalIcdf(std::nextafter(0.0f, 1.0f) + 1e-7f)));
  EXPECT_TRUE(std::isfinite(NormalIcdf(std::nextafter(1.0f, 0.0f))));
}

TEST(SparsityOf, UndoesNormalIcdf) {
  EXPECT_EQ(SparsityOf(0), 0);
  EXPECT_EQ(SparsityOf(NormalIcdf(0.95f)), 0.95f);
  EXPECT_EQ(SparsityOf(std::bit_cast<float>(1u)),
            0.5f);  // how a cut at the mean is told from a dense layer
  for (const Quantile& q : kTorch) {
    const float z = std::bit_cast<float>(q.z);
    if (z == 0) continue;
    EXPECT_EQ(NormalIcdf(SparsityOf(z)), z) << std::bit_cast<float>(q.s);
  }
}

}  // namespace
}  // namespace gemma3n
