// Where a model's picture and sound tower are: in its own checkpoint, or for a GGUF model in a
// second file.
#pragma once

#include <optional>

#include "base/result.h"
#include "gemma3n/options.h"
#include "model/checkpoint.h"

namespace gemma3n::internal {

// Opens options.mmproj, if there is one, and completes `config`, the language model's own, with
// what that file says of the towers, and with ids for the media's tokens where the language model's
// file has none. Errors: those of Checkpoint::Open; kInvalidArgument when the file is of a model of
// another width, or the model is a hub directory, which has its towers itself.
Result<std::optional<Checkpoint>> OpenMmproj(const EngineOptions& options, const Checkpoint& model,
                                             ModelConfig* config);

}  // namespace gemma3n::internal
