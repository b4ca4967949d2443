// Attention in float32 over blocks of keys, with a running maximum (arXiv:2112.05682, as in
// FlashAttention): memory does not grow with the context, and each key and value is brought to the
// cache once for many query rows.
//
// A row's sum runs over fixed blocks of kKeyBlock positions: within a block key after key, then
// block after block. So a row's bits do not depend on the other rows of a call, on where a rolling
// cache wraps, or on the number of threads, which may each take some of the blocks.
#pragma once

#include <cstdint>

#include "kernels/attention_kernels.h"
#include "kernels/kernel_table.h"

namespace gemma3n {

inline constexpr int64_t kKeyBlock = 512;      // positions
inline constexpr int64_t kAttentionRows = 16;  // query rows of a call at most

// Whether the cache can hold rows of this type.
constexpr bool IsCacheType(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kQ8_0;
}
// A row of the cache from floats.
void StoreCacheRow(const KernelTable& kernels, DType dtype, const float* x, std::byte* row,
                   int64_t n);

// Floats of scratch that a call of Attend or AttendBlock takes, rows <= kAttentionRows.
int64_t AttentionScratch(int64_t rows, int64_t heads, int64_t head_dim);
void Attend(const KernelTable& kernels, const AttentionArgs& args, float* scratch);

// Many rows, rounded to bfloat16 where the table and the head's width allow, else as Attend. A
// row's bits do not depend on the others of the call; they differ from Attend's in rounding.
// scratch: AttendManyFloats(...), on a boundary of 64 bytes.
inline constexpr int64_t kManyRows = 128;  // of a call at most
bool HasAttendMany(const KernelTable& kernels, int64_t head_dim);
int64_t AttendManyFloats(const KernelTable& kernels, int64_t rows, int64_t heads, int64_t head_dim);
void AttendMany(const KernelTable& kernels, const AttentionArgs& args, float* scratch);

// The same as Attend in parts: AttendBlock for every block from FirstBlock to LastBlock - 1, in any
// order on any thread, then MergeParts. parts: [blocks, AttentionPart(...)] floats.
inline int64_t FirstBlock(const AttentionArgs& args) { return args.First(0) / kKeyBlock; }
inline int64_t LastBlock(const AttentionArgs& args) {
  return (args.Last(args.rows - 1) + kKeyBlock - 1) / kKeyBlock;
}
int64_t AttentionPart(int64_t rows, int64_t heads, int64_t head_dim);
void AttendBlock(const KernelTable& kernels, const AttentionArgs& args, int64_t block, float* part,
                 float* scratch);
void MergeParts(const KernelTable& kernels, const AttentionArgs& args, float* parts);

}  // namespace gemma3n
