#include "model/multimodal_embedder.h"

#include "model/weights.h"

namespace gemma3n {

Result<HardEmbeddings> ComputeHardEmbeddings(const Checkpoint& checkpoint,
                                             const std::string& prefix, int64_t first_id,
                                             int64_t count, const Ops& ops) {
  HardEmbeddings hard;
  const auto table = checkpoint.tensors().find(prefix + "embedding.weight");
  if (first_id < 0 || table == checkpoint.tensors().end()) return hard;
  const int64_t d = checkpoint.config().text.hidden_size;
  const float eps = checkpoint.config().text.rms_norm_eps;
  const int64_t width =
      table->second.shape.size() == 2 ? table->second.shape[1] : 0;  // Dm, the tower's width
  G3N_ASSIGN_OR_RETURN(StoredTensor embedding,
                       checkpoint.Require(prefix + "embedding.weight", {count, width}));
  G3N_ASSIGN_OR_RETURN(StoredTensor norm,
                       checkpoint.Require(prefix + "hard_embedding_norm.weight", {width}));
  G3N_ASSIGN_OR_RETURN(StoredTensor projection,
                       checkpoint.Require(prefix + "embedding_projection.weight", {d, width}));
  std::vector<float> rows = ToFloats(embedding, ops.kernels());     // [count, Dm]
  const std::vector<float> weight = ToFloats(norm, ops.kernels());  // [Dm]
  hard.first_id = first_id;
  hard.count = count;
  hard.rows.resize(static_cast<size_t>(count * d));
  const View in(rows.data(), count, width), out(hard.rows.data(), count, d);
  ops.RmsNorm(weight.data(), eps, in, in);
  ops.Linear(ToMatrix(projection), in, out);  // [count, Dm] -> [count, D]
  ops.RmsNorm(nullptr, eps, out, out);
  return hard;
}

}  // namespace gemma3n
