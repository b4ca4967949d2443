// One step: a row for every answer in the making, with guesses where they cost little, and slices
// of prompts, as few batches as there are model sizes.
#include <algorithm>
#include <utility>

#include "kernels/few_rows.h"
#include "kernels/many_rows.h"
#include "runtime/forward.h"
#include "runtime/guard.h"
#include "runtime/scheduler_impl.h"

namespace gemma3n {

using internal::Generation;
using internal::PrefixCache;

namespace {

// Rows that guesses may fill up to, `answers` of them the answers' own. A guess that comes true
// saves its share of a step, so a row has to cost less than that (bench/SPEED.md has what rows
// cost): the first four do, then none until products take several rows at once, all of which cost
// the same.
int64_t GuessedRows(int64_t answers, bool beside_prompts) {
  if (beside_prompts) return answers + kSeveralRows;
  if (answers <= kFewRows / 2) return kFewRows / 2;
  if (answers < kFewRows) return answers;
  return answers <= kSeveralRows ? kSeveralRows : 2 * kSeveralRows;
}

}  // namespace

void Scheduler::Impl::Step(std::span<Job* const> active) {
  const auto start = Clock::now();
  ++steps;
  entries.clear();
  for (Job* job : active) {
    if (job->text != nullptr) continue;
    job->Fail(Guard([&]() -> Status {
      Begin(*job);
      return OkStatus();
    }));
  }
  const int64_t answer_rows = PlanAnswers(active);
  PlanPrompts(active, answer_rows);
  RunInBatches();

  const std::lock_guard lock(mutex);
  ++stats.steps;
  stats.prompt_tokens += step_stats.prompt_tokens;
  stats.cached_prompt_tokens += step_stats.cached_prompt_tokens;
  stats.generated_tokens += step_stats.generated_tokens;
  step_stats = {};
  stats.prefix_cache_bytes = prefixes.bytes();
  stats.prefix_cache_tokens = prefixes.tokens();
  stats.busy_seconds += std::chrono::duration<double>(Clock::now() - start).count();
}

int64_t Scheduler::Impl::PlanAnswers(std::span<Job* const> active) {
  int64_t answers = 0, prompts = 0;
  for (const Job* job : active) {
    if (job->status.ok()) ++(job->in_prompt() ? prompts : answers);
  }
  if (answers == 0) return 0;
  const int64_t most = std::min(GuessedRows(answers, prompts > 0), engine->options.prefill_chunk);
  int64_t guesses = std::max<int64_t>(most - answers, 0);
  for (Job* job : active) {
    if (!job->status.ok() || job->in_prompt()) continue;
    entries.push_back({job, job->generation->Next(job->length(), 1, guesses)});
    guesses -= std::ssize(entries.back().pass.rows) - 1;
  }
  return std::max(most, answers) - guesses;
}

void Scheduler::Impl::PlanPrompts(std::span<Job* const> active, int64_t answer_rows) {
  const int64_t chunk = engine->options.prefill_chunk;
  int64_t room = answer_rows > 0 ? options.slice_rows : chunk;
  if (answer_rows < chunk) room = std::min(room, chunk - answer_rows);
  std::vector<Job*> prompts;
  for (Job* job : active) {
    if (job->status.ok() && job->in_prompt()) prompts.push_back(job);
  }
  // Who is nearly done goes first, since the mean wait is then least; but to wait for two steps
  // counts as much as a slice less to do, and more than a chunk to do as a chunk, so that the
  // longest prompt gets its turns too.
  const auto rank = [&](const Job* job) {
    const int64_t left = std::ssize(job->generation->prompt()) - job->length();
    return 2 * std::min(left, chunk) - (steps - job->served) * options.slice_rows;
  };
  std::stable_sort(prompts.begin(), prompts.end(),
                   [&](const Job* a, const Job* b) { return rank(a) < rank(b); });
  for (Job* job : prompts) {
    const int64_t length = job->length(), left = std::ssize(job->generation->prompt()) - length;
    int64_t count = std::min(left, room);
    if (count < left) {  // ends with a block that the prefix cache can keep, if it can
      const int64_t whole = (length + count) / PrefixCache::kBlock * PrefixCache::kBlock - length;
      if (whole > 0) count = whole;
    }
    if (count <= 0) break;
    room -= count;
    job->served = steps;
    entries.push_back({job, job->generation->Next(length, count, 0)});
  }
}

void Scheduler::Impl::RunInBatches() {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.job->model_number < b.job->model_number;
  });
  const int64_t most = engine->options.prefill_chunk;
  const std::span<const Entry> all = entries;
  for (size_t first = 0, end; first < all.size(); first = end) {
    int64_t count = 0;
    for (end = first; end < all.size() && all[end].job->model == all[first].job->model; ++end) {
      const int64_t more = std::ssize(all[end].pass.rows);
      if (end > first && count + more > most) break;
      count += more;
    }
    Run(all.subspan(first, end - first));
  }
}

