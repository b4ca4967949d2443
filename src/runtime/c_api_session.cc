// The C API's sessions: options of both kinds, generation, scoring.
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/c_api_support.h"

namespace gemma3n {
namespace {

using namespace internal;  // NOLINT

static_assert(GEMMA3N_STOP_CANCELLED == static_cast<int>(StopReason::kCancelled));

static_assert(GEMMA3N_KV_AUTO == static_cast<int>(KvType::kAuto));
static_assert(GEMMA3N_KV_FLOAT32 == static_cast<int>(KvType::kFloat32));
static_assert(GEMMA3N_KV_FLOAT16 == static_cast<int>(KvType::kFloat16));
static_assert(GEMMA3N_KV_INT8 == static_cast<int>(KvType::kInt8));

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
  c.draft_tokens = options.draft_tokens;
  return c;
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
  out.draft_tokens = c.draft_tokens;
  if (c.json_schema != nullptr) out.json_schema = c.json_schema;
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
  c.drafted_tokens = result.stats.drafted_tokens;
  c.accepted_tokens = result.stats.accepted_tokens;
  return c;
}

Result<SessionOptions> ToSessionOptions(const Engine& engine,
                                        const gemma3n_session_options* given) {
  gemma3n_session_options c;
  G3N_RETURN_IF_ERROR(Import(given, SessionDefaults(), c));
  G3N_RETURN_IF_ERROR(CheckArray(c.mlp_widths, c.mlp_width_count, "mlp_widths"));
  G3N_RETURN_IF_ERROR(CheckArray(c.skip_layers, c.skip_layer_count, "skip_layers"));
  if (c.kv_type < GEMMA3N_KV_AUTO || c.kv_type > GEMMA3N_KV_INT8) {
    return Error(StatusCode::kInvalidArgument, "kv_type: expected {} to {}, found {}",
                 int{GEMMA3N_KV_AUTO}, int{GEMMA3N_KV_INT8}, c.kv_type);
  }
  SessionOptions options;
  options.context = c.context;
  options.kv_type = static_cast<KvType>(c.kv_type);
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

Status Generate(gemma3n_session* session, const Prompt& prompt,
                const gemma3n_generation_options* given, gemma3n_on_token on_token,
                gemma3n_on_prefill on_prefill, void* user, gemma3n_generation_result* result) {
  if (session == nullptr) return Missing("session");
  GenerationOptions options;
  G3N_RETURN_IF_ERROR(ToGenerationOptions(given, options));
  Session::OnPrefill prefill;
  if (on_prefill != nullptr) {
    prefill = [&](int64_t done, int64_t total) { return on_prefill(user, done, total) != 0; };
  }
  G3N_ASSIGN_OR_RETURN(
      const GenerationResult generated,
      session->session->Generate(prompt, options, TokenCallback(on_token, user), prefill));
  if (result != nullptr) Export(ToResult(generated), result->size, result);
  return OkStatus();
}

Status Score(gemma3n_session* session, const Prompt& prompt, gemma3n_on_logits on_logits,
             void* user) {
  if (session == nullptr) return Missing("session");
  if (on_logits == nullptr) return Missing("on_logits");
  return session->session->Score(prompt, [&](int64_t position, std::span<const float> logits) {
    return on_logits(user, position, logits.data(), logits.size()) != 0;
  });
}

}  // namespace
}  // namespace gemma3n

using namespace gemma3n;            // NOLINT: this file is the C names' implementation
using namespace gemma3n::internal;  // NOLINT

extern "C" {

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
                                const gemma3n_generation_options* options,
                                gemma3n_on_token on_token, gemma3n_on_prefill on_prefill,
                                void* user, gemma3n_generation_result* result,
                                gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    G3N_RETURN_IF_ERROR(CheckArray(tokens, count, "tokens"));
    return Generate(session, std::vector<int32_t>(tokens, tokens + count), options, on_token,
                    on_prefill, user, result);
  });
}

gemma3n_status gemma3n_generate_prompt(gemma3n_session* session, const gemma3n_prompt* prompt,
                                       const gemma3n_generation_options* options,
                                       gemma3n_on_token on_token, gemma3n_on_prefill on_prefill,
                                       void* user, gemma3n_generation_result* result,
                                       gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (prompt == nullptr) return Missing("prompt");
    return Generate(session, prompt->prompt, options, on_token, on_prefill, user, result);
  });
}

gemma3n_status gemma3n_score(gemma3n_session* session, const int32_t* tokens, size_t count,
                             gemma3n_on_logits on_logits, void* user, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    G3N_RETURN_IF_ERROR(CheckArray(tokens, count, "tokens"));
    return Score(session, std::vector<int32_t>(tokens, tokens + count), on_logits, user);
  });
}

gemma3n_status gemma3n_score_prompt(gemma3n_session* session, const gemma3n_prompt* prompt,
                                    gemma3n_on_logits on_logits, void* user, gemma3n_error* error) {
  return Call(error, [&]() -> Status {
    if (prompt == nullptr) return Missing("prompt");
    return Score(session, prompt->prompt, on_logits, user);
  });
}

}  // extern "C"
