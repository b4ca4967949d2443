// A decoded frame of sound as the mean of its channels.
#pragma once

#include <vector>

#include "media/ffmpeg.h"

namespace gemma3n {

// Appends frame.nb_samples values; integers map to [-1, 1), a value that is no number becomes 0.
// False for a sample format that is none of FFmpeg's twelve.
bool AppendMono(const AVFrame& frame, std::vector<float>* out);

}  // namespace gemma3n
