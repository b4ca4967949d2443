// Answers of /v1/responses: as one document, and as a stream of named events.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/api/openai_sink.h"
#include "server/api/response_store.h"

namespace gemma3n::server {

struct ResponsesForm {
  Json echoed;  // the request's fields that a response repeats
  StoredConversation conversation;
  std::shared_ptr<ResponseStore> store;  // null: it is not to be kept
};

class ResponsesSink : public OpenAiSink {
 public:
  ResponsesSink(const ApiContext& context, std::shared_ptr<Exchange> exchange, OpenAiReply reply,
                ResponsesForm form)
      : OpenAiSink(context, std::move(exchange), std::move(reply), "resp_"),
        form_(std::move(form)) {}

  void OnStart(int64_t prompt_tokens) override;
  void OnToken(int index, const TokenEvent& event) override;
  void OnEnd(int index, AnswerEnd end) override;
  void OnFinish(const Usage& usage) override;
  void OnError(int http_status, const Status& status) override;

 private:
  // The response as it is so far.
  Json Response(const char* status) const;
  Json TextPart() const;
  Json MessageItem(const char* status) const;
  // event: TYPE, data: fields with the type and a number
  void Event(const char* type, Json fields);
  // The fields that name the text's place.
  Json TextPlace() const;
  void OpenMessage();
  void CloseMessage();
  void AddCall(const ToolCall& call);
  void Keep(const Json& response);

  ResponsesForm form_;
  int64_t events_ = 0;
  bool cut_ = false;
  std::string message_id_;  // empty: there is no message (yet)
  std::string text_;
  Json logprobs_ = Json::array();
  std::vector<ToolCall> calls_;
  Json output_ = Json::array();  // what is complete
};

}  // namespace gemma3n::server
