// What a step costs with many answers in it, and what a scheduler makes of many requests at once.
//
//   scheduler_bench steps MODEL THREADS [ROWS...]        a decode step of so many sequences
//   scheduler_bench load MODEL THREADS STREAMS PROMPT GEN   total tokens a second
//
// Times of steps are the calling thread's own processor time, the least of several turns: with one
// thread they hold on a busy machine too.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gemma3n/engine.h"
#include "gemma3n/scheduler.h"
#include "runtime/forward.h"
#include "runtime/sized_model.h"

namespace gemma3n {
namespace {

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::vector<int32_t> RandomTokens(int64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i)
    tokens.push_back(static_cast<int32_t>(1000 + random() % 200000));
  return tokens;
}

Status Steps(const std::shared_ptr<const Engine>& engine, const std::vector<int64_t>& counts) {
  constexpr int64_t kContext = 256, kTurns = 4;
  internal::EngineImpl& impl = *engine->shared_impl();
  G3N_ASSIGN_OR_RETURN(const auto model, internal::SizedModel::Create(impl, {}));
  const int64_t most = *std::max_element(counts.begin(), counts.end());
  std::vector<KvCache> caches;
  for (int64_t i = 0; i < most; ++i) {
    G3N_ASSIGN_OR_RETURN(KvCache cache, internal::NewCache(impl, model, kContext, KvType::kAuto));
    caches.push_back(std::move(cache));
  }
  std::vector<KvCache*> pointers;
  for (KvCache& cache : caches) pointers.push_back(&cache);
  // Copies by column and moves to huge pages come first.
  const BatchRow one[] = {{.token = 1000, .wants_logits = true}};
  for (int i = 0; i < 3 || (i < 100 && !impl.huge_pages.idle()); ++i) {
    caches[0].Clear();
    G3N_RETURN_IF_ERROR(internal::RunBatch(impl, model.decoder, one, std::span(pointers).first(1),
                                           [](int64_t, const View&) { return OkStatus(); }));
  }
  std::map<int64_t, double> best;
  uint64_t seed = 0;
  for (int64_t turn = 0; turn < kTurns; ++turn) {
    for (const int64_t count : counts) {
      const auto tokens = RandomTokens(count, ++seed);
      std::vector<BatchRow> rows;
      for (int64_t i = 0; i < count; ++i) {
        rows.push_back({.token = tokens[static_cast<size_t>(i)],
                        .sequence = static_cast<int>(i),
                        .position = caches[static_cast<size_t>(i)].length(),
                        .wants_logits = true});
      }
      const double start = ThreadSeconds();
      G3N_RETURN_IF_ERROR(internal::RunBatch(impl, model.decoder, rows,
                                             std::span(pointers).first(static_cast<size_t>(count)),
                                             [](int64_t, const View&) { return OkStatus(); }));
      const double seconds = ThreadSeconds() - start;
      if (!best.contains(count) || seconds < best[count]) best[count] = seconds;
    }
  }
  for (const auto& [count, seconds] : best) {
    fmt::print("{:4} rows {:8.1f} ms {:8.2f} x one row {:8.1f} rows/s\n", count, 1e3 * seconds,
               seconds / best.begin()->second, static_cast<double>(count) / seconds);
  }
  return OkStatus();
}

Status Load(std::shared_ptr<const Engine> engine, int streams, int64_t prompt, int64_t answer) {
  SchedulerOptions options;
  options.max_running = streams;
  G3N_ASSIGN_OR_RETURN(const auto scheduler, Scheduler::Create(engine, options));
  std::vector<std::promise<RequestOutcome>> outcomes(static_cast<size_t>(streams));
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < streams; ++i) {
    Request request;
    request.prompt = RandomTokens(prompt, 1000 + static_cast<uint64_t>(i));
    request.options.max_tokens = answer;
    request.options.ignore_end_tokens = true;
    request.options.seed = i;
    std::promise<RequestOutcome>& out = outcomes[static_cast<size_t>(i)];
    G3N_RETURN_IF_ERROR(scheduler
                            ->Submit(std::move(request), {},
                                     [&out](RequestOutcome o) { out.set_value(std::move(o)); })
                            .status());
  }
  double first = 0, last_first = 0;
  for (auto& out : outcomes) {
    const RequestOutcome outcome = out.get_future().get();
    G3N_RETURN_IF_ERROR(outcome.status);
    const double at = outcome.result.stats.first_token_seconds;
    first = first == 0 ? at : std::min(first, at);
    last_first = std::max(last_first, at);
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double tokens = static_cast<double>(streams) * static_cast<double>(prompt + answer);
  fmt::print(
      "{} streams of {} + {} tokens: {:.1f} s, {:.1f} tokens/s, {:.1f} of them generated; "
      "first tokens after {:.1f} to {:.1f} s; {} steps\n",
      streams, prompt, answer, seconds, tokens / seconds,
      static_cast<double>(streams * answer) / seconds, first, last_first, scheduler->stats().steps);
  return OkStatus();
}

Status Main(int argc, char** argv) {
  const std::string usage =
      "scheduler_bench steps|load MODEL THREADS [ROWS... | STREAMS PROMPT GEN]";
  if (argc < 4) return Error(StatusCode::kInvalidArgument, "usage: {}", usage);
  EngineOptions options;
  options.model = argv[2];
  options.threads = std::atoi(argv[3]);
  std::vector<int64_t> numbers;
  for (int i = 4; i < argc; ++i) numbers.push_back(std::atoll(argv[i]));
  G3N_ASSIGN_OR_RETURN(auto engine, Engine::Load(options));
  if (std::string(argv[1]) == "load" && numbers.size() == 3) {
    return Load(std::move(engine), static_cast<int>(numbers[0]), numbers[1], numbers[2]);
  }
  if (numbers.empty()) numbers = {1, 2, 4, 8, 9, 16, 32, 64};
  return Steps(engine, numbers);
}

}  // namespace
}  // namespace gemma3n

int main(int argc, char** argv) {
  const gemma3n::Status status = gemma3n::Main(argc, argv);
  if (!status.ok()) fmt::print(stderr, "{}\n", status.message());
  return status.ok() ? 0 : 1;
}
