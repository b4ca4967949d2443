// What a Scheduler owns: its thread's loop, the line of those who wait, the places.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

#include "gemma3n/scheduler.h"
#include "runtime/engine_impl.h"
#include "runtime/job.h"
#include "runtime/prefix_cache.h"
#include "runtime/waiting_jobs.h"

namespace gemma3n {

struct Scheduler::Impl {
  using Job = internal::Job;
  using JobPtr = std::unique_ptr<Job>;
  using Clock = Job::Clock;

  Impl(std::shared_ptr<internal::EngineImpl> e, const SchedulerOptions& o, int64_t c)
      : engine(std::move(e)), options(o), context(c), prefixes(o.prefix_cache_bytes) {}

  // scheduler.cc: any thread
  Result<Id> Submit(Request request, OnToken on_token, OnDone on_done);
  Status Size(const ModelSize& size, Job* job);
  template <typename Set>
  void Change(Id id, const Set& set);

  // scheduler_loop.cc: the scheduler's thread
  void Loop();
  void EndWhatIsOver(std::vector<JobPtr>* ended);  // mutex is held, as for the next three
  void Admit();
  bool WaitsForPrefix(const Job& job) const;
  void Sleep(std::unique_lock<std::mutex>& lock);
  void Begin(Job& job);
  void Finish(JobPtr job);

  // scheduler_step.cc: a part of a batch, one job's
  struct Entry {
    Job* job;
    internal::Generation::Pass pass;
  };
  void Step(std::span<Job* const> active);
  int64_t PlanAnswers(std::span<Job* const> active);  // returns their rows
  void PlanPrompts(std::span<Job* const> active, int64_t answer_rows);
  void RunInBatches();
  void Run(std::span<const Entry> entries);
  void Draw(std::span<const Entry> entries, int64_t first, const View& logits);
  void Settle(const Entry& entry);

  const std::shared_ptr<internal::EngineImpl> engine;
  const SchedulerOptions options;
  const int64_t context;

  mutable std::mutex mutex;
  std::condition_variable wake, empty;  // for the thread; no jobs are left
  // Guarded by mutex.
  internal::WaitingJobs waiting;
  std::unordered_map<Id, Job*> jobs;  // that have not had their on_done
  struct NumberedModel {
    int number;  // never given again
    std::shared_ptr<const internal::SizedModel> model;
  };
  std::vector<NumberedModel> models;  // that were asked for last, the latest first
  int last_model = 0;
  Id last_id = 0;
  bool stop = false, draining = false;
  SchedulerStats stats;

  // Of the scheduler's thread.
  std::vector<JobPtr> running;
  internal::PrefixCache prefixes;
  struct FreeText {
    int model_number;
    std::unique_ptr<internal::CachedText> text;
  };
  std::vector<FreeText> free_texts;
  bool holds_pages = false;  // free texts do
  int64_t steps = 0;
  SchedulerStats step_stats;     // since the last step: added to stats
  std::vector<Entry> entries;    // of a step
  std::vector<BatchRow> rows;    // of a batch
  std::vector<KvCache*> caches;  // of a batch

  std::thread thread;
};

}  // namespace gemma3n
