// What the server counts, and its text for Prometheus (exposition format 0.0.4).
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gemma3n/scheduler.h"

namespace gemma3n::server {

// Counts of durations up to each bound. Thread-safe.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);  // seconds, ascending

  void Observe(double seconds);
  void Print(std::string_view name, std::string_view help, std::string& out) const;

 private:
  const std::vector<double> bounds_;
  std::unique_ptr<std::atomic<int64_t>[]> counts_;  // one more than bounds
  std::atomic<double> sum_{0};
};

class Metrics {
 public:
  Metrics();

  // An answer's end. route: as the router knows it, so that there are few of them.
  void RequestDone(std::string_view route, int status, double seconds);

  Histogram first_token_seconds;  // from the request to its answer's first token
  Histogram token_gap_seconds;    // between two tokens of an answer
  Histogram request_seconds;

  std::atomic<int64_t> connections{0}, connections_refused{0};
  std::atomic<int64_t> bytes_read{0}, bytes_written{0}, body_bytes{0};
  std::atomic<int64_t> exchanges{0};  // requests that are being answered

  std::string Text(const SchedulerStats& scheduler) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, int64_t> requests_;  // by route and status
};

}  // namespace gemma3n::server
