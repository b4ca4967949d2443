// Checkpoints on disk and what the writers make of them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "convert/convert.h"
#include "kernels/dispatch.h"
#include "tests/unit/model/tiny_checkpoint.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n::testing {

inline Tokenizer SomeTokenizer() {
  return Tokenizer::Open(std::string(GEMMA3N_SOURCE_DIR) + "/tests/unit/tokenizer/data/tiny.model")
      .value();
}

// A tensor's values, whatever its dtype.
inline std::vector<float> Values(const StoredTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  const KernelTable* kernels = ChooseKernels().value();
  kernels->dequantize[static_cast<int>(tensor.dtype)](tensor.data, values.data(),
                                                      tensor.elements());
  return values;
}

inline std::vector<float> Values(const Checkpoint& checkpoint, const std::string& name) {
  const auto found = checkpoint.tensors().find(name);
  if (found == checkpoint.tensors().end()) {
    ADD_FAILURE() << "no tensor " << name;
    return {};
  }
  return Values(found->second);
}

class ConvertTest : public ::testing::Test {
 protected:
  Checkpoint OpenSource() {
    model_.Write(source_);
    return Open(source_.path());
  }
  static Checkpoint Open(const std::string& path) {
    auto checkpoint = Checkpoint::Open(path);
    if (!checkpoint.ok()) ADD_FAILURE() << checkpoint.status().message();
    return std::move(checkpoint).value();
  }
  Result<ConvertReport> Gguf(const Checkpoint& checkpoint, GgufType type,
                             const ModelSize& size = {}, const std::string& name = "out.gguf") {
    const Tokenizer tokenizer = SomeTokenizer();
    return WriteGguf(checkpoint, &tokenizer, size, type, out_ / name, options_);
  }

  TinyModel model_;
  TempDir source_, out_;
  ConvertOptions options_{.threads = 2};
};

}  // namespace gemma3n::testing
