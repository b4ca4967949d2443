#include "server/api/generation_run.h"

#include <algorithm>
#include <utility>

#include "server/api/random_id.h"

namespace gemma3n::server {
namespace {

constexpr int kTooManyRequests = 429, kClientGone = 499, kTimedOut = 504;

// An event that outlives the call it came in.
struct KeptEvent {
  explicit KeptEvent(const TokenEvent& e)
      : event(e), text(e.text), top(e.top.begin(), e.top.end()) {}
  TokenEvent Get() const {
    TokenEvent e = event;
    e.text = text;
    e.top = top;
    return e;
  }

  TokenEvent event;
  std::string text;
  std::vector<TokenLogprob> top;
};

}  // namespace

void GenerationRun::Refuse(int http_status, const Status& status) {
  const std::lock_guard lock(events_);
  Fail(http_status, status);
}

void GenerationRun::Start(Generation generation, Prompt prompt, const std::string& client) {
  generation_ = std::move(generation);
  running_ = generation_.n;
  if (!generation_.tools.empty()) {
    parsers_.assign(generation_.n, ToolCallParser(generation_.tools));
  }
  usage_.prompt_tokens = std::ssize(prompt.tokens);
  for (int i = 0; i < generation_.n && !gone_; ++i) {
    const Result<Scheduler::Id> id = Submit(i, prompt, client);
    if (!id.ok()) {
      const bool full = id.status().code() == StatusCode::kResourceExhausted;
      return Refuse(full ? kTooManyRequests : HttpStatusOf(id.status()), id.status());
    }
    Own(*id);
  }
  const std::lock_guard lock(events_);
  if (gone_ || failed_) return;
  sink_->OnStart(usage_.prompt_tokens);
  started_ = true;
  for (const auto& event : std::exchange(early_, {})) event();
}

Result<Scheduler::Id> GenerationRun::Submit(int index, const Prompt& prompt,
                                            const std::string& client) {
  Request request;
  request.prompt = prompt;
  request.options = generation_.options;
  if (request.options.seed) *request.options.seed += static_cast<uint64_t>(index);
  request.size = generation_.size;
  request.client = client;
  request.timeout_seconds = options_.timeout_seconds;
  request.prompt_logprobs = generation_.prompt_logprobs;
  const auto self = shared_from_this();
  return scheduler_.Submit(
      std::move(request),
      [self, index](const TokenEvent& event) { return self->Token(index, event); },
      [self, index](RequestOutcome outcome) { self->Done(index, std::move(outcome)); });
}

void GenerationRun::Own(Scheduler::Id id) {
  const std::lock_guard lock(control_);
  ids_.push_back(id);
  if (gone_) scheduler_.Cancel(id);
  if (behind_) scheduler_.Pause(id);
}

void GenerationRun::CancelAll() {
  const std::lock_guard lock(control_);
  for (const Scheduler::Id id : ids_) scheduler_.Cancel(id);
}

void GenerationRun::Gone() {
  gone_ = true;
  CancelAll();
}

void GenerationRun::Behind(bool behind) {
  const std::lock_guard lock(control_);
  behind_ = behind;
  for (const Scheduler::Id id : ids_) behind ? scheduler_.Pause(id) : scheduler_.Resume(id);
}

bool GenerationRun::Token(int index, const TokenEvent& event) {
  const std::lock_guard lock(events_);
  if (failed_ || gone_) return false;
  if (started_) {
    Pass(index, event);
  } else {
    early_.push_back([this, index, kept = KeptEvent(event)] {
      if (!failed_) Pass(index, kept.Get());
    });
  }
  return true;
}

void GenerationRun::Pass(int index, TokenEvent event) {
  std::string text;
  if (!parsers_.empty()) {
    parsers_[index].Push(event.text, text);
    event.text = text;
  }
  sink_->OnToken(index, event);
}

void GenerationRun::Done(int index, RequestOutcome outcome) {
  const std::lock_guard lock(events_);
  if (failed_) return;
  if (started_) return End(index, std::move(outcome));
  // std::function copies what it holds, and an outcome is long.
  auto kept = std::make_shared<RequestOutcome>(std::move(outcome));
  early_.push_back([this, index, kept] { End(index, std::move(*kept)); });
}

void GenerationRun::End(int index, RequestOutcome outcome) {
  if (failed_) return;
  if (!outcome.status.ok()) {
    if (gone_) return Fail(kClientGone, outcome.status);
    return Fail(outcome.timed_out ? kTimedOut : HttpStatusOf(outcome.status), outcome.status);
  }
  const GenerationStats& stats = outcome.result.stats;
  usage_.completion_tokens += stats.generated_tokens;
  // The others find in the cache what the first put there: the prompt is counted once.
  if (index == 0) usage_.cached_tokens = stats.cached_tokens;
  AnswerEnd end;
  end.reason = outcome.result.reason;
  if (end.reason == StopReason::kStopString) end.stop_string = StopStringOf(outcome.result);
  end.tool_calls = TakeToolCalls(index, outcome.result);
  end.outcome = std::move(outcome);
  sink_->OnEnd(index, std::move(end));
  if (--running_ == 0) sink_->OnFinish(usage_);
}

void GenerationRun::Fail(int http_status, const Status& status) {
  if (std::exchange(failed_, true)) return;
  CancelAll();
  sink_->OnError(http_status, status);
}

std::vector<ToolCall> GenerationRun::TakeToolCalls(int index, const GenerationResult& result) {
  std::vector<ToolCall> calls;
  if (parsers_.empty()) return calls;
  ToolCallParser& parser = parsers_[index];
  std::string rest;
  parser.Finish(rest);
  if (!rest.empty()) {
    TokenEvent event;
    event.token = result.tokens.empty() ? -1 : result.tokens.back();
    event.text = rest;
    sink_->OnToken(index, event);
  }
  for (const FunctionCall& call : parser.calls()) {
    calls.push_back({RandomId("call_"), call.name, call.arguments});
    if (!generation_.tool_choice.parallel) break;
  }
  return calls;
}

std::string GenerationRun::StopStringOf(const GenerationResult& result) const {
  const std::string whole = engine_->Detokenize(result.tokens);
  std::string found;
  for (const std::string& stop : generation_.options.stop) {
    const bool here =
        whole.compare(std::min(whole.size(), result.text.size()), stop.size(), stop) == 0;
    if (here && stop.size() > found.size()) found = stop;
  }
  return found;
}

}  // namespace gemma3n::server
