// Built with this instruction set's flags (CMakeLists.txt); dispatch.cc checks the processor before
// it hands this out.
#include "kernels/avx512/table.h"

#include "kernels/avx512/simd.h"
#include "kernels/simd/table.h"

namespace gemma3n::avx512 {

constinit const KernelTable kTable = simd::MakeTable<Simd>("avx512");

}  // namespace gemma3n::avx512
