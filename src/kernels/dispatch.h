// Which kernel tables this build has, which of them this processor runs, and the choice.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/kernel_table.h"

namespace gemma3n {

// Tables that this processor can run, slowest ("reference") first.
std::vector<const KernelTable*> AvailableKernels();

// The same less the tables that only add dot products (packed.h) to the one before: every float32
// code once.
std::vector<const KernelTable*> DistinctFloatKernels();

// The fastest available table, or the one named by the environment variable GEMMA3N_KERNELS.
// Errors: kInvalidArgument when the variable names a table that this build or processor lacks.
Result<const KernelTable*> ChooseKernels();

}  // namespace gemma3n
