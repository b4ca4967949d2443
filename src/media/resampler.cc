#include "media/resampler.h"

#include <soxr.h>

namespace gemma3n {

void Resampler::Delete::operator()(soxr* engine) const { soxr_delete(engine); }

Result<Resampler> Resampler::Create(int from, int to) {
  if (from < 1 || to < 1)
    return Error(StatusCode::kInvalidArgument, "resampling from {} Hz to {} Hz: expected 1 or more",
                 from, to);
  Resampler resampler;
  if (from == to) return resampler;
  const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);  // one thread
  soxr_error_t error = nullptr;
  resampler.engine_.reset(soxr_create(from, to, 1, &error, &io, &quality, &runtime));
  if (error != nullptr || resampler.engine_ == nullptr)
    return Error(StatusCode::kResourceExhausted, "resampling from {} Hz to {} Hz: {}", from, to,
                 error != nullptr ? error : "no memory");
  return resampler;
}

Status Resampler::Push(std::span<const float> samples, std::vector<float>* out) {
  if (engine_ == nullptr) {
    out->insert(out->end(), samples.begin(), samples.end());
    return OkStatus();
  }
  return samples.empty() ? OkStatus() : Process(samples.data(), samples.size(), out);
}

Status Resampler::Finish(std::vector<float>* out) {
  return engine_ == nullptr ? OkStatus() : Process(nullptr, 0, out);
}

Status Resampler::Process(const float* in, size_t count, std::vector<float>* out) {
  constexpr size_t kRoom = 1 << 14;  // libsoxr gives as much as there is room for
  for (;;) {
    const size_t before = out->size();
    out->resize(before + kRoom);
    size_t taken = 0, made = 0;
    const soxr_error_t error =
        soxr_process(engine_.get(), in, count, &taken, out->data() + before, kRoom, &made);
    out->resize(before + made);
    if (error != nullptr) return Error(StatusCode::kInternal, "resampling failed: {}", error);
    if (in != nullptr) in += taken;
    count -= taken;
    if (made < kRoom && (count == 0 || taken == 0)) return OkStatus();
  }
}

}  // namespace gemma3n
