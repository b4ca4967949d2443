// The chat template that a checkpoint brings along, wherever it keeps it.
#include "base/file.h"
#include "formats/json.h"
#include "model/checkpoint.h"

namespace gemma3n {
namespace {

using nlohmann::json;

constexpr size_t kMaxTemplateBytes = size_t{4} << 20;
constexpr size_t kMaxTokenizerConfigBytes = size_t{64} << 20;

// "chat_template" of a JSON file: a string, or a list of {name, template} of which "default" is
// taken, else the first.
Result<std::optional<std::string>> TemplateField(const std::string& path) {
  G3N_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxTokenizerConfigBytes));
  G3N_ASSIGN_OR_RETURN(const json document, ParseJson(text, path));
  if (!document.is_object()) {
    return Error(StatusCode::kCorruptFile, "{}: expected a JSON object", path);
  }
  const auto field = document.find("chat_template");
  if (field == document.end() || field->is_null()) return std::optional<std::string>();
  if (field->is_string()) return std::optional(field->get<std::string>());
  std::optional<std::string> chosen;
  if (field->is_array()) {
    for (const json& item : *field) {
      if (!item.is_object()) continue;
      const auto name = item.find("name"), body = item.find("template");
      if (body == item.end() || !body->is_string()) continue;
      const bool is_default = name != item.end() && *name == "default";
      if (!chosen || is_default) chosen = body->get<std::string>();
      if (is_default) break;
    }
  }
  if (!chosen) {
    return Error(StatusCode::kCorruptFile,
                 "{}: chat_template: expected a string or a list of named templates", path);
  }
  return chosen;
}

}  // namespace

Result<std::optional<std::string>> Checkpoint::ChatTemplate() const {
  if (gguf_ != nullptr) {
    const auto text = gguf_->GetString("tokenizer.chat_template");
    return text ? std::optional(std::string(*text)) : std::nullopt;
  }
  const std::string jinja = path_ + "/chat_template.jinja";
  if (FileExists(jinja)) {
    G3N_ASSIGN_OR_RETURN(std::string text, ReadFile(jinja, kMaxTemplateBytes));
    return std::optional(std::move(text));
  }
  for (const char* name : {"/chat_template.json", "/tokenizer_config.json"}) {
    if (!FileExists(path_ + name)) continue;
    G3N_ASSIGN_OR_RETURN(std::optional<std::string> text, TemplateField(path_ + name));
    if (text) return text;
  }
  return std::optional<std::string>();
}

}  // namespace gemma3n
