// /v1/chat/completions.
#include <memory>
#include <utility>

#include "server/api/openai.h"
#include "server/api/openai_chat_sinks.h"
#include "server/api/openai_content.h"
#include "server/api/openai_error.h"
#include "server/api/openai_options.h"
#include "server/api/openai_tools.h"

namespace gemma3n::server {
namespace {

// continue_final_message, vLLM's: the answer goes on after the words of the last message, an
// assistant's, which is then no turn of its own.
void ReadContinuation(const Fields& fields, Generation* generation) {
  bool goes_on = false;
  fields.Bool("continue_final_message", &goes_on);
  if (!goes_on || !fields.ok()) return;
  const Message last = std::move(generation->messages.back());
  generation->messages.pop_back();
  if (last.role != "assistant" || generation->messages.empty()) {
    return fields.Unexpected("continue_final_message", "a last message of the assistant");
  }
  for (const Part& part : last.parts) generation->answer_start += part.text;
}

void ReadChat(const ApiContext& context, const Fields& fields, Generation* generation,
              OpenAiReply* reply) {
  GenerationOptions& options = generation->options;
  fields.Integer("max_tokens", 1, kMostMaxTokens, &options.max_tokens);
  fields.Integer("max_completion_tokens", 1, kMostMaxTokens, &options.max_tokens);
  ReadSampling(fields, generation);
  ReadReply(fields, reply);
  fields.Bool("logprobs", &reply->logprobs);
  fields.Integer("top_logprobs", 0, 20, &reply->top_logprobs);
  if (fields.Has("top_logprobs") && !reply->logprobs) {
    fields.Unexpected("top_logprobs", "logprobs to be true beside it");
  }
  AskLogprobs(*reply, &options);
  ReadResponseFormat(fields.Object("response_format"), /*flat=*/false, &options);
  ReadOpenAiTools(fields, /*flat=*/false, generation);
  if (fields.Has("functions")) fields.Unexpected("functions", "\"tools\" in its place");
  generation->messages = ReadOpenAiMessages(fields, *context.media);
  ReadContinuation(fields, generation);
}

}  // namespace

void HandleChatCompletion(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  RequestBody body(exchange->request().body);
  const Fields& fields = body.fields();
  Generation generation;
  OpenAiReply reply;
  ReadModel(context, fields, &generation, &reply);
  ReadChat(context, fields, &generation, &reply);
  if (body.error()) return RespondOpenAiError(*exchange, *body.error());
  std::shared_ptr<Sink> sink;
  if (reply.stream) {
    sink = std::make_shared<ChatStreamSink>(context, exchange, reply, generation.n);
  } else {
    sink = std::make_shared<ChatSink>(context, exchange, reply, generation.n);
  }
  context.generator->Run(std::move(generation), std::move(exchange), std::move(sink));
}

}  // namespace gemma3n::server
