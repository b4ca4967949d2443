#include "kernels/dispatch.h"

#include <cstdlib>
#include <string_view>

#include "kernels/reference/reference.h"

namespace gemma3n {

std::vector<const KernelTable*> AvailableKernels() {
  std::vector<const KernelTable*> tables = {&reference::kTable};
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
