#include "server/api/generation_batch.h"

#include <functional>
#include <mutex>
#include <utility>

namespace gemma3n::server {
namespace {

// What the members have in common. Where both locks are held, events_ was first.
class Batch {
 public:
  Batch(std::shared_ptr<Sink> sink, size_t members) : sink_(std::move(sink)), left_(members) {}

  void Start(int64_t prompt_tokens) {
    const std::lock_guard lock(events_);
    if (!failed_ && !std::exchange(started_, true)) sink_->OnStart(prompt_tokens);
  }
  void Token(int index, const TokenEvent& event) {
    const std::lock_guard lock(events_);
    if (!failed_) sink_->OnToken(index, event);
  }
  void End(int index, AnswerEnd end) {
    const std::lock_guard lock(events_);
    if (!failed_) sink_->OnEnd(index, std::move(end));
  }
  void Finish(const Usage& usage) {
    const std::lock_guard lock(events_);
    usage_.prompt_tokens += usage.prompt_tokens;
    usage_.cached_tokens += usage.cached_tokens;
    usage_.completion_tokens += usage.completion_tokens;
    if (--left_ == 0 && !failed_) sink_->OnFinish(usage_);
  }
  void Fail(int http_status, const Status& status) {
    const std::lock_guard lock(events_);
    if (std::exchange(failed_, true)) return;
    Gone();
    sink_->OnError(http_status, status);
  }
  bool failed() {
    const std::lock_guard lock(events_);
    return failed_;
  }

  // From the connection's thread, or a member's that joins.
  void AddGone(std::function<void()> gone) {
    const std::lock_guard lock(control_);
    if (is_gone_) gone();
    gone_.push_back(std::move(gone));
  }
  void AddBehind(std::function<void(bool)> behind) {
    const std::lock_guard lock(control_);
    if (is_behind_) behind(true);
    behind_.push_back(std::move(behind));
  }
  void Gone() {
    const std::lock_guard lock(control_);
    if (std::exchange(is_gone_, true)) return;
    for (const auto& gone : gone_) gone();
  }
  void Behind(bool behind) {
    const std::lock_guard lock(control_);
    is_behind_ = behind;
    for (const auto& tell : behind_) tell(behind);
  }

 private:
  std::mutex events_;
  const std::shared_ptr<Sink> sink_;
  size_t left_;
  bool started_ = false, failed_ = false;
  Usage usage_;

  std::mutex control_;
  bool is_gone_ = false, is_behind_ = false;
  std::vector<std::function<void()>> gone_;
  std::vector<std::function<void(bool)>> behind_;
};

// The exchange as one member sees it: it only asks who is there.
class MemberExchange : public Exchange {
 public:
  MemberExchange(std::shared_ptr<Exchange> exchange, std::shared_ptr<Batch> batch)
      : exchange_(std::move(exchange)), batch_(std::move(batch)) {}

  const HttpRequest& request() const override { return exchange_->request(); }
  void Respond(int, std::string, std::string, Headers) override {}
  void Begin(int, std::string, Headers) override {}
  void Write(std::string) override {}
  void Finish() override {}
  void OnGone(std::function<void()> gone) override { batch_->AddGone(std::move(gone)); }
  void OnBehind(std::function<void(bool)> behind) override { batch_->AddBehind(std::move(behind)); }

 private:
  const std::shared_ptr<Exchange> exchange_;
  const std::shared_ptr<Batch> batch_;
};

class MemberSink : public Sink {
 public:
  MemberSink(std::shared_ptr<Batch> batch, int first) : batch_(std::move(batch)), first_(first) {}

  void OnStart(int64_t prompt_tokens) override { batch_->Start(prompt_tokens); }
  void OnToken(int index, const TokenEvent& event) override {
    batch_->Token(first_ + index, event);
  }
  void OnEnd(int index, AnswerEnd end) override { batch_->End(first_ + index, std::move(end)); }
  void OnFinish(const Usage& usage) override { batch_->Finish(usage); }
  void OnError(int http_status, const Status& status) override {
    batch_->Fail(http_status, status);
  }

 private:
  const std::shared_ptr<Batch> batch_;
  const int first_;
};

}  // namespace

void RunBatch(Generator& generator, std::vector<Generation> generations,
              const std::shared_ptr<Exchange>& exchange, std::shared_ptr<Sink> sink) {
  const auto batch = std::make_shared<Batch>(std::move(sink), generations.size());
  const std::weak_ptr<Batch> weak = batch;  // the sink has the exchange
  exchange->OnGone([weak] {
    if (const auto locked = weak.lock()) locked->Gone();
  });
  exchange->OnBehind([weak](bool behind) {
    if (const auto locked = weak.lock()) locked->Behind(behind);
  });
  int first = 0;
  for (Generation& generation : generations) {
    if (batch->failed()) break;
    const int n = generation.n;
    generator.Run(std::move(generation), std::make_shared<MemberExchange>(exchange, batch),
                  std::make_shared<MemberSink>(batch, first));
    first += n;
  }
}

}  // namespace gemma3n::server
