#include "server/api/context.h"

#include <charconv>

namespace gemma3n::server {
namespace {

// "8192" or "8192,4096": MLP widths; none for other text.
std::vector<int64_t> Widths(std::string_view text) {
  std::vector<int64_t> widths;
  while (!text.empty()) {
    const std::string_view number = text.substr(0, text.find(','));
    int64_t width = 0;
    const char* end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, width);
    if (error != std::errc() || stop != end || width < 1) return {};
    widths.push_back(width);
    text.remove_prefix(std::min(text.size(), number.size() + 1));
  }
  return widths;
}

}  // namespace

Result<ModelSize> SizeOfModel(const ApiContext& context, std::string_view model) {
  if (model == context.model_name) return context.size;
  if (model.starts_with(context.model_name + ":")) {
    const std::string_view size = model.substr(context.model_name.size() + 1);
    if (std::vector<int64_t> widths = Widths(size); !widths.empty()) {
      return ModelSize{.mlp_widths = std::move(widths)};
    }
    return context.engine->NamedSize(size);
  }
  if (context.any_model) return context.size;
  return Error(StatusCode::kNotFound, "model \"{}\" is not served here; \"{}\" is", model,
               context.model_name);
}

}  // namespace gemma3n::server
