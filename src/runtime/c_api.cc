#include "gemma3n/c_api.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/result.h"
#include "gemma3n/engine.h"
#include "gemma3n/session.h"
#include "gemma3n/version.h"
#include "runtime/guard.h"

struct gemma3n_engine {
  std::shared_ptr<const gemma3n::Engine> engine;
};
struct gemma3n_session {
  std::unique_ptr<gemma3n::Session> session;
};
struct gemma3n_chat {
  std::vector<gemma3n::Message> messages;
};

namespace gemma3n {
namespace {

static_assert(GEMMA3N_INTERNAL == static_cast<int>(StatusCode::kInternal));
static_assert(GEMMA3N_RESOURCE_EXHAUSTED == static_cast<int>(StatusCode::kResourceExhausted));
static_assert(GEMMA3N_STOP_CANCELLED == static_cast<int>(StopReason::kCancelled));

void CopyMessage(const char* message, gemma3n_error* error) {
  if (error == nullptr) return;
  const size_t length = std::min(std::strlen(message), sizeof(error->message) - 1);
  std::memcpy(error->message, message, length);
  error->message[length] = '\0';
}

// Runs a body that returns a Status; nothing is thrown past here.
template <typename Body>
gemma3n_status Call(gemma3n_error* error, const Body& body) noexcept {
  if (error != nullptr) error->message[0] = '\0';
  try {
    const Status status = Guard([&]() -> Status { return body(); });
    if (!status.ok()) CopyMessage(status.message().c_str(), error);
    return static_cast<gemma3n_status>(status.code());
  } catch (...) {  // something that is no std::exception, or no memory to describe one
    CopyMessage("unexpected exception", error);
    return GEMMA3N_INTERNAL;
  }
}

Status Missing(const char* what) {
  return Error(StatusCode::kInvalidArgument, "{}: expected a pointer, found NULL", what);
}

// An option struct of any version: the fields that the caller's header knew, over our defaults.
template <typename Options>
Status Import(const Options* given, Options defaults, Options& out) {
  out = defaults;
  if (given == nullptr) return OkStatus();
  if (given->size < sizeof(size_t)) {
    return Error(StatusCode::kInvalidArgument,
                 "options: expected a size set by the _init function, found {}", given->size);
  }
  std::memcpy(static_cast<void*>(&out), given, std::min(given->size, sizeof(Options)));
  return OkStatus();
}

// The reverse: as much of `value` as the caller's struct of `size` bytes has room for.
template <typename Struct>
void Export(Struct value, size_t size, Struct* out) {
  value.size = size;
  std::memcpy(static_cast<void*>(out), &value, std::min(size, sizeof(Struct)));
}

gemma3n_engine_options EngineDefaults() {
  const EngineOptions options;
  gemma3n_engine_options c{};
  c.size = sizeof(c);
  c.threads = options.threads;
  c.prefill_chunk = options.prefill_chunk;
  c.prefill_skip = options.prefill_skip ? 1 : 0;
  return c;
}

gemma3n_session_options SessionDefaults() {
  gemma3n_session_options c{};
  c.size = sizeof(c);
  return c;
}

gemma3n_generation_options GenerationDefaultsC() {
  const GenerationOptions options;
  gemma3n_generation_options c{};
  c.size = sizeof(c);
  c.temperature = -1;
  c.top_k = -1;
  c.top_p = -1;
  c.min_p = options.min_p;
  c.repetition_penalty = options.repetition_penalty;
  c.presence_penalty = options.presence_penalty;
  c.frequency_penalty = options.frequency_penalty;
  c.max_tokens = options.max_tokens;
  c.top_logprobs = options.top_logprobs;
  return c;
}

template <typename T>
Status CheckArray(const T* data, size_t count, const char* what) {
  return data == nullptr && count > 0 ? Missing(what) : OkStatus();
}

Status ToGenerationOptions(const gemma3n_generation_options* given, GenerationOptions& out) {
  gemma3n_generation_options c;
  G3N_RETURN_IF_ERROR(Import(given, GenerationDefaultsC(), c));
  G3N_RETURN_IF_ERROR(CheckArray(c.logit_bias, c.logit_bias_count, "logit_bias"));
  G3N_RETURN_IF_ERROR(CheckArray(c.stop, c.stop_count, "stop"));
  G3N_RETURN_IF_ERROR(CheckArray(c.stop_tokens, c.stop_token_count, "stop_tokens"));
  if (c.temperature >= 0) out.temperature = c.temperature;
  if (c.top_k >= 0) out.top_k = c.top_k;
  if (c.top_p >= 0) out.top_p = c.top_p;
  out.min_p = c.min_p;
  out.repetition_penalty = c.repetition_penalty;
  out.presence_penalty = c.presence_penalty;
  out.frequency_penalty = c.frequency_penalty;
  for (size_t i = 0; i < c.logit_bias_count; ++i)
    out.logit_bias[c.logit_bias[i].token] = c.logit_bias[i].bias;
  if (c.has_seed != 0) out.seed = c.seed;
  out.max_tokens = c.max_tokens;
  for (size_t i = 0; i < c.stop_count; ++i) {
    if (c.stop[i] == nullptr) return Missing("stop");
    out.stop.emplace_back(c.stop[i]);
  }
  out.stop_tokens.assign(c.stop_tokens, c.stop_tokens + c.stop_token_count);
  out.ignore_end_tokens = c.ignore_end_tokens != 0;
  out.top_logprobs = c.top_logprobs;
  return OkStatus();
}

// Ids into the caller's array.
Status CopyTokens(const std::vector<int32_t>& ids, int32_t* tokens, size_t capacity,
                  size_t* count) {
  if (count != nullptr) *count = ids.size();
  if (capacity < ids.size()) {
    return Error(StatusCode::kOutOfRange, "tokens: expected room for {}, found {}", ids.size(),
                 capacity);
  }
  if (tokens == nullptr && !ids.empty()) return Missing("tokens");
  std::copy(ids.begin(), ids.end(), tokens);
  return OkStatus();
}

Session::OnToken TokenCallback(gemma3n_on_token on_token, void* user) {
  if (on_token == nullptr) return {};
  return [on_token, user, text = std::string(),
          top = std::vector<gemma3n_logprob>()](const TokenEvent& event) mutable {
    text = event.text;  // terminated for C
    top.clear();
    for (const TokenLogprob& t : event.top) top.push_back({t.token, t.logprob});
    const gemma3n_token_event c{event.token,   text.c_str(), text.size(),
                                event.logprob, top.data(),   top.size()};
    return on_token(user, &c) != 0;
  };
}

gemma3n_generation_result ToResult(const GenerationResult& result) {
  gemma3n_generation_result c{};
  c.reason = static_cast<gemma3n_stop_reason>(result.reason);
  c.prompt_tokens = result.stats.prompt_tokens;
  c.cached_tokens = result.stats.cached_tokens;
  c.generated_tokens = result.stats.generated_tokens;
  c.prefill_seconds = result.stats.prefill_seconds;
  c.first_token_seconds = result.stats.first_token_seconds;
  c.decode_seconds = result.stats.decode_seconds;
  return c;
}

Result<SessionOptions> ToSessionOptions(const Engine& engine,
                                        const gemma3n_session_options* given) {
  gemma3n_session_options c;
  G3N_RETURN_IF_ERROR(Import(given, SessionDefaults(), c));
  G3N_RETURN_IF_ERROR(CheckArray(c.mlp_widths, c.mlp_width_count, "mlp_widths"));
  G3N_RETURN_IF_ERROR(CheckArray(c.skip_layers, c.skip_layer_count, "skip_layers"));
  SessionOptions options;
  options.context = c.context;
  options.size.mlp_widths.assign(c.mlp_widths, c.mlp_widths + c.mlp_width_count);
  options.size.skip_layers.assign(c.skip_layers, c.skip_layers + c.skip_layer_count);
  if (c.model_size != nullptr) {
    if (!options.size.full()) {
      return Error(StatusCode::kInvalidArgument,
                   "model_size: expected it alone, found mlp_widths or skip_layers too");
    }
    G3N_ASSIGN_OR_RETURN(options.size, engine.NamedSize(c.model_size));
  }
  return options;
}

}  // namespace
}  // namespace gemma3n

