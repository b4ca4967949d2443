#include "server/measured_generator.h"

#include <chrono>
#include <vector>

namespace gemma3n::server {
namespace {

using Clock = std::chrono::steady_clock;

class MeasuredSink : public Sink {
 public:
  MeasuredSink(std::shared_ptr<Sink> inner, int answers, Metrics& metrics)
      : inner_(std::move(inner)), metrics_(metrics), last_(answers, start_), begun_(answers) {}

  void OnStart(int64_t prompt_tokens) override { inner_->OnStart(prompt_tokens); }
  void OnToken(int index, const TokenEvent& event) override {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - last_[index]).count();
    (begun_[index] ? metrics_.token_gap_seconds : metrics_.first_token_seconds).Observe(seconds);
    last_[index] = now;
    begun_[index] = true;
    inner_->OnToken(index, event);
  }
  void OnEnd(int index, AnswerEnd end) override { inner_->OnEnd(index, std::move(end)); }
  void OnFinish(const Usage& usage) override { inner_->OnFinish(usage); }
  void OnError(int http_status, const Status& status) override {
    inner_->OnError(http_status, status);
  }

 private:
  const std::shared_ptr<Sink> inner_;
  Metrics& metrics_;
  const Clock::time_point start_ = Clock::now();
  std::vector<Clock::time_point> last_;  // of each answer: its last token, or the start
  std::vector<bool> begun_;
};

}  // namespace

void MeasuredGenerator::Run(Generation generation, std::shared_ptr<Exchange> exchange,
                            std::shared_ptr<Sink> sink) {
  auto measured = std::make_shared<MeasuredSink>(std::move(sink), generation.n, metrics_);
  inner_->Run(std::move(generation), std::move(exchange), std::move(measured));
}

}  // namespace gemma3n::server
