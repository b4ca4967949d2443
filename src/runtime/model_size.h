// A published size by name, for a checkpoint that is not loaded.
#pragma once

#include <string_view>

#include "base/result.h"
#include "gemma3n/options.h"
#include "model/checkpoint.h"

namespace gemma3n {

// As Engine::NamedSize. Errors: kInvalidArgument.
Result<ModelSize> NamedSizeOf(const Checkpoint& checkpoint, std::string_view name);

}  // namespace gemma3n
