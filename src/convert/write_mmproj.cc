// The towers and embedders as the GGUF file that llama.cpp takes beside a language model's.
#include <utility>

#include "convert/convert.h"
#include "convert/row_stream.h"
#include "convert/type_policy.h"
#include "formats/gguf.h"
#include "kernels/dispatch.h"
#include "model/mmproj.h"

namespace gemma3n {
namespace {

constexpr char kProjection[] = "embed_vision.embedding_projection.weight";

struct Planned {
  SourceTensor rows;           // as written row by row
  std::vector<int64_t> shape;  // as declared
  DType dtype;
};

// llama.cpp's converter keeps what is added or multiplied element by element, and the stem, in F32.
DType ChooseDType(GgufType type, const std::string& name, const std::vector<int64_t>& shape) {
  if (shape.size() < 2 || name.starts_with("v.conv_stem.")) return DType::kF32;
  switch (type) {
    case GgufType::kF16:
      return DType::kF16;
    case GgufType::kBF16:
      return DType::kBF16;
    case GgufType::kQ8_0:  // blocks run along a row, and a convolution's rows are its few taps
      return shape.size() == 2 && shape[1] % Traits(DType::kQ8_0).block_elements == 0 ? DType::kQ8_0
                                                                                      : DType::kF16;
    default:
      return DType::kF32;
  }
}

Planned Plan(const std::string& hub_name, const std::string& name, const StoredTensor& stored,
             GgufType type) {
  Planned p;
  p.dtype = ChooseDType(type, name, stored.shape);
  p.shape = stored.shape;
  if (IsChannelVector(hub_name)) p.shape = {1, stored.elements(), 1, 1};
  // One long row for each output, whatever the rank.
  const int64_t rows = stored.shape.size() < 2 ? 1 : stored.shape[0];
  StoredTensor flat = stored;
  flat.shape = {rows, rows == 0 ? 0 : stored.elements() / rows};
  p.rows.name = name;
  p.rows.shape = flat.shape;
  p.rows.parts = {std::move(flat)};
  return p;
}

}  // namespace

Result<ConvertReport> WriteMmproj(const Checkpoint& checkpoint, GgufType type,
                                  const std::string& path, const ConvertOptions& options) {
  if (type == GgufType::kQ4_0 || type == GgufType::kQ4_K) {
    return Error(StatusCode::kInvalidArgument,
                 "{}: expected F32, F16, BF16 or Q8_0 for the towers, found {}", path, Name(type));
  }
  const auto projection = checkpoint.tensors().find(kProjection);
  if (projection == checkpoint.tensors().end() || projection->second.shape.size() != 2) {
    return Error(
        StatusCode::kNotFound,
        "{}: tensor {}: not in the checkpoint, expected a matrix; a text-only model has no towers",
        checkpoint.path(), kProjection);
  }
  GgufWriter writer;
  writer.AddString("general.architecture", kMmprojArchitecture);
  writer.AddString("general.type", "mmproj");
  writer.AddU32("general.file_type", FileTypeNumber(type));
  AddMmprojConfig(checkpoint.config(), projection->second.shape[1], writer);

  ConvertReport report;
  std::vector<Planned> plan;
  uint64_t total = 0;
  bool sound = false;
  for (const auto& [hub_name, stored] : checkpoint.tensors()) {
    const auto name = MmprojTensorName(hub_name);
    if (!name) continue;
    sound |= hub_name.starts_with("audio_tower.");
    plan.push_back(Plan(hub_name, *name, stored, type));
    const Planned& p = plan.back();
    writer.AddTensor({p.rows.name, p.dtype, p.shape});
    total += static_cast<uint64_t>(p.rows.rows()) * RowBytes(p.dtype, p.rows.cols());
    ++report.dtypes[Name(p.dtype)];
  }
  if (sound)
    report.notes.push_back("the sound tower is for gemma3n alone: llama.cpp does not read it");
  G3N_ASSIGN_OR_RETURN(const KernelTable* kernels, ChooseKernels());
  G3N_RETURN_IF_ERROR(writer.Begin(path));
  RowStream stream(*kernels, options, total);
  for (const Planned& p : plan) {
    const Status status = stream.Write(p.rows, p.dtype, [&](const void* data, size_t bytes) {
      return writer.Append(data, bytes);
    });
    if (status.code() == StatusCode::kUnsupported) return status.WithContext(checkpoint.path());
    G3N_RETURN_IF_ERROR(status);
  }
  G3N_RETURN_IF_ERROR(writer.Commit());
  report.bytes = writer.bytes_written();
  report.tensors = static_cast<int64_t>(plan.size());
  report.files = {path};
  return report;
}

}  // namespace gemma3n
