#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace gemma3n::server {
namespace {

void PrintHeader(std::string_view name, std::string_view type, std::string_view help,
                 std::string& out) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

void PrintOne(std::string_view name, std::string_view type, std::string_view help, double value,
              std::string& out) {
  PrintHeader(name, type, help, out);
  fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      counts_(std::make_unique<std::atomic<int64_t>[]>(bounds_.size() + 1)) {}

void Histogram::Observe(double seconds) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), seconds);
  counts_[static_cast<size_t>(bound - bounds_.begin())].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(seconds, std::memory_order_relaxed);
}

void Histogram::Print(std::string_view name, std::string_view help, std::string& out) const {
  PrintHeader(name, "histogram", help, out);
  const auto back = std::back_inserter(out);
  int64_t count = 0;
  for (size_t i = 0; i < bounds_.size(); ++i) {
    count += counts_[i].load(std::memory_order_relaxed);
    fmt::format_to(back, "{}_bucket{{le=\"{}\"}} {}\n", name, bounds_[i], count);
  }
  count += counts_[bounds_.size()].load(std::memory_order_relaxed);
  fmt::format_to(back, "{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, count,
                 sum_.load(std::memory_order_relaxed));
}

Metrics::Metrics()
    : first_token_seconds({.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}),
      token_gap_seconds({.005, .01, .025, .05, .075, .1, .15, .2, .3, .5, 1, 2.5}),
      request_seconds({.005, .01, .05, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}) {}

void Metrics::RequestDone(std::string_view route, int status, double seconds) {
  request_seconds.Observe(seconds);
  const std::lock_guard lock(mutex_);
  ++requests_[{std::string(route), status}];
}

std::string Metrics::Text(const SchedulerStats& s) const {
  std::string out;
  PrintHeader("gemma3n_http_requests_total", "counter", "Requests answered, by route and status",
              out);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, count] : requests_) {
      fmt::format_to(std::back_inserter(out),
                     "gemma3n_http_requests_total{{route=\"{}\",status=\"{}\"}} {}\n", key.first,
                     key.second, count);
    }
  }
  const struct {
    const char *name, *type, *help;
    double value;
  } rows[] = {
      {"gemma3n_http_connections", "gauge", "Connections that are open",
       static_cast<double>(connections)},
      {"gemma3n_http_connections_refused_total", "counter",
       "Connections closed at once because there were too many",
       static_cast<double>(connections_refused)},
      {"gemma3n_http_requests_active", "gauge", "Requests that are being answered",
       static_cast<double>(exchanges)},
      {"gemma3n_http_read_bytes_total", "counter", "Bytes from clients",
       static_cast<double>(bytes_read)},
      {"gemma3n_http_written_bytes_total", "counter", "Bytes to clients",
       static_cast<double>(bytes_written)},
      {"gemma3n_http_body_bytes", "gauge", "Bytes of requests' bodies in memory",
       static_cast<double>(body_bytes)},
      {"gemma3n_running", "gauge", "Answers in the making", static_cast<double>(s.running)},
      {"gemma3n_waiting", "gauge", "Prompts that wait for a place", static_cast<double>(s.waiting)},
      {"gemma3n_paused", "gauge", "Answers that wait for a slow reader",
       static_cast<double>(s.paused)},
      {"gemma3n_finished_total", "counter", "Answers that came to their end",
       static_cast<double>(s.finished)},
      {"gemma3n_cancelled_total", "counter", "Answers that were cancelled",
       static_cast<double>(s.cancelled)},
      {"gemma3n_failed_total", "counter", "Answers that failed", static_cast<double>(s.failed)},
      {"gemma3n_refused_total", "counter", "Prompts refused because too many waited",
       static_cast<double>(s.refused)},
      {"gemma3n_prompt_tokens_total", "counter", "Tokens of prompts",
       static_cast<double>(s.prompt_tokens)},
      {"gemma3n_cached_prompt_tokens_total", "counter", "Of these, found in the prefix cache",
       static_cast<double>(s.cached_prompt_tokens)},
      {"gemma3n_generated_tokens_total", "counter", "Tokens of answers",
       static_cast<double>(s.generated_tokens)},
      {"gemma3n_steps_total", "counter", "Passes through the model", static_cast<double>(s.steps)},
      {"gemma3n_busy_seconds_total", "counter", "Time spent in them", s.busy_seconds},
      {"gemma3n_prefix_cache_bytes", "gauge", "Memory of the prefix cache",
       static_cast<double>(s.prefix_cache_bytes)},
      {"gemma3n_prefix_cache_tokens", "gauge", "Tokens in the prefix cache",
       static_cast<double>(s.prefix_cache_tokens)},
  };
  for (const auto& row : rows) PrintOne(row.name, row.type, row.help, row.value, out);
  first_token_seconds.Print("gemma3n_first_token_seconds",
                            "From a request to the first token of its answer", out);
  token_gap_seconds.Print("gemma3n_token_gap_seconds", "Between two tokens of an answer", out);
  request_seconds.Print("gemma3n_http_request_seconds",
                        "From a request's header to its answer's end", out);
  return out;
}

}  // namespace gemma3n::server
