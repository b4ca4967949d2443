// Named taps on intermediate tensors, null by default. The golden test reads them to name the first
// stage that diverges.
#pragma once

#include <functional>
#include <string_view>

#include "tensor/matrix.h"

namespace gemma3n {

// name: stage output, e.g. "laurel_out"; layer: index in the checkpoint, -1 outside layers; rows
// are the batch's tokens.
using Probe = std::function<void(std::string_view name, int layer, const ConstView& values)>;

}  // namespace gemma3n
