// One Generation on its way through the scheduler: n requests whose events become one sink's.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "chat/tool_call_parser.h"
#include "gemma3n/engine.h"
#include "gemma3n/scheduler.h"
#include "server/api/generation.h"

namespace gemma3n::server {

// Kept alive by the callbacks that the scheduler holds.
//
// Two locks: events_ puts what the scheduler's thread reports behind OnStart and in order; control_
// covers what may be cancelled and paused, from any thread. Where both are held, events_ was first.
// The scheduler holds no lock of its own while it reports.
class GenerationRun : public std::enable_shared_from_this<GenerationRun> {
 public:
  GenerationRun(std::shared_ptr<const Engine> engine, Scheduler& scheduler,
                const GeneratorOptions& options, std::shared_ptr<Sink> sink)
      : engine_(std::move(engine)),
        scheduler_(scheduler),
        options_(options),
        sink_(std::move(sink)) {}

  // Queues the n requests; returns when all are, or after OnError.
  void Start(Generation generation, Prompt prompt, const std::string& client);
  // OnError instead of a start.
  void Refuse(int http_status, const Status& status);

  // From the connection's thread.
  void Gone();
  void Behind(bool behind);
  bool gone() const { return gone_; }

 private:
  Result<Scheduler::Id> Submit(int index, const Prompt& prompt, const std::string& client);
  void Own(Scheduler::Id id);
  void CancelAll();

  // From the scheduler's thread.
  bool Token(int index, const TokenEvent& event);
  void Done(int index, RequestOutcome outcome);

  // Under events_.
  void Pass(int index, TokenEvent event);
  void End(int index, RequestOutcome outcome);
  void Fail(int http_status, const Status& status);
  std::vector<ToolCall> TakeToolCalls(int index, const GenerationResult& result);
  std::string StopStringOf(const GenerationResult& result) const;

  const std::shared_ptr<const Engine> engine_;
  Scheduler& scheduler_;
  const GeneratorOptions options_;
  const std::shared_ptr<Sink> sink_;
  Generation generation_;

  std::mutex events_;
  std::vector<std::function<void()>> early_;  // before OnStart
  bool started_ = false, failed_ = false;
  int running_ = 0;
  std::vector<ToolCallParser> parsers_;  // of each answer; none without tools
  Usage usage_;

  std::mutex control_;
  std::vector<Scheduler::Id> ids_;
  bool behind_ = false;
  std::atomic<bool> gone_ = false;
};

}  // namespace gemma3n::server
