// One sound on its way to a transcript: its clips go through the model a few at a time, and come
// out in their order.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/api/audio_answer.h"
#include "server/api/audio_request.h"
#include "server/api/context.h"
#include "server/http/exchange.h"

namespace gemma3n::server {

class TranscriptionRun : public std::enable_shared_from_this<TranscriptionRun> {
 public:
  // request.file lies in the exchange's request.
  TranscriptionRun(const ApiContext& context, std::shared_ptr<Exchange> exchange,
                   AudioRequest request, ModelSize size);

  // Answers the exchange; returns when it is answered, or its client has gone.
  void Run();
  // From another thread: Run ends soon, with an error for the client.
  void Stop();

 private:
  class ClipExchange;
  class ClipSink;

  struct Clip {
    TranscribedClip result;
    Message message;  // until it has ended
    size_t sent = 0;  // bytes of its text
    bool ended = false;
  };

  Status Read();
  Status Take(ClipSplitter::Clip clip);
  void Submit(size_t index);
  Generation GenerationFor(Message message) const;
  // Waits until at most `most` clips are in the making, and asks again for those that a full queue
  // refused. Errors: a clip's; kCancelled.
  Status WaitFor(size_t most);
  void Respond();
  void RespondError(int http_status, const Status& status);
  void CancelAll();

  // From other threads.
  void Gone();
  void Behind(bool behind);
  void AddText(size_t index, std::string_view text);
  void EndClip(size_t index, AnswerEnd end, const Usage& usage);
  void FailClip(size_t index, int http_status, const Status& status);

  // Under mutex_.
  void Fail(int http_status, const Status& status);
  void SendText();
  void BeginStream();

  const ApiContext context_;
  const std::shared_ptr<Exchange> exchange_;
  const AudioRequest request_;
  const ModelSize size_;
  const std::string instruction_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Clip>> clips_;
  std::vector<size_t> refused_;  // clips
  size_t ended_ = 0;             // clips
  size_t head_ = 0;              // the first clip whose text is not all sent
  Usage usage_;
  std::string text_;  // that was streamed
  bool streaming_ = false, gone_ = false, behind_ = false;
  Status failure_;
  int failure_status_ = 500;
  std::vector<std::function<void()>> on_gone_;
  std::vector<std::function<void(bool)>> on_behind_;
};

}  // namespace gemma3n::server
