#include "gemma3n/scheduler.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "gemma3n/engine.h"
#include "runtime/guard.h"
#include "runtime/scheduler_impl.h"

namespace gemma3n {
namespace {

constexpr size_t kMostSizes = 64;  // nested models that are kept ready

Status CheckRange(const char* name, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return OkStatus();
  return Error(StatusCode::kInvalidArgument, "{}: expected {} to {}, found {}", name, low, high,
               value);
}

Status CheckOptions(const SchedulerOptions& options, int64_t chunk) {
  G3N_RETURN_IF_ERROR(CheckRange("max_running", options.max_running, 1, 1024));
  G3N_RETURN_IF_ERROR(CheckRange("max_waiting", options.max_waiting, 0, 1 << 20));
  G3N_RETURN_IF_ERROR(CheckRange("slice_rows", options.slice_rows, 0, chunk));
  return CheckRange("prefix_cache_bytes", options.prefix_cache_bytes, 0, int64_t{1} << 50);
}

bool Same(const ModelSize& a, const ModelSize& b) {
  return a.mlp_widths == b.mlp_widths && a.skip_layers == b.skip_layers;
}

}  // namespace

Result<std::unique_ptr<Scheduler>> Scheduler::Create(std::shared_ptr<const Engine> engine,
                                                     const SchedulerOptions& options) {
  return Guard([&]() -> Result<std::unique_ptr<Scheduler>> {
    if (engine == nullptr) {
      return Error(StatusCode::kInvalidArgument, "scheduler: expected an engine, found none");
    }
    const std::shared_ptr<internal::EngineImpl> impl = engine->shared_impl();
    const int64_t chunk = impl->options.prefill_chunk;
    G3N_RETURN_IF_ERROR(CheckOptions(options, chunk));
    SchedulerOptions chosen = options;
    if (chosen.slice_rows == 0) chosen.slice_rows = std::max<int64_t>(1, chunk / 4);
    G3N_ASSIGN_OR_RETURN(auto whole, internal::SizedModel::Create(*impl, {}));
    G3N_ASSIGN_OR_RETURN(const int64_t context, internal::ContextOf(whole, options.context));
    // Whether heads can be stored in this way is known now, not at the first request.
    G3N_RETURN_IF_ERROR(internal::NewCache(*impl, whole, 1, options.kv_type).status());
    auto own = std::make_unique<Impl>(impl, chosen, context);
    own->models.push_back({0, std::make_shared<internal::SizedModel>(std::move(whole))});
    own->thread = std::thread([p = own.get()] { p->Loop(); });
    return std::unique_ptr<Scheduler>(new Scheduler(std::move(own)));
  });
}

Scheduler::Scheduler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop = impl_->draining = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

Status Scheduler::Impl::Size(const ModelSize& size, Job* job) {
  const std::lock_guard lock(mutex);
  auto found = std::find_if(models.begin(), models.end(),
                            [&](const NumberedModel& m) { return Same(m.model->size, size); });
  if (found == models.end()) {
    G3N_ASSIGN_OR_RETURN(auto made, internal::SizedModel::Create(*engine, size));
    if (models.size() == kMostSizes) models.pop_back();  // its jobs hold it as long as they need
    found = models.insert(models.end(),
                          {++last_model, std::make_shared<internal::SizedModel>(std::move(made))});
  }
  std::rotate(models.begin(), found, found + 1);
  job->model = models.front().model;
  job->model_number = models.front().number;
  return OkStatus();
}

Result<Scheduler::Id> Scheduler::Impl::Submit(Request request, OnToken on_token, OnDone on_done) {
  auto job = std::make_unique<Job>();
  job->request = std::move(request);
  job->on_token = std::move(on_token);
  job->on_done = std::move(on_done);
  const Request& r = job->request;
  if (!(r.timeout_seconds >= 0)) {
    return Error(StatusCode::kInvalidArgument, "timeout: expected at least 0 seconds, found {}",
                 r.timeout_seconds);
  }
  if (r.timeout_seconds > 0 && r.timeout_seconds < 1e9) {
    job->deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                       std::chrono::duration<double>(r.timeout_seconds));
  }
  G3N_RETURN_IF_ERROR(Size(r.size, job.get()));
  G3N_ASSIGN_OR_RETURN(job->generation,
                       internal::Generation::Create(*engine, r.prompt, r.options, job->on_token,
                                                    context, r.prompt_logprobs));
  {
    const std::lock_guard lock(mutex);
    if (draining) {
      ++stats.refused;
      return Error(StatusCode::kCancelled, "the scheduler takes no more requests");
    }
    const int64_t most = int64_t{options.max_running} + options.max_waiting;
    if (std::ssize(jobs) >= most) {
      ++stats.refused;
      return Error(StatusCode::kResourceExhausted,
                   "requests: expected at most {} at once, {} of them waiting", most,
                   options.max_waiting);
    }
    job->id = ++last_id;
    jobs.emplace(last_id, job.get());
    waiting.Push(std::move(job));
    ++stats.waiting;
    wake.notify_all();
    return last_id;
  }
}

Result<Scheduler::Id> Scheduler::Submit(Request request, OnToken on_token, OnDone on_done) {
  return Guard([&]() -> Result<Id> {
    return impl_->Submit(std::move(request), std::move(on_token), std::move(on_done));
  });
}

template <typename Set>
void Scheduler::Impl::Change(Id id, const Set& set) {
  const std::lock_guard lock(mutex);
  const auto found = jobs.find(id);
  if (found == jobs.end() || found->second->over) return;
  set(*found->second);
  wake.notify_all();
}

void Scheduler::Cancel(Id id) {
  impl_->Change(id, [](internal::Job& job) { job.cancelled = true; });
}

void Scheduler::Pause(Id id) {
  impl_->Change(id, [&](internal::Job& job) {
    impl_->stats.paused += job.paused ? 0 : 1;
    job.paused = true;
  });
}

void Scheduler::Resume(Id id) {
  impl_->Change(id, [&](internal::Job& job) {
    impl_->stats.paused -= job.paused ? 1 : 0;
    job.paused = false;
  });
}

void Scheduler::Drain(double seconds) {
  std::unique_lock lock(impl_->mutex);
  impl_->draining = true;
  const auto most = std::chrono::duration<double>(std::clamp(seconds, 0.0, 1e9));
  const auto none_left = [&] { return impl_->jobs.empty(); };
  if (impl_->empty.wait_for(lock, most, none_left)) return;
  for (const auto& [id, job] : impl_->jobs) job->cancelled = true;
  impl_->wake.notify_all();
  impl_->empty.wait(lock, none_left);
}

SchedulerStats Scheduler::stats() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stats;
}

}  // namespace gemma3n
