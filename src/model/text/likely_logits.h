// The largest logits without the others: about half of the unembedding is never read.
//
// Whoever draws from the k most probable tokens needs the logits of these alone. A copy of the
// unembedding in three bits a value (CoarseRows) gives every logit roughly; which of them can be
// among the k largest follows from how far the copy is off, and those are computed as ever, with
// the same bits. The idea is that of maximum inner product search by way of quantised vectors
// (arXiv:1908.10396), here with a margin that leaves nothing out: a logit left out would be off by
// more than eight times the rms of what it can be off by, and that is measured on a thousand of
// this very token's logits.
#pragma once

#include "kernels/coarse_rows.h"
#include "model/stage.h"
#include "tensor/matrix.h"

namespace gemma3n {

// Whether the k largest logits of so many rows are had quicker with the copy. k 0: all of them.
bool LikelyLogitsPay(const CoarseRows& coarse, int64_t rows, int64_t k);

// logits: [R, V], of each row the k largest, and maybe others, as Logits computes them; -inf where
// it is not among these.   coarse: of lm_head, ready; R <= kCoarseRows
Status LikelyLogits(const Matrix& lm_head, const CoarseRows& coarse, const ConstView& hidden,
                    int64_t k, const View& logits, const StageContext& ctx);

// Floats that it takes from the arena.
int64_t LikelyLogitsFloats(int64_t vocab);

}  // namespace gemma3n
