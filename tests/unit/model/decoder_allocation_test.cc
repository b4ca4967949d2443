// A decode step allocates nothing: scratch memory is planned at load.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "kernels/dispatch.h"
#include "model/text/decoder.h"

namespace {
std::atomic<int64_t> allocations{0};
}

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace gemma3n {
namespace {

TEST(DecoderAllocation, ADecodeStepTakesNothingFromTheHeapAndStaysWithinThePlan) {
  auto kernels = ChooseKernels();
  ASSERT_TRUE(kernels.ok());
  auto checkpoint = Checkpoint::Open(GEMMA3N_SOURCE_DIR "/tests/golden/fixtures/mini_e4b");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  ThreadPool pool(2);
  const Ops ops(**kernels, pool);
  auto weights = BindTextWeights(*checkpoint, **kernels);
  ASSERT_TRUE(weights.ok()) << weights.status().message();
  const TextConfig& c = checkpoint->config().text;
  NestedModel whole{c, {}};
  for (int i = 0; i < c.num_layers; ++i) whole.layers.push_back(i);
  const Decoder decoder(*weights, {}, whole, true);
  constexpr int64_t kRows = 16, kContext = 64;
  auto cache = KvCache::Create(c, kContext, kRows, DType::kF16);
  auto arena = Arena::Create(Decoder::ArenaBytes(c, kRows, kContext, ops));
  ASSERT_TRUE(cache.ok() && arena.ok());
  std::vector<float> logits(c.vocab_size);
  KvCache* const caches[] = {&*cache};

  const auto step = [&](std::span<BatchRow> rows) {
    for (size_t i = 0; i < rows.size(); ++i)
      rows[i].position = cache->length() + static_cast<int64_t>(i);
    const Arena::Scope scope(*arena);
    auto hidden = decoder.Forward(rows, caches, ops, *arena);
    ASSERT_TRUE(hidden.ok());
    const Status status = decoder.ComputeLogits(hidden->Rows(0, 1),
                                                View(logits.data(), 1, c.vocab_size),
                                                /*top=*/0, ops, *arena);
    ASSERT_TRUE(status.ok());
  };
  std::vector<BatchRow> prompt(kRows), one(1);
  for (auto& row : prompt) row = {.token = 5, .wants_logits = true};
  one[0] = {.token = 7, .wants_logits = true};
  step(prompt);  // the widest batch: its scratch must be within the plan
  EXPECT_EQ(arena->grown(), 0);
  step(one);
  const int64_t before = allocations.load();
  for (int i = 0; i < 10; ++i) step(one);
  EXPECT_EQ(allocations.load() - before, 0);
  EXPECT_EQ(arena->grown(), 0);
}

}  // namespace
}  // namespace gemma3n
