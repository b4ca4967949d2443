#include "kernels/dispatch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>

namespace gemma3n {
namespace {

using testing::HasSubstr;

// Sets GEMMA3N_KERNELS for one test.
class Dispatch : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = std::getenv(kVariable)) saved_ = value;
    unsetenv(kVariable);
  }
  void TearDown() override {
    unsetenv(kVariable);
    if (!saved_.empty()) setenv(kVariable, saved_.c_str(), 1);
  }
  static constexpr const char* kVariable = "GEMMA3N_KERNELS";
  std::string saved_;
};

TEST_F(Dispatch, ReferenceIsAlwaysThereAndFirst) {
  const auto tables = AvailableKernels();
  ASSERT_FALSE(tables.empty());
  EXPECT_STREQ(tables.front()->name, "reference");
  std::set<std::string> names;
  for (const KernelTable* table : tables) names.insert(table->name);
  EXPECT_EQ(names.size(), tables.size());
}

TEST_F(Dispatch, EveryEntryOfEveryTableIsFilled) {
  for (const KernelTable* t : AvailableKernels()) {
    for (int i = 0; i < kDTypeCount; ++i) {
      EXPECT_NE(t->linear[i], nullptr) << t->name << " " << i;
      EXPECT_NE(t->dequantize[i], nullptr) << t->name << " " << i;
    }
    EXPECT_TRUE(t->rms_norm && t->dot && t->sum_squares && t->add && t->axpy && t->scale &&
                t->mul && t->gelu_mul && t->softmax && t->softcap && t->gaussian_topk && t->rope &&
                t->attention)
        << t->name;
  }
}

TEST_F(Dispatch, TheFastestIsChosen) {
  auto chosen = ChooseKernels();
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(*chosen, AvailableKernels().back());
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vl")) {
    EXPECT_STREQ((*chosen)->name, "avx512");
  } else if (__builtin_cpu_supports("avx2")) {
    EXPECT_STREQ((*chosen)->name, "avx2");
  }
#endif
}

TEST_F(Dispatch, TheForcedTableIsTheOneThatRuns) {
  std::set<const void*> linear;
  for (const KernelTable* table : AvailableKernels()) {
    setenv(kVariable, table->name, 1);
    auto chosen = ChooseKernels();
    ASSERT_TRUE(chosen.ok()) << chosen.status().message();
    EXPECT_EQ(*chosen, table);
    linear.insert(reinterpret_cast<const void*>(table->linear[0]));
  }
  EXPECT_EQ(linear.size(), AvailableKernels().size()) << "two tables share their code";
}

TEST_F(Dispatch, AnUnknownTableIsRefused) {
  setenv(kVariable, "avx9000", 1);
  auto chosen = ChooseKernels();
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(chosen.status().message(), HasSubstr("GEMMA3N_KERNELS"));
  EXPECT_THAT(chosen.status().message(), HasSubstr("'avx9000'"));
  EXPECT_THAT(chosen.status().message(), HasSubstr("reference"));
  setenv(kVariable, "", 1);  // empty is as good as unset
  EXPECT_TRUE(ChooseKernels().ok());
}

}  // namespace
}  // namespace gemma3n
