// /tokenize, /detokenize, /tokenizer_info: vLLM's, with which lm-evaluation-harness needs no
// tokenizer of its own.
#include <algorithm>
#include <limits>
#include <memory>

#include "server/api/openai.h"
#include "server/api/openai_content.h"
#include "server/api/openai_error.h"
#include "server/api/openai_logprobs.h"
#include "server/api/request_json.h"

namespace gemma3n::server {
namespace {

void RespondFailure(Exchange& exchange, const Status& status) {
  RespondOpenAiError(exchange, HttpStatusOf(status), status.message());
}

// A text, or a conversation as the model reads it.
Result<std::vector<int32_t>> Tokens(const ApiContext& context, const RequestBody& body) {
  const Fields& fields = body.fields();
  if (fields.Has("messages")) {
    Generation generation;
    generation.messages = ReadOpenAiMessages(fields, *context.media);
    if (body.error()) return body.error()->status;
    G3N_ASSIGN_OR_RETURN(Prompt prompt, context.generator->ReadPrompt(std::move(generation)));
    return std::move(prompt.tokens);
  }
  const std::string text = fields.NeedString("prompt");
  bool add_bos = true;
  fields.Bool("add_special_tokens", &add_bos);
  if (body.error()) return body.error()->status;
  return context.engine->Tokenize(text, add_bos);
}

}  // namespace

void HandleTokenize(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  RequestBody body(exchange->request().body);
  const Fields& fields = body.fields();
  bool texts = false;
  fields.Bool("return_token_strs", &texts);
  const Result<std::vector<int32_t>> tokens = Tokens(context, body);
  if (body.error()) return RespondOpenAiError(*exchange, *body.error());
  if (!tokens.ok()) return RespondFailure(*exchange, tokens.status());
  Json strings;
  if (texts) {
    strings = Json::array();
    for (const int32_t token : *tokens) strings.push_back(TokenTextOf(*context.engine, token));
  }
  RespondJson(*exchange, {{"count", tokens->size()},
                          {"max_model_len", context.tokens},
                          {"tokens", *tokens},
                          {"token_strs", std::move(strings)}});
}

void HandleDetokenize(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  RequestBody body(exchange->request().body);
  const Fields& fields = body.fields();
  std::vector<int32_t> tokens;
  for (const Json& id : fields.List("tokens", std::numeric_limits<size_t>::max())) {
    if (!id.is_number_integer() || id < 0 || id > std::numeric_limits<int32_t>::max()) {
      fields.Unexpected("tokens", "a list of token ids");
      break;
    }
    tokens.push_back(id.get<int32_t>());
  }
  if (!fields.Has("tokens")) fields.Unexpected("tokens", "a list of token ids");
  if (body.error()) return RespondOpenAiError(*exchange, *body.error());
  RespondJson(*exchange, {{"prompt", context.engine->Detokenize(tokens, /*skip_special=*/false)}});
}

void HandleTokenizerInfo(const ApiContext& context, std::shared_ptr<Exchange> exchange) {
  Json info = {{"tokenizer_class", "GemmaTokenizer"}, {"model_max_length", context.tokens}};
  // Those that the vocabulary has.
  for (const auto& [key, text] : {std::pair{"bos_token", "<bos>"}, std::pair{"eos_token", "<eos>"},
                                  std::pair{"pad_token", "<pad>"}}) {
    const auto ids = context.engine->Tokenize(text, /*add_bos=*/false);
    info[key] = ids.ok() && ids->size() == 1 ? Json(text) : Json();
  }
  RespondJson(*exchange, info);
}

}  // namespace gemma3n::server
