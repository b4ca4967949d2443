#include "runtime/model_size.h"

#include "model/matformer.h"

namespace gemma3n {

Result<ModelSize> NamedSizeOf(const Checkpoint& checkpoint, std::string_view name) {
  return NamedModelSize(checkpoint.config().text, name);
}

}  // namespace gemma3n
