// gemma3n quantize: a smaller file, for this engine and for llama.cpp.
#include <memory>

#include "cli/command.h"
#include "cli/convert_output.h"

namespace gemma3n::cli {
namespace {

struct QuantizeOptions {
  SourceOptions source;
  std::string type = "Q4_0", mmproj, mmproj_type = "F16";
};

}  // namespace

Command MakeQuantizeCommand(CLI::App& root) {
  auto options = std::make_shared<QuantizeOptions>();
  CLI::App* app = root.add_subcommand("quantize", "Write a GGUF file in a smaller number format");
  app->add_option("--type", options->type, "F32, F16, BF16, Q8_0, Q4_0, or Q4_K (a mix with Q6_K)")
      ->type_name("TYPE")
      ->check(GgufTypeName())
      ->capture_default_str();
  AddSourceOptions(*app, options->source, "The file to write; it appears when it is complete",
                   "OUT.gguf");
  app->add_option("--mmproj", options->mmproj,
                  "Write the picture and sound towers too, into this second file")
      ->type_name("OUT.gguf");
  app->add_option("--mmproj-type", options->mmproj_type, "F32, F16, BF16 or Q8_0")
      ->type_name("TYPE")
      ->check(GgufTypeName())
      ->capture_default_str();
  app->footer(
      "The file runs in gemma3n and in llama.cpp. A size writes that nested model alone.\n"
      "Examples:\n"
      "  gemma3n quantize --model gemma-3n-E4B-it --type Q4_0 --output e4b-q4_0.gguf\n"
      "  gemma3n quantize --model gemma-3n-E4B-it --output e4b-q4_0.gguf --mmproj e4b-mmproj.gguf\n"
      "  gemma3n quantize --model gemma-3n-E4B-it --size e2b --type Q8_0 --output e2b-q8_0.gguf");
  return {app, [options] {
            G3N_RETURN_IF_ERROR(ConvertToGguf(options->source, *GgufTypeFromName(options->type)));
            if (options->mmproj.empty()) return OkStatus();
            return ConvertToMmproj(options->source, *GgufTypeFromName(options->mmproj_type),
                                   options->mmproj);
          }};
}

}  // namespace gemma3n::cli
