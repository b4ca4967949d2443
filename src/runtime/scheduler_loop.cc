// The scheduler's thread: who is over, who may begin, a step, again.
#include <algorithm>
#include <utility>

#include "runtime/guard.h"
#include "runtime/scheduler_impl.h"

namespace gemma3n {

using internal::CachedText;
using internal::PrefixCache;
using internal::PromptRow;

namespace {

// Without work for so long, the caches' memory goes back to the system.
constexpr std::chrono::seconds kIdle{1};

int64_t Common(std::span<const PromptRow> a, std::span<const PromptRow> b) {
  const auto same = [](const PromptRow& x, const PromptRow& y) { return x.identity == y.identity; };
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end(), same).first - a.begin();
}

}  // namespace

void Scheduler::Impl::Loop() {
  std::unique_lock lock(mutex);
  std::vector<JobPtr> ended;
  std::vector<Job*> active;
  for (;;) {
    EndWhatIsOver(&ended);
    Admit();
    active.clear();
    for (const JobPtr& job : running) {
      if (!job->paused) active.push_back(job.get());
    }
    if (ended.empty() && active.empty()) {
      if (stop && jobs.empty()) return;
      Sleep(lock);
      continue;
    }
    lock.unlock();
    for (JobPtr& job : ended) Finish(std::move(job));
    ended.clear();
    if (!active.empty()) Step(active);
    lock.lock();
  }
}

void Scheduler::Impl::EndWhatIsOver(std::vector<JobPtr>* ended) {
  const auto now = Clock::now();
  const auto over = [&](Job& job) {
    if (job.ended()) return true;
    if (job.cancelled || stop) {
      job.Fail(Error(StatusCode::kCancelled, "cancelled"));
    } else if (job.deadline && *job.deadline <= now) {
      job.timed_out = true;
      job.Fail(
          Error(StatusCode::kCancelled, "timed out after {} seconds", job.request.timeout_seconds));
    }
    return !job.status.ok();
  };
  while (JobPtr job = waiting.Pop(over)) {
    --stats.waiting;
    ended->push_back(std::move(job));
  }
  for (JobPtr& job : running) {
    if (!over(*job)) continue;
    --stats.running;
    ended->push_back(std::move(job));
  }
  std::erase(running, nullptr);
  for (const JobPtr& job : *ended) {
    job->over = true;
    stats.paused -= job->paused ? 1 : 0;
  }
}

// While a running prompt will soon be kept as far as this one is like it, it is not computed twice.
bool Scheduler::Impl::WaitsForPrefix(const Job& job) const {
  if (options.prefix_cache_bytes == 0 || job.request.prompt_logprobs) return false;
  const auto prompt = job.generation->prompt();
  const int64_t usable = PrefixCache::Usable(std::ssize(prompt));
  int64_t longest = 0;
  for (const JobPtr& other : running) {
    if (other->model != job.model || other->paused || other->kept < 0) continue;
    if (!other->in_prompt()) continue;
    const int64_t common = Common(prompt, other->generation->prompt());
    longest =
        std::max(longest, std::min(common / PrefixCache::kBlock * PrefixCache::kBlock, usable));
  }
  return longest > 0 && longest > prefixes.Find(job.model_number, prompt);
}

void Scheduler::Impl::Admit() {
  const auto may = [&](const Job& job) { return !job.paused && !WaitsForPrefix(job); };
  while (std::ssize(running) < options.max_running) {
    JobPtr job = waiting.Pop(may);
    if (job == nullptr) return;
    job->served = steps;
    running.push_back(std::move(job));
    --stats.waiting;
    ++stats.running;
  }
}

void Scheduler::Impl::Sleep(std::unique_lock<std::mutex>& lock) {
  std::optional<Clock::time_point> until;
  const bool gives_back = running.empty() && holds_pages;
  if (gives_back) until = Clock::now() + kIdle;
  for (const auto& [id, job] : jobs) {
    if (job->deadline) until = until ? std::min(*until, *job->deadline) : *job->deadline;
  }
  if (!until) return wake.wait(lock);
  if (wake.wait_until(lock, *until) == std::cv_status::no_timeout || !gives_back) return;
  for (const FreeText& free : free_texts) free.text->cache.Release();
  holds_pages = false;
}

void Scheduler::Impl::Begin(Job& job) {
  const auto free = std::find_if(free_texts.begin(), free_texts.end(), [&](const FreeText& t) {
    return t.model_number == job.model_number;
  });
  if (free != free_texts.end()) {
    job.text = std::move(free->text);
    free_texts.erase(free);
  } else {
    if (std::ssize(running) + std::ssize(free_texts) > options.max_running) free_texts.pop_back();
    auto cache = internal::NewCache(*engine, *job.model, context, options.kv_type);
    if (!cache.ok()) return job.Fail(cache.status());
    job.text = std::make_unique<CachedText>(std::move(cache).value());
  }
  const auto prompt = job.generation->prompt();
  const int64_t cached =
      job.generation->echo() ? 0 : prefixes.Restore(job.model_number, prompt, job.text.get());
  job.kept = cached;
  job.generation->Begin(cached);
  step_stats.prompt_tokens += std::ssize(prompt);
  step_stats.cached_prompt_tokens += cached;
}

void Scheduler::Impl::Finish(JobPtr job) {
  if (job->text != nullptr) {
    job->text->Clear();
    free_texts.push_back({job->model_number, std::move(job->text)});
    holds_pages = true;
  }
  RequestOutcome outcome;
  outcome.timed_out = job->timed_out;
  const Status flushed = Guard([&]() -> Status {
    if (!job->status.ok()) job->generation->Cancel();
    outcome.result = job->generation->Finish();
    outcome.prompt = job->generation->TakeEcho();
    return OkStatus();
  });
  job->Fail(flushed);
  if (outcome.result.reason == StopReason::kCancelled) {
    job->Fail(Error(StatusCode::kCancelled, "cancelled"));
  }
  outcome.status = job->status;
  {
    const std::lock_guard lock(mutex);
    const StatusCode code = outcome.status.code();
    int64_t& count = code == StatusCode::kOk          ? stats.finished
                     : code == StatusCode::kCancelled ? stats.cancelled
                                                      : stats.failed;
    ++count;
  }
  if (job->on_done) {
    const Status done = Guard([&]() -> Status {
      job->on_done(std::move(outcome));
      return OkStatus();
    });
    (void)done;  // there is nobody left to tell
  }
  const std::lock_guard lock(mutex);
  jobs.erase(job->id);
  if (jobs.empty()) empty.notify_all();
}

}  // namespace gemma3n
