// softmax(q K^T) V for the query heads of one position. Scores are not scaled: Gemma 3n's factor
// is 1.
#include "kernels/reference/reference.h"

namespace gemma3n::reference {

void Attention(const AttentionArgs& args) {
  const int64_t keys = args.count[0] + args.count[1];
  for (int64_t h = 0; h < args.heads; ++h) {
    const float* q = args.q + h * args.q_stride;
    float* scores = args.scores + h * keys;
    float* out = args.out + h * args.out_stride;
    int64_t j = 0;
    for (int run = 0; run < 2; ++run) {
      for (int64_t i = 0; i < args.count[run]; ++i) {
        scores[j++] = Dot(q, args.k[run] + i * args.kv_stride, args.head_dim);
      }
    }
    Softmax(scores, keys);
    for (int64_t d = 0; d < args.head_dim; ++d) out[d] = 0;
    j = 0;
    for (int run = 0; run < 2; ++run) {
      for (int64_t i = 0; i < args.count[run]; ++i) {
        Axpy(scores[j++], args.v[run] + i * args.kv_stride, out, args.head_dim);
      }
    }
  }
}

}  // namespace gemma3n::reference
