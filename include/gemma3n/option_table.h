// The generation options, described once: the command line, JSON fields and bindings are all made
// from this table.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "gemma3n/export.h"
#include "gemma3n/options.h"

namespace gemma3n {

// Where an option lives in GenerationOptions, and with that its type.
using GenerationField =
    std::variant<std::optional<float> GenerationOptions::*, std::optional<int> GenerationOptions::*,
                 std::optional<uint64_t> GenerationOptions::*, float GenerationOptions::*,
                 std::optional<std::string> GenerationOptions::*, int GenerationOptions::*, int64_t GenerationOptions::*, bool GenerationOptions::*,
                 std::vector<std::string> GenerationOptions::*,
                 std::vector<int32_t> GenerationOptions::*,
                 std::map<int32_t, float> GenerationOptions::*>;

struct GenerationOptionSpec {
  const char* name;        // as in GenerationOptions and in JSON: "top_k"
  const char* flag;        // on a command line: "--top-k"
  const char* value_name;  // what stands for the value in help; "" for a switch
  const char* help;        // one sentence with its default and the value that switches it off
  double min, max;         // range of a number; ignored for the other types
  GenerationField field;
};

// Every field of GenerationOptions, in the order in which help lists them.
GEMMA3N_API std::span<const GenerationOptionSpec> GenerationOptionTable();

}  // namespace gemma3n
