#include "model/text/embedding.h"

#include <cmath>
#include <cstring>

namespace gemma3n {

Status EmbedTokens(const Matrix& embed_tokens, std::span<const HardEmbeddings> hard,
                   std::span<const BatchRow> rows, const View& h0, const StageContext& ctx) {
  const int64_t d = ctx.config.hidden_size;
  G3N_RETURN_IF_ERROR(ExpectShape(h0, static_cast<int64_t>(rows.size()), d, "token embeddings"));
  const float scale =
      std::sqrt(static_cast<float>(d));  // rounded to float32 as the reference's buffer is
  ctx.ops.ForRows(h0.rows, [&](int64_t t) {
    const float* ready = rows[t].embedding;
    for (const HardEmbeddings& table : hard) {
      if (ready == nullptr) ready = table.Find(rows[t].token, d);
    }
    if (ready != nullptr) {
      std::memcpy(h0.row(t), ready, sizeof(float) * d);
      return;
    }
    ctx.ops.Row(embed_tokens, rows[t].token, h0.row(t));
    ctx.ops.kernels().scale(scale, h0.row(t), d);
  });
  ctx.Tap("embed", h0);
  return OkStatus();
}

}  // namespace gemma3n
