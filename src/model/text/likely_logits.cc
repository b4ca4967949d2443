#include "model/text/likely_logits.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <span>

#include "base/rounding.h"
#include "kernels/coarse.h"
#include "model/text/logits.h"

namespace gemma3n {
namespace {

constexpr int64_t kBlock = CoarseRows::kBlock;
constexpr float kMargin = 8;           // in rms errors
constexpr int64_t kBlocksForRank = 4;  // and more, for each of the k: their best are the sample
constexpr float kNone = -std::numeric_limits<float>::infinity();

// One row's logits, at first as the copy has them.
struct Row {
  float* logits;
  std::span<int32_t> best;  // of each block
  std::span<float> top;     // their logits by the copy
};

// Of the blocks' best, computed for it.
struct Sample {
  float floor = kNone;  // their k-th largest: the k-th of all is no less
  float spread = 0;     // rms of what a logit is off by, over its row's rest
};

Sample TakeSample(const Matrix& lm_head, const CoarseRows& coarse, const ConstView& hidden,
                  Row& row, int64_t k, const StageContext& ctx) {
  const size_t blocks = row.best.size();
  for (size_t b = 0; b < blocks; ++b) row.top[b] = row.logits[row.best[b]];
  ctx.ops.LinearRows(lm_head, row.best, hidden, View(row.logits, 1, lm_head.rows));
  const std::span<float> values = ctx.arena.Array<float>(static_cast<int64_t>(blocks));
  double squares = 0;
  int64_t count = 0;
  for (size_t b = 0; b < blocks; ++b) {
    const float logit = row.logits[row.best[b]];
    const float rest = coarse.rest()[static_cast<size_t>(row.best[b])];
    values[b] = std::isnan(logit) ? kNone : logit;
    const double off = (static_cast<double>(logit) - row.top[b]) / rest;
    if (!(rest > 0) || !std::isfinite(off)) continue;
    squares += off * off;
    ++count;
  }
  const auto kth = values.begin() + (k - 1);
  std::nth_element(values.begin(), kth, values.end(), std::greater<>());
  const double rms = count > 0 ? std::sqrt(squares / static_cast<double>(count)) : 0;
  return {*kth, static_cast<float>(rms)};
}

// The rows that can reach the floor, ascending, in the memory of `list`, [V]; the others' logits
// become -inf.
std::span<const int32_t> Reaching(const CoarseRows& coarse, const Row& row, const Sample& sample,
                                  std::span<int32_t> list, const StageContext& ctx) {
  const auto blocks = static_cast<int64_t>(row.best.size());
  const std::span<int32_t> counts = ctx.arena.Array<int32_t>(blocks);
  const float margin = kMargin * sample.spread;
  const auto below = [&](float logit, float rest) {  // not where either is NaN
    return logit + margin * rest < sample.floor;
  };
  ctx.ops.ForRows(blocks, kBlock, [&](int64_t b) {
    const int64_t begin = b * kBlock, end = std::min(begin + kBlock, coarse.rows());
    const auto block = static_cast<size_t>(b);
    counts[block] = 0;
    if (below(row.top[block], coarse.block_rest()[block]) &&
        row.logits[row.best[block]] < sample.floor) {
      std::fill(row.logits + begin, row.logits + end, kNone);
      return;
    }
    for (int64_t r = begin; r < end; ++r) {
      if (below(row.logits[r], coarse.rest()[static_cast<size_t>(r)])) {
        row.logits[r] = kNone;
      } else {
        list[static_cast<size_t>(begin + counts[block]++)] = static_cast<int32_t>(r);
      }
    }
  });
  auto end = list.begin();
  for (int64_t b = 0; b < blocks; ++b) {
    const auto from = list.begin() + b * kBlock;
    end = std::copy(from, from + counts[static_cast<size_t>(b)], end);
  }
  return {list.begin(), end};
}

void SoftcapAt(std::span<const int32_t> list, float* logits, const StageContext& ctx) {
  const float cap = ctx.config.final_logit_softcap;
  if (!(cap > 0)) return;
  const std::span<float> values = ctx.arena.Array<float>(static_cast<int64_t>(list.size()));
  for (size_t i = 0; i < list.size(); ++i) values[i] = logits[list[i]];
  ctx.ops.kernels().softcap(values.data(), static_cast<int64_t>(values.size()), cap);
  for (size_t i = 0; i < list.size(); ++i) logits[list[i]] = values[i];
}

}  // namespace

bool LikelyLogitsPay(const CoarseRows& coarse, int64_t rows, int64_t k) {
  return rows > 0 && rows <= kCoarseRows && k > 0 && k <= coarse.blocks() / kBlocksForRank;
}

Status LikelyLogits(const Matrix& lm_head, const CoarseRows& coarse, const ConstView& hidden,
                    int64_t k, const View& logits, const StageContext& ctx) {
  G3N_RETURN_IF_ERROR(ExpectShape(hidden, logits.rows, ctx.config.hidden_size, "logits input"));
  G3N_RETURN_IF_ERROR(ExpectShape(logits, hidden.rows, coarse.rows(), "logits"));
  Arena::Scope scope(ctx.arena);
  const int64_t blocks = coarse.blocks();
  const std::span<int32_t> best = ctx.arena.Array<int32_t>(hidden.rows * blocks);
  float spread[kCoarseRows];
  if (!coarse.Multiply(hidden, logits, best.data(), spread, ctx.ops)) {
    return Logits(lm_head, hidden, logits, ctx);
  }
  for (int64_t t = 0; t < hidden.rows; ++t) {
    Arena::Scope row_scope(ctx.arena);
    const ConstView x = hidden.Rows(t, 1);
    Row row{logits.row(t),
            best.subspan(static_cast<size_t>(t * blocks), static_cast<size_t>(blocks)),
            ctx.arena.Array<float>(blocks)};
    Sample sample = TakeSample(lm_head, coarse, x, row, k, ctx);
    sample.spread = std::max(sample.spread, spread[t]);
    const auto list = Reaching(coarse, row, sample, ctx.arena.Array<int32_t>(blocks * kBlock), ctx);
    ctx.ops.LinearRows(lm_head, list, x, logits.Rows(t, 1));
    SoftcapAt(list, row.logits, ctx);
  }
  return OkStatus();
}

int64_t LikelyLogitsFloats(int64_t vocab) {
  const int64_t blocks = CeilDiv(vocab, kBlock);
  return (kCoarseRows + 3) * blocks + 2 * blocks * kBlock + 16 * 8;  // and what alignment takes
}

}  // namespace gemma3n