using namespace gemma3n;  // NOLINT: this file is the C names' implementation

extern "C" {

const char* gemma3n_version(void) { return GEMMA3N_VERSION; }

const char* gemma3n_status_name(gemma3n_status status) {
  return StatusCodeName(static_cast<StatusCode>(status));
}

const char* gemma3n_stop_reason_name(gemma3n_stop_reason reason) {
  return StopReasonName(static_cast<StopReason>(reason));
}

void gemma3n_engine_options_init(gemma3n_engine_options* options, size_t size) {
  if (options != nullptr) Export(EngineDefaults(), size, options);
}

gemma3n_status gemma3n_engine_load(const gemma3n_engine_options* given, gemma3n_engine** engine,
                                   gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (engine == nullptr) return Missing("engine");
    *engine = nullptr;
    gemma3n_engine_options c;
    G3N_RETURN_IF_ERROR(Import(given, EngineDefaults(), c));
    EngineOptions options;
    if (c.model != nullptr) options.model = c.model;
    if (c.tokenizer != nullptr) options.tokenizer = c.tokenizer;
    if (c.chat_template != nullptr) options.chat_template = c.chat_template;
    options.threads = c.threads;
    options.prefill_chunk = c.prefill_chunk;
    options.prefill_skip = c.prefill_skip != 0;
    if (c.on_progress != nullptr) {
      options.on_progress = [report = c.on_progress, user = c.user](double fraction) {
        report(user, fraction);
      };
    }
    G3N_ASSIGN_OR_RETURN(auto loaded, Engine::Load(options));
    *engine = new gemma3n_engine{std::move(loaded)};
    return OkStatus();
  });
}

