/* gemma3n for C and for every language that can call C.
 *
 *   engine   a loaded model; immutable, shared by any number of sessions and threads
 *   session  one conversation's state; one thread at a time
 *   content  words, pictures, sound and videos in order: a message's, or a text's media
 *   chat     a list of messages to be answered
 *   prompt   a chat or a text as the model reads it: tokens, and the media among them
 *
 * Functions that can fail return a gemma3n_status, and describe a failure in *error when error is
 * not NULL. Texts are UTF-8. Nothing is thrown, printed or exited. Objects are released with their
 * own _free function; NULL is accepted. Option structs begin with their size, so that programs
 * built against an older header keep working: fill them with the _init function, then change
 * fields.
 */
#ifndef GEMMA3N_C_API_H_
#define GEMMA3N_C_API_H_

#include <stddef.h>
#include <stdint.h>

#include "gemma3n/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gemma3n_engine gemma3n_engine;
typedef struct gemma3n_session gemma3n_session;
typedef struct gemma3n_content gemma3n_content;
typedef struct gemma3n_chat gemma3n_chat;
typedef struct gemma3n_prompt gemma3n_prompt;

typedef enum gemma3n_status {
  GEMMA3N_OK = 0,
  GEMMA3N_INVALID_ARGUMENT = 1,   /* the caller asked for something that cannot be */
  GEMMA3N_NOT_FOUND = 2,          /* a file or a tensor is not there */
  GEMMA3N_CORRUPT_FILE = 3,       /* a file's bytes contradict themselves or its format */
  GEMMA3N_UNSUPPORTED = 4,        /* well formed, but not handled */
  GEMMA3N_OUT_OF_RANGE = 5,       /* longer than the context, or than the caller's buffer */
  GEMMA3N_RESOURCE_EXHAUSTED = 6, /* memory or disk ran out */
  GEMMA3N_CANCELLED = 7,          /* a callback asked to stop before the answer began */
  GEMMA3N_IO = 8,                 /* the operating system refused a read or a write */
  GEMMA3N_INTERNAL = 9            /* a defect of the library */
} gemma3n_status;

typedef enum gemma3n_stop_reason {
  GEMMA3N_STOP_END_TOKEN = 0, /* the model ended its answer */
  GEMMA3N_STOP_STRING = 1,    /* a stop string came */
  GEMMA3N_STOP_TOKEN = 2,     /* a stop token came */
  GEMMA3N_STOP_MAX_TOKENS = 3,
  GEMMA3N_STOP_CONTEXT_FULL = 4,
  GEMMA3N_STOP_CANCELLED = 5 /* a callback asked to stop */
} gemma3n_stop_reason;

typedef enum gemma3n_medium {
  GEMMA3N_MEDIUM_IMAGE = 1, /* JPEG, PNG, WebP, GIF or BMP; 256 soft tokens */
  GEMMA3N_MEDIUM_AUDIO = 2, /* anything that FFmpeg decodes; 188 for each 30 s or part of it */
  GEMMA3N_MEDIUM_VIDEO = 3  /* frames with their times between them, and the sound beside them */
} gemma3n_medium;

/* How the picture and sound towers multiply. The text model knows the first two. */
typedef enum gemma3n_precision {
  GEMMA3N_PRECISION_AUTO = 0, /* the fastest that this processor has dot products for */
  GEMMA3N_PRECISION_FLOAT32 = 1,
  GEMMA3N_PRECISION_BFLOAT16 = 2,
  GEMMA3N_PRECISION_INT8 = 3
} gemma3n_precision;

/* How a session keeps the keys and values of its tokens. */
typedef enum gemma3n_kv_type {
  GEMMA3N_KV_AUTO = 0, /* float16; float32 in an engine of GEMMA3N_PRECISION_FLOAT32 */
  GEMMA3N_KV_FLOAT32 = 1,
  GEMMA3N_KV_FLOAT16 = 2,
  GEMMA3N_KV_INT8 = 3
} gemma3n_kv_type;

/* One sentence that names the file or tensor, what was expected and what was found; cut to fit,
 * always terminated. */
typedef struct gemma3n_error {
  char message[1024];
} gemma3n_error;

GEMMA3N_API const char* gemma3n_version(void);                      /* "0.1.0" */
GEMMA3N_API const char* gemma3n_status_name(gemma3n_status status); /* "corrupt file" */
GEMMA3N_API const char* gemma3n_stop_reason_name(gemma3n_stop_reason reason);

