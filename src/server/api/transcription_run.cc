#include "server/api/transcription_run.h"

#include <chrono>
#include <span>
#include <utility>

#include "formats/json.h"
#include "server/api/event_stream.h"
#include "server/api/openai_error.h"

namespace gemma3n::server {
namespace {

constexpr size_t kClipsAtOnce = 4;
constexpr int64_t kMostTokens = 512;  // of 30 s; speech has fewer than 200
constexpr std::chrono::milliseconds kAgainAfter{500};
constexpr int kTooManyRequests = 429;

std::string InstructionFor(const AudioRequest& request) {
  std::string words = TranscriptionInstruction(request.task);
  if (!request.prompt.empty()) words += " Context: " + request.prompt;
  if (!request.keywords.empty()) words += " Words that may come up: " + request.keywords;
  return words;
}

}  // namespace

// What a clip's generation sees of the connection, which all clips share: the first two calls that
// it makes must not take the place of another clip's.
class TranscriptionRun::ClipExchange : public Exchange {
 public:
  explicit ClipExchange(std::shared_ptr<TranscriptionRun> run) : run_(std::move(run)) {}

  const HttpRequest& request() const override { return run_->exchange_->request(); }
  void OnGone(std::function<void()> gone) override {
    std::unique_lock lock(run_->mutex_);
    const bool already = run_->gone_;
    if (!already) run_->on_gone_.push_back(gone);
    lock.unlock();
    if (already) gone();
  }
  void OnBehind(std::function<void(bool)> behind) override {
    std::unique_lock lock(run_->mutex_);
    const bool already = run_->behind_;
    run_->on_behind_.push_back(behind);
    lock.unlock();
    if (already) behind(true);
  }
  // The sink answers, through the run.
  void Respond(int, std::string, std::string, Headers) override {}
  void Begin(int, std::string, Headers) override {}
  void Write(std::string) override {}
  void Finish() override {}

 private:
  std::shared_ptr<TranscriptionRun> run_;
};

class TranscriptionRun::ClipSink : public Sink {
 public:
  ClipSink(std::shared_ptr<TranscriptionRun> run, size_t index)
      : run_(std::move(run)), index_(index) {}

  void OnStart(int64_t) override {}
  void OnToken(int, const TokenEvent& event) override { run_->AddText(index_, event.text); }
  void OnEnd(int, AnswerEnd end) override { end_ = std::move(end); }
  void OnFinish(const Usage& usage) override { run_->EndClip(index_, std::move(end_), usage); }
  void OnError(int http_status, const Status& status) override {
    run_->FailClip(index_, http_status, status);
  }

 private:
  std::shared_ptr<TranscriptionRun> run_;
  size_t index_;
  AnswerEnd end_;
};

TranscriptionRun::TranscriptionRun(const ApiContext& context, std::shared_ptr<Exchange> exchange,
                                   AudioRequest request, ModelSize size)
    : context_(context),
      exchange_(std::move(exchange)),
      request_(std::move(request)),
      size_(std::move(size)),
      instruction_(InstructionFor(request_)) {}

void TranscriptionRun::Run() {
  const std::weak_ptr<TranscriptionRun> weak = weak_from_this();
  exchange_->OnGone([weak] {
    if (const auto run = weak.lock()) run->Gone();
  });
  exchange_->OnBehind([weak](bool behind) {
    if (const auto run = weak.lock()) run->Behind(behind);
  });
  Status status = Read();
  if (status.ok()) status = WaitFor(0);
  if (status.ok()) return Respond();
  CancelAll();
  std::unique_lock lock(mutex_);
  if (gone_) return;
  const int http_status = failure_.ok() ? HttpStatusOf(status) : failure_status_;
  lock.unlock();
  RespondError(http_status, status);
}

Status TranscriptionRun::Read() {
  const auto bytes = std::as_bytes(std::span(request_.file));
  G3N_ASSIGN_OR_RETURN(AudioReader reader,
                       AudioReader::Open(MediaInput::Memory(bytes, request_.filename)));
  return ForEachClip([&](std::vector<float>* samples) { return reader.Read(samples); },
                     kAudioWindowSeconds,
                     [&](ClipSplitter::Clip clip) { return Take(std::move(clip)); });
}

Status TranscriptionRun::Take(ClipSplitter::Clip clip) {
  G3N_RETURN_IF_ERROR(WaitFor(kClipsAtOnce - 1));
  auto next = std::make_unique<Clip>();
  next->result.begin = ClipBegin(clip);
  next->result.end = ClipEnd(clip);
  next->message = ClipMessage(std::move(clip.samples), instruction_);
  size_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    index = clips_.size();
    clips_.push_back(std::move(next));
  }
  Submit(index);
  return OkStatus();
}

void TranscriptionRun::Submit(size_t index) {
  const auto self = shared_from_this();
  std::unique_lock lock(mutex_);
  Generation generation = GenerationFor(clips_[index]->message);
  lock.unlock();
  context_.generator->Run(std::move(generation), std::make_shared<ClipExchange>(self),
                          std::make_shared<ClipSink>(self, index));
}

