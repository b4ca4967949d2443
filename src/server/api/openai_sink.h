// What the sinks of OpenAI's APIs share: names, times, usage, errors, server-sent events.
#pragma once

#include <memory>
#include <string>

#include "server/api/context.h"
#include "server/api/openai_options.h"
#include "server/api/request_json.h"
#include "server/http/exchange.h"

namespace gemma3n::server {

class OpenAiSink : public Sink {
 public:
  // id_prefix: "chatcmpl-", ...; a random id follows.
  OpenAiSink(const ApiContext& context, std::shared_ptr<Exchange> exchange, OpenAiReply reply,
             const char* id_prefix);

  // Before a stream began, an HTTP error; after that, an event with it.
  void OnError(int http_status, const Status& status) override;

 protected:
  const ApiContext& context() const { return context_; }
  Exchange& exchange() const { return *exchange_; }
  const OpenAiReply& reply() const { return reply_; }
  const std::string& id() const { return id_; }
  int64_t created() const { return created_; }

  // id, object, created, model, system_fingerprint.
  Json Head(const char* object) const;
  static Json UsageJson(const Usage& usage);
  static const char* FinishReason(const AnswerEnd& end);

  void BeginStream();
  // data: JSON
  void Send(const Json& event);
  // data: [DONE], and the end.
  void EndStream();

 private:
  const ApiContext context_;
  const std::shared_ptr<Exchange> exchange_;
  const OpenAiReply reply_;
  const std::string id_;
  const int64_t created_;
  bool streaming_ = false;
};

// "fp_" and a name for what decides, besides the seed, what an answer is: the same for the same
// model, kernels and version.
std::string SystemFingerprint(const ApiContext& context);

}  // namespace gemma3n::server
