// The options that say which model runs and in what size, shared by the commands that run one.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "gemma3n/engine.h"
#include "gemma3n/options.h"
#include "gemma3n/session.h"

namespace gemma3n::cli {

// --size, or --mlp-width and --skip-layers.
struct SizeOptions {
  std::string name;
  std::vector<int64_t> mlp_widths;
  std::vector<std::string> skip_layers;  // "20-24", "3"

  bool full() const { return name.empty() && mlp_widths.empty() && skip_layers.empty(); }
};
void AddSizeOptions(CLI::App& app, SizeOptions& options);

// The size that was asked for without a name. Errors: kInvalidArgument naming the option.
Result<ModelSize> ExplicitSize(const SizeOptions& options);

// Either way. Errors: as ExplicitSize's and Engine::NamedSize's.
Result<ModelSize> ChosenSize(const Engine& engine, const SizeOptions& options);

struct ModelOptions {
  EngineOptions engine;
  SizeOptions size;
  int64_t context = 0;
  KvType kv_type = KvType::kAuto;
};

// --model, --tokenizer, --threads, --context, sizes and the like.
void AddModelOptions(CLI::App& app, ModelOptions& options);
// --mmproj and --media-precision, for the commands that see and hear.
void AddTowerOptions(CLI::App& app, ModelOptions& options);
void AddChatTemplateOption(CLI::App& app, ModelOptions& options);

// Loads with progress on a terminal.
Result<std::shared_ptr<const Engine>> LoadEngine(const ModelOptions& options);
Result<std::unique_ptr<Session>> OpenSession(const Engine& engine, const ModelOptions& options);

}  // namespace gemma3n::cli
