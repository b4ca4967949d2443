// The model that a request names.
#pragma once

#include <string>

#include "server/api/context.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

// The size that the name stands for (SizeOfModel); what is wrong with it is reported at "model".
inline void ReadModelSize(const Fields& fields, const ApiContext& context, const std::string& model,
                          ModelSize* size) {
  if (!fields.ok()) return;
  auto found = SizeOfModel(context, model);
  if (found.ok()) {
    *size = *std::move(found);
  } else {
    fields.Fail("model", found.status());
  }
}

// Whether a request was refused because it names a model that is not here: 404.
inline bool IsUnknownModel(const RequestError& error) {
  return error.param == "model" && error.status.code() == StatusCode::kNotFound;
}

}  // namespace gemma3n::server
