// A room of config_hub.cc's own: the fields of config.json that speak of pictures and sound.
#pragma once

#include "base/result.h"
#include "model/config.h"
#include "model/json_fields.h"

namespace gemma3n::internal {

// Token ids, VisionConfig and AudioConfig from a multimodal config.json's root.
Status ReadMultimodal(JsonFields& root, ModelConfig* config);

}  // namespace gemma3n::internal
