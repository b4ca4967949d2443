#include "kernels/dispatch.h"

#include <cstdlib>
#include <string_view>

#include "kernels/reference/reference.h"
#if defined(__x86_64__)
#include <cpuid.h>

#include "kernels/avx2/table.h"
#include "kernels/avx512/table.h"
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
#endif

}  // namespace

std::vector<const KernelTable*> AvailableKernels() {
  std::vector<const KernelTable*> tables = {&reference::kTable};
#if defined(__x86_64__)
  if (HasAvx2()) tables.push_back(&avx2::kTable);
  if (HasAvx512()) tables.push_back(&avx512::kTable);
#endif
  return tables;
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
