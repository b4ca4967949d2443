// What the APIs' handlers share: the model, its queue, and what the operator allows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gemma3n/engine.h"
#include "gemma3n/options.h"
#include "server/api/generation.h"
#include "server/api/media_access.h"

namespace gemma3n {
class Scheduler;
}

namespace gemma3n::server {

// What the pointers lead to outlives every handler. Handlers keep copies of this.
struct ApiContext {
  std::shared_ptr<const Engine> engine;
  Scheduler* scheduler = nullptr;
  Generator* generator = nullptr;
  const MediaAccess* media = nullptr;
  int64_t tokens = 0;      // most of a prompt and its answer
  std::string model_name;  // the name it is served by
  ModelSize size;          // what that name alone stands for
  int64_t created = 0;     // seconds since 1970: when the server started
  bool any_model = false;  // requests may name any model: the served one answers
};

// The size that a request's model stands for: the served name is all that is loaded; behind it may
// follow ":e2b" (or another published size), ":8192" or ":8192,4096,..." (MLP widths, one for every
// layer or one for each). Errors: kNotFound for another name, unless any_model is set;
// kInvalidArgument for a size that is not nested.
Result<ModelSize> SizeOfModel(const ApiContext& context, std::string_view model);

}  // namespace gemma3n::server
