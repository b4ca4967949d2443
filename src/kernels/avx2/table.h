#pragma once

#include "kernels/few_rows.h"
#include "kernels/kernel_table.h"
#include "kernels/many_rows.h"
#include "kernels/packed.h"
#include "kernels/sparse.h"

namespace gemma3n::avx2 {
extern const KernelTable kTable;
extern const PackedKernels kFloat32, kInt8;
extern const FewRowsKernels kFewRows;
extern const ManyRowsKernels kManyRowsKernels, kManyRowsNibbles, kManyRowsFloat;
extern const SampledKernels kSampledKernels;
}  // namespace gemma3n::avx2

// AVX2 and AVX-VNNI.
namespace gemma3n::avxvnni {
extern const KernelTable kTable;
extern const PackedKernels kInt8;
extern const FewRowsKernels kFewRows;
extern const ManyRowsKernels kManyRowsKernels;
extern const SampledKernels kSampledKernels;
}  // namespace gemma3n::avxvnni
