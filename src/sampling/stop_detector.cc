#include "sampling/stop_detector.h"

#include <algorithm>
#include <utility>

namespace gemma3n {
namespace {

std::vector<size_t> FailureTable(std::string_view text) {
  std::vector<size_t> failure(text.size(), 0);
  for (size_t i = 1, border = 0; i < text.size(); ++i) {
    while (border > 0 && text[i] != text[border]) border = failure[border - 1];
    if (text[i] == text[border]) ++border;
    failure[i] = border;
  }
  return failure;
}

bool IsContinuationByte(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

Result<StopDetector> StopDetector::Create(std::vector<std::string> stops) {
  StopDetector detector;
  for (size_t i = 0; i < stops.size(); ++i) {
    if (stops[i].empty()) {
      return Error(StatusCode::kInvalidArgument, "stop string {}: expected text, found nothing",
                   i + 1);
    }
    if (IsContinuationByte(stops[i].front())) {
      return Error(
          StatusCode::kInvalidArgument,
          "stop string {}: expected UTF-8 text, its first byte 0x{:02x} is inside a character",
          i + 1, static_cast<unsigned char>(stops[i].front()));
    }
    std::vector<size_t> failure = FailureTable(stops[i]);
    detector.patterns_.push_back({std::move(stops[i]), std::move(failure)});
  }
  return detector;
}

// Feeds one byte; true when the pattern is complete.
bool StopDetector::Advance(Pattern& pattern, char byte) {
  while (pattern.state > 0 && pattern.text[pattern.state] != byte) {
    pattern.state = pattern.failure[pattern.state - 1];
  }
  if (pattern.text[pattern.state] == byte) ++pattern.state;
  return pattern.state == pattern.text.size();
}

bool StopDetector::Push(std::string_view piece, std::string& out) {
  if (stopped()) return true;
  if (patterns_.empty()) {
    out += piece;
    return false;
  }
  for (char byte : piece) {
    size_t begun = 0;  // of the beginnings of stop strings that the text now ends with, the longest
    size_t found = 0;
    for (size_t i = 0; i < patterns_.size(); ++i) {
      if (Advance(patterns_[i], byte) && patterns_[i].state > found) {
        matched_ = static_cast<int>(i);
        found = patterns_[i].state;
      }
      begun = std::max(begun, patterns_[i].state);
    }
    held_ += byte;
    const size_t certain = held_.size() - (stopped() ? found : begun);
    out.append(held_, 0, certain);
    held_.erase(0, certain);
    if (stopped()) {
      held_.clear();
      return true;
    }
  }
  return false;
}

void StopDetector::Finish(std::string& out) {
  out += held_;
  held_.clear();
}

void StopDetector::Reset() {
  held_.clear();
  matched_ = -1;
  for (Pattern& pattern : patterns_) pattern.state = 0;
}

}  // namespace gemma3n
