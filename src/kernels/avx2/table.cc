// Built with this instruction set's flags (CMakeLists.txt); dispatch.cc checks the processor before
// it hands this out.
#include "kernels/avx2/table.h"

#include "kernels/avx2/simd.h"
#include "kernels/simd/table.h"

namespace gemma3n::avx2 {

constinit const KernelTable kTable = simd::MakeTable<Simd>("avx2");

}  // namespace gemma3n::avx2
