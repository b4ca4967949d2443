// The C API's names, engines and tokenizers.
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "gemma3n/version.h"
#include "runtime/c_api_support.h"

namespace gemma3n {
namespace {

static_assert(GEMMA3N_INTERNAL == static_cast<int>(StatusCode::kInternal));
static_assert(GEMMA3N_RESOURCE_EXHAUSTED == static_cast<int>(StatusCode::kResourceExhausted));
static_assert(GEMMA3N_PRECISION_AUTO == static_cast<int>(MediaPrecision::kAuto));
static_assert(GEMMA3N_PRECISION_FLOAT32 == static_cast<int>(MediaPrecision::kFloat32));
static_assert(GEMMA3N_PRECISION_BFLOAT16 == static_cast<int>(MediaPrecision::kBFloat16));
static_assert(GEMMA3N_PRECISION_INT8 == static_cast<int>(MediaPrecision::kInt8));
static_assert(GEMMA3N_PRECISION_AUTO == static_cast<int>(Precision::kAuto));
static_assert(GEMMA3N_PRECISION_FLOAT32 == static_cast<int>(Precision::kFloat32));

using namespace internal;  // NOLINT

gemma3n_engine_options EngineDefaults() {
  const EngineOptions options;
  gemma3n_engine_options c{};
  c.size = sizeof(c);
  c.threads = options.threads;
  c.prefill_chunk = options.prefill_chunk;
  c.huge_pages = options.huge_pages ? 1 : 0;
  c.prefill_skip = options.prefill_skip ? 1 : 0;
  c.precision = static_cast<int>(options.precision);
  c.media_precision = static_cast<int>(options.media_precision);
  c.media_cache_bytes = options.media_cache_bytes;
  return c;
}

Result<EngineOptions> ToEngineOptions(const gemma3n_engine_options* given) {
  gemma3n_engine_options c;
  G3N_RETURN_IF_ERROR(Import(given, EngineDefaults(), c));
  if (c.media_precision < GEMMA3N_PRECISION_AUTO || c.media_precision > GEMMA3N_PRECISION_INT8) {
    return Error(StatusCode::kInvalidArgument, "media_precision: expected {} to {}, found {}",
                 int{GEMMA3N_PRECISION_AUTO}, int{GEMMA3N_PRECISION_INT8}, c.media_precision);
  }
  if (c.precision < GEMMA3N_PRECISION_AUTO || c.precision > GEMMA3N_PRECISION_FLOAT32) {
    return Error(StatusCode::kInvalidArgument, "precision: expected {} or {}, found {}",
                 int{GEMMA3N_PRECISION_AUTO}, int{GEMMA3N_PRECISION_FLOAT32}, c.precision);
  }
  EngineOptions options;
  if (c.model != nullptr) options.model = c.model;
  if (c.tokenizer != nullptr) options.tokenizer = c.tokenizer;
  if (c.chat_template != nullptr) options.chat_template = c.chat_template;
  if (c.mmproj != nullptr) options.mmproj = c.mmproj;
  options.threads = c.threads;
  options.prefill_chunk = c.prefill_chunk;
  options.huge_pages = c.huge_pages != 0;
  options.prefill_skip = c.prefill_skip != 0;
  options.precision = static_cast<Precision>(c.precision);
  options.media_precision = static_cast<MediaPrecision>(c.media_precision);
  options.media_cache_bytes = c.media_cache_bytes;
  if (c.on_progress != nullptr) {
    options.on_progress = [report = c.on_progress, user = c.user](double fraction) {
      report(user, fraction);
    };
  }
  return options;
}

}  // namespace
}  // namespace gemma3n

using namespace gemma3n;            // NOLINT: this file is the C names' implementation
using namespace gemma3n::internal;  // NOLINT

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
    G3N_ASSIGN_OR_RETURN(const EngineOptions options, ToEngineOptions(given));
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
    c.sees = from.sees ? 1 : 0;
    c.hears = from.hears ? 1 : 0;
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

}  // extern "C"
