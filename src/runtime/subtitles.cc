#include "runtime/subtitles.h"

#include <fmt/format.h>

#include <cmath>

namespace gemma3n {
namespace {

// 01:02:03,045 (SRT) or 01:02:03.045 (VTT)
std::string Clock(double seconds, char point) {
  const auto ms = static_cast<long long>(std::llround(seconds * 1000));
  return fmt::format("{:02}:{:02}:{:02}{}{:03}", ms / 3600000, ms / 60000 % 60, ms / 1000 % 60,
                     point, ms % 1000);
}

std::string WithoutEmptyLines(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' && (out.empty() || out.back() == '\n')) continue;
    out += c;
  }
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out.substr(std::min(out.find_first_not_of(' '), out.size()));
}

}  // namespace

std::string TranscriptHeader(TranscriptFormat format) {
  return format == TranscriptFormat::kVtt ? "WEBVTT\n\n" : "";
}

std::string TranscriptEntry(TranscriptFormat format, int number, double begin, double end,
                            std::string_view text) {
  const std::string words = WithoutEmptyLines(text);
  switch (format) {
    case TranscriptFormat::kText:
      return words + "\n";
    case TranscriptFormat::kSrt:
      return fmt::format("{}\n{} --> {}\n{}\n\n", number, Clock(begin, ','), Clock(end, ','),
                         words);
    case TranscriptFormat::kVtt:
      return fmt::format("{} --> {}\n{}\n\n", Clock(begin, '.'), Clock(end, '.'), words);
  }
  return words;
}

}  // namespace gemma3n
