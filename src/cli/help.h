// Help that fits a terminal, and checks whose sentences say what was expected and what was found.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

namespace gemma3n::cli {

// Wraps descriptions, and leaves out what the parser knows but a reader does not need.
std::shared_ptr<CLI::Formatter> MakeHelpFormatter();

// A number in [low, high], whole if so wanted. Bounds of 1e15 and beyond are not named.
CLI::Validator NumberBetween(double low, double high, bool whole);

}  // namespace gemma3n::cli