void gemma3n_engine_free(gemma3n_engine* engine) { delete engine; }

gemma3n_status gemma3n_engine_get_info(const gemma3n_engine* engine, gemma3n_engine_info* info,
                                       gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (engine == nullptr) return Missing("engine");
    if (info == nullptr) return Missing("info");
    const ModelInfo& from = engine->engine->info();
    gemma3n_engine_info c{};
    c.layers = from.layers;
    c.hidden_size = from.hidden_size;
    c.vocab_size = from.vocab_size;
    c.context = from.context;
    c.threads = from.threads;
    c.load_seconds = from.load_seconds;
    Export(c, info->size, info);
    return OkStatus();
  });
}

gemma3n_status gemma3n_tokenize(const gemma3n_engine* engine, const char* text, size_t text_length,
                                int add_bos, int32_t* tokens, size_t capacity, size_t* count,
                                gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (engine == nullptr) return Missing("engine");
    G3N_RETURN_IF_ERROR(CheckArray(text, text_length, "text"));
    const std::string_view words(text, text_length);
    G3N_ASSIGN_OR_RETURN(const auto ids, engine->engine->Tokenize(words, add_bos != 0));
    return CopyTokens(ids, tokens, capacity, count);
  });
}

gemma3n_status gemma3n_detokenize(const gemma3n_engine* engine, const int32_t* tokens, size_t count,
                                  int skip_special, char* text, size_t capacity, size_t* length,
                                  gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (engine == nullptr) return Missing("engine");
    G3N_RETURN_IF_ERROR(CheckArray(tokens, count, "tokens"));
    const std::string words = engine->engine->Detokenize({tokens, count}, skip_special != 0);
    if (length != nullptr) *length = words.size();
    if (capacity < words.size() + 1) {
      return Error(StatusCode::kOutOfRange, "text: expected room for {} bytes, found {}",
                   words.size() + 1, capacity);
    }
    if (text == nullptr) return Missing("text");
    std::memcpy(text, words.c_str(), words.size() + 1);
    return OkStatus();
  });
}

gemma3n_status gemma3n_chat_create(gemma3n_chat** chat, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (chat == nullptr) return Missing("chat");
    *chat = nullptr;
    *chat = new gemma3n_chat;
    return OkStatus();
  });
}

