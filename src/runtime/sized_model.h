// A nested model of the loaded one, ready to run, and caches for it.
#pragma once

#include "base/result.h"
#include "gemma3n/options.h"
#include "model/text/decoder.h"
#include "model/text/kv_cache.h"
#include "runtime/engine_impl.h"

namespace gemma3n::internal {

struct SizedModel {
  // The engine must outlive it. Errors: kInvalidArgument for a size that it does not have.
  static Result<SizedModel> Create(EngineImpl& engine, const ModelSize& size);

  ModelSize size;
  Decoder decoder;
};

// `context` with 0 filled in. Errors: kInvalidArgument when the model's own is shorter.
Result<int64_t> ContextOf(const SizedModel& model, int64_t context);

Result<KvCache> NewCache(const EngineImpl& engine, const SizedModel& model, int64_t context,
                         KvType type);

}  // namespace gemma3n::internal
