// Binding a model's weights reads as a list of names and shapes: the first failure is kept, and
// what comes after it is skipped.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/ops.h"
#include "kernels/packed_linear.h"
#include "model/checkpoint.h"
#include "model/weights.h"

namespace gemma3n {

class Binder {
 public:
  Binder(const Checkpoint& checkpoint, const KernelTable& kernels)
      : checkpoint_(checkpoint), kernels_(kernels) {}

  void Bind(Matrix& out, const std::string& name, int64_t rows, int64_t cols) {
    if (auto tensor = Require(name, {rows, cols})) out = ToMatrix(*tensor);
  }
  // A matrix made ready for one way of multiplying.
  void Bind(PackedLinear& out, const std::string& name, int64_t rows, int64_t cols,
            Arithmetic arithmetic, const Ops& ops) {
    if (auto tensor = Require(name, {rows, cols})) {
      out = PackedLinear::Pack(ToMatrix(*tensor), arithmetic, ops);
    }
  }

  void Bind(std::vector<float>& out, const std::string& name, std::vector<int64_t> shape) {
    if (auto tensor = Require(name, std::move(shape))) out = ToFloats(*tensor, kernels_);
  }

  // Tables that converters pad: at least `rows` rows.
  void BindTable(Matrix& out, const std::string& name, int64_t rows, int64_t cols) {
    const auto found = checkpoint_.tensors().find(name);
    const bool padded = found != checkpoint_.tensors().end() && found->second.shape.size() == 2 &&
                        found->second.shape[0] > rows;
    Bind(out, name, padded ? found->second.shape[0] : rows, cols);
  }

  bool Has(const std::string& name) const { return checkpoint_.tensors().contains(name); }
  Status status() const { return status_; }

 private:
  std::optional<StoredTensor> Require(const std::string& name, std::vector<int64_t> shape) {
    if (!status_.ok()) return std::nullopt;
    auto tensor = checkpoint_.Require(name, shape);
    if (tensor.ok()) return std::move(tensor).value();
    status_ = tensor.status();
    return std::nullopt;
  }

  const Checkpoint& checkpoint_;
  const KernelTable& kernels_;
  Status status_;
};

}  // namespace gemma3n