/* ---- engine ---- */

typedef struct gemma3n_engine_options {
  size_t size;               /* set by _init */
  const char* model;         /* hub directory or .gguf file; required */
  const char* tokenizer;     /* NULL: the model's own */
  const char* chat_template; /* NULL: the model's own, else built in; "builtin"; or a file */
  int threads;               /* 0: every physical core */
  int64_t prefill_chunk;     /* prompt tokens in one pass, 1 .. 4096 */
  int prefill_skip;          /* 1: leave out what no one reads (exact); 0 for comparison */
  void (*on_progress)(void* user, double fraction); /* while loading, 0 .. 1; NULL: none */
  void* user;                                       /* handed to on_progress */
  const char* mmproj;        /* GGUF: the file with the picture and sound towers; NULL: none */
  int media_precision;       /* a gemma3n_precision */
  int64_t media_cache_bytes; /* soft tokens kept for media that come again */
  int precision;             /* of the text model: GEMMA3N_PRECISION_AUTO or _FLOAT32 (exact) */
  int huge_pages;            /* 1: move weights to huge pages while decoding (faster); 0: leave them mapped */
} gemma3n_engine_options;

typedef struct gemma3n_engine_info {
  size_t size; /* set by the caller: sizeof(gemma3n_engine_info) */
  int64_t layers, hidden_size, vocab_size, context;
  int threads;
  double load_seconds;
  int sees, hears; /* 1: the picture and the sound tower are there */
} gemma3n_engine_info;

/* Defaults. size: sizeof(gemma3n_engine_options). */
GEMMA3N_API void gemma3n_engine_options_init(gemma3n_engine_options* options, size_t size);
GEMMA3N_API gemma3n_status gemma3n_engine_load(const gemma3n_engine_options* options,
                                               gemma3n_engine** engine, gemma3n_error* error);
GEMMA3N_API void gemma3n_engine_free(gemma3n_engine* engine); /* sessions of it live on */
GEMMA3N_API gemma3n_status gemma3n_engine_get_info(const gemma3n_engine* engine,
                                                   gemma3n_engine_info* info, gemma3n_error* error);

/* Text to ids, with <bos> in front when add_bos. *count is how many there are, also when they do
 * not fit into tokens[capacity] (GEMMA3N_OUT_OF_RANGE; tokens may be NULL with capacity 0 to ask
 * for the count). */
GEMMA3N_API gemma3n_status gemma3n_tokenize(const gemma3n_engine* engine, const char* text,
                                            size_t text_length, int add_bos, int32_t* tokens,
                                            size_t capacity, size_t* count, gemma3n_error* error);
/* Ids to text, terminated by a 0 that *length does not count; capacity counts it. Otherwise as
 * gemma3n_tokenize. */
GEMMA3N_API gemma3n_status gemma3n_detokenize(const gemma3n_engine* engine, const int32_t* tokens,
                                              size_t count, int skip_special, char* text,
                                              size_t capacity, size_t* length,
                                              gemma3n_error* error);

/* ---- chat ---- */

/* Parts are added in order. Text, bytes and samples are copied. A file is read when a prompt is
 * made of it, and errors in it come then. */
GEMMA3N_API gemma3n_status gemma3n_content_create(gemma3n_content** content, gemma3n_error* error);
GEMMA3N_API void gemma3n_content_free(gemma3n_content* content);
GEMMA3N_API gemma3n_status gemma3n_content_add_text(gemma3n_content* content, const char* text,
                                                    gemma3n_error* error);
/* location: a path or a data: URL. */
GEMMA3N_API gemma3n_status gemma3n_content_add_file(gemma3n_content* content, gemma3n_medium medium,
                                                    const char* location, gemma3n_error* error);
/* A file's content. name: what error messages call it; NULL: "bytes". */
GEMMA3N_API gemma3n_status gemma3n_content_add_bytes(gemma3n_content* content,
                                                     gemma3n_medium medium, const void* bytes,
                                                     size_t count, const char* name,
                                                     gemma3n_error* error);
/* Sound: one channel in [-1, 1], 16,000 samples a second. name: as above; NULL: "samples". */
GEMMA3N_API gemma3n_status gemma3n_content_add_samples(gemma3n_content* content,
                                                       const float* samples, size_t count,
                                                       const char* name, gemma3n_error* error);

