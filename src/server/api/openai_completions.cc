// /v1/completions: texts continued as they stand, and scored (echo with logprobs), which is what
// lm-evaluation-harness asks for.
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <variant>

#include "server/api/generation_batch.h"
#include "server/api/openai.h"
#include "server/api/openai_completion_sinks.h"
#include "server/api/openai_error.h"
#include "server/api/openai_options.h"

namespace gemma3n::server {
namespace {

constexpr int64_t kDefaultMaxTokens = 16;  // OpenAI's
constexpr size_t kMostPrompts = 1024;
constexpr int kMostAnswers = 16;

using TokenIds = std::vector<int32_t>;
using CompletionPrompt = std::variant<std::string, TokenIds>;

bool IsIds(const Json& value) {
  if (!value.is_array() || value.empty()) return false;
  return std::all_of(value.begin(), value.end(), [](const Json& id) {
    return id.is_number_integer() && id >= 0 && id <= std::numeric_limits<int32_t>::max();
  });
}

// A string, a list of strings, ids, or a list of lists of ids.
std::vector<CompletionPrompt> ReadPrompts(const Fields& fields) {
  const char* expected = "a string, token ids, or a list of at most 1024 of either";
  const Json* value = fields.Find("prompt");
  std::vector<CompletionPrompt> prompts;
  const auto add = [&](const Json& one) {
    if (one.is_string()) {
      prompts.emplace_back(one.get<std::string>());
    } else if (IsIds(one)) {
      prompts.emplace_back(one.get<TokenIds>());
    } else {
      return false;
    }
    return true;
  };
  if (value == nullptr) {
    fields.Unexpected("prompt", expected);
  } else if (!add(*value)) {
    const bool list = value->is_array() && !value->empty() && value->size() <= kMostPrompts;
    if (!list || !std::all_of(value->begin(), value->end(), add)) {
      fields.Unexpected("prompt", expected);
    }
  }
  return prompts;
}

void ReadCompletion(const Fields& fields, Generation* generation, OpenAiReply* reply,
                    CompletionForm* form) {
  GenerationOptions& options = generation->options;
  options.max_tokens = kDefaultMaxTokens;
  fields.Integer("max_tokens", 0, kMostMaxTokens, &options.max_tokens);
  ReadSampling(fields, generation);
  ReadReply(fields, reply);
  ReadResponseFormat(fields.Object("response_format"), /*flat=*/false, &options);
  fields.Bool("echo", &form->echo);
  reply->logprobs = fields.Has("logprobs");
  fields.Integer("logprobs", 0, 20, &reply->top_logprobs);
  AskLogprobs(*reply, &options);
  if (const Json* suffix = fields.Find("suffix"); suffix != nullptr && *suffix != "") {
    fields.Unexpected("suffix", "none: the model does not fill in");
  }
  form->n = form->best_of = generation->n;
  fields.Integer("best_of", 1, kMostAnswers, &form->best_of);
  if (form->best_of < form->n) fields.Unexpected("best_of", "n or more");
  if (form->best_of > form->n && reply->stream) fields.Unexpected("best_of", "n with stream");
  if (form->best_of > form->n) options.top_logprobs = std::max(options.top_logprobs, 1);
  if (form->echo && reply->logprobs && reply->stream) {
    fields.Unexpected("echo", "false with logprobs in a stream");
  }
  generation->n = form->best_of;
  generation->prompt_logprobs = form->echo && reply->logprobs;
  // Who scores leaves out the one token that has to be made: there shall be one, also where the
  // text would end.
  if (generation->prompt_logprobs && options.max_tokens == 1) options.ignore_end_tokens = true;
}

// The Generation of each prompt, and what the form says of it.
std::vector<Generation> Generations(const ApiContext& context, const Generation& shared,
                                    std::vector<CompletionPrompt> prompts, CompletionForm* form) {
  std::vector<Generation> generations;
  for (CompletionPrompt& prompt : prompts) {
    Generation& g = generations.emplace_back(shared);
    if (auto* ids = std::get_if<TokenIds>(&prompt)) {
      form->prompts.push_back(context.engine->Detokenize(*ids, /*skip_special=*/false));
      form->hidden.push_back(0);
      g.tokens = std::move(*ids);
    } else {
      std::string& text = std::get<std::string>(prompt);
      form->prompts.push_back(text);
      form->hidden.push_back(text.starts_with("<bos>") ? 0 : 1);
      g.text = std::move(text);
    }
  }
  return generations;
}

}  // namespace

void HandleCompletion(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  RequestBody body(exchange->request().body);
  const Fields& fields = body.fields();
  Generation generation;
  OpenAiReply reply;
  CompletionForm form;
  ReadModel(context, fields, &generation, &reply);
  ReadCompletion(fields, &generation, &reply, &form);
  std::vector<CompletionPrompt> prompts = ReadPrompts(fields);
  if (body.error()) return RespondOpenAiError(*exchange, *body.error());
  std::vector<Generation> generations = Generations(context, generation, std::move(prompts), &form);
  std::shared_ptr<Sink> sink;
  if (reply.stream) {
    sink = std::make_shared<CompletionStreamSink>(context, exchange, reply, std::move(form));
  } else {
    sink = std::make_shared<CompletionSink>(context, exchange, reply, std::move(form));
  }
  if (generations.size() == 1) {
    return context.generator->Run(std::move(generations[0]), std::move(exchange), std::move(sink));
  }
  RunBatch(*context.generator, std::move(generations), exchange, std::move(sink));
}

}  // namespace gemma3n::server
