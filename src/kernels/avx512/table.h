#pragma once

#include "kernels/few_rows.h"
#include "kernels/kernel_table.h"
#include "kernels/many_rows.h"
#include "kernels/packed.h"
#include "kernels/sparse.h"

namespace gemma3n::avx512 {
extern const KernelTable kTable;
extern const PackedKernels kFloat32, kInt8;
extern const FewRowsKernels kFewRows;
extern const ManyRowsKernels kManyRowsFloat;
}  // namespace gemma3n::avx512

// The sets that add dot products to AVX-512, each to those before it. Their float32 code is that of
// avx512.
namespace gemma3n::avx512vnni {
extern const KernelTable kTable;
extern const PackedKernels kInt8;
extern const FewRowsKernels kFewRows;
extern const ManyRowsKernels kManyRowsKernels;
extern const SampledKernels kSampledKernels;
}  // namespace gemma3n::avx512vnni

namespace gemma3n::avx512bf16 {
extern const KernelTable kTable;
extern const PackedKernels kBFloat16;
}  // namespace gemma3n::avx512bf16

namespace gemma3n::amx {
extern const KernelTable kTable;
extern const PackedKernels kBFloat16, kInt8, kFloat32;
extern const ManyRowsKernels kManyRowsKernels, kSeveralRowsKernels;
extern const GatedKernels kGatedKernels;
extern const ManyAttention kManyAttention;
}  // namespace gemma3n::amx
