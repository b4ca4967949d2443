// The tensors of a written file, as views of the checkpoint that they come from: cut to a nested
// size, stacked, padded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "gemma3n/options.h"
#include "kernels/kernel_table.h"
#include "model/checkpoint.h"

namespace gemma3n {

struct SourceTensor {
  struct Columns {
    int64_t begin = 0, count = 0;
  };

  std::string name;            // in the written file
  std::vector<int64_t> shape;  // in the written file, outermost first
  std::vector<StoredTensor>
      parts;  // matrices of one width, stacked by rows; none: every value is `fill`
  std::vector<int64_t> row_of;   // stored row of each written one; empty: as they lie
  std::vector<Columns> columns;  // stored columns kept, ascending; empty: all
  float fill = 0;

  int64_t cols() const { return shape.back(); }
  int64_t rows() const;
  // The stored dtype; F32 where nothing is stored.
  DType dtype() const { return parts.empty() ? DType::kF32 : parts.front().dtype; }
  // Whether rows of the stored dtype can be copied as bytes: blocks stay whole.
  bool Copyable() const;

  // One written row as float32. `scratch` holds a stored row where columns are cut.
  void FloatRow(int64_t row, const KernelTable& kernels, std::vector<float>& scratch,
                float* out) const;
  // One written row as stored. Precondition: Copyable().
  void CopyRow(int64_t row, std::byte* out) const;

 private:
  const std::byte* StoredRow(int64_t row, const StoredTensor** part) const;
};

// Builds views of a checkpoint cut to a size. Layers are counted in the written file.
class Source {
 public:
  // Errors: kInvalidArgument when the checkpoint does not nest the size.
  static Result<Source> Create(const Checkpoint& checkpoint, const ModelSize& size);

  const ModelConfig& config() const { return config_; }  // of the written file
  const Checkpoint& checkpoint() const { return *checkpoint_; }
  int64_t stored_layer(int64_t layer) const { return kept_[layer]; }

  // A tensor outside the layers, or of a written layer ("self_attn.q_proj.weight"), with the shape
  // that the config gives it. Its name is the hub's. Errors: as Checkpoint::Require.
  Result<SourceTensor> Global(const std::string& name) const;
  Result<SourceTensor> Layer(int64_t layer, const std::string& suffix) const;
  bool HasLayer(int64_t layer, const std::string& suffix) const;
  // Suffixes of a layer's tensors in the order in which they are written, and the names outside the
  // layers.
  static const std::vector<std::string>& LayerSuffixes();
  std::vector<std::string> GlobalNames() const;

 private:
  // Written [rows, cols] and stored shape of a layer's tensor; cols 0 for vectors.
  std::vector<int64_t> LayerShape(const TextConfig& c, int64_t layer,
                                  const std::string& suffix) const;
  std::vector<int64_t> GlobalShape(const TextConfig& c, const std::string& name) const;

  const Checkpoint* checkpoint_ = nullptr;
  ModelConfig config_;
  std::vector<int> kept_;
};

}  // namespace gemma3n
