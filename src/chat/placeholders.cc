// placeholders.cc - HF Gemma3nProcessor's expansion.
#include "chat/placeholders.h"

#include <algorithm>

namespace gemma3n {
namespace {

size_t Count(std::string_view text, std::string_view what) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string_view::npos; at += what.size())
    ++count;
  return count;
}

Status CheckCount(std::string_view text, const MediumTokens& medium, size_t expected,
                  const char* kind) {
  const size_t found = Count(text, medium.soft);
  if (found == expected) return OkStatus();
  return Error(StatusCode::kInvalidArgument,
               "prompt: expected {} placeholders '{}' for {} {}, found {}", expected, medium.soft,
               expected, kind, found);
}

std::string Expansion(const MediumTokens& medium) {
  std::string out = "\n\n" + medium.begin;
  out.reserve(out.size() + medium.count * medium.soft.size() + medium.end.size() + 2);
  for (size_t i = 0; i < medium.count; ++i) out += medium.soft;
  return out + medium.end + "\n\n";
}

}  // namespace

MediumTokens ImageTokens() {
  return {"<start_of_image>", std::string(kImageSoftToken), "<end_of_image>", 256};
}
MediumTokens AudioTokens() {
  return {"<start_of_audio>", std::string(kAudioSoftToken), "<end_of_audio>", 188};
}

Result<std::string> ExpandPlaceholders(std::string_view text, size_t images, size_t audios,
                                       const MediumTokens& image, const MediumTokens& audio) {
  if (image.soft.empty() || audio.soft.empty() || image.soft == audio.soft) {
    return Error(StatusCode::kInvalidArgument,
                 "placeholders: expected two different texts, found '{}' and '{}'", image.soft,
                 audio.soft);
  }
  G3N_RETURN_IF_ERROR(CheckCount(text, image, images, "images"));
  G3N_RETURN_IF_ERROR(CheckCount(text, audio, audios, "audio clips"));
  return ExpandAllPlaceholders(text, image, audio);
}

std::string ExpandAllPlaceholders(std::string_view text, const MediumTokens& image,
                                  const MediumTokens& audio) {
  const std::string image_text = Expansion(image), audio_text = Expansion(audio);
  std::string out;
  while (true) {
    const size_t next_image = text.find(image.soft), next_audio = text.find(audio.soft);
    const size_t next = std::min(next_image, next_audio);
    if (next == std::string_view::npos) break;
    const bool is_image = next == next_image;
    out += text.substr(0, next);
    out += is_image ? image_text : audio_text;
    text.remove_prefix(next + (is_image ? image : audio).soft.size());
  }
  return out.append(text);
}

}  // namespace gemma3n
