// A fixture as a GGUF file of our own writing, for as long as the object lives.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "convert/convert.h"
#include "tests/golden/golden_model.h"

namespace gemma3n::golden {

class FixtureGguf {
 public:
  // Throws std::runtime_error with the library's message.
  FixtureGguf(const std::string& fixture, GgufType type)
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("gemma3n_golden_{}_{}_{}.gguf", fixture, Name(type), getpid())) {
    const Tokenizer tokenizer = Take(
        Tokenizer::Open(std::string(GEMMA3N_SOURCE_DIR) + "/tests/unit/tokenizer/data/tiny.model"));
    Take(WriteGguf(Take(Checkpoint::Open(FixtureDirectory(fixture))), &tokenizer, {}, type, path_));
  }
  ~FixtureGguf() { std::filesystem::remove(path_); }
  FixtureGguf(const FixtureGguf&) = delete;
  FixtureGguf& operator=(const FixtureGguf&) = delete;

  std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace gemma3n::golden
