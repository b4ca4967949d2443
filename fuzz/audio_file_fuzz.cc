// Any bytes as a sound file: an error in one sentence, or samples within the limits.
#include "exercise_media.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gemma3n::fuzz::ExerciseAudioFile(std::as_bytes(std::span(data, size)));
  return 0;
}
