// Prompt: what a session is asked to continue, token ids and the media among them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gemma3n {

struct SoftTokens;  // a picture's or a clip's rows of the decoder's input; made by the engine, shared and never changed

struct Prompt {
  Prompt() = default;
  Prompt(std::vector<int32_t> ids) : tokens(std::move(ids)) {}  // NOLINT: text alone is ids

  std::vector<int32_t> tokens;
  // One for each run of image (audio) soft tokens in `tokens`, in their order.
  std::vector<std::shared_ptr<const SoftTokens>> images, audios;
  // The rendered text that `tokens` stand for, one placeholder for each medium.
  std::string text;
  // What the caller should know of the choices made, one sentence each: frames left out, ...
  std::vector<std::string> notes;
};

}  // namespace gemma3n
