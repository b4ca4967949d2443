#include <utility>

#include "kernels/reference/reference.h"

namespace gemma3n::reference {
namespace {

template <int... kTypes>
constexpr KernelTable MakeTable(std::integer_sequence<int, kTypes...>) {
  KernelTable table = {};
  table.name = "reference";
  table.int8 = &kInt8;
  table.bfloat16 = &kBFloat16;
  table.few_rows = &kFewRows;
  table.sparse_rows = 32;
  ((table.linear[kTypes] = Linear<static_cast<DType>(kTypes)>), ...);
  ((table.dequantize[kTypes] = Dequantize<static_cast<DType>(kTypes)>), ...);
  for (int type = 0; type < kDTypeCount; ++type) {
    if (LayoutByColumns(static_cast<DType>(type)).block > 0) table.columns[type] = Columns;
  }
  table.compress = Compress;
  table.add_sparse = AddSparse;
  table.rms_norm = RmsNorm;
  table.rms_norm_gelu = RmsNormGelu;
  table.dot = Dot;
  table.sum_squares = SumSquares;
  table.add = Add;
  table.axpy = Axpy;
  table.mix = Mix;
  table.correct = Correct;
  table.scale = Scale;
  table.mul = Mul;
  table.gelu_mul = GeluMul;
  table.sigmoid_mul = SigmoidMul;
  table.mul_add = MulAdd;
  table.softmax = Softmax;
  table.softcap = Softcap;
  table.gaussian_topk = GaussianTopk;
  table.rope = Rope;
  table.attention = {.scores = AttentionScores,
                     .values = AttentionValues,
                     .exponentials = Exponentials,
                     .blend = Blend,
                     .store_f16 = StoreF16,
                     .store_q8_0 = StoreQ8_0};
  table.depthwise_row = DepthwiseRow;
  return table;
}

}  // namespace

constinit const KernelTable kTable = MakeTable(std::make_integer_sequence<int, kDTypeCount>());

}  // namespace gemma3n::reference
