#include <utility>

#include "base/checked_math.h"
#include "formats/gguf.h"
#include "formats/gguf_reader.h"

namespace gemma3n {
namespace {

using internal::GgufKind;

constexpr uint64_t kAlignment =
    32;  // GGUF's default, so that general.alignment need not be written

template <typename T>
void Put(std::string* out, T value) {
  static_assert(std::is_arithmetic_v<T>);
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutString(std::string* out, std::string_view text) {
  Put<uint64_t>(out, text.size());
  out->append(text);
}

void PutKind(std::string* out, GgufKind kind) { Put(out, static_cast<uint32_t>(kind)); }

void PutArrayHead(std::string* out, GgufKind kind, size_t count) {
  PutKind(out, GgufKind::kArray);
  PutKind(out, kind);
  Put<uint64_t>(out, count);
}

}  // namespace

std::string* GgufWriter::BeginPair(const std::string& key) {
  PutString(&metadata_, key);
  ++metadata_count_;
  return &metadata_;
}

void GgufWriter::AddBool(const std::string& key, bool value) {
  std::string* out = BeginPair(key);
  PutKind(out, GgufKind::kBool);
  Put<uint8_t>(out, value ? 1 : 0);
}

void GgufWriter::AddU32(const std::string& key, uint32_t value) {
  std::string* out = BeginPair(key);
  PutKind(out, GgufKind::kU32);
  Put(out, value);
}

void GgufWriter::AddI32(const std::string& key, int32_t value) {
  std::string* out = BeginPair(key);
  PutKind(out, GgufKind::kI32);
  Put(out, value);
}

void GgufWriter::AddF32(const std::string& key, float value) {
  std::string* out = BeginPair(key);
  PutKind(out, GgufKind::kF32);
  Put(out, value);
}

void GgufWriter::AddString(const std::string& key, std::string_view value) {
  std::string* out = BeginPair(key);
  PutKind(out, GgufKind::kString);
  PutString(out, value);
}

void GgufWriter::AddBools(const std::string& key, const std::vector<bool>& values) {
  std::string* out = BeginPair(key);
  PutArrayHead(out, GgufKind::kBool, values.size());
  for (bool value : values) Put<uint8_t>(out, value ? 1 : 0);
}

void GgufWriter::AddI32s(const std::string& key, const std::vector<int32_t>& values) {
  std::string* out = BeginPair(key);
  PutArrayHead(out, GgufKind::kI32, values.size());
  for (int32_t value : values) Put(out, value);
}

void GgufWriter::AddF32s(const std::string& key, const std::vector<float>& values) {
  std::string* out = BeginPair(key);
  PutArrayHead(out, GgufKind::kF32, values.size());
  for (float value : values) Put(out, value);
}

void GgufWriter::AddStrings(const std::string& key, const std::vector<std::string>& values) {
  std::string* out = BeginPair(key);
  PutArrayHead(out, GgufKind::kString, values.size());
  for (const std::string& value : values) PutString(out, value);
}

void GgufWriter::AddRaw(const std::string& key, std::string_view encoded) {
  BeginPair(key)->append(encoded);
}

Status GgufWriter::Begin(const std::string& path) {
  std::string header = "GGUF";
  Put<uint32_t>(&header, 3);
  Put<uint64_t>(&header, entries_.size());
  Put<uint64_t>(&header, metadata_count_);
  header += metadata_;
  uint64_t offset = 0;
  for (const Entry& e : entries_) {
    const DTypeTraits& traits = Traits(e.dtype);
    if (e.shape.empty() || e.shape.size() > 4 || e.shape.back() % traits.block_elements != 0) {
      return Error(StatusCode::kInvalidArgument, "{}: tensor {}: shape {} cannot be written as {}",
                   path, e.name, ShapeString(e.shape), traits.name);
    }
    uint64_t bytes = traits.block_bytes;
    for (size_t i = 0; i < e.shape.size(); ++i) {
      const bool last = i + 1 == e.shape.size();
      const int64_t count = last ? e.shape[i] / traits.block_elements : e.shape[i];
      const auto product = CheckedMul(bytes, static_cast<uint64_t>(count));
      if (count <= 0 || !product || *product > static_cast<uint64_t>(INT64_MAX)) {
        return Error(StatusCode::kInvalidArgument, "{}: tensor {}: shape {} is empty or too large",
                     path, e.name, ShapeString(e.shape));
      }
      bytes = *product;
    }
    PutString(&header, e.name);
    Put<uint32_t>(&header, static_cast<uint32_t>(e.shape.size()));
    for (size_t i = e.shape.size(); i-- > 0;) Put<uint64_t>(&header, e.shape[i]);
    Put<uint32_t>(&header, traits.ggml_type);
    Put<uint64_t>(&header, offset);
    sizes_.push_back(bytes);
    offset += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  G3N_ASSIGN_OR_RETURN(AtomicFileWriter file, AtomicFileWriter::Create(path));
  file_ = std::move(file);
  G3N_RETURN_IF_ERROR(file_->Write(header));
  G3N_RETURN_IF_ERROR(file_->PadTo(kAlignment));
  left_in_current_ = sizes_.empty() ? 0 : sizes_.front();
  return OkStatus();
}

Status GgufWriter::Append(const void* data, size_t bytes) {
  if (!file_ || current_ >= entries_.size() || bytes > left_in_current_) {
    return Error(StatusCode::kInternal, "{} bytes appended, but the current tensor lacks {}", bytes,
                 left_in_current_);
  }
  if (const Status status = file_->Write(data, bytes); !status.ok()) {
    file_.reset();  // the temporary file is gone: nothing more can be written
    return status;
  }
  left_in_current_ -= bytes;
  if (left_in_current_ > 0) return OkStatus();
  ++current_;
  left_in_current_ = current_ < sizes_.size() ? sizes_[current_] : 0;
  const Status status = file_->PadTo(kAlignment);
  if (!status.ok()) file_.reset();
  return status;
}

Status GgufWriter::Commit() {
  if (!file_ || current_ != entries_.size()) {
    return Error(StatusCode::kInternal, "{} of {} declared tensors were written", current_,
                 entries_.size());
  }
  return file_->Commit();
}

}  // namespace gemma3n
