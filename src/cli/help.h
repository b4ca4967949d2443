// Help that fits a terminal, and checks whose sentences say what was expected and what was found.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gemma3n::cli {

// Wraps descriptions, and leaves out what the parser knows but a reader does not need.
std::shared_ptr<CLI::Formatter> MakeHelpFormatter();

// A number in [low, high], whole if so wanted. Bounds of 1e15 and beyond are not named.
CLI::Validator NumberBetween(double low, double high, bool whole);

// One of some words; the option gets the number behind it (an enum's, say).
CLI::Validator OneOf(std::vector<std::pair<std::string, int>> choices);

}  // namespace gemma3n::cli
