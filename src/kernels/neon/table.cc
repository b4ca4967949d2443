// Built for every 64-bit ARM processor; dispatch.cc asks this one before it hands out more.
#include "kernels/neon/table.h"

#include "kernels/neon/simd.h"
#include "kernels/simd/table.h"

namespace gemma3n {

constinit const KernelTable neon::kTable = simd::WithManyRows(
    &neon::kManyRowsKernels,
    simd::MakeTable<neon::Simd>("neon", &neon::kFloat32, &neon::kInt8, nullptr, &neon::kFewRows));
constinit const KernelTable neondot::kTable =
    simd::WithManyRows(&neondot::kManyRowsKernels,
                       simd::MakeTable<neon::Simd>("neondot", &neon::kFloat32, &neondot::kInt8,
                                                   nullptr, &neondot::kFewRows));
constinit const KernelTable neoni8mm::kTable =
    simd::WithManyRows(&neoni8mm::kManyRowsKernels,
                       simd::MakeTable<neon::Simd>("neoni8mm", &neon::kFloat32, &neoni8mm::kInt8,
                                                   nullptr, &neondot::kFewRows));
constinit const KernelTable neonbf16::kTable =
    simd::WithManyRows(&neoni8mm::kManyRowsKernels,
                       simd::MakeTable<neon::Simd>("neonbf16", &neon::kFloat32, &neoni8mm::kInt8,
                                                   &neonbf16::kBFloat16, &neondot::kFewRows));

}  // namespace gemma3n
