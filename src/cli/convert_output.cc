#include "cli/convert_output.h"

#include <filesystem>

#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "cli/text_input.h"
#include "runtime/model_size.h"
#include "runtime/tokenizer_source.h"

namespace gemma3n::cli {
namespace {

// Replacing the source would lose what the conversion rounds away.
Status CheckIsNotSource(const SourceOptions& options) {
  std::error_code error;
  if (std::filesystem::equivalent(options.model, options.output, error) && !error) {
    return Error(StatusCode::kInvalidArgument,
                 "--output: expected another name than the model's, found {}", options.output);
  }
  return OkStatus();
}

Result<ModelSize> SizeOf(const Checkpoint& checkpoint, const SizeOptions& size) {
  return size.name.empty() ? ExplicitSize(size) : NamedSizeOf(checkpoint, size.name);
}

Status ReportWritten(const ConvertReport& report, const std::string& output) {
  std::string dtypes;
  for (const auto& [dtype, count] : report.dtypes)
    dtypes += fmt::format("{}{} {}", dtypes.empty() ? "" : ", ", count, dtype);
  for (const std::string& note : report.notes) fmt::print(stderr, "note: {}\n", note);
  return WriteStdout(fmt::format("wrote {}: {}, {} tensors ({})\n", output,
                                 HumanBytes(report.bytes), report.tensors, dtypes));
}

// Runs one of the writers with progress and Ctrl-C.
template <typename Writer>
Status Convert(const SourceOptions& options, const Writer& write) {
  G3N_RETURN_IF_ERROR(CheckIsNotSource(options));
  G3N_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(options.model));
  G3N_ASSIGN_OR_RETURN(const ModelSize size, SizeOf(checkpoint, options.size));
  const FinishingScope finishing;
  Progress progress("writing");
  ConvertOptions convert;
  convert.threads = options.threads;
  convert.on_progress = [&](double fraction) {
    progress.Fraction(fraction);
    return !Interrupted();
  };
  G3N_ASSIGN_OR_RETURN(const ConvertReport report, write(checkpoint, size, convert));
  progress.Clear();
  return ReportWritten(report, options.output);
}

}  // namespace

void AddSourceOptions(CLI::App& app, SourceOptions& options, const char* output_help,
                      const char* output_type) {
  app.add_option("-m,--model", options.model,
                 "A hub directory (config.json and *.safetensors) or a .gguf file")
      ->type_name("PATH")
      ->required();
  app.add_option("-o,--output", options.output, output_help)->type_name(output_type)->required();
  app.add_option(
         "--tokenizer", options.tokenizer,
         "tokenizer.json, tokenizer.model or a directory with one (default: the model's own)")
      ->type_name("PATH");
  app.add_option("-t,--threads", options.threads,
                 "Threads to compute with (default: the physical cores)")
      ->type_name("N")
      ->check(NumberBetween(1, 1024, true));
  AddSizeOptions(app, options.size);
}

Status ConvertToGguf(const SourceOptions& options, GgufType type) {
  G3N_RETURN_IF_ERROR(CheckOutputPath(options.output));
  return Convert(
      options,
      [&](const Checkpoint& checkpoint, const ModelSize& size,
          const ConvertOptions& convert) -> Result<ConvertReport> {
        if (checkpoint.is_gguf() && options.tokenizer.empty()) {  // its own is copied as it stands
          return WriteGguf(checkpoint, nullptr, size, type, options.output, convert);
        }
        G3N_ASSIGN_OR_RETURN(const Tokenizer tokenizer,
                             OpenTokenizer(options.tokenizer, checkpoint));
        return WriteGguf(checkpoint, &tokenizer, size, type, options.output, convert);
      });
}

Status ConvertToMmproj(const SourceOptions& options, GgufType type, const std::string& path) {
  G3N_RETURN_IF_ERROR(CheckOutputPath(path));
  SourceOptions towers = options;
  towers.output = path;
  return Convert(
      towers, [&](const Checkpoint& checkpoint, const ModelSize&, const ConvertOptions& convert) {
        return WriteMmproj(checkpoint, type, path, convert);
      });
}

Status ConvertToHub(const SourceOptions& options) {
  return Convert(options, [&](const Checkpoint& checkpoint, const ModelSize& size,
                              const ConvertOptions& convert) {
    return WriteHub(checkpoint, size, options.output, convert);
  });
}

CLI::Validator GgufTypeName() {
  return CLI::Validator(
      [](std::string& name) {
        return GgufTypeFromName(name)
                   ? std::string()
                   : "expected F32, F16, BF16, Q8_0, Q4_0 or Q4_K, found " + name;
      },
      "");
}

}  // namespace gemma3n::cli
