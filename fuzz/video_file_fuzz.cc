// Any bytes as a video file: an error in one sentence, or frames within the limits.
#include "exercise_media.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gemma3n::fuzz::ExerciseVideoFile(std::as_bytes(std::span(data, size)));
  return 0;
}
