#include "runtime/sized_model.h"

#include <utility>

#include "model/matformer.h"

namespace gemma3n::internal {
namespace {

DType CacheType(KvType type, Precision precision) {
  switch (type) {
    case KvType::kFloat32:
      return DType::kF32;
    case KvType::kFloat16:
      return DType::kF16;
    case KvType::kInt8:
      return DType::kQ8_0;
    case KvType::kAuto:
      break;
  }
  return precision == Precision::kFloat32 ? DType::kF32 : DType::kF16;
}

}  // namespace

Result<SizedModel> SizedModel::Create(EngineImpl& engine, const ModelSize& size) {
  G3N_RETURN_IF_ERROR(CheckModelSize(engine.checkpoint, size));
  G3N_ASSIGN_OR_RETURN(ModelConfig sliced, SlicedConfig(engine.config(), size));
  NestedModel nested{sliced.text, KeptLayers(engine.config().text.num_layers, size)};
  SizedModel model{
      size, Decoder(engine.weights, engine.hard, std::move(nested), engine.options.prefill_skip)};
  if (engine.options.huge_pages && engine.weights.mapped) {
    const FairMutex::Guard lock(engine.compute, FairMutex::Lane::kSteps);
    engine.huge_pages.Want(model.decoder.DecodedWeights());
  }
  return model;
}

Result<int64_t> ContextOf(const SizedModel& model, int64_t context) {
  const int64_t longest = model.decoder.config().max_position;
  if (context < 0 || context > longest) {
    return Error(StatusCode::kInvalidArgument,
                 "context: expected 1 to {} tokens (0: all of it), found {}", longest, context);
  }
  return context == 0 ? longest : context;
}

Result<KvCache> NewCache(const EngineImpl& engine, const SizedModel& model, int64_t context,
                         KvType type) {
  return KvCache::Create(model.decoder.config(), context, engine.options.prefill_chunk,
                         CacheType(type, engine.options.precision));
}

}  // namespace gemma3n::internal
