// The table of an instruction set: every template of this folder, instantiated for its vocabulary
// S.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/attention.h"
#include "kernels/simd/columns.h"
#include "kernels/simd/decode.h"
#include "kernels/simd/depthwise.h"
#include "kernels/simd/linear.h"
#include "kernels/simd/sparse_columns.h"
#include "kernels/simd/vector_ops.h"

namespace gemma3n::simd {

template <class S, DType kType>
constexpr void FillDType(KernelTable& table) {
  table.linear[static_cast<int>(kType)] = Linear<S, kType>;
  table.dequantize[static_cast<int>(kType)] = Dequantize<S, kType>;
  if constexpr (LayoutByColumns(kType).block > 0)
    table.columns[static_cast<int>(kType)] = Columns<S, kType>;
}

template <class S>
constexpr KernelTable MakeTable(const char* name, const PackedKernels* float32,
                                const PackedKernels* int8, const PackedKernels* bfloat16,
                                const FewRowsKernels* few_rows = nullptr,
                                const PackedKernels* float32_parts = nullptr) {
  KernelTable table = {};
  table.name = name;
  table.float32 = float32;
  table.float32_parts = float32_parts;
  table.int8 = int8;
  table.bfloat16 = bfloat16;
  table.few_rows = few_rows;
  FillDType<S, DType::kF32>(table);
  FillDType<S, DType::kF16>(table);
  FillDType<S, DType::kBF16>(table);
  FillDType<S, DType::kQ8_0>(table);
  FillDType<S, DType::kQ4_0>(table);
  FillDType<S, DType::kQ4_1>(table);
  FillDType<S, DType::kQ5_0>(table);
  FillDType<S, DType::kQ5_1>(table);
  FillDType<S, DType::kQ4_K>(table);
  FillDType<S, DType::kQ5_K>(table);
  FillDType<S, DType::kQ6_K>(table);
  FillDType<S, DType::kIQ4_NL>(table);
  FillDType<S, DType::kIQ4_XS>(table);
  table.compress = Compress<S>;
  table.add_sparse = AddSparse<S>;
  table.rms_norm = RmsNorm<S>;
  table.rms_norm_gelu = RmsNormGelu<S>;
  table.dot = Dot<S>;
  table.sum_squares = SumSquares<S>;
  table.add = Add<S>;
  table.axpy = Axpy<S>;
  table.mix = Mix<S>;
  table.correct = Correct<S>;
  table.scale = Scale<S>;
  table.mul = Mul<S>;
  table.gelu_mul = GeluMul<S>;
  table.sigmoid_mul = SigmoidMul<S>;
  table.mul_add = MulAdd<S>;
  table.softmax = Softmax<S>;
  table.softcap = Softcap<S>;
  table.gaussian_topk = GaussianTopk<S>;
  table.rope = Rope<S>;
  table.attention = MakeAttention<S>();
  table.depthwise_row = DepthwiseRow<S>;
  return table;
}

constexpr KernelTable WithManyRows(const ManyRowsKernels* many_rows, KernelTable table,
                                   const SampledKernels* sampled = nullptr,
                                   const ManyRowsKernels* many_rows_float = nullptr) {
  table.many_rows = many_rows;
  table.many_rows_float = many_rows_float;
  table.sampled = sampled;
  table.sparse_rows = sampled != nullptr ? 32 : 0;
  return table;
}

}  // namespace gemma3n::simd
