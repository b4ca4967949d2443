// Several Generations for one exchange and one sink: their answers are numbered through.
#pragma once

#include <memory>
#include <vector>

#include "server/api/generation.h"

namespace gemma3n::server {

// Runs them one behind the other into the scheduler; the sink hears OnStart once (with the prompt
// tokens of the first), each answer under its number (that of a Generation's first follows the last
// of the one before), OnFinish once with the sum, or one OnError, which cancels the rest.
// Precondition: one Generation at least.
void RunBatch(Generator& generator, std::vector<Generation> generations,
              const std::shared_ptr<Exchange>& exchange, std::shared_ptr<Sink> sink);

}  // namespace gemma3n::server
