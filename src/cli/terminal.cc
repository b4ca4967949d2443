#include "cli/terminal.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace gemma3n::cli {

Status WriteStdout(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      const bool full = error == ENOSPC || error == EDQUOT;
      return Error(full ? StatusCode::kResourceExhausted : StatusCode::kIo,
                   "standard output: cannot write it ({})", std::strerror(error));
    }
    text.remove_prefix(static_cast<size_t>(n));
  }
  return OkStatus();
}

bool StdinIsTerminal() { return ::isatty(STDIN_FILENO) == 1; }
bool StdoutIsTerminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool StderrIsTerminal() { return ::isatty(STDERR_FILENO) == 1; }

Progress::Progress(std::string label) : label_(std::move(label)), start_(Clock::now()) {
  const char* term = std::getenv("TERM");
  enabled_ = StderrIsTerminal() && (term == nullptr || std::strcmp(term, "dumb") != 0);
}

void Progress::Fraction(double fraction) {
  Draw(fmt::format("{} {:.0f}%", label_, 100 * fraction));
}

void Progress::Count(int64_t done, int64_t total) {
  Draw(total > 0 ? fmt::format("{} {} of {}", label_, done, total)
                 : fmt::format("{} {}", label_, done));
}

void Progress::Draw(const std::string& text) {
  using std::chrono::milliseconds;
  const auto now = Clock::now();
  if (!enabled_ || now - start_ < milliseconds(300)) return;  // quick work stays silent
  if (shown_ && now - last_ < milliseconds(100)) return;
  fmt::print(stderr, "\r{}\x1b[K", text);
  std::fflush(stderr);
  shown_ = true;
  last_ = now;
}

void Progress::Clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = false;
}

std::string HumanBytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1000 && unit < 4) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes)
                   : fmt::format("{:.{}f} {}", value, value < 10 ? 2 : 1, kUnits[unit]);
}

uint64_t PeakResidentBytes() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace gemma3n::cli
