#pragma once

#include "kernels/few_rows.h"
#include "kernels/kernel_table.h"
#include "kernels/many_rows.h"
#include "kernels/packed.h"

namespace gemma3n::neon {
extern const KernelTable kTable;
extern const PackedKernels kFloat32, kInt8;
extern const FewRowsKernels kFewRows;
extern const ManyRowsKernels kManyRowsKernels;
}  // namespace gemma3n::neon

// The sets that add dot products, each to those before it. Their float32 code is that of neon.
namespace gemma3n::neondot {
extern const KernelTable kTable;
extern const PackedKernels kInt8;
extern const FewRowsKernels kFewRows;
extern const ManyRowsKernels kManyRowsKernels;
}  // namespace gemma3n::neondot

namespace gemma3n::neoni8mm {
extern const KernelTable kTable;
extern const PackedKernels kInt8;
extern const ManyRowsKernels kManyRowsKernels;
}  // namespace gemma3n::neoni8mm

namespace gemma3n::neonbf16 {
extern const KernelTable kTable;
extern const PackedKernels kBFloat16;
}  // namespace gemma3n::neonbf16
