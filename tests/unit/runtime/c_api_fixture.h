// The C API over the small checkpoint of engine_fixture.h.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gemma3n/c_api.h"
#include "tests/unit/runtime/engine_fixture.h"

namespace gemma3n {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using EnginePtr = std::unique_ptr<gemma3n_engine, Deleter<gemma3n_engine_free>>;
using SessionPtr = std::unique_ptr<gemma3n_session, Deleter<gemma3n_session_free>>;
using ChatPtr = std::unique_ptr<gemma3n_chat, Deleter<gemma3n_chat_free>>;
using ContentPtr = std::unique_ptr<gemma3n_content, Deleter<gemma3n_content_free>>;
using PromptPtr = std::unique_ptr<gemma3n_prompt, Deleter<gemma3n_prompt_free>>;

class CApiTest : public EngineTest {
 protected:
  CApiTest() : tokenizer_(Options().tokenizer) {}

  gemma3n_engine_options LoadOptions() const {
    gemma3n_engine_options options;
    gemma3n_engine_options_init(&options, sizeof(options));
    options.model = kFixture;
    options.tokenizer = tokenizer_.c_str();
    options.threads = 2;
    return options;
  }
  EnginePtr LoadEngine() {
    const gemma3n_engine_options options = LoadOptions();
    gemma3n_engine* engine = nullptr;
    EXPECT_EQ(gemma3n_engine_load(&options, &engine, &error_), GEMMA3N_OK) << error_.message;
    return EnginePtr(engine);
  }
  SessionPtr CreateSession(const gemma3n_engine* engine,
                           const gemma3n_session_options* options = nullptr) {
    gemma3n_session* session = nullptr;
    EXPECT_EQ(gemma3n_session_create(engine, options, &session, &error_), GEMMA3N_OK)
        << error_.message;
    return SessionPtr(session);
  }
  static gemma3n_generation_options Greedy(int64_t tokens) {
    gemma3n_generation_options options;
    gemma3n_generation_options_init(&options, sizeof(options));
    options.temperature = 0;
    options.max_tokens = tokens;
    options.ignore_end_tokens = 1;
    return options;
  }

  const std::string tokenizer_;
  gemma3n_error error_{};
};

struct Heard {
  std::vector<int32_t> tokens;
  std::string text;
  size_t stop_after = SIZE_MAX;
};

inline int Listen(void* user, const gemma3n_token_event* event) {
  auto& heard = *static_cast<Heard*>(user);
  EXPECT_EQ(std::strlen(event->text), event->text_length);
  heard.tokens.push_back(event->token);
  heard.text += event->text;
  return heard.tokens.size() < heard.stop_after ? 1 : 0;
}

}  // namespace gemma3n
