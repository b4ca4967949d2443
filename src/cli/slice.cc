// gemma3n slice: a nested (Matryoshka) size as a checkpoint of its own.
#include <memory>

#include "cli/command.h"
#include "cli/convert_output.h"

namespace gemma3n::cli {
namespace {

struct SliceOptions {
  SourceOptions source;
  std::string type;
};

Status Run(const SliceOptions& options) {
  const SourceOptions& source = options.source;
  if (source.output.ends_with(".gguf"))
    return ConvertToGguf(source, GgufTypeFromName(options.type).value_or(GgufType::kBF16));
  if (!options.type.empty()) {
    return Error(StatusCode::kInvalidArgument,
                 "--type: expected an output that ends in .gguf, found {}", source.output);
  }
  return ConvertToHub(source);
}

}  // namespace

Command MakeSliceCommand(CLI::App& root) {
  auto options = std::make_shared<SliceOptions>();
  CLI::App* app = root.add_subcommand("slice", "Write a nested size as a checkpoint of its own");
  AddSourceOptions(*app, options->source,
                   "A new directory (hub checkpoint), or a name that ends in .gguf",
                   "DIR|OUT.gguf");
  app->add_option("--type", options->type, "Number format of a .gguf output (default BF16)")
      ->type_name("TYPE")
      ->check(GgufTypeName());
  app->callback([options] {
    if (options->source.size.full()) {
      throw CLI::ValidationError("slice", "expected --size, or --mlp-width and --skip-layers");
    }
  });
  app->footer(
      "Answers as the whole model does with the same --size, from a smaller file.\n"
      "Examples:\n"
      "  gemma3n slice --model gemma-3n-E4B-it --size e2b --output my-e2b\n"
      "  gemma3n slice --model gemma-3n-E4B-it --mlp-width 8192 --output narrow.gguf --type Q4_0");
  return {app, [options] { return Run(*options); }};
}

}  // namespace gemma3n::cli
