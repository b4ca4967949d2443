// What every API asks of the model, in one form, and how the answer comes back: an API file turns
// its JSON into a Generation and implements a Sink that turns events into its JSON.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "chat/tools.h"
#include "gemma3n/content.h"
#include "gemma3n/options.h"
#include "gemma3n/scheduler.h"
#include "gemma3n/session.h"
#include "server/http/exchange.h"

namespace gemma3n {
class Engine;
}

namespace gemma3n::server {

// A function that the model may call: name, description, parameters (JSON Schema; empty: none).
using Tool = FunctionSpec;

struct ToolChoice {
  enum class Kind { kAuto, kNone, kRequired, kNamed };
  Kind kind = Kind::kAuto;
  std::string name;      // kNamed
  bool parallel = true;  // more than one call in an answer
};

struct ToolCall {
  std::string id, name;
  std::string arguments;  // a JSON object
};

struct Generation {
  // A conversation, or a text as it stands, or ids. Special tokens' texts in a conversation are
  // read as words; in a text they are special tokens, and <bos> comes in front unless it is there.
  std::vector<Message> messages;
  std::string answer_start;  // of a conversation: words that the answer goes on after
  std::optional<std::string> text;
  std::vector<Part> text_media;  // pictures and clips for the text's placeholders
  std::optional<std::vector<int32_t>> tokens;

  GenerationOptions options;
  MediaOptions media;
  ModelSize size;
  int n = 1;  // answers; with a seed, answer i has seed + i
  bool prompt_logprobs = false;
  std::vector<Tool> tools;
  ToolChoice tool_choice;
};

struct Usage {
  int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
};

// One answer's end.
struct AnswerEnd {
  StopReason reason = StopReason::kEndToken;
  std::string stop_string;           // the one that was found, with kStopString
  std::vector<ToolCall> tool_calls;  // not empty: the answer is calls
  RequestOutcome outcome;            // status OK
};

// Events of one Generation, one at a time, in order, from the scheduler's thread or (OnStart,
// OnError) from the caller's of Run. None may block.
class Sink {
 public:
  virtual ~Sink() = default;
  // The prompt was read and queued: n answers will follow.
  virtual void OnStart(int64_t prompt_tokens) = 0;
  // index: of the answer, 0 .. n - 1. Text that may belong to a tool call is held back until it is
  // certain that it does not.
  virtual void OnToken(int index, const TokenEvent& event) = 0;
  virtual void OnEnd(int index, AnswerEnd end) = 0;
  // After the last OnEnd.
  virtual void OnFinish(const Usage& usage) = 0;
  // Instead of what would have come: nothing follows. http_status: 400, 413, 429, 503, ...
  virtual void OnError(int http_status, const Status& status) = 0;
};

// Runs Generations. One for the server; thread-safe. Abstract so that the APIs can be tested
// without a model.
class Generator {
 public:
  virtual ~Generator() = default;

  // Reads media, renders the prompt with its tools, queues n requests, parses tool calls, cancels
  // when the client goes, pauses when it is behind. Returns when the prompt was read and queued
  // (media may take seconds: call it from a worker), or after OnError. Takes the exchange's OnGone
  // and OnBehind.
  virtual void Run(Generation generation, std::shared_ptr<Exchange> exchange,
                   std::shared_ptr<Sink> sink) = 0;

  // The prompt alone, as Run would read it. Errors: as Engine::ChatPrompt's and TextPrompt's.
  virtual Result<Prompt> ReadPrompt(Generation generation) = 0;
};

struct GeneratorOptions {
  double timeout_seconds = 0;  // for one answer, waiting included; 0: none
  int64_t context = 0;  // most tokens of a prompt and its answer, for videos to fit; 0: the model's
};

// The engine's. `scheduler` must outlive it.
std::unique_ptr<Generator> MakeGenerator(std::shared_ptr<const Engine> engine, Scheduler& scheduler,
                                         const GeneratorOptions& options = {});

// What an HTTP answer's status says about a failure of a Generation: 400 for what the client can
// mend, 429 for a full queue, 503 for no memory or a server that is going down, 504 for a time
// limit, 500.
int HttpStatusOf(const Status& status);

}  // namespace gemma3n::server
