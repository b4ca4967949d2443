#include "convert/row_stream.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/quantize.h"

namespace gemma3n {
namespace {

constexpr int64_t kPieceBytes = int64_t{2} << 20;  // of float32 rows in memory at a time
constexpr float kMaxHalf = 65504.0f;               // blocks have half-precision scales
constexpr float kMaxBFloat16 = 3.3895313892515355e38f;

float LargestStored(DType dtype) {
  if (dtype == DType::kF32) return std::numeric_limits<float>::max();
  return dtype == DType::kBF16 ? kMaxBFloat16 : kMaxHalf;
}

// The first value that is NaN, infinite or beyond the limit; 0 where there is none.
float FirstBad(const float* row, int64_t n, float limit) {
  for (int64_t i = 0; i < n; ++i) {
    if (!(std::fabs(row[i]) <= limit)) return row[i];
  }
  return 0;
}

}  // namespace

Status RowStream::Report(size_t bytes) {
  done_ += bytes;
  if (!on_progress_) return OkStatus();
  const double fraction = total_ == 0 ? 1.0 : std::min(1.0, static_cast<double>(done_) / total_);
  if (on_progress_(fraction)) return OkStatus();
  return Error(StatusCode::kCancelled, "cancelled");
}

Status RowStream::Write(const SourceTensor& tensor, DType dtype,
                        const std::function<Status(const void*, size_t)>& sink) {
  const int64_t rows = tensor.rows(), cols = tensor.cols();
  const int64_t row_bytes = RowBytes(dtype, cols);
  const int64_t piece =
      std::clamp<int64_t>(kPieceBytes / (cols * static_cast<int64_t>(sizeof(float))), 1, rows);
  const bool copy = dtype == tensor.dtype() && tensor.Copyable();
  const float limit = LargestStored(dtype);
  std::vector<std::byte> encoded(static_cast<size_t>(piece * row_bytes));
  std::vector<float> values(static_cast<size_t>(piece * cols));
  for (int64_t begin = 0; begin < rows; begin += piece) {
    const int64_t count = std::min(piece, rows - begin);
    std::atomic<float> bad{0};
    pool_.ParallelFor(count, std::max<int64_t>(1, count / (4 * pool_.threads())),
                      [&](int64_t first, int64_t last) {
                        std::vector<float> scratch;
                        for (int64_t i = first; i < last; ++i) {
                          float* row = values.data() + i * cols;
                          std::byte* out = encoded.data() + i * row_bytes;
                          tensor.FloatRow(begin + i, kernels_, scratch, row);
                          if (const float v = FirstBad(row, cols, limit); v != 0) {
                            bad.store(v);
                            return;
                          }
                          copy ? tensor.CopyRow(begin + i, out)
                               : QuantizeRow(dtype, row, out, cols);
                        }
                      });
    if (const float v = bad.load(); v != 0) {
      return Error(StatusCode::kUnsupported, "tensor {}: holds {}, which {} cannot store",
                   tensor.name, v, Name(dtype));
    }
    const auto bytes = static_cast<size_t>(count * row_bytes);
    G3N_RETURN_IF_ERROR(sink(encoded.data(), bytes));
    G3N_RETURN_IF_ERROR(Report(bytes));
  }
  return OkStatus();
}

}  // namespace gemma3n
