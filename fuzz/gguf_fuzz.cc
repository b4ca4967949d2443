// Any bytes as a .gguf file: an error in one sentence, or metadata and tensors that can be read.
#include "exercise.h"
#include "memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const gemma3n::fuzz::MemoryFile file(data, size);
  gemma3n::fuzz::ExerciseGguf(file.path());
  return 0;
}
