// Mono samples of one rate to another, piece by piece.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

struct soxr;

namespace gemma3n {

// libsoxr's HQ recipe: linear phase, 20 bits, flat to 91 % of the lower Nyquist frequency. No
// delay: the first sample out stands at the time of the first sample in. Equal rates pass samples
// through untouched.
class Resampler {
 public:
  // Errors: kInvalidArgument unless both rates are at least 1, kResourceExhausted.
  static Result<Resampler> Create(int from, int to);

  // Appends what the samples so far determine. Errors: kInternal from libsoxr.
  Status Push(std::span<const float> samples, std::vector<float>* out);
  // Appends the rest. Nothing may be pushed afterwards.
  Status Finish(std::vector<float>* out);

 private:
  struct Delete {
    void operator()(soxr* engine) const;
  };
  Resampler() = default;
  Status Process(const float* in, size_t count, std::vector<float>* out);

  std::unique_ptr<soxr, Delete> engine_;  // null for equal rates
};

}  // namespace gemma3n
