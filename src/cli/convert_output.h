// What quantize and slice share: a source, a size, and a file that appears whole or not at all.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "cli/model_options.h"
#include "convert/convert.h"

namespace gemma3n::cli {

struct SourceOptions {
  std::string model, tokenizer, output;
  int threads = 0;
  SizeOptions size;
};
void AddSourceOptions(CLI::App& app, SourceOptions& options, const char* output_help,
                      const char* output_type);

// Writes one GGUF file. Errors: as WriteGguf; kInvalidArgument when the output is the model itself
// or no plain file.
Status ConvertToGguf(const SourceOptions& options, GgufType type);
// Writes the towers of the same source. Errors: as WriteMmproj.
Status ConvertToMmproj(const SourceOptions& options, GgufType type, const std::string& path);
// Writes a hub directory. Errors: as WriteHub.
Status ConvertToHub(const SourceOptions& options);

// "Q4_0" and so on, in either case, for option checks.
CLI::Validator GgufTypeName();

}  // namespace gemma3n::cli
