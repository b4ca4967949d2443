// Pictures: any bytes give an error or a whole picture.
#include "exercise_image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gemma3n::fuzz::ExerciseImage(std::as_bytes(std::span(data, size)));
  return 0;
}
