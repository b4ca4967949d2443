#include "kernels/attention.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

namespace gemma3n {
namespace {

constexpr int64_t kStretch = 32;  // keys whose rows, as floats, lie in the first-level cache

// What a block contributes to one query row and head: sum_j e^(s_j - max) v_j, then the maximum and
// the sum of the e^... .
struct Part {
  float* values;
  float &max, &sum;
};
int64_t PartFloats(int64_t head_dim) { return (head_dim + 2 + 15) / 16 * 16; }
Part PartAt(float* parts, int64_t index, int64_t head_dim) {
  float* p = parts + index * PartFloats(head_dim);
  return {p, p[head_dim], p[head_dim + 1]};
}

// Calls use(stored rows, first position, count) for runs of at most `most` of the positions
// [begin, end) of k or v, which lie together in the ring.
template <typename Use>
void ForRuns(const KeysValues& kv, const std::byte* ring, int64_t begin, int64_t end, int64_t most,
             const Use& use) {
  for (int64_t p = begin, n; p < end; p += n) {
    const int64_t row = p % kv.capacity;
    n = std::min({most, end - p, kv.capacity - row});
    use(ring + row * kv.row_bytes, p, n);
  }
}

// Calls use(rows as floats, first position, count) for stretches of the positions [begin, end) of
// k or v.
template <typename Use>
void ForStretches(const KernelTable& kernels, const KeysValues& kv, const std::byte* ring,
                  int64_t begin, int64_t end, float* floats, const Use& use) {
  const auto expand = kernels.dequantize[static_cast<int>(kv.dtype)];
  ForRuns(kv, ring, begin, end, kStretch, [&](const std::byte* stored, int64_t p, int64_t n) {
    if (kv.dtype == DType::kF32) return use(reinterpret_cast<const float*>(stored), p, n);
    expand(stored, floats, n * kv.head_dim);
    use(floats, p, n);
  });
}

struct Range {
  int64_t begin, end;
  bool empty() const { return begin >= end; }
};
// The keys of [begin, end) that row r sees.
Range Visible(const AttentionArgs& args, int64_t r, int64_t begin, int64_t end) {
  return {std::max(begin, args.First(r)), std::min(end, args.Last(r))};
}
Range Visible(const AttentionArgs& args, int64_t r, int64_t block) {
  return Visible(args, r, block * kKeyBlock, (block + 1) * kKeyBlock);
}

// One row reads keys and values once: halves then go straight into the products.
bool TakesHalves(const KernelTable& kernels, const AttentionArgs& args) {
  return kernels.attention.scores_f16 != nullptr && args.kv.dtype == DType::kF16 &&
         args.rows == 1 && args.kv.head_dim % 16 == 0;
}

// The loops for keys or values as they are read.
auto Scores(const AttentionKernels& kernels, const float*) { return kernels.scores; }
auto Scores(const AttentionKernels& kernels, const uint16_t*) { return kernels.scores_f16; }
auto Values(const AttentionKernels& kernels, const float*) { return kernels.values; }
auto Values(const AttentionKernels& kernels, const uint16_t*) { return kernels.values_f16; }

// Calls use(query row, rows of k or v that it sees, first position, count): halves as they are
// stored or floats, until every row has had all that it sees of `seen`.
template <typename Use>
void ForSeen(const KernelTable& kernels, const AttentionArgs& args, const std::byte* ring,
             const Range& seen, float* floats, const Use& use) {
  if (TakesHalves(kernels, args)) {
    return ForRuns(args.kv, ring, seen.begin, seen.end, kKeyBlock,
                   [&](const std::byte* x, int64_t first, int64_t count) {
                     use(0, reinterpret_cast<const uint16_t*>(x), first, count);
                   });
  }
  ForStretches(kernels, args.kv, ring, seen.begin, seen.end, floats,
               [&](const float* x, int64_t first, int64_t count) {
                 for (int64_t r = 0; r < args.rows; ++r) {
                   const Range keys = Visible(args, r, first, first + count);
                   if (keys.empty()) continue;
                   use(r, x + (keys.begin - first) * args.kv.head_dim, keys.begin,
                       keys.end - keys.begin);
                 }
               });
}

// The running result of one query row and head.
struct Running {
  float max = -FLT_MAX;
  double sum = 0;
};
constexpr int64_t kRunningFloats = sizeof(Running) / sizeof(float);

void Merge(const KernelTable& kernels, const Part& part, int64_t head_dim, Running& running,
           float* out) {
  const float max = std::max(running.max, part.max);
  const float before = std::exp(running.max - max), now = std::exp(part.max - max);
  kernels.attention.blend(before, out, now, part.values, head_dim);
  running.sum = running.sum * static_cast<double>(before) +
                static_cast<double>(part.sum) * static_cast<double>(now);
  running.max = max;
}

void Finish(const KernelTable& kernels, const Running& running, float* out, int64_t head_dim) {
  kernels.scale(static_cast<float>(1.0 / running.sum), out, head_dim);
}

}  // namespace

void StoreCacheRow(const KernelTable& kernels, DType dtype, const float* x, std::byte* row,
                   int64_t n) {
  switch (dtype) {
    case DType::kF16:
      return kernels.attention.store_f16(x, row, n);
    case DType::kQ8_0:
      return kernels.attention.store_q8_0(x, row, n);
    default:
      std::memcpy(row, x, sizeof(float) * static_cast<size_t>(n));
  }
}

int64_t AttentionPart(int64_t rows, int64_t heads, int64_t head_dim) {
  return rows * heads * PartFloats(head_dim);
}

int64_t AttentionScratch(int64_t rows, int64_t heads, int64_t head_dim) {
  return rows * heads * (kKeyBlock + kRunningFloats) + kStretch * head_dim +
         AttentionPart(rows, heads, head_dim);
}

void AttendBlock(const KernelTable& kernels, const AttentionArgs& args, int64_t block, float* part,
                 float* scratch) {
  const KeysValues& kv = args.kv;
  const int64_t d = kv.head_dim, heads = args.heads;
  const int64_t begin = block * kKeyBlock, end = begin + kKeyBlock;
  const Range seen = {std::max(begin, args.First(0)), std::min(end, args.Last(args.rows - 1))};
  float* const floats = scratch;
  const auto scores = [&](int64_t r, int64_t key) {
    return scratch + kStretch * d + r * heads * kKeyBlock + key - begin;
  };
  ForSeen(kernels, args, kv.k, seen, floats,
          [&](int64_t r, const auto* k, int64_t first, int64_t count) {
            Scores(kernels.attention, k)(args.q + r * args.q_stride, d, heads, k, count, d,
                                         scores(r, first), kKeyBlock);
          });
  for (int64_t r = 0; r < args.rows; ++r) {
    const Range keys = Visible(args, r, block);
    if (keys.empty()) continue;
    for (int64_t h = 0; h < heads; ++h) {
      const Part p = PartAt(part, r * heads + h, d);
      p.sum = kernels.attention.exponentials(scores(r, keys.begin) + h * kKeyBlock,
                                             keys.end - keys.begin, &p.max);
      std::memset(p.values, 0, sizeof(float) * static_cast<size_t>(d));
    }
  }
  ForSeen(kernels, args, kv.v, seen, floats,
          [&](int64_t r, const auto* v, int64_t first, int64_t count) {
            Values(kernels.attention, v)(scores(r, first), kKeyBlock, heads, v, count, d,
                                         PartAt(part, r * heads, d).values, PartFloats(d));
          });
}

void Attend(const KernelTable& kernels, const AttentionArgs& args, float* scratch) {
  const int64_t d = args.kv.head_dim, heads = args.heads, rows = args.rows;
  float* const part = scratch;
  scratch += AttentionPart(rows, heads, d);
  auto* running = reinterpret_cast<Running*>(scratch);
  scratch += rows * heads * kRunningFloats;
  std::fill_n(running, rows * heads, Running{});
  for (int64_t r = 0; r < rows; ++r) std::fill_n(args.out + r * args.out_stride, heads * d, 0.0f);
  for (int64_t block = FirstBlock(args); block < LastBlock(args); ++block) {
    AttendBlock(kernels, args, block, part, scratch);
    for (int64_t r = 0; r < rows; ++r) {
      if (Visible(args, r, block).empty()) continue;
      for (int64_t h = 0; h < heads; ++h) {
        Merge(kernels, PartAt(part, r * heads + h, d), d, running[r * heads + h],
              args.out + r * args.out_stride + h * d);
      }
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t h = 0; h < heads; ++h) {
      Finish(kernels, running[r * heads + h], args.out + r * args.out_stride + h * d, d);
    }
  }
}

bool HasAttendMany(const KernelTable& kernels, int64_t head_dim) {
  return kernels.attention.many != nullptr && head_dim % 32 == 0;
}

int64_t AttendManyFloats(const KernelTable& kernels, int64_t rows, int64_t heads,
                         int64_t head_dim) {
  const int64_t few = AttentionScratch(std::min(rows, kAttentionRows), heads, head_dim);
  if (!HasAttendMany(kernels, head_dim)) return few;
  return std::max(few, (kernels.attention.many->bytes(rows, heads, head_dim) + 3) / 4);
}

void AttendMany(const KernelTable& kernels, const AttentionArgs& args, float* scratch) {
  if (HasAttendMany(kernels, args.kv.head_dim) &&
      kernels.attention.many->attend(args, reinterpret_cast<std::byte*>(scratch))) {
    return;
  }
  // A value that is not finite must reach those who see it and nobody else; tiles would spread it.
  for (int64_t r = 0; r < args.rows; r += kAttentionRows) {
    AttentionArgs some = args;
    some.position += r;
    some.rows = std::min(kAttentionRows, args.rows - r);
    some.q += r * args.q_stride;
    some.out += r * args.out_stride;
    Attend(kernels, some, scratch);
  }
}

void MergeParts(const KernelTable& kernels, const AttentionArgs& args, float* parts) {
  const int64_t d = args.kv.head_dim, heads = args.heads, first = FirstBlock(args);
  for (int64_t r = 0; r < args.rows; ++r) {
    for (int64_t h = 0; h < heads; ++h) {
      float* out = args.out + r * args.out_stride + h * d;
      std::fill_n(out, d, 0.0f);
      Running running;
      for (int64_t block = first; block < LastBlock(args); ++block) {
        if (Visible(args, r, block).empty()) continue;
        const int64_t index = ((block - first) * args.rows + r) * heads + h;
        Merge(kernels, PartAt(parts, index, d), d, running, out);
      }
      Finish(kernels, running, out, d);
    }
  }
}

}  // namespace gemma3n
