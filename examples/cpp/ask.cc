// Asks about a picture, and a clip: ask MODEL QUESTION [PICTURE [CLIP]]
#include <cstdio>
#include <string>
#include <vector>

#include "gemma3n/engine.h"
#include "gemma3n/session.h"

namespace {

int Fail(const gemma3n::Status& status) {
  std::fprintf(stderr, "ask: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) {
    std::fprintf(stderr, "usage: ask MODEL QUESTION [PICTURE [CLIP]]\n");
    return 2;
  }
  gemma3n::EngineOptions options;
  options.model = argv[1];  // for a .gguf file, options.mmproj names the file with the towers
  const auto engine = gemma3n::Engine::Load(options);
  if (!engine.ok()) return Fail(engine.status());
  const auto session = (*engine)->NewSession();
  if (!session.ok()) return Fail(session.status());

  // The media first, then the question: the order that the model was trained on.
  std::vector<gemma3n::Part> parts;
  if (argc > 3) parts.push_back(gemma3n::Part::Image({.location = argv[3]}));
  if (argc > 4) parts.push_back(gemma3n::Part::Audio({.location = argv[4]}));
  parts.push_back(gemma3n::Part::Text(argv[2]));
  const auto message = gemma3n::Message::Parts("user", parts);

  gemma3n::MediaOptions media;
  media.on_progress = [](int64_t done) {
    std::fprintf(stderr, "[%lld read]\n", static_cast<long long>(done));
    return true;  // false cancels
  };
  const auto prompt = (*engine)->ChatPrompt({&message, 1}, media);
  if (!prompt.ok()) return Fail(prompt.status());

  gemma3n::GenerationOptions generation;
  generation.temperature = 0;
  generation.max_tokens = 64;
  const auto answer =
      (*session)->Generate(*prompt, generation, [](const gemma3n::TokenEvent& event) {
        std::fwrite(event.text.data(), 1, event.text.size(), stdout);
        std::fflush(stdout);
        return true;  // false stops the answer
      });
  if (!answer.ok()) return Fail(answer.status());
  std::printf("\n");
  for (const std::string& note : prompt->notes) std::fprintf(stderr, "[%s]\n", note.c_str());
  return 0;
}
