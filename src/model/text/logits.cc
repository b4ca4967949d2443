#include "model/text/logits.h"

#include <algorithm>

namespace gemma3n {

Status Logits(const Matrix& lm_head, const ConstView& hidden, const View& logits,
              const StageContext& ctx) {
  G3N_RETURN_IF_ERROR(ExpectShape(hidden, logits.rows, ctx.config.hidden_size, "logits input"));
  G3N_RETURN_IF_ERROR(ExpectShape(logits, hidden.rows, ctx.config.vocab_size, "logits"));
  ctx.ops.Linear(lm_head, hidden, logits);  // [R, D] -> [R, V]
  const float cap = ctx.config.final_logit_softcap;
  if (cap > 0) {
    constexpr int64_t kPiece = 4096;  // splits one row's vocabulary over the threads
    const int64_t pieces = (logits.cols + kPiece - 1) / kPiece;
    ctx.ops.ForRows(logits.rows * pieces, [&](int64_t i) {
      const int64_t begin = i % pieces * kPiece;
      ctx.ops.kernels().softcap(logits.row(i / pieces) + begin,
                                std::min(kPiece, logits.cols - begin), cap);
    });
  }
  ctx.Tap("logits", logits);
  return OkStatus();
}

}  // namespace gemma3n
