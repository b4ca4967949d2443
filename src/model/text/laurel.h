// Learned Augmented Residual Layer (LAuReL).         docs/MODEL.md 4 - HF Gemma3nTextLaurelBlock;
// arXiv:2411.07501
//   y = x + rms( R (L x) ; post_norm )       L: [rank, D]   R: [D, rank]     x is the layer's
//   normed input
#pragma once

#include "model/stage.h"
#include "model/weights.h"

namespace gemma3n {

// x, y: [T, D]
Status LaurelForward(const LaurelWeights& w, const ConstView& x, const View& y,
                     const StageContext& ctx);

}  // namespace gemma3n
