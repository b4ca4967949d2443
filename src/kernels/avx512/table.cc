// Built with this instruction set's flags (CMakeLists.txt); dispatch.cc checks the processor before
// it hands this out.
#include "kernels/avx512/table.h"

#include "kernels/avx2/table.h"
#include "kernels/avx512/simd.h"
#include "kernels/simd/table.h"

namespace gemma3n {

constexpr KernelTable WithTiles(const ManyAttention* attention, const ManyRowsKernels* several_rows,
                                KernelTable table) {
  table.attention.many = attention;
  table.several_rows = several_rows;
  return table;
}

constinit const KernelTable avx512::kTable =
    simd::WithManyRows(&avx2::kManyRowsKernels,
                       simd::MakeTable<avx512::Simd>("avx512", &avx512::kFloat32, &avx512::kInt8,
                                                     nullptr, &avx512::kFewRows),
                       &avx2::kSampledKernels, &avx512::kManyRowsFloat);
constinit const KernelTable avx512vnni::kTable = simd::WithManyRows(
    &avx512vnni::kManyRowsKernels,
    simd::MakeTable<avx512::Simd>("avx512vnni", &avx512::kFloat32, &avx512vnni::kInt8, nullptr,
                                  &avx512vnni::kFewRows),
    &avx512vnni::kSampledKernels, &avx512::kManyRowsFloat);
constinit const KernelTable avx512bf16::kTable = simd::WithManyRows(
    &avx512vnni::kManyRowsKernels,
    simd::MakeTable<avx512::Simd>("avx512bf16", &avx512::kFloat32, &avx512vnni::kInt8,
                                  &avx512bf16::kBFloat16, &avx512vnni::kFewRows),
    &avx512vnni::kSampledKernels, &avx512::kManyRowsFloat);
constinit const KernelTable amx::kTable = WithTiles(
    &amx::kManyAttention, &amx::kSeveralRowsKernels,
    simd::WithManyRows(
        &amx::kManyRowsKernels,
        simd::MakeTable<avx512::Simd>("amx", &avx512::kFloat32, &amx::kInt8, &amx::kBFloat16,
                                      &avx512vnni::kFewRows, &amx::kFloat32)));

}  // namespace gemma3n
