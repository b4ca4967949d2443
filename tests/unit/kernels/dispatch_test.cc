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
                t->attention.scores && t->attention.values && t->attention.exponentials &&
                t->attention.blend && t->attention.store_f16 && t->attention.store_q8_0 && t->int8)
        << t->name;
  }
}

TEST_F(Dispatch, TheFastestIsChosen) {
  auto chosen = ChooseKernels();
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(*chosen, AvailableKernels().back());
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vl")) {
    EXPECT_TRUE(std::string((*chosen)->name).starts_with("avx512") ||
                (*chosen)->name == std::string("amx"));
  } else if (__builtin_cpu_supports("avx2")) {
    EXPECT_TRUE(std::string((*chosen)->name).starts_with("avx")) << (*chosen)->name;
  }
  if (__builtin_cpu_supports("avx512vnni")) {
    EXPECT_STRNE((*chosen)->name, "avx512");
  }
#elif defined(__aarch64__)
  EXPECT_TRUE(std::string((*chosen)->name).starts_with("neon")) << (*chosen)->name;
#endif
}

TEST_F(Dispatch, TheForcedTableIsTheOneThatRuns) {
  std::set<std::set<const void*>> code;
  for (const KernelTable* table : AvailableKernels()) {
    setenv(kVariable, table->name, 1);
    auto chosen = ChooseKernels();
    ASSERT_TRUE(chosen.ok()) << chosen.status().message();
    EXPECT_EQ(*chosen, table);
    code.insert({reinterpret_cast<const void*>(table->linear[0]), table->int8, table->bfloat16});
  }
  EXPECT_EQ(code.size(), AvailableKernels().size()) << "two tables share all their code";
}

TEST_F(Dispatch, DistinctFloatKernelsHaveEachFloat32CodeOnce) {
  std::set<KernelTable::LinearFn> all, distinct;
  for (const KernelTable* table : AvailableKernels()) all.insert(table->linear[0]);
  for (const KernelTable* table : DistinctFloatKernels()) {
    EXPECT_TRUE(distinct.insert(table->linear[0]).second) << table->name;
  }
  EXPECT_EQ(distinct, all);
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
