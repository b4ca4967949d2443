// Binding the picture tower: the kinds of tensor that it has, each checked, and brought to the
// layout that the stages read.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/binder.h"
#include "model/vision/weights.h"

namespace gemma3n::vision {

// Binder with this tower's kinds of tensor.
class TowerBinder {
 public:
  TowerBinder(const Checkpoint& checkpoint, Arithmetic arithmetic, const Ops& ops)
      : checkpoint_(checkpoint),
        arithmetic_(arithmetic),
        ops_(ops),
        binder_(checkpoint, ops.kernels()) {}

  bool Has(const std::string& name) const { return binder_.Has(name); }
  Status status() const { return status_.ok() ? binder_.status() : status_; }
  // For what no single shape says.
  void Expect(bool condition, const std::string& tensor, const std::string& expectation) {
    if (!status().ok() || condition) return;
    status_ = Error(StatusCode::kCorruptFile, "{}: tensor {}: expected {}", checkpoint_.path(),
                    tensor, expectation);
  }

  // Size of a tensor's dimension, or `otherwise` where there is no such tensor or dimension: then
  // binding it says what is wrong.
  int64_t Size(const std::string& name, size_t dimension, int64_t otherwise) const {
    const auto found = checkpoint_.tensors().find(name);
    if (found == checkpoint_.tensors().end() || found->second.shape.size() <= dimension) {
      return otherwise;
    }
    return found->second.shape[dimension];
  }
  // Channels that a convolution gives, by its own shape or that of the norm behind it.
  int64_t Outputs(const std::string& conv, const std::string& norm) const {
    return Size(conv, 0, Size(norm, 0, 0));
  }

  void Vector(std::vector<float>& out, const std::string& name, int64_t n) {
    binder_.Bind(out, name, {n});
  }

  // Columns of a matrix. A view where they are whole blocks of its rows, else a copy in `storage`.
  void Columns(PackedLinear& out, const Matrix& m, int64_t begin, int64_t count,
               std::vector<float>& storage) const {
    const int64_t block = Traits(m.dtype).block_elements;
    if (begin % block == 0 && count % block == 0) {
      Matrix part = m.ColPrefix(count);
      part.data += RowBytes(m.dtype, begin);
      out = Pack(part);
      return;
    }
    storage.resize(static_cast<size_t>(m.rows * count));
    std::vector<float> row(static_cast<size_t>(m.cols));
    for (int64_t r = 0; r < m.rows; ++r) {
      ops_.Row(m, r, row.data());
      std::copy_n(row.data() + begin, count, storage.data() + r * count);
    }
    out = PackOwn(storage, m.rows, count);
  }

  // A 1 x 1 convolution. Files with blocks of values along a row store it without the two ones.
  std::optional<Matrix> Pointwise(const std::string& name, int64_t outputs, int64_t inputs) {
    std::vector<int64_t> shape = {outputs, inputs, 1, 1};
    if (Size(name, 1, 0) > 0 && Size(name, 2, 0) == 0) shape.resize(2);
    auto tensor = Require(name, std::move(shape));
    if (!tensor) return std::nullopt;
    return Matrix{tensor->dtype, outputs, inputs, RowBytes(tensor->dtype, inputs), tensor->data};
  }
  void Pointwise(PackedLinear& out, const std::string& name, int64_t outputs, int64_t inputs) {
    if (const auto matrix = Pointwise(name, outputs, inputs)) out = Pack(*matrix);
  }

  // [O, C, 3, 3] to [O, 3, 3, C]
  void Full(FullConv& out, const std::string& name, int64_t outputs, int64_t inputs) {
    const auto tensor = Require(name, {outputs, inputs, 3, 3});
    if (!tensor) return;
    out.channels = inputs;
    out.storage = MoveTaps(ToFloats(*tensor, ops_.kernels()), outputs, inputs, 9);
    out.matrix = PackOwn(out.storage, outputs, 9 * inputs);
  }

  // [C, 1, k, k] to [k, k, C], and the norm.
  void Depthwise(DepthwiseConv& out, const std::string& conv, const std::string& norm,
                 int64_t channels, int64_t stride) {
    const int64_t k = std::clamp<int64_t>(Size(conv, 3, 3), 1, kMaxKernel);
    const auto tensor = Require(conv, {channels, 1, k, k});
    Vector(out.norm, norm, channels);
    if (!tensor) return;
    out.taps = MoveTaps(ToFloats(*tensor, ops_.kernels()), 1, channels, k * k);
    out.kernel = k;
    out.stride = stride;
  }

  PackedLinear Pack(const Matrix& matrix) const {
    return PackedLinear::Pack(matrix, arithmetic_, ops_);
  }
  // A matrix over values of our own, which are let go when it was repacked.
  PackedLinear PackOwn(std::vector<float>& values, int64_t rows, int64_t cols) const {
    PackedLinear packed = Pack({DType::kF32, rows, cols, RowBytes(DType::kF32, cols),
                                reinterpret_cast<const std::byte*>(values.data())});
    if (packed.arithmetic() != Arithmetic::kFloat32) values = {};
    return packed;
  }

  const KernelTable& kernels() const { return ops_.kernels(); }

 private:
  std::optional<StoredTensor> Require(const std::string& name, std::vector<int64_t> shape) {
    if (!status().ok()) return std::nullopt;
    auto tensor = checkpoint_.Require(name, shape);
    if (tensor.ok()) return std::move(tensor).value();
    status_ = tensor.status();
    return std::nullopt;
  }

  // [outer, inputs, taps] to [outer, taps, inputs]
  static std::vector<float> MoveTaps(const std::vector<float>& from, int64_t outer, int64_t inputs,
                                     int64_t taps) {
    std::vector<float> to(from.size());
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t i = 0; i < inputs; ++i) {
        for (int64_t t = 0; t < taps; ++t) {
          to[(o * taps + t) * inputs + i] = from[(o * inputs + i) * taps + t];
        }
      }
    }
    return to;
  }

  const Checkpoint& checkpoint_;
  const Arithmetic arithmetic_;
  const Ops& ops_;
  Binder binder_;
  Status status_;
};

}  // namespace gemma3n::vision
