#include "server/api/openai_options.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "formats/json.h"
#include "server/api/model_field.h"

namespace gemma3n::server {
namespace {

constexpr size_t kMostStops = 16;
constexpr int kMostAnswers = 16;
constexpr int64_t kMostInt = std::numeric_limits<int>::max();

// {"1234": -100}: OpenAI's biases go from -100, as good as a ban, to 100, as good as a demand.
void ReadLogitBias(const Fields& fields, GenerationOptions* options) {
  const Json* biases = fields.Find("logit_bias");
  if (biases == nullptr) return;
  if (!biases->is_object()) return fields.Unexpected("logit_bias", "an object of token ids");
  for (const auto& [key, value] : biases->items()) {
    int32_t id = 0;
    const char* end = key.data() + key.size();
    const auto [stop, error] = std::from_chars(key.data(), end, id);
    if (error != std::errc() || stop != end || id < 0 || !value.is_number()) {
      return fields.Unexpected("logit_bias", "token ids with numbers from -100 to 100");
    }
    options->logit_bias[id] = std::clamp(value.get<float>(), -100.0f, 100.0f);
  }
}

void ReadSeed(const Fields& fields, GenerationOptions* options) {
  std::optional<int64_t> seed;
  fields.Integer("seed", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
                 &seed);
  if (seed) options->seed = static_cast<uint64_t>(*seed);
}

void ReadStop(const Fields& fields, GenerationOptions* options) {
  fields.Strings("stop", kMostStops, &options->stop);
  const bool empty = std::any_of(options->stop.begin(), options->stop.end(),
                                 [](const std::string& s) { return s.empty(); });
  if (empty) fields.Unexpected("stop", "texts that are not empty");
}

void ReadExtensions(const Fields& fields, Generation* generation) {
  GenerationOptions& options = generation->options;
  std::optional<int> top_k;
  fields.Integer("top_k", -1, kMostInt, &top_k);
  if (top_k) options.top_k = std::max(*top_k, 0);
  fields.Number("min_p", 0, 1, &options.min_p);
  fields.Number("repetition_penalty", 0, std::numeric_limits<float>::max(),
                &options.repetition_penalty);
  fields.Integer("draft_tokens", 0, 7, &options.draft_tokens);
  fields.Bool("ignore_eos", &options.ignore_end_tokens);
  for (const Json& id : fields.List("stop_token_ids", 1000)) {
    if (!id.is_number_integer() || id < 0 || id > kMostInt) {
      return fields.Unexpected("stop_token_ids", "a list of token ids");
    }
    options.stop_tokens.push_back(id.get<int32_t>());
  }
  fields.Integer("image_size", 0, 768, &generation->media.image_size);
  fields.Number("video_fps", 0.01, 60, &generation->media.video_fps);
}

}  // namespace

void ReadSampling(const Fields& fields, Generation* generation) {
  GenerationOptions& options = generation->options;
  fields.Number("temperature", 0, 2, &options.temperature);
  fields.Number("top_p", 0, 1, &options.top_p);
  fields.Number("presence_penalty", -2, 2, &options.presence_penalty);
  fields.Number("frequency_penalty", -2, 2, &options.frequency_penalty);
  fields.Integer("n", 1, kMostAnswers, &generation->n);
  ReadSeed(fields, &options);
  ReadStop(fields, &options);
  ReadLogitBias(fields, &options);
  ReadExtensions(fields, generation);
}

void ReadReply(const Fields& fields, OpenAiReply* reply) {
  fields.Bool("stream", &reply->stream);
  fields.Object("stream_options").Bool("include_usage", &reply->include_usage);
}

void ReadModel(const ApiContext& context, const Fields& fields, Generation* generation,
               OpenAiReply* reply) {
  reply->model = fields.NeedString("model");
  ReadModelSize(fields, context, reply->model, &generation->size);
}

void ReadResponseFormat(const Fields& format, bool flat, GenerationOptions* options) {
  if (!format.Has("type")) return;
  const std::string type = format.NeedString("type");
  if (type == "json_object") {
    options->json_schema = R"({"type":"object"})";
  } else if (type == "json_schema") {
    const Fields holder = flat ? format : format.Object("json_schema");
    const Json* schema = holder.Find("schema");
    if (schema == nullptr) return holder.Unexpected("schema", "a JSON Schema");
    options->json_schema = DumpOrderedJson(*schema);
  } else if (type != "text") {
    format.Unexpected("type", "\"text\", \"json_object\" or \"json_schema\"");
  }
}

void AskLogprobs(const OpenAiReply& reply, GenerationOptions* options) {
  if (reply.logprobs) options->top_logprobs = std::max(reply.top_logprobs, 1);
}

}  // namespace gemma3n::server
