#include "model/multimodal_embedder.h"

#include "model/stage.h"
#include "model/weights.h"

namespace gemma3n {

Result<HardEmbeddings> ComputeHardEmbeddings(const Checkpoint& checkpoint,
                                             const std::string& prefix, int64_t first_id,
                                             int64_t count, float eps, const Ops& ops) {
  HardEmbeddings hard;
  const auto table = checkpoint.tensors().find(prefix + "embedding.weight");
  if (first_id < 0 || table == checkpoint.tensors().end()) return hard;
  const int64_t d = checkpoint.config().text.hidden_size;
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

Result<SoftEmbedder> SoftEmbedder::Bind(const Checkpoint& checkpoint, const std::string& prefix,
                                        float eps, const KernelTable& kernels) {
  const std::string name = prefix + "embedding_projection.weight";
  const auto found = checkpoint.tensors().find(name);
  const bool matrix = found != checkpoint.tensors().end() && found->second.shape.size() == 2;
  const int64_t d = checkpoint.config().text.hidden_size;
  const int64_t width = matrix ? found->second.shape[1] : d;
  G3N_ASSIGN_OR_RETURN(const StoredTensor projection, checkpoint.Require(name, {d, width}));
  G3N_ASSIGN_OR_RETURN(const StoredTensor norm,
                       checkpoint.Require(prefix + "soft_embedding_norm.weight", {width}));
  SoftEmbedder embedder;
  embedder.norm_ = ToFloats(norm, kernels);
  embedder.projection_ = ToMatrix(projection);
  embedder.eps_ = eps;
  return embedder;
}

Status SoftEmbedder::Embed(const ConstView& x, const View& out, const Ops& ops,
                           Arena& arena) const {
  G3N_RETURN_IF_ERROR(ExpectShape(x, out.rows, in_features(), "soft embedding input"));
  G3N_RETURN_IF_ERROR(ExpectShape(out, x.rows, out_features(), "soft embedding output"));
  Arena::Scope scope(arena);
  const View normed(arena.Floats(x.rows * x.cols), x.rows, x.cols);
  ops.RmsNorm(norm_.data(), eps_, x, normed);
  ops.Linear(projection_, normed, out);  // [T, Dm] -> [T, D]
  ops.RmsNorm(nullptr, eps_, out, out);
  return OkStatus();
}

}  // namespace gemma3n
