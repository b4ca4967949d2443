// The same choices as llama.cpp's converter and quantizer, so that sizes and quality are what users
// of its files expect: what is added or multiplied element by element must be F32; the small
// matrices of AltUp and LAuReL, and the per-layer model projection, are worth their bytes.
#include "convert/type_policy.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace gemma3n {
namespace {

struct TypeInfo {
  GgufType type;
  const char* name;
  DType dtype;
  uint32_t file_type;
};

constexpr std::array<TypeInfo, 6> kTypes = {{
    {GgufType::kF32, "F32", DType::kF32, 0},
    {GgufType::kF16, "F16", DType::kF16, 1},
    {GgufType::kBF16, "BF16", DType::kBF16, 32},
    {GgufType::kQ8_0, "Q8_0", DType::kQ8_0, 7},
    {GgufType::kQ4_0, "Q4_0", DType::kQ4_0, 2},
    {GgufType::kQ4_K, "Q4_K", DType::kQ4_K, 15},
}};

const TypeInfo& Info(GgufType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(),
                       [&](const TypeInfo& t) { return t.type == type; });
}

bool Contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// The first and last eighth of the layers, and every third between, lose most by coarse values.
bool IsSensitiveLayer(int64_t layer, int64_t layers) {
  const int64_t eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

bool IsElementwise(const std::string& name, size_t dims) {
  return dims <= 1 || name.ends_with("_norm.weight") || Contains(name, "altup_correct_coef") ||
         Contains(name, "altup_predict_coef");
}

bool IsSmallAndSensitive(const std::string& name) {
  return Contains(name, "altup") || Contains(name, "laurel") ||
         Contains(name, "per_layer_model_proj");
}

DType Wanted(GgufType type, const std::string& name, int64_t layer, int64_t layers) {
  const bool is_word_table = name == "token_embd.weight" || name == "output.weight";
  if ((type == GgufType::kQ4_0 || type == GgufType::kQ4_K) && is_word_table) return DType::kQ6_K;
  if (type == GgufType::kQ4_K && layer >= 0 &&
      (Contains(name, "attn_v.") || Contains(name, "ffn_down.")) &&
      IsSensitiveLayer(layer, layers)) {
    return DType::kQ6_K;
  }
  return Info(type).dtype;
}

}  // namespace

std::optional<GgufType> GgufTypeFromName(std::string_view name) {
  std::string upper(name);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (upper == "Q4_K_M") return GgufType::kQ4_K;
  for (const TypeInfo& t : kTypes) {
    if (upper == t.name) return t.type;
  }
  return std::nullopt;
}

const char* Name(GgufType type) { return Info(type).name; }

uint32_t FileTypeNumber(GgufType type) { return Info(type).file_type; }

TypeChoice ChooseType(GgufType type, const std::string& gguf_name, size_t dims, int64_t cols,
                      DType stored, int64_t layer, int64_t num_layers) {
  if (IsElementwise(gguf_name, dims)) return {DType::kF32, false};
  const DType wanted = Wanted(type, gguf_name, layer, num_layers);
  const bool is_plain = Traits(wanted).block_elements == 1;
  if (is_plain) return {wanted, false};
  if (IsSmallAndSensitive(gguf_name)) return {stored, false};
  if (cols % Traits(wanted).block_elements == 0) return {wanted, false};
  if (cols % Traits(DType::kQ8_0).block_elements == 0) return {DType::kQ8_0, true};
  return {Traits(stored).block_elements == 1 ? stored : DType::kF32, true};
}

}  // namespace gemma3n
