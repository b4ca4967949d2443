// Command-line flags for every generation option, made from the library's table.
#pragma once

#include <CLI/CLI.hpp>

#include "gemma3n/options.h"
#include "gemma3n/session.h"

namespace gemma3n::cli {

void AddGenerationOptions(CLI::App& app, GenerationOptions& options);

// Three lines on stderr: prompt, answer, memory.
void PrintStats(const GenerationResult& result, double load_seconds);

}  // namespace gemma3n::cli
