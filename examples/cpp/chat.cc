// Answers a question, then a second one in the same conversation: chat MODEL QUESTION [QUESTION...]
#include <cstdio>
#include <string>
#include <vector>

#include "gemma3n/engine.h"
#include "gemma3n/session.h"

namespace {

int Fail(const gemma3n::Status& status) {
  std::fprintf(stderr, "chat: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: chat MODEL QUESTION [QUESTION...]\n");
    return 2;
  }
  gemma3n::EngineOptions options;
  options.model = argv[1];
  const auto engine = gemma3n::Engine::Load(options);  // shared by any number of sessions
  if (!engine.ok()) return Fail(engine.status());
  const auto session = (*engine)->NewSession();
  if (!session.ok()) return Fail(session.status());

  gemma3n::GenerationOptions generation;
  generation.temperature = 0;  // the most probable answer, the same each time
  generation.max_tokens = 64;

  std::vector<gemma3n::Message> messages;
  for (int i = 2; i < argc; ++i) {
    messages.push_back(gemma3n::Message::Text("user", argv[i]));
    const auto prompt = (*engine)->ChatPrompt(messages);
    if (!prompt.ok()) return Fail(prompt.status());

    const auto print = [](const gemma3n::TokenEvent& event) {
      std::fwrite(event.text.data(), 1, event.text.size(), stdout);
      std::fflush(stdout);
      return true;  // false stops the answer
    };
    const auto answer = (*session)->Generate(*prompt, generation, print);
    if (!answer.ok()) return Fail(answer.status());
    std::printf("\n");
    std::fprintf(stderr, "[%lld prompt tokens, %lld of them cached; %lld answered]\n",
                 static_cast<long long>(answer->stats.prompt_tokens),
                 static_cast<long long>(answer->stats.cached_tokens),
                 static_cast<long long>(answer->stats.generated_tokens));
    messages.push_back(gemma3n::Message::Text("assistant", answer->text));
  }
  return 0;
}
