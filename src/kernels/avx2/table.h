#pragma once

#include "kernels/kernel_table.h"

namespace gemma3n::avx2 {

extern const KernelTable kTable;

}  // namespace gemma3n::avx2
