#include "kernels/dispatch.h"

#include <cstdlib>
#include <string_view>

#include "kernels/reference/reference.h"
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernels/avx2/table.h"
#include "kernels/avx512/table.h"
#elif defined(__aarch64__)
#include <sys/auxv.h>

#include "kernels/neon/table.h"
#endif

namespace gemma3n {
namespace {

#if defined(__x86_64__)
// Clang 14's __builtin_cpu_supports does not know it.
bool HasF16c() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

// __builtin_cpu_supports also asks whether the operating system saves the wide registers.
bool HasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && HasF16c();
}

bool HasAvx512() {
  return HasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

// Bits of CPUID leaf 7 that the compilers' own test does not know by name. Callers have asked for
// AVX2 or AVX-512 first, hence for the system's support of the wide registers.
struct Leaf7 {
  unsigned ecx = 0, edx = 0, eax1 = 0;  // of sub-leaf 0, 0 and 1
  Leaf7() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return;
    ecx = c, edx = d;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0) eax1 = a;
  }
  bool avx_vnni() const { return (eax1 >> 4 & 1) != 0; }
  bool avx512_vnni() const { return (ecx >> 11 & 1) != 0; }
  bool avx512_bf16() const { return (eax1 >> 5 & 1) != 0; }
  bool amx() const {
    return (edx >> 22 & 1) != 0 && (edx >> 24 & 1) != 0 && (edx >> 25 & 1) != 0;
  }  // bf16, tile, int8
};

// Tile registers are 8 KB of state per thread: Linux saves them for processes that asked.
bool SystemGrantsTiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023,
                 kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#elif defined(__aarch64__)
// Bits of what Linux says of the processor: HWCAP_ASIMDDP, HWCAP2_I8MM, HWCAP2_BF16.
bool HasDotProducts() { return (getauxval(AT_HWCAP) >> 20 & 1) != 0; }
bool HasInt8Matrices() { return (getauxval(AT_HWCAP2) >> 13 & 1) != 0; }
bool HasBFloat16() { return (getauxval(AT_HWCAP2) >> 14 & 1) != 0; }
#endif

}  // namespace

std::vector<const KernelTable*> AvailableKernels() {
  std::vector<const KernelTable*> tables = {&reference::kTable};
#if defined(__x86_64__)
  const Leaf7 cpu;
  if (!HasAvx2()) return tables;
  tables.push_back(&avx2::kTable);
  if (cpu.avx_vnni()) tables.push_back(&avxvnni::kTable);
  if (!HasAvx512()) return tables;
  tables.push_back(&avx512::kTable);
  if (!cpu.avx512_vnni()) return tables;
  tables.push_back(&avx512vnni::kTable);
  if (!cpu.avx512_bf16()) return tables;
  tables.push_back(&avx512bf16::kTable);
  if (cpu.amx() && SystemGrantsTiles()) tables.push_back(&amx::kTable);
#elif defined(__aarch64__)
  tables.push_back(&neon::kTable);
  if (!HasDotProducts()) return tables;
  tables.push_back(&neondot::kTable);
  if (!HasInt8Matrices()) return tables;
  tables.push_back(&neoni8mm::kTable);
  if (HasBFloat16()) tables.push_back(&neonbf16::kTable);
#endif
  return tables;
}

std::vector<const KernelTable*> DistinctFloatKernels() {
  std::vector<const KernelTable*> distinct;
  for (const KernelTable* table : AvailableKernels()) {
    if (distinct.empty() || distinct.back()->linear[0] != table->linear[0])
      distinct.push_back(table);
  }
  return distinct;
}

Result<const KernelTable*> ChooseKernels() {
  const auto tables = AvailableKernels();
  const char* forced = std::getenv("GEMMA3N_KERNELS");
  if (forced == nullptr || *forced == '\0') return tables.back();
  std::string names;
  for (const KernelTable* table : tables) {
    if (std::string_view(forced) == table->name) return table;
    names += names.empty() ? table->name : std::string(", ") + table->name;
  }
  return Error(
      StatusCode::kInvalidArgument,
      "GEMMA3N_KERNELS: expected one of {}, found '{}', which this build or processor lacks", names,
      forced);
}

}  // namespace gemma3n
