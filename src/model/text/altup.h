// AltUp (Alternating Updates): A residual streams of width D, of which one goes through the layer;
// the others are predicted from all, then corrected by what the layer did. docs/MODEL.md 3 - HF
// Gemma3nTextAltUp; arXiv:2301.13310
//   modality(x) = tanh( Wr (rms(x; router_norm) / D) )                                   [A]
//   predict:  pred_a = X_a + sum_b P[a, b] X_b          P = prediction_coefs modality(X_active)
//   correct:  cor_a = pred_a + k_a (act - pred_active)  k = correction_coefs modality(act) + 1
// Streams lie one after the other: [A * T, D].
#pragma once

#include <vector>

#include "model/stage.h"
#include "model/weights.h"

namespace gemma3n {

// One stream becomes A: X_0 = h0, X_j = U_j h0 rescaled to h0's magnitude.    h0: [T, D], streams:
// [A * T, D]
Status AltUpInit(const std::vector<Matrix>& projections, const ConstView& h0, const View& streams,
                 const StageContext& ctx);

// streams, predicted: [A * T, D]
Status AltUpPredict(const AltUpWeights& w, const ConstView& streams, const View& predicted,
                    const StageContext& ctx);

// activated: [T, D], the layer's output for the active stream; predicted becomes the corrected
// streams in place.
Status AltUpCorrect(const AltUpWeights& w, const ConstView& activated, const View& predicted,
                    const StageContext& ctx);

// A streams become one: the mean of X_0 and the others projected back at X_0's magnitude.   out:
// [T, D]
Status AltUpMerge(const std::vector<Matrix>& unembed_projections, const ConstView& streams,
                  const View& out, const StageContext& ctx);

}  // namespace gemma3n