void gemma3n_chat_free(gemma3n_chat* chat) { delete chat; }

gemma3n_status gemma3n_chat_add(gemma3n_chat* chat, const char* role, const char* text,
                                gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (chat == nullptr) return Missing("chat");
    if (role == nullptr) return Missing("role");
    if (text == nullptr) return Missing("text");
    chat->messages.push_back(Message::Text(role, text));
    return OkStatus();
  });
}

gemma3n_status gemma3n_chat_prompt(const gemma3n_engine* engine, const gemma3n_chat* chat,
                                   int32_t* tokens, size_t capacity, size_t* count,
                                   gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (engine == nullptr) return Missing("engine");
    if (chat == nullptr) return Missing("chat");
    G3N_ASSIGN_OR_RETURN(const Prompt prompt, engine->engine->ChatPrompt(chat->messages));
    return CopyTokens(prompt.tokens, tokens, capacity, count);
  });
}

void gemma3n_session_options_init(gemma3n_session_options* options, size_t size) {
  if (options != nullptr) Export(SessionDefaults(), size, options);
}

gemma3n_status gemma3n_session_create(const gemma3n_engine* engine,
                                      const gemma3n_session_options* given,
                                      gemma3n_session** session, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (engine == nullptr) return Missing("engine");
    if (session == nullptr) return Missing("session");
    *session = nullptr;
    G3N_ASSIGN_OR_RETURN(const SessionOptions options, ToSessionOptions(*engine->engine, given));
    G3N_ASSIGN_OR_RETURN(auto created, engine->engine->NewSession(options));
    *session = new gemma3n_session{std::move(created)};
    return OkStatus();
  });
}

void gemma3n_session_free(gemma3n_session* session) { delete session; }

void gemma3n_session_reset(gemma3n_session* session) {
  if (session != nullptr) session->session->Reset();
}

const int32_t* gemma3n_session_tokens(const gemma3n_session* session, size_t* count) {
  const std::span<const int32_t> tokens =
      session != nullptr ? session->session->tokens() : std::span<const int32_t>();
  if (count != nullptr) *count = tokens.size();
  return tokens.data();
}

void gemma3n_generation_options_init(gemma3n_generation_options* options, size_t size) {
  if (options != nullptr) Export(GenerationDefaultsC(), size, options);
}

gemma3n_status gemma3n_generate(gemma3n_session* session, const int32_t* tokens, size_t count,
                                const gemma3n_generation_options* given, gemma3n_on_token on_token,
                                gemma3n_on_prefill on_prefill, void* user,
                                gemma3n_generation_result* result, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (session == nullptr) return Missing("session");
    G3N_RETURN_IF_ERROR(CheckArray(tokens, count, "tokens"));
    GenerationOptions options;
    G3N_RETURN_IF_ERROR(ToGenerationOptions(given, options));
    Session::OnPrefill prefill;
    if (on_prefill != nullptr) {
      prefill = [&](int64_t done, int64_t total) { return on_prefill(user, done, total) != 0; };
    }
    G3N_ASSIGN_OR_RETURN(
        const GenerationResult generated,
        session->session->Generate(std::vector<int32_t>(tokens, tokens + count), options,
                                   TokenCallback(on_token, user), prefill));
    if (result != nullptr) Export(ToResult(generated), result->size, result);
    return OkStatus();
  });
}

gemma3n_status gemma3n_score(gemma3n_session* session, const int32_t* tokens, size_t count,
                             gemma3n_on_logits on_logits, void* user, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (session == nullptr) return Missing("session");
    if (on_logits == nullptr) return Missing("on_logits");
    G3N_RETURN_IF_ERROR(CheckArray(tokens, count, "tokens"));
    return session->session->Score(std::vector<int32_t>(tokens, tokens + count),
                                   [&](int64_t position, std::span<const float> logits) {
                                     return on_logits(user, position, logits.data(),
                                                      logits.size()) != 0;
                                   });
  });
}

}  // extern "C"
