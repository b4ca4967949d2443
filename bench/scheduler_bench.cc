// What a step costs with many answers in it, and what a scheduler makes of many requests at once.
//
//   scheduler_bench steps MODEL THREADS [ROWS...]   a step of so many answers; 16+64: beside a
//   slice
//                                                   of 64 rows of a prompt
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

// So many answers, and rows of one prompt more, as "16" or "16+64".
struct Shape {
  int64_t answers = 0, prompt = 0;
};

Status Steps(const std::shared_ptr<const Engine>& engine, const std::vector<Shape>& shapes) {
  constexpr int64_t kContext = 2048, kTurns = 4;
  internal::EngineImpl& impl = *engine->shared_impl();
  G3N_ASSIGN_OR_RETURN(const auto model, internal::SizedModel::Create(impl, {}));
  int64_t most = 0;
  for (const Shape& shape : shapes) most = std::max(most, shape.answers);
  std::vector<KvCache> caches;
  for (int64_t i = 0; i <= most; ++i) {  // the first is the prompt's
    G3N_ASSIGN_OR_RETURN(KvCache cache, internal::NewCache(impl, model, kContext, KvType::kAuto));
    caches.push_back(std::move(cache));
  }
  std::vector<KvCache*> pointers;
  for (KvCache& cache : caches) pointers.push_back(&cache);
  const auto run = [&](const Shape& shape, uint64_t seed) -> Result<double> {
    const auto tokens = RandomTokens(shape.answers + shape.prompt, seed);
    std::vector<BatchRow> rows;
    if (caches[0].length() + shape.prompt > kContext) caches[0].Clear();
    for (int64_t i = 0; i < shape.prompt + shape.answers; ++i) {
      const int64_t sequence = std::max<int64_t>(0, i - shape.prompt + 1);
      rows.push_back(
          {.token = tokens[static_cast<size_t>(i)],
           .sequence = static_cast<int>(sequence),
           .position = caches[static_cast<size_t>(sequence)].length() + (sequence == 0 ? i : 0),
           .wants_logits = sequence > 0});
    }
    const double start = ThreadSeconds();
    G3N_RETURN_IF_ERROR(internal::RunBatch(impl, model.decoder, rows, pointers, /*top=*/0,
                                           [](int64_t, const View&) { return OkStatus(); }));
    return ThreadSeconds() - start;
  };
  // Copies by column and moves to huge pages come first.
  for (int i = 0; i < 3 || (i < 100 && !impl.huge_pages.idle()); ++i) {
    G3N_RETURN_IF_ERROR(run({1, 0}, 0).status());
  }
  std::vector<double> best(shapes.size(), 1e9);
  uint64_t seed = 0;
  for (int64_t turn = 0; turn < kTurns; ++turn) {
    for (size_t i = 0; i < shapes.size(); ++i) {
      G3N_ASSIGN_OR_RETURN(const double seconds, run(shapes[i], ++seed));
      best[i] = std::min(best[i], seconds);
    }
  }
  for (size_t i = 0; i < shapes.size(); ++i) {
    fmt::print("{:4} answers + {:4} rows of a prompt {:8.1f} ms {:8.2f} x the first\n",
               shapes[i].answers, shapes[i].prompt, 1e3 * best[i], best[i] / best[0]);
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
  G3N_ASSIGN_OR_RETURN(auto engine, Engine::Load(options));
  if (std::string(argv[1]) == "load" && argc == 7) {
    return Load(std::move(engine), std::atoi(argv[4]), std::atoll(argv[5]), std::atoll(argv[6]));
  }
  std::vector<Shape> shapes;
  for (int i = 4; i < argc; ++i) {
    char* end = nullptr;
    Shape shape{.answers = std::strtoll(argv[i], &end, 10), .prompt = 0};
    if (*end == '+') shape.prompt = std::atoll(end + 1);
    shapes.push_back(shape);
  }
  if (shapes.empty()) shapes = {{1, 0}, {2, 0}, {4, 0}, {8, 0}, {9, 0}, {16, 0}, {32, 0}, {16, 64}};
  return Steps(engine, shapes);
}

}  // namespace
}  // namespace gemma3n

int main(int argc, char** argv) {
  const gemma3n::Status status = gemma3n::Main(argc, argv);
  if (!status.ok()) fmt::print(stderr, "{}\n", status.message());
  return status.ok() ? 0 : 1;
}
