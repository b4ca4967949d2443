// The gemma3n program: finds the command, runs it, and turns failures into one line and an exit
// code.
//   0 done, 1 it failed, 2 it was called wrongly, 128 + n ended by signal n
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <new>

#include "cli/command.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "gemma3n/version.h"

namespace gemma3n::cli {
namespace {

constexpr int kFailed = 1, kUsage = 2;

constexpr const char* kExamples =
    "Examples:\n"
    "  gemma3n run --model gemma-3n-E2B-it --prompt \"Why is the sky blue?\"\n"
    "  gemma3n chat --model gemma-3n-E4B-it-Q4_0.gguf\n"
    "  gemma3n serve --model gemma-3n-E4B-it-Q4_0.gguf\n"
    "  gemma3n quantize --model gemma-3n-E4B-it --type Q4_0 --output e4b-q4_0.gguf\n"
    "A model is a directory as on the Hugging Face hub (config.json, *.safetensors, tokenizer.json "
    "or\n"
    "tokenizer.model), or a .gguf file as llama.cpp and Ollama use. \"gemma3n COMMAND --help\" "
    "explains each command.";

// A closed standard stream would lend its number to the next file that is opened, and be written
// into it.
void ReserveStandardStreams() {
  for (int fd = ::open("/dev/null", O_RDONLY); fd >= 0; fd = ::open("/dev/null", O_RDONLY)) {
    if (fd > STDERR_FILENO) {
      ::close(fd);
      return;
    }
  }
}

// One line: the parser's own sentences may have more.
int UsageError(const std::string& what, const std::string& command) {
  std::string line = what.substr(0, what.find_last_not_of(" \n") + 1);
  for (char& c : line) c = c == '\n' ? ' ' : c;
  fmt::print(stderr, "gemma3n: {} (gemma3n {}--help explains)\n", line, command);
  return kUsage;
}

int Report(const Status& status) {
  if (status.ok()) return 0;
  if (status.code() == StatusCode::kCancelled) return InterruptExitCode();
  fmt::print(stderr, "gemma3n: {}\n", status.message());
  return kFailed;
}

int Main(int argc, char** argv) {
  ReserveStandardStreams();
  InstallInterruptHandlers();
  CLI::App app("Gemma 3n on your own processor: exact, offline, from the files that you have.",
               "gemma3n");
  app.set_version_flag("--version", "gemma3n " GEMMA3N_VERSION);
  app.footer(kExamples);
  app.formatter(MakeHelpFormatter());
  app.require_subcommand(0, 1);  // none is met below, with the whole help
  const Command commands[] = {MakeRunCommand(app),        MakeChatCommand(app),
                              MakeTranscribeCommand(app), MakeLogitsCommand(app),
                              MakePerplexityCommand(app), MakeTokenizeCommand(app),
                              MakeBenchCommand(app),      MakeQuantizeCommand(app),
                              MakeInspectCommand(app),    MakeSliceCommand(app),
                              MakeServeCommand(app)};
  const auto chosen = [&]() -> const Command* {
    for (const Command& command : commands) {
      if (command.app->parsed()) return &command;
    }
    return nullptr;
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    const Command* command = chosen();
    if (command == nullptr && argc > 1 && argv[1][0] != '-') {
      return UsageError(fmt::format("no such command: {}", argv[1]), "");
    }
    return UsageError(e.what(), command != nullptr ? command->app->get_name() + " " : "");
  }
  const Command* command = chosen();
  if (command == nullptr) {
    fmt::print(stderr, "{}", app.help());
    return kUsage;
  }
  return Report(command->run());
}

}  // namespace
}  // namespace gemma3n::cli

int main(int argc, char** argv) {
  try {
    return gemma3n::cli::Main(argc, argv);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "gemma3n: out of memory\n");
  } catch (const std::exception& e) {
    fmt::print(stderr, "gemma3n: {}\n", e.what());
  }
  return gemma3n::cli::kFailed;
}
