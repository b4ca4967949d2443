// The fields that /v1/chat/completions and /v1/completions share.
#pragma once

#include <string>

#include "server/api/context.h"
#include "server/api/request_json.h"

namespace gemma3n::server {

inline constexpr int64_t kMostMaxTokens = int64_t{1} << 40;

// How the answer is sent, and its form.
struct OpenAiReply {
  std::string model;  // as the request named it
  bool stream = false;
  bool include_usage = false;  // a last piece of a stream with the usage
  bool logprobs = false;
  int top_logprobs = 0;  // alternatives listed for each token
};

// Sampling, penalties, stop, seed, n, and what this server adds to OpenAI's options: top_k, min_p,
// repetition_penalty, stop_token_ids, ignore_eos, draft_tokens, image_size, video_fps.
void ReadSampling(const Fields& fields, Generation* generation);

// stream, stream_options.
void ReadReply(const Fields& fields, OpenAiReply* reply);

// model: its name and size.
void ReadModel(const ApiContext& context, const Fields& fields, Generation* generation,
               OpenAiReply* reply);

// response_format, or text.format of /v1/responses (`flat`: the schema lies beside its type).
void ReadResponseFormat(const Fields& format, bool flat, GenerationOptions* options);

// Of each token, and so that one alternative at least tells a token's event from one that only
// carries text that was held back (TokenEvent::top is empty there).
void AskLogprobs(const OpenAiReply& reply, GenerationOptions* options);

}  // namespace gemma3n::server
