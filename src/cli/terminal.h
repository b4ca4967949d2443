// Standard output whose failures are noticed, and progress for people who watch.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gemma3n::cli {

// Writes all of it now, unbuffered. Errors: kResourceExhausted (disk full), kIo. A closed pipe ends
// the program.
Status WriteStdout(std::string_view text);

bool StdinIsTerminal();
bool StdoutIsTerminal();
bool StderrIsTerminal();

// "loading 42%" on stderr, redrawn in place; silent unless stderr is a terminal and the work takes
// a while.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Fraction(double fraction);           // 0 .. 1
  void Count(int64_t done, int64_t total);  // with the counts shown; total 0: unknown
  void Clear();                             // takes the line away

 private:
  void Draw(const std::string& text);
  using Clock = std::chrono::steady_clock;
  std::string label_;
  bool enabled_, shown_ = false;
  Clock::time_point start_, last_;
};

// "1.50 GB", "12.0 kB"
std::string HumanBytes(uint64_t bytes);

// Highest resident memory of this process so far, in bytes. Pages of mapped files that are in
// memory count.
uint64_t PeakResidentBytes();

}  // namespace gemma3n::cli
