// A form as an HTTP client sends it: any bytes give an error that says something, or fields that
// lie within the body. The input's first line is the Content-Type.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "require.h"
#include "server/api/audio_request.h"
#include "server/api/multipart.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using gemma3n::fuzz::Require;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line_end = std::min(text.find('\n'), size);
  const std::string_view body = text.substr(std::min(line_end + 1, size));
  const auto fields = gemma3n::server::ParseMultipart(text.substr(0, line_end), body);
  if (gemma3n::fuzz::FailedWell(fields.status())) return 0;
  const char* at = body.data();
  for (const auto& field : *fields) {
    Require(!field.name.empty(), "a field has a name");
    Require(field.content.data() >= at, "fields follow one another");
    at = field.content.data() + field.content.size();
  }
  Require(at <= body.data() + body.size(), "fields lie within the body");
  gemma3n::server::AudioRequest request;
  if (const auto error = gemma3n::server::ReadAudioRequest(*fields, false, &request)) {
    Require(gemma3n::fuzz::FailedWell(error->status), "a field that is wrong says why");
  }
  return 0;
}
