// Token embedding: the decoder's first input.                     docs/MODEL.md 1 - HF
// Gemma3nTextScaledWordEmbedding
#pragma once

#include <span>

#include "model/multimodal_embedder.h"
#include "model/stage.h"
#include "model/text/batch.h"

namespace gemma3n {

// h0[t] = E[token] * sqrt(D); rows of the multimodal vocabularies come from their own tables,
// unscaled; a row that brings an embedding (an image's or a clip's soft token) is that embedding.
// h0: [T, D]
Status EmbedTokens(const Matrix& embed_tokens, std::span<const HardEmbeddings> hard,
                   std::span<const BatchRow> rows, const View& h0, const StageContext& ctx);

}  // namespace gemma3n