GEMMA3N_API gemma3n_status gemma3n_chat_create(gemma3n_chat** chat, gemma3n_error* error);
GEMMA3N_API void gemma3n_chat_free(gemma3n_chat* chat);
/* role: "system" (first only), "user", "assistant". The text is copied. */
GEMMA3N_API gemma3n_status gemma3n_chat_add(gemma3n_chat* chat, const char* role, const char* text,
                                            gemma3n_error* error);
/* The same with a message of several parts. The content is copied (what its bytes hold is shared).
 */
GEMMA3N_API gemma3n_status gemma3n_chat_add_content(gemma3n_chat* chat, const char* role,
                                                    const gemma3n_content* content,
                                                    gemma3n_error* error);
/* A chat without media as a prompt for the model's answer. tokens, capacity and count as in
 * gemma3n_tokenize. */
GEMMA3N_API gemma3n_status gemma3n_chat_prompt(const gemma3n_engine* engine,
                                               const gemma3n_chat* chat, int32_t* tokens,
                                               size_t capacity, size_t* count,
                                               gemma3n_error* error);

/* ---- prompt ---- */

/* How the media of a prompt are read. */
typedef struct gemma3n_media_options {
  size_t size;         /* set by _init */
  int64_t image_size;  /* pixels a side, 256, 512 or 768; 0: the checkpoint's own */
  int64_t video_size;  /* the same for the frames of videos; 0: as image_size */
  double video_fps;    /* frames a second, thinned evenly where the prompt would not fit */
  double audio_window; /* seconds, 1 to 30: longer sound is split at quiet places */
  int64_t room;        /* most tokens that the prompt may take; 0: the model's context */
  /* Between pictures, frames and clips, with how many are done; 0 cancels (GEMMA3N_CANCELLED). */
  int (*on_progress)(void* user, int64_t done);
  void* user; /* handed to on_progress */
} gemma3n_media_options;

GEMMA3N_API void gemma3n_media_options_init(gemma3n_media_options* options, size_t size);
/* The chat, with its media, as a prompt for the model's answer. options may be NULL. Media that the
 * engine read before come from its cache. The prompt is for sessions of this engine. */
GEMMA3N_API gemma3n_status gemma3n_prompt_from_chat(const gemma3n_engine* engine,
                                                    const gemma3n_chat* chat,
                                                    const gemma3n_media_options* options,
                                                    gemma3n_prompt** prompt, gemma3n_error* error);
/* Text as it stands, with <bos> in front when add_bos. Each <image_soft_token> and
 * <audio_soft_token> in it is the place of the next picture or clip of media, which may be NULL. */
GEMMA3N_API gemma3n_status gemma3n_prompt_from_text(const gemma3n_engine* engine, const char* text,
                                                    size_t text_length,
                                                    const gemma3n_content* media, int add_bos,
                                                    const gemma3n_media_options* options,
                                                    gemma3n_prompt** prompt, gemma3n_error* error);
GEMMA3N_API void gemma3n_prompt_free(gemma3n_prompt* prompt);
/* What these return is valid until the prompt is freed. count may be NULL. */
GEMMA3N_API const int32_t* gemma3n_prompt_tokens(const gemma3n_prompt* prompt, size_t* count);
/* The rendered text, terminated, with one placeholder for each medium. */
GEMMA3N_API const char* gemma3n_prompt_text(const gemma3n_prompt* prompt);
/* What the caller should know, one sentence each: frames left out, ... NULL after the last. */
GEMMA3N_API const char* gemma3n_prompt_note(const gemma3n_prompt* prompt, size_t index);

/* ---- session ---- */

typedef struct gemma3n_session_options {
  size_t size;               /* set by _init */
  int64_t context;           /* tokens of prompt and answer together; 0: the model's own */
  const char* model_size;    /* "e4b", "e2b"; NULL: the fields below */
  const int64_t* mlp_widths; /* one for every layer, or one for each layer kept; NULL: as stored */
  size_t mlp_width_count;
  const int* skip_layers; /* layers left out, ascending */
  size_t skip_layer_count;
  int kv_type; /* a gemma3n_kv_type */
} gemma3n_session_options;

typedef struct gemma3n_logit_bias {
  int32_t token;
  float bias;
} gemma3n_logit_bias;

