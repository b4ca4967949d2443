// The commands of the gemma3n program: each in its own file, registered here by name.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "base/result.h"

namespace gemma3n::cli {

// A subcommand with its options, and what runs it once they are parsed. A failure ends the program
// with one line on stderr and exit code 1; kCancelled means that the user interrupted it, and ends
// silently with 128 + the signal.
struct Command {
  CLI::App* app;
  std::function<Status()> run;
};

Command MakeRunCommand(CLI::App& root);
Command MakeChatCommand(CLI::App& root);
Command MakeTranscribeCommand(CLI::App& root);
Command MakeLogitsCommand(CLI::App& root);
Command MakePerplexityCommand(CLI::App& root);
Command MakeTokenizeCommand(CLI::App& root);
Command MakeBenchCommand(CLI::App& root);
Command MakeQuantizeCommand(CLI::App& root);
Command MakeInspectCommand(CLI::App& root);
Command MakeSliceCommand(CLI::App& root);
Command MakeServeCommand(CLI::App& root);

}  // namespace gemma3n::cli
