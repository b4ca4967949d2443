// gemma3n inspect: what a file holds, and what it would need in memory.
#include "convert/inspect.h"

#include <memory>

#include "cli/command.h"
#include "cli/terminal.h"
#include "runtime/tokenizer_source.h"

namespace gemma3n::cli {
namespace {

struct InspectOptions {
  std::string model, tokenizer;
  bool json = false;
};

Status Run(const InspectOptions& options) {
  G3N_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(options.model));
  const auto tokenizer = OpenTokenizer(options.tokenizer, checkpoint);
  G3N_ASSIGN_OR_RETURN(Inspection inspection,
                       Inspect(checkpoint, tokenizer.ok() ? &*tokenizer : nullptr));
  if (!tokenizer.ok()) inspection.tokenizer_problem = tokenizer.status().message();
  std::string text = options.json ? InspectionJson(inspection) : InspectionText(inspection);
  if (!text.ends_with('\n')) text.push_back('\n');
  return WriteStdout(text);
}

}  // namespace

Command MakeInspectCommand(CLI::App& root) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* app = root.add_subcommand("inspect", "Show what a checkpoint holds and needs");
  app->add_option("-m,--model,model", options->model,
                  "A hub directory (config.json and *.safetensors) or a .gguf file")
      ->type_name("PATH")
      ->required();
  app->add_option(
         "--tokenizer", options->tokenizer,
         "tokenizer.json, tokenizer.model or a directory with one (default: the model's own)")
      ->type_name("PATH");
  app->add_flag("--json", options->json, "One JSON object, sizes in bytes");
  app->footer(
      "Reads headers only, so it is quick on any size.\n"
      "Example:\n"
      "  gemma3n inspect --model gemma-3n-E4B-it");
  return {app, [options] { return Run(*options); }};
}

}  // namespace gemma3n::cli