typedef struct gemma3n_generation_options {
  size_t size;              /* set by _init */
  float temperature;        /* 0: greedy; negative: the checkpoint's, else 1 */
  int top_k;                /* 0: off; negative: the checkpoint's, else 64 */
  float top_p;              /* 1: off; negative: the checkpoint's, else 0.95 */
  float min_p;              /* 0: off */
  float repetition_penalty; /* 1: off */
  float presence_penalty;   /* 0: off */
  float frequency_penalty;  /* 0: off */
  const gemma3n_logit_bias* logit_bias;
  size_t logit_bias_count;
  int has_seed; /* 0: a fresh seed each time */
  uint64_t seed;
  int64_t max_tokens;      /* negative: until the context is full */
  const char* const* stop; /* the answer ends before the first of these */
  size_t stop_count;
  const int32_t* stop_tokens; /* besides the model's own end tokens */
  size_t stop_token_count;
  int ignore_end_tokens; /* 1: go on after the model's end tokens */
  int top_logprobs;      /* negative: none; 0: of the chosen token; n: and of the n most probable */
  int draft_tokens;      /* most tokens guessed from the text so far, 0 .. 7; changes no answer */
  const char* json_schema; /* the answer is one JSON value that this JSON Schema allows; NULL: free text */
} gemma3n_generation_options;

typedef struct gemma3n_logprob {
  int32_t token;
  float logprob;
} gemma3n_logprob;

/* One step of the answer. Later versions may add fields at the end. */
typedef struct gemma3n_token_event {
  int32_t token;
  const char* text; /* what became printable with it, terminated; may be "" */
  size_t text_length;
  float logprob; /* set when top_logprobs >= 0 */
  const gemma3n_logprob* top;
  size_t top_count;
} gemma3n_token_event;

typedef struct gemma3n_generation_result {
  size_t size; /* set by the caller: sizeof(gemma3n_generation_result) */
  gemma3n_stop_reason reason;
  int64_t prompt_tokens, cached_tokens, generated_tokens;
  double prefill_seconds, first_token_seconds, decode_seconds;
  int64_t drafted_tokens, accepted_tokens; /* guessed ahead; of these, right */
} gemma3n_generation_result;

/* Callbacks return nonzero to go on and 0 to stop. */
typedef int (*gemma3n_on_token)(void* user, const gemma3n_token_event* event);
typedef int (*gemma3n_on_prefill)(void* user, int64_t done, int64_t total);
typedef int (*gemma3n_on_logits)(void* user, int64_t position, const float* logits,
                                 size_t vocab_size);

GEMMA3N_API void gemma3n_session_options_init(gemma3n_session_options* options, size_t size);
/* options may be NULL. */
GEMMA3N_API gemma3n_status gemma3n_session_create(const gemma3n_engine* engine,
                                                  const gemma3n_session_options* options,
                                                  gemma3n_session** session, gemma3n_error* error);
GEMMA3N_API void gemma3n_session_free(gemma3n_session* session);
GEMMA3N_API void gemma3n_session_reset(gemma3n_session* session);
/* Tokens whose keys and values are cached; valid until the session is used again. */
GEMMA3N_API const int32_t* gemma3n_session_tokens(const gemma3n_session* session, size_t* count);

GEMMA3N_API void gemma3n_generation_options_init(gemma3n_generation_options* options, size_t size);
/* Answers a prompt; only what differs from the cached tokens is computed. options, callbacks and
 * result may be NULL. */
GEMMA3N_API gemma3n_status gemma3n_generate(gemma3n_session* session, const int32_t* tokens,
                                            size_t count, const gemma3n_generation_options* options,
                                            gemma3n_on_token on_token,
                                            gemma3n_on_prefill on_prefill, void* user,
                                            gemma3n_generation_result* result,
                                            gemma3n_error* error);
/* The same for a prompt with media. */
GEMMA3N_API gemma3n_status gemma3n_generate_prompt(gemma3n_session* session,
                                                   const gemma3n_prompt* prompt,
                                                   const gemma3n_generation_options* options,
                                                   gemma3n_on_token on_token,
                                                   gemma3n_on_prefill on_prefill, void* user,
                                                   gemma3n_generation_result* result,
                                                   gemma3n_error* error);
/* Hands out every position's logits, in order, starting from an empty cache. */
GEMMA3N_API gemma3n_status gemma3n_score(gemma3n_session* session, const int32_t* tokens,
                                         size_t count, gemma3n_on_logits on_logits, void* user,
                                         gemma3n_error* error);
GEMMA3N_API gemma3n_status gemma3n_score_prompt(gemma3n_session* session,
                                                const gemma3n_prompt* prompt,
                                                gemma3n_on_logits on_logits, void* user,
                                                gemma3n_error* error);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GEMMA3N_C_API_H_ */
