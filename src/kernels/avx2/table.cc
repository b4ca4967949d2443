// Built with this instruction set's flags (CMakeLists.txt); dispatch.cc checks the processor before
// it hands this out.
#include "kernels/avx2/table.h"

#include "kernels/avx2/simd.h"
#include "kernels/simd/table.h"

namespace gemma3n {

constinit const KernelTable avx2::kTable = simd::WithManyRows(
    &avx2::kManyRowsKernels,
    simd::MakeTable<avx2::Simd>("avx2", &avx2::kFloat32, &avx2::kInt8, nullptr, &avx2::kFewRows),
    &avx2::kSampledKernels, &avx2::kManyRowsFloat);
constinit const KernelTable avxvnni::kTable =
    simd::WithManyRows(&avxvnni::kManyRowsKernels,
                       simd::MakeTable<avx2::Simd>("avxvnni", &avx2::kFloat32, &avxvnni::kInt8,
                                                   nullptr, &avxvnni::kFewRows),
                       &avxvnni::kSampledKernels, &avx2::kManyRowsFloat);

}  // namespace gemma3n
