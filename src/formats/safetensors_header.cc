#include "formats/safetensors_header.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

namespace gemma3n::internal {
namespace {

constexpr size_t kMaxDimensions = 16;

// Depth 1 is the header, 2 a tensor's fields (or __metadata__), 3 the numbers of shape and
// data_offsets.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderHandler(const std::string& path) : path_(path) {}
  std::vector<HeaderTensor> tensors;
  Status status;

  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t value) override {
    if (skip_depth_ > 0) return true;
    if (!numbers_ || depth_ != 3) return Value();
    if (numbers_->size() == kMaxDimensions) return Fail("a list of numbers that is too long");
    numbers_->push_back(value);
    return true;
  }
  bool number_float(number_float_t, const string_t&) override { return Value(); }
  bool string(string_t& value) override {
    if (skip_depth_ > 0) return true;
    if (depth_ != 2 || field_ != Field::kDtype) return Value();
    current_.dtype = value;
    return true;
  }
  bool binary(binary_t&) override { return Value(); }

  bool start_object(size_t) override {
    if (skip_depth_ > 0) return ++skip_depth_, true;
    if (depth_ == 2 && field_ == Field::kOther) return ++skip_depth_, true;
    if (depth_ >= 2) return Value();
    if (depth_ == 1 && current_.name == "__metadata__") return ++skip_depth_, true;
    ++depth_;
    return true;
  }
  bool end_object() override {
    if (skip_depth_ > 0) return --skip_depth_, true;
    if (--depth_ == 1) return FinishTensor();
    return true;
  }
  bool start_array(size_t) override {
    if (skip_depth_ > 0) return ++skip_depth_, true;
    if (depth_ == 2 && field_ == Field::kOther) return ++skip_depth_, true;
    if (depth_ != 2 || field_ == Field::kDtype) return Value();
    numbers_ = field_ == Field::kShape ? &current_.shape : &offsets_;
    ++depth_;
    return true;
  }
  bool end_array() override {
    if (skip_depth_ > 0) return --skip_depth_, true;
    numbers_ = nullptr;
    --depth_;
    return true;
  }
  bool key(string_t& value) override {
    if (skip_depth_ > 0) return true;
    return depth_ == 1 ? BeginTensor(value) : BeginField(value);
  }
  bool parse_error(size_t at, const std::string&, const nlohmann::detail::exception&) override {
    status =
        Error(StatusCode::kCorruptFile, "{}: header is not valid JSON at its byte {}", path_, at);
    return false;
  }

 private:
  enum class Field { kDtype, kShape, kOffsets, kOther };

  bool Fail(std::string_view what) {
    status = current_.name.empty()
                 ? Error(StatusCode::kCorruptFile, "{}: header: {}", path_, what)
                 : Error(StatusCode::kCorruptFile, "{}: tensor {}: {}", path_, current_.name, what);
    return false;
  }

  // A value where the format has none of its kind; those of unknown fields are ignored.
  bool Value() {
    if (skip_depth_ > 0 || (depth_ == 2 && field_ == Field::kOther)) return true;
    switch (depth_) {
      case 0:
        return Fail("expected a JSON object");
      case 1:
        return Fail("expected an object with dtype, shape and data_offsets");
      default:
        break;
    }
    if (field_ == Field::kDtype) return Fail("dtype: expected a string");
    return Fail(field_ == Field::kShape ? "shape: expected a list of non-negative integers"
                                        : "data_offsets: expected two non-negative integers");
  }

  bool BeginTensor(std::string& name) {
    current_ = {};
    offsets_.clear();
    seen_dtype_ = seen_shape_ = seen_offsets_ = false;
    if (!names_.insert(name).second) {
      status =
          Error(StatusCode::kCorruptFile, "{}: tensor {}: listed twice in the header", path_, name);
      return false;
    }
    current_.name = std::move(name);
    return true;
  }

  bool BeginField(std::string_view name) {
    const auto once = [&](bool& seen, Field field) {
      if (seen) return Fail("a field of it is given twice");
      field_ = field;
      return seen = true;
    };
    if (name == "dtype") return once(seen_dtype_, Field::kDtype);
    if (name == "shape") return once(seen_shape_, Field::kShape);
    if (name == "data_offsets") return once(seen_offsets_, Field::kOffsets);
    field_ = Field::kOther;
    return true;
  }

  bool FinishTensor() {
    if (!seen_dtype_ || !seen_shape_ || !seen_offsets_) {
      return Fail("expected dtype, shape and data_offsets");
    }
    if (offsets_.size() != 2) return Fail("data_offsets: expected two non-negative integers");
    current_.begin = offsets_[0];
    current_.end = offsets_[1];
    tensors.push_back(std::move(current_));
    current_ = {};
    return true;
  }

  const std::string& path_;
  std::unordered_set<std::string> names_;
  HeaderTensor current_;
  std::vector<uint64_t> offsets_;
  std::vector<uint64_t>* numbers_ = nullptr;
  Field field_ = Field::kOther;
  bool seen_dtype_ = false, seen_shape_ = false, seen_offsets_ = false;
  int depth_ = 0;
  uint64_t skip_depth_ = 0;  // open brackets inside something that is ignored
};

}  // namespace

Result<std::vector<HeaderTensor>> ParseSafetensorsHeader(std::string_view json,
                                                         const std::string& path) {
  HeaderHandler handler(path);
  if (!nlohmann::json::sax_parse(json, &handler)) {
    return handler.status.ok()
               ? Error(StatusCode::kCorruptFile, "{}: header is not valid JSON", path)
               : handler.status;
  }
  return std::move(handler.tensors);
}

std::string HeaderShape(const std::vector<uint64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace gemma3n::internal
