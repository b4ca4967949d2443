#include "server/api/audio_request.h"

#include <charconv>
#include <utility>

#include "server/api/language_names.h"

namespace gemma3n::server {
namespace {

constexpr std::pair<std::string_view, AudioFormat> kFormats[] = {
    {"json", AudioFormat::kJson},
    {"text", AudioFormat::kText},
    {"srt", AudioFormat::kSrt},
    {"vtt", AudioFormat::kVtt},
    {"verbose_json", AudioFormat::kVerboseJson}};

RequestError Unexpected(const FormField& field, std::string_view expected) {
  return {field.name, Error(StatusCode::kInvalidArgument, "{}: expected {}, found '{}'", field.name,
                            expected, field.content)};
}

std::optional<RequestError> ReadFormat(const FormField& field, AudioFormat* format) {
  for (const auto& [name, value] : kFormats) {
    if (field.content != name) continue;
    *format = value;
    return std::nullopt;
  }
  return Unexpected(field, "json, text, srt, vtt or verbose_json");
}

std::optional<RequestError> ReadTemperature(const FormField& field, float* temperature) {
  const char* end = field.content.data() + field.content.size();
  const auto [stop, error] = std::from_chars(field.content.data(), end, *temperature);
  const bool good = error == std::errc() && stop == end && *temperature >= 0 && *temperature <= 1;
  return good ? std::nullopt : std::optional(Unexpected(field, "a number from 0 to 1"));
}

std::optional<RequestError> ReadField(const FormField& field, AudioRequest* request) {
  const std::string_view value = field.content;
  if (field.name == "file") {
    request->file = value;
    request->filename = field.filename.empty() ? "file" : field.filename;
  } else if (field.name == "model") {
    request->model = value;
  } else if (field.name == "prompt") {
    request->prompt = value;
  } else if (field.name.starts_with("keywords")) {
    if (!request->keywords.empty()) request->keywords += ", ";
    request->keywords += value;
  } else if (field.name == "language" && !value.empty()) {
    auto name = LanguageName(value);
    if (!name) return Unexpected(field, "a language such as \"en\" or \"English\"");
    request->task.language = *std::move(name);
  } else if (field.name == "response_format") {
    return ReadFormat(field, &request->format);
  } else if (field.name == "temperature") {
    return ReadTemperature(field, &request->temperature);
  } else if (field.name == "stream") {
    if (value != "true" && value != "false") return Unexpected(field, "true or false");
    request->stream = value == "true";
  } else if (field.name.starts_with("include")) {
    if (value != "logprobs") return Unexpected(field, "\"logprobs\"");
    request->logprobs = true;
  } else if (field.name.starts_with("timestamp_granularities") && value != "segment") {
    return Unexpected(field, "\"segment\" (times of single words are not known)");
  }
  return std::nullopt;
}

RequestError Missing(const char* name, const char* what) {
  return {name, Error(StatusCode::kInvalidArgument, "{}: expected {}, found nothing", name, what)};
}

}  // namespace

std::optional<RequestError> ReadAudioRequest(const std::vector<FormField>& fields, bool translate,
                                             AudioRequest* request) {
  for (const FormField& field : fields) {
    if (auto error = ReadField(field, request)) return error;
  }
  if (translate) request->task.translate_to = "English";
  if (request->file.data() == nullptr) return Missing("file", "a file with sound");
  if (request->model.empty()) return Missing("model", "a model's name");
  const bool streams =
      request->format == AudioFormat::kJson || request->format == AudioFormat::kText;
  if (request->stream && !streams) {
    return RequestError{"stream", Error(StatusCode::kInvalidArgument,
                                        "stream: expected response_format json or text with it")};
  }
  return std::nullopt;
}

}  // namespace gemma3n::server
