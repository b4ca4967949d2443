#include "cli/model_options.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "cli/help.h"
#include "cli/terminal.h"

namespace gemma3n::cli {
namespace {

// "20-24" or "7": first and last layer.
Result<std::pair<int, int>> ParseLayerRange(std::string_view text) {
  const auto bad = [&] {
    return Error(StatusCode::kInvalidArgument,
                 "--skip-layers: expected layers such as 20-24 or 7, found \"{}\"", text);
  };
  const size_t dash = text.find('-');
  const auto number = [](std::string_view digits, int& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() && value >= 0 &&
           value < 100000;
  };
  int first = 0, last = 0;
  if (!number(text.substr(0, dash), first)) return bad();
  last = first;
  if (dash != std::string_view::npos && !number(text.substr(dash + 1), last)) return bad();
  if (last < first) return bad();
  return std::pair(first, last);
}

}  // namespace

void AddSizeOptions(CLI::App& app, SizeOptions& options) {
  const char* group = "Size (a smaller model inside the loaded one; no second file, no copy)";
  auto* name =
      app.add_option("--size", options.name, "A published size: e4b, e2.54b, e2b or e1.96b")
          ->type_name("NAME")
          ->group(group);
  auto* width = app.add_option("--mlp-width", options.mlp_widths,
                               "Width of the MLPs: one for all layers, or one for each layer kept")
                    ->type_name("W[,W...]")
                    ->delimiter(',')
                    ->allow_extra_args(false)
                    ->check(NumberBetween(1, 1e15, true))
                    ->group(group);
  auto* skip =
      app.add_option("--skip-layers", options.skip_layers, "Layers to leave out, counted from 0")
          ->type_name("A-B[,...]")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->group(group);
  name->excludes(width)->excludes(skip);
}

Result<ModelSize> ExplicitSize(const SizeOptions& options) {
  ModelSize size;
  size.mlp_widths = options.mlp_widths;
  for (const std::string& text : options.skip_layers) {
    G3N_ASSIGN_OR_RETURN(const auto range, ParseLayerRange(text));
    for (int layer = range.first; layer <= range.second; ++layer) size.skip_layers.push_back(layer);
  }
  std::sort(size.skip_layers.begin(), size.skip_layers.end());
  const auto twice = std::adjacent_find(size.skip_layers.begin(), size.skip_layers.end());
  if (twice != size.skip_layers.end()) {
    return Error(StatusCode::kInvalidArgument, "--skip-layers: layer {} is named twice", *twice);
  }
  return size;
}

void AddModelOptions(CLI::App& app, ModelOptions& options) {
  const char* group = "Model";
  app.add_option("-m,--model", options.engine.model,
                 "A hub directory (config.json and *.safetensors) or a .gguf file")
      ->type_name("PATH")
      ->required()
      ->group(group);
  app.add_option(
         "--tokenizer", options.engine.tokenizer,
         "tokenizer.json, tokenizer.model or a directory with one (default: the model's own)")
      ->type_name("PATH")
      ->group(group);
  app.add_option("-t,--threads", options.engine.threads,
                 "Threads to compute with (default: the physical cores)")
      ->type_name("N")
      ->check(NumberBetween(1, 1024, true))
      ->group(group);
  app.add_option("-c,--context", options.context,
                 "Most tokens of prompt and answer together (default: the model's own limit)")
      ->type_name("N")
      ->check(NumberBetween(1, 1e15, true))
      ->group(group);
  app.add_option("--prefill-chunk", options.engine.prefill_chunk,
                 "Prompt tokens in one pass (default 512)")
      ->type_name("N")
      ->check(NumberBetween(1, 4096, true))
      ->group(group);
  app.add_flag(
         "!--no-prefill-skip", options.engine.prefill_skip,
         "Compute layers whose output no one reads, too; same result, slower (for comparison)")
      ->group(group);
  app.add_flag(
         "!--no-huge-pages", options.engine.huge_pages,
         "Decode from the mapped file alone, though it lie in small pages: slower, but its memory "
         "stays the system's to take")
      ->group(group);
  app.add_option(
         "--precision", options.engine.precision,
         "How the text model multiplies: f32 is exact; auto (default) is faster, and as near "
         "as the stored weights deserve")
      ->type_name("auto|f32")
      ->transform(OneOf({{"auto", static_cast<int>(Precision::kAuto)},
                         {"f32", static_cast<int>(Precision::kFloat32)}}))
      ->group(group);
  app.add_option("--kv", options.kv_type,
                 "How keys and values are kept: f16, q8 takes about half of it, f32 is exact and "
                 "twice f16 (default: f16; f32 with --precision f32)")
      ->type_name("auto|f32|f16|q8")
      ->transform(OneOf({{"auto", static_cast<int>(KvType::kAuto)},
                         {"f32", static_cast<int>(KvType::kFloat32)},
                         {"f16", static_cast<int>(KvType::kFloat16)},
                         {"q8", static_cast<int>(KvType::kInt8)}}))
      ->group(group);
  AddSizeOptions(app, options.size);
}

void AddTowerOptions(CLI::App& app, ModelOptions& options) {
  const char* group = "Model";
  app.add_option("--mmproj", options.engine.mmproj,
                 "For a .gguf model: the GGUF file with the picture and sound towers")
      ->type_name("FILE.gguf")
      ->group(group);
  app.add_option("--media-precision", options.engine.media_precision,
                 "How the towers multiply: f32 is exact; auto (default) is the fastest sound way "
                 "of this processor")
      ->type_name("auto|f32|bf16|int8")
      ->transform(OneOf({{"auto", static_cast<int>(MediaPrecision::kAuto)},
                         {"f32", static_cast<int>(MediaPrecision::kFloat32)},
                         {"bf16", static_cast<int>(MediaPrecision::kBFloat16)},
                         {"int8", static_cast<int>(MediaPrecision::kInt8)}}))
      ->group(group);
}

void AddChatTemplateOption(CLI::App& app, ModelOptions& options) {
  app.add_option("--chat-template", options.engine.chat_template,
                 "A file with a Jinja chat template, or \"builtin\" (default: the checkpoint's "
                 "own, else built in)")
      ->type_name("FILE|builtin")
      ->group("Model");
}

Result<std::shared_ptr<const Engine>> LoadEngine(const ModelOptions& options) {
  Progress progress("loading");
  EngineOptions engine = options.engine;
  engine.on_progress = [&](double fraction) { progress.Fraction(fraction); };
  return Engine::Load(engine);
}

Result<ModelSize> ChosenSize(const Engine& engine, const SizeOptions& options) {
  return options.name.empty() ? ExplicitSize(options) : engine.NamedSize(options.name);
}

Result<std::unique_ptr<Session>> OpenSession(const Engine& engine, const ModelOptions& options) {
  SessionOptions session;
  session.context = options.context;
  session.kv_type = options.kv_type;
  G3N_ASSIGN_OR_RETURN(session.size, ChosenSize(engine, options.size));
  return engine.NewSession(session);
}

}  // namespace gemma3n::cli