void Scheduler::Impl::Run(std::span<const Entry> batch) {
  rows.clear();
  caches.clear();
  int64_t top = 1;  // that is enough for all of them; 0 when one needs every logit
  for (const auto& [job, pass] : batch) {
    const int64_t own = job->generation->top();
    top = top == 0 || own == 0 ? 0 : std::max(top, own);
    job->text->AddTo(&rows, pass.rows, pass.first_wanted, static_cast<int>(caches.size()));
    caches.push_back(&job->text->cache);
  }
  const int64_t before = batch.front().job->length();
  const Status status = Guard([&]() -> Status {
    return internal::RunBatch(*engine, batch.front().job->model->decoder, rows, caches, top,
                              [&](int64_t first, const View& logits) {
                                Draw(batch, first, logits);
                                return OkStatus();
                              });
  });
  if (!status.ok()) {
    // One of them spoilt it for all: each by itself, if nothing has happened yet.
    if (batch.size() == 1 || batch.front().job->length() != before) {
      for (const Entry& entry : batch) entry.job->Fail(status);
      return;
    }
    for (size_t i = 0; i < batch.size(); ++i) Run(batch.subspan(i, 1));
    return;
  }
  for (const Entry& entry : batch) Settle(entry);
}

// logits: of the batch's wanted rows from `first` on.
void Scheduler::Impl::Draw(std::span<const Entry> batch, int64_t first, const View& logits) {
  // What can be done at once: all rows of one answer, or one row inside a prompt.
  struct Unit {
    Job* job;
    int64_t row, count;  // of logits
    int64_t echo;        // the pass's wanted row that it is; -1 for an answer's
  };
  std::vector<Unit> units;
  int64_t offset = -first;  // of the entry's wanted rows among those of `logits`
  for (const auto& [job, pass] : batch) {
    for (int64_t i = 0; i < pass.wanted(); ++i) {
      const int64_t row = offset + i;
      if (row < 0 || row >= logits.rows) continue;
      if (job->generation->FollowedByPrompt(i)) {
        units.push_back({job, row, 1, i});
      } else if (!units.empty() && units.back().job == job && units.back().echo < 0) {
        ++units.back().count;
      } else {
        units.push_back({job, row, 1, -1});
      }
    }
    offset += pass.wanted();
  }
  const auto vocab = static_cast<size_t>(logits.cols);
  std::vector<Status> failures(units.size());
  engine->pool->ParallelFor(std::ssize(units), 1, [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; ++u) {
      const Unit& unit = units[static_cast<size_t>(u)];
      failures[static_cast<size_t>(u)] = Guard([&]() -> Status {
        Generation& generation = *unit.job->generation;
        if (unit.echo >= 0) {
          generation.Echo(unit.echo, {logits.row(unit.row), vocab});
          return OkStatus();
        }
        for (int64_t r = 0; r < unit.count; ++r) {
          generation.Draw({logits.row(unit.row + r), vocab});
        }
        return OkStatus();
      });
    }
  });
  for (size_t u = 0; u < units.size(); ++u) units[u].job->Fail(failures[u]);
}

void Scheduler::Impl::Settle(const Entry& entry) {
  Job& job = *entry.job;
  job.Fail(Guard([&]() -> Status {
    job.text->Took(entry.pass.rows);
    if (!job.status.ok()) return OkStatus();
    Generation& generation = *job.generation;
    const int64_t generated = generation.generated();
    const Status delivered = generation.Deliver(job.length());
    step_stats.generated_tokens += generation.generated() - generated;
    G3N_RETURN_IF_ERROR(delivered);
    job.text->Forget(generation.wrong());
    if (options.prefix_cache_bytes > 0) {
      job.kept = prefixes.Keep(job.model_number, *job.text, job.kept);
    }
    return OkStatus();
  }));
}

}  // namespace gemma3n
