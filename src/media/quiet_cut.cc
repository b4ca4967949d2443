#include "media/quiet_cut.h"

#include <algorithm>
#include <cmath>

namespace gemma3n {
namespace {

constexpr int64_t kBlock = kAudioRate / 100;  // 10 ms: where a cut may lie
constexpr int64_t kAround = 10;               // blocks on each side that must be quiet

int64_t WindowSamples(double window) {
  return std::llround(std::clamp(std::isfinite(window) ? window : kAudioWindowSeconds, 1.0, 1e6) *
                      kAudioRate);
}

// Where to end a clip within one window of sound, in samples.
//   e[b] = sum of squares of block b;   loudness(c) = e[c - 10] + ... + e[c + 9]
int64_t FindCut(std::span<const float> window) {
  const auto blocks = static_cast<int64_t>(window.size()) / kBlock;
  const int64_t first = blocks * 2 / 3, last = blocks - kAround;  // candidates [first, last]
  std::vector<double> energy(static_cast<size_t>(blocks));
  for (int64_t b = first - kAround; b < blocks; ++b) {
    for (const float x : window.subspan(static_cast<size_t>(b * kBlock), kBlock))
      energy[static_cast<size_t>(b)] += static_cast<double>(x) * x;
  }
  // Each sum anew: a running one would leave rounding where silence is exactly zero.
  std::vector<double> loudness;
  for (int64_t c = first; c <= last; ++c) {
    double sum = 0;
    for (int64_t b = c - kAround; b < c + kAround; ++b) sum += energy[static_cast<size_t>(b)];
    loudness.push_back(sum);
  }
  const double quietest = *std::min_element(loudness.begin(), loudness.end());
  size_t best = 0, longest = 0;
  for (size_t begin = 0; begin < loudness.size(); ++begin) {
    size_t end = begin;
    while (end < loudness.size() && loudness[end] == quietest) ++end;
    if (end == begin) continue;
    if (end - begin >= longest) {
      longest = end - begin;
      best = begin + longest / 2;
    }
    begin = end;
  }
  return (first + static_cast<int64_t>(best)) * kBlock;
}

}  // namespace

std::vector<Span> SplitAtQuietPlaces(std::span<const float> samples, double window) {
  const int64_t most = WindowSamples(window);
  const auto total = static_cast<int64_t>(samples.size());
  std::vector<Span> clips;
  int64_t begin = 0;
  while (total - begin > most) {
    const auto part = samples.subspan(static_cast<size_t>(begin), static_cast<size_t>(most));
    clips.push_back({begin, begin + FindCut(part)});
    begin = clips.back().end;
  }
  if (begin < total) clips.push_back({begin, total});
  return clips;
}

ClipSplitter::ClipSplitter(double window) : window_(WindowSamples(window)) {}

void ClipSplitter::Push(std::span<const float> samples) {
  waiting_.insert(waiting_.end(), samples.begin(), samples.end());
}

std::optional<ClipSplitter::Clip> ClipSplitter::Next() {
  if (static_cast<int64_t>(waiting_.size()) <= window_) return std::nullopt;
  return Take(FindCut(std::span(waiting_).first(static_cast<size_t>(window_))));
}

std::optional<ClipSplitter::Clip> ClipSplitter::Finish() {
  if (waiting_.empty()) return std::nullopt;
  return Take(static_cast<int64_t>(waiting_.size()));
}

ClipSplitter::Clip ClipSplitter::Take(int64_t count) {
  Clip clip{begin_, {waiting_.begin(), waiting_.begin() + count}};
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  begin_ += count;
  return clip;
}

}  // namespace gemma3n
