// Images and audio in prompt text: one placeholder each as rendered, a run of soft tokens as the
// model reads it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gemma3n {

inline constexpr std::string_view kImageSoftToken = "<image_soft_token>";
inline constexpr std::string_view kAudioSoftToken = "<audio_soft_token>";

// How one kind of medium is written out.
struct MediumTokens {
  std::string begin, soft, end;
  size_t count = 0;  // soft tokens per medium
};

// Gemma 3n's.
MediumTokens ImageTokens();  // 256
MediumTokens AudioTokens();  // 188

// Replaces each `soft` by "\n\n" begin soft*count end "\n\n", left to right. On the text, before it
// is tokenized: its newlines then merge with their neighbours' as the model was trained. Special
// tokens in a user's own text count as placeholders too. Errors: kInvalidArgument when the text has
// another number of placeholders than there are media.
Result<std::string> ExpandPlaceholders(std::string_view text, size_t images, size_t audios,
                                       const MediumTokens& image = ImageTokens(),
                                       const MediumTokens& audio = AudioTokens());

// The same for every placeholder there is, without counting. Precondition: the two texts differ and
// are not empty.
std::string ExpandAllPlaceholders(std::string_view text, const MediumTokens& image,
                                  const MediumTokens& audio);

}  // namespace gemma3n
