// Any text as config.json, and as generation_config.json after a NUL: an error in one sentence, or
// a config that is consistent and that can be written and read back.
#include "exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gemma3n::fuzz::ExerciseConfigText({reinterpret_cast<const char*>(data), size});
  return 0;
}