Generation TranscriptionRun::GenerationFor(Message message) const {
  Generation generation;
  generation.messages = {std::move(message)};
  generation.options.temperature = request_.temperature;
  generation.options.max_tokens = kMostTokens;
  const bool verbose = request_.format == AudioFormat::kVerboseJson;
  if (verbose || request_.logprobs) generation.options.top_logprobs = 0;
  generation.size = size_;
  return generation;
}

Status TranscriptionRun::WaitFor(size_t most) {
  std::unique_lock lock(mutex_);
  const auto over = [&] { return gone_ || !failure_.ok(); };
  while (true) {
    changed_.wait(lock,
                  [&] { return over() || !refused_.empty() || clips_.size() - ended_ <= most; });
    if (!over() && !refused_.empty()) changed_.wait_for(lock, kAgainAfter, over);
    if (gone_) return Status(StatusCode::kCancelled, "the client has gone");
    if (!failure_.ok()) return failure_;
    if (refused_.empty()) return OkStatus();
    const std::vector<size_t> again = std::exchange(refused_, {});
    lock.unlock();
    for (const size_t index : again) Submit(index);
    lock.lock();
  }
}

void TranscriptionRun::Respond() {
  const std::lock_guard lock(mutex_);
  std::vector<TranscribedClip> clips;
  for (const auto& clip : clips_) clips.push_back(std::move(clip->result));
  if (!request_.stream) {
    TranscriptBody body = Transcript(*context_.engine, request_, clips, usage_);
    return exchange_->Respond(200, std::move(body.content_type), std::move(body.text));
  }
  BeginStream();
  exchange_->Write("data: " + TranscriptDone(*context_.engine, request_, clips, text_, usage_) +
                   "\n\n");
  exchange_->Finish();
}

void TranscriptionRun::RespondError(int http_status, const Status& status) {
  const std::lock_guard lock(mutex_);
  const std::string_view code = OpenAiErrorCode(http_status, status);
  if (!streaming_) {
    return RespondOpenAiError(*exchange_, http_status, status.message(), "", code);
  }
  const Json error = OpenAiError(http_status, status.message(), "", code);
  exchange_->Write("data: " + DumpOrderedJson(error) + "\n\n");
  exchange_->Finish();
}

void TranscriptionRun::CancelAll() {
  std::unique_lock lock(mutex_);
  const auto cancels = std::exchange(on_gone_, {});
  lock.unlock();
  for (const auto& cancel : cancels) cancel();
}

void TranscriptionRun::Gone() {
  {
    const std::lock_guard lock(mutex_);
    gone_ = true;
  }
  changed_.notify_all();
  CancelAll();
}

void TranscriptionRun::Behind(bool behind) {
  std::unique_lock lock(mutex_);
  behind_ = behind;
  const auto tell = on_behind_;
  lock.unlock();
  for (const auto& one : tell) one(behind);
}

void TranscriptionRun::AddText(size_t index, std::string_view text) {
  const std::lock_guard lock(mutex_);
  clips_[index]->result.text += text;
  if (request_.stream && failure_.ok()) SendText();
}

void TranscriptionRun::EndClip(size_t index, AnswerEnd end, const Usage& usage) {
  {
    const std::lock_guard lock(mutex_);
    clips_[index]->result.result = std::move(end.outcome.result);
    clips_[index]->ended = true;
    clips_[index]->message = {};
    ++ended_;
    usage_.prompt_tokens += usage.prompt_tokens;
    usage_.cached_tokens += usage.cached_tokens;
    usage_.completion_tokens += usage.completion_tokens;
    if (request_.stream && failure_.ok()) SendText();
  }
  changed_.notify_all();
}

void TranscriptionRun::FailClip(size_t index, int http_status, const Status& status) {
  {
    const std::lock_guard lock(mutex_);
    // A full queue refuses a sound by its first clip; what has begun waits for its turn.
    if (http_status == kTooManyRequests && index > 0) {
      refused_.push_back(index);
    } else {
      Fail(http_status, status);
    }
  }
  changed_.notify_all();
}

void TranscriptionRun::Stop() {
  {
    const std::lock_guard lock(mutex_);
    Fail(503, Status(StatusCode::kCancelled, "the server is going down"));
  }
  changed_.notify_all();
}

void TranscriptionRun::Fail(int http_status, const Status& status) {
  if (!failure_.ok()) return;
  failure_ = status;
  failure_status_ = http_status;
}

void TranscriptionRun::SendText() {
  for (; head_ < clips_.size(); ++head_) {
    Clip& clip = *clips_[head_];
    const std::string_view rest = std::string_view(clip.result.text).substr(clip.sent);
    const std::string delta =
        text_.size() > 0 && clip.sent > 0 ? std::string(rest) : Continuation(text_, rest);
    if (!delta.empty()) {
      BeginStream();
      exchange_->Write("data: " + TranscriptDelta(delta) + "\n\n");
      text_ += delta;
      clip.sent = clip.result.text.size();
    }
    if (!clip.ended) return;
  }
}

void TranscriptionRun::BeginStream() {
  if (std::exchange(streaming_, true)) return;
  BeginPieces(*exchange_, "text/event-stream");
}

}  // namespace gemma3n::server
