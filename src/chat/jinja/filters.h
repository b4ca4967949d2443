// Tables of filters and tests by name.
#pragma once

#include <span>
#include <string_view>

#include "chat/jinja/interpreter.h"

namespace gemma3n::jinja {

struct FilterEntry {
  std::string_view name;
  Result<Value> (*apply)(Interpreter& in, const Value& input, const CallArguments& arguments);
};

std::span<const FilterEntry> TextFilters();      // filters_text.cc: strings, numbers, JSON
std::span<const FilterEntry> SequenceFilters();  // filters_sequence.cc: lists and dicts
bool HasFilter(std::string_view name);
bool HasTest(std::string_view name);

}  // namespace gemma3n::jinja
