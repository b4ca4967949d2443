// A transcript's lines as people and players read them.
#pragma once

#include <string>
#include <string_view>

namespace gemma3n {

enum class TranscriptFormat { kText, kSrt, kVtt };

// What comes before the first entry.
std::string TranscriptHeader(TranscriptFormat format);

// One clip's text; begin and end in seconds, number from 1. Line breaks inside an entry are kept,
// empty lines are not: they would end it.
std::string TranscriptEntry(TranscriptFormat format, int number, double begin, double end,
                            std::string_view text);

}  // namespace gemma3n
