// Sub-sample convolution projection (SSCP): four mel frames to one row.        HF
// Gemma3nAudioSubSampleConvProjection
//   twice:  relu( norm( conv_3x3, stride 2 (x) ) )       zeros: 0 before and 2 after in time, 1 and
//   1 in frequency then    W [freq, channel]
// The norm is a group norm over what has been heard so far, n values a frame:
//   mu_t = sum_{s<=t} sum x_s / (n (t+1))      q_t = sum (x_t - mu_t)^2      var_t = sum_{s<=t} q_s
//   / (n (t+1)) y_t = (x_t - mu_t) / sqrt(var_t + eps) * w[channel]
#pragma once

#include <cstdint>

#include "model/audio/context.h"
#include "model/audio/weights.h"

namespace gemma3n {

// How many frames come out of `frames`, and how many of them go into the first `rows`.
int64_t SubsampledRows(int64_t frames);
int64_t FramesForRows(int64_t rows, int64_t frames);

// mel: the first FramesForRows(out.rows, frames) of a clip's `frames` frames, [., feature_size]
// out: [rows, D]
Status Subsample(const SubsamplingWeights& w, const ConstView& mel, int64_t frames, const View& out,
                 const AudioContext& ctx);

}  // namespace gemma3n
