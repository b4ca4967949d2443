// The C API: the C++ API's answers, errors instead of exceptions, and option structs of any age.
#include "gemma3n/c_api.h"

#include <gmock/gmock.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "gemma3n/version.h"
#include "tests/unit/runtime/c_api_fixture.h"

namespace gemma3n {
namespace {

const std::vector<int32_t> kPrompt = {2, 103, 104, 262, 105, 263};

TEST_F(CApiTest, AnswersAsTheCppApiDoes) {
  const auto engine = LoadEngine();
  const auto session = CreateSession(engine.get());
  const auto options = Greedy(12);
  gemma3n_generation_result result{};
  result.size = sizeof(result);
  Heard heard;
  ASSERT_EQ(gemma3n_generate(session.get(), kPrompt.data(), kPrompt.size(), &options, Listen,
                             nullptr, &heard, &result, &error_),
            GEMMA3N_OK)
      << error_.message;

  GenerationOptions same;
  same.temperature = 0;
  same.max_tokens = 12;
  same.ignore_end_tokens = true;
  const auto want = NewSession(*Load(Options()))->Generate(kPrompt, same);
  ASSERT_TRUE(want.ok());
  heard.tokens.resize(12);  // one more event may hand out text held back
  EXPECT_EQ(heard.tokens, want->tokens);
  EXPECT_EQ(heard.text, want->text);
  EXPECT_EQ(result.reason, GEMMA3N_STOP_MAX_TOKENS);
  EXPECT_EQ(result.prompt_tokens, 6);
  EXPECT_EQ(result.generated_tokens, 12);
  EXPECT_STREQ(gemma3n_stop_reason_name(result.reason), "max tokens");

  size_t cached = 0;
  const int32_t* tokens = gemma3n_session_tokens(session.get(), &cached);
  ASSERT_GE(cached, kPrompt.size());
  EXPECT_TRUE(std::equal(kPrompt.begin(), kPrompt.end(), tokens));
  gemma3n_session_reset(session.get());
  gemma3n_session_tokens(session.get(), &cached);
  EXPECT_EQ(cached, 0u);
}

TEST_F(CApiTest, EveryGenerationFieldArrives) {
  const auto engine = LoadEngine();
  const auto session = CreateSession(engine.get());
  const gemma3n_logit_bias bias[] = {{263, 900.0f}};
  const char* stop[] = {"aaa"};
  const int32_t stop_tokens[] = {263};
  const auto run = [&](const gemma3n_generation_options& options, gemma3n_generation_result& out) {
    out = {};
    out.size = sizeof(out);
    return gemma3n_generate(session.get(), kPrompt.data(), kPrompt.size(), &options, nullptr,
                            nullptr, nullptr, &out, &error_);
  };
  gemma3n_generation_result result;
  auto options = Greedy(9);
  options.logit_bias = bias;
  options.logit_bias_count = 1;
  options.stop = stop;
  options.stop_count = 1;
  ASSERT_EQ(run(options, result), GEMMA3N_OK) << error_.message;
  EXPECT_EQ(result.reason, GEMMA3N_STOP_STRING);
  options.stop_count = 0;
  options.stop_tokens = stop_tokens;
  options.stop_token_count = 1;
  ASSERT_EQ(run(options, result), GEMMA3N_OK) << error_.message;
  EXPECT_EQ(result.reason, GEMMA3N_STOP_TOKEN);

  for (const auto& change : std::vector<void (*)(gemma3n_generation_options&)>{
           [](auto& o) { o.min_p = 2; }, [](auto& o) { o.repetition_penalty = -1; },
           [](auto& o) { o.top_p = 7; }, [](auto& o) { o.temperature = 1.0f / 0.0f; },
           [](auto& o) { o.json_schema = "false"; }}) {
    auto bad = Greedy(1);
    change(bad);
    EXPECT_EQ(run(bad, result), GEMMA3N_INVALID_ARGUMENT);
    EXPECT_STRNE(error_.message, "");
  }
}

TEST_F(CApiTest, CallbacksStopAndMayThrow) {
  const auto engine = LoadEngine();
  const auto session = CreateSession(engine.get());
  const auto options = Greedy(-1);
  gemma3n_generation_result result{};
  result.size = sizeof(result);
  Heard heard;
  heard.stop_after = 3;
  ASSERT_EQ(gemma3n_generate(session.get(), kPrompt.data(), kPrompt.size(), &options, Listen,
                             nullptr, &heard, &result, &error_),
            GEMMA3N_OK);
  EXPECT_EQ(result.reason, GEMMA3N_STOP_CANCELLED);

  gemma3n_session_reset(session.get());
  const auto refuse = [](void*, int64_t, int64_t) { return 0; };
  EXPECT_EQ(gemma3n_generate(session.get(), kPrompt.data(), kPrompt.size(), &options, nullptr,
                             refuse, nullptr, nullptr, &error_),
            GEMMA3N_CANCELLED);
  const auto thrower = [](void*, const gemma3n_token_event*) -> int {
    throw std::runtime_error("from the callback");
  };
  EXPECT_EQ(gemma3n_generate(session.get(), kPrompt.data(), kPrompt.size(), &options, thrower,
                             nullptr, nullptr, nullptr, &error_),
            GEMMA3N_INTERNAL);
  EXPECT_THAT(error_.message, testing::HasSubstr("from the callback"));
  const auto odd = [](void*, const gemma3n_token_event*) -> int { throw 3; };
  EXPECT_EQ(gemma3n_generate(session.get(), kPrompt.data(), kPrompt.size(), &options, odd, nullptr,
                             nullptr, nullptr, &error_),
            GEMMA3N_INTERNAL);
}

TEST_F(CApiTest, TokensAndTextGoThroughTheCallersBuffers) {
  const auto engine = LoadEngine();
  const char text[] = "a b\xc3\xa9";
  size_t count = 0;
  EXPECT_EQ(gemma3n_tokenize(engine.get(), text, 5, 1, nullptr, 0, &count, &error_),
            GEMMA3N_OUT_OF_RANGE);
  ASSERT_EQ(count, 6u);
  std::vector<int32_t> tokens(count);
  ASSERT_EQ(gemma3n_tokenize(engine.get(), text, 5, 1, tokens.data(), count, &count, &error_),
            GEMMA3N_OK);
  EXPECT_EQ(tokens, (std::vector<int32_t>{2, 263, 262, 264, 6 + 0xc3, 6 + 0xa9}));
  char back[6];
  size_t length = 0;
  EXPECT_EQ(gemma3n_detokenize(engine.get(), tokens.data(), count, 1, back, 5, &length, &error_),
            GEMMA3N_OUT_OF_RANGE);
  EXPECT_EQ(length, 5u);
  ASSERT_EQ(gemma3n_detokenize(engine.get(), tokens.data(), count, 1, back, 6, &length, &error_),
            GEMMA3N_OK);
  EXPECT_STREQ(back, text);

  gemma3n_chat* raw = nullptr;
  ASSERT_EQ(gemma3n_chat_create(&raw, &error_), GEMMA3N_OK);
  const ChatPtr chat(raw);
  ASSERT_EQ(gemma3n_chat_add(chat.get(), "user", "a", &error_), GEMMA3N_OK);
  tokens.resize(64);
  ASSERT_EQ(gemma3n_chat_prompt(engine.get(), chat.get(), tokens.data(), 64, &count, &error_),
            GEMMA3N_OK);
  tokens.resize(count);
  const Message message = Message::Text("user", "a");
  EXPECT_EQ(tokens, Load(Options())->ChatPrompt({&message, 1})->tokens);
  ASSERT_EQ(gemma3n_chat_add(chat.get(), "user", "again", &error_), GEMMA3N_OK);
  EXPECT_EQ(gemma3n_chat_prompt(engine.get(), chat.get(), tokens.data(), 64, &count, &error_),
            GEMMA3N_INVALID_ARGUMENT);
}

TEST_F(CApiTest, ScoresEveryPosition) {
  const auto engine = LoadEngine();
  const auto session = CreateSession(engine.get());
  int64_t next = 0;
  const auto see = [](void* user, int64_t position, const float* logits, size_t vocab) {
    EXPECT_EQ(position, (*static_cast<int64_t*>(user))++);
    EXPECT_EQ(vocab, 336u);
    EXPECT_NE(logits, nullptr);
    return 1;
  };
  EXPECT_EQ(gemma3n_score(session.get(), kPrompt.data(), kPrompt.size(), see, &next, &error_),
            GEMMA3N_OK);
  EXPECT_EQ(next, 6);
}

TEST_F(CApiTest, OptionStructsOfAnyAge) {
  // An older program's struct ends after `model`: the rest takes its defaults, and nothing past the
  // struct's end is written or read.
  struct Old {
    size_t size;
    const char* model;
    unsigned char guard[sizeof(gemma3n_engine_options)];
  } old;
  std::memset(old.guard, 0xAB, sizeof(old.guard));
  auto* as_options = reinterpret_cast<gemma3n_engine_options*>(&old);
  gemma3n_engine_options_init(as_options, offsetof(Old, guard));
  EXPECT_EQ(old.size, offsetof(Old, guard));
  for (const unsigned char byte : old.guard) ASSERT_EQ(byte, 0xAB);
  old.model = "/nowhere";
  gemma3n_engine* engine = nullptr;
  EXPECT_EQ(gemma3n_engine_load(as_options, &engine, &error_), GEMMA3N_NOT_FOUND);
  EXPECT_EQ(engine, nullptr);
  EXPECT_THAT(error_.message, testing::HasSubstr("/nowhere"));

  // A newer program's struct is longer than ours.
  struct New {
    gemma3n_engine_options known;
    uint64_t later = 7;
  } newer;
  newer.known = LoadOptions();
  newer.known.size = sizeof(New);
  ASSERT_EQ(gemma3n_engine_load(&newer.known, &engine, &error_), GEMMA3N_OK) << error_.message;
  const EnginePtr loaded(engine);

  newer.known.size = 0;  // never initialised
  EXPECT_EQ(gemma3n_engine_load(&newer.known, &engine, &error_), GEMMA3N_INVALID_ARGUMENT);

  gemma3n_engine_info info{};
  info.size = offsetof(gemma3n_engine_info, vocab_size);
  ASSERT_EQ(gemma3n_engine_get_info(loaded.get(), &info, &error_), GEMMA3N_OK);
  EXPECT_EQ(info.hidden_size, 64);
  EXPECT_EQ(info.vocab_size, 0) << "beyond the caller's struct";
}

TEST_F(CApiTest, Precision) {
  auto options = LoadOptions();
  EXPECT_EQ(options.precision, GEMMA3N_PRECISION_AUTO);
  gemma3n_engine* engine = nullptr;
  options.precision = GEMMA3N_PRECISION_BFLOAT16;
  EXPECT_EQ(gemma3n_engine_load(&options, &engine, &error_), GEMMA3N_INVALID_ARGUMENT);
  EXPECT_THAT(error_.message, testing::EndsWith("precision: expected 0 or 1, found 2"));
  options.precision = GEMMA3N_PRECISION_FLOAT32;
  ASSERT_EQ(gemma3n_engine_load(&options, &engine, &error_), GEMMA3N_OK) << error_.message;
  gemma3n_engine_free(engine);
}

TEST_F(CApiTest, KvType) {
  const auto engine = LoadEngine();
  gemma3n_session_options options;
  gemma3n_session_options_init(&options, sizeof(options));
  EXPECT_EQ(options.kv_type, GEMMA3N_KV_AUTO);
  gemma3n_session* session = nullptr;
  options.kv_type = 4;
  EXPECT_EQ(gemma3n_session_create(engine.get(), &options, &session, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_THAT(error_.message, testing::EndsWith("kv_type: expected 0 to 3, found 4"));
  options.kv_type = GEMMA3N_KV_FLOAT16;
  ASSERT_EQ(gemma3n_session_create(engine.get(), &options, &session, &error_), GEMMA3N_OK)
      << error_.message;
  gemma3n_session_free(session);
}

TEST_F(CApiTest, SizesOfTheModel) {
  const auto engine = LoadEngine();
  gemma3n_session_options options;
  gemma3n_session_options_init(&options, sizeof(options));
  const int64_t width[] = {32};
  options.mlp_widths = width;
  options.mlp_width_count = 1;
  CreateSession(engine.get(), &options);
  options.model_size = "e2b";
  gemma3n_session* session = nullptr;
  EXPECT_EQ(gemma3n_session_create(engine.get(), &options, &session, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(session, nullptr);
}

TEST_F(CApiTest, NullsAreRefusedNotFollowed) {
  const auto engine = LoadEngine();
  const auto session = CreateSession(engine.get());
  gemma3n_chat* chat = nullptr;
  size_t count = 0;
  EXPECT_EQ(gemma3n_engine_load(nullptr, nullptr, &error_), GEMMA3N_INVALID_ARGUMENT);
  gemma3n_engine* none = nullptr;
  EXPECT_EQ(gemma3n_engine_load(nullptr, &none, nullptr), GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_tokenize(engine.get(), nullptr, 1, 0, nullptr, 0, &count, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_tokenize(nullptr, "a", 1, 0, nullptr, 0, &count, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_detokenize(engine.get(), nullptr, 2, 0, nullptr, 0, &count, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_chat_add(chat, "user", "x", &error_), GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_chat_prompt(engine.get(), chat, nullptr, 0, &count, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_generate(nullptr, kPrompt.data(), 1, nullptr, nullptr, nullptr, nullptr,
                             nullptr, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_generate(session.get(), nullptr, 1, nullptr, nullptr, nullptr, nullptr, nullptr,
                             &error_),
            GEMMA3N_INVALID_ARGUMENT);
  EXPECT_EQ(gemma3n_score(session.get(), kPrompt.data(), 1, nullptr, nullptr, &error_),
            GEMMA3N_INVALID_ARGUMENT);
  gemma3n_engine_free(nullptr);
  gemma3n_session_free(nullptr);
  gemma3n_chat_free(nullptr);
  gemma3n_session_reset(nullptr);
  EXPECT_EQ(gemma3n_session_tokens(nullptr, &count), nullptr);
  EXPECT_EQ(count, 0u);
}

TEST_F(CApiTest, Names) {
  EXPECT_STREQ(gemma3n_version(), GEMMA3N_VERSION);
  EXPECT_STREQ(gemma3n_status_name(GEMMA3N_CORRUPT_FILE), "corrupt file");
  EXPECT_NE(gemma3n_status_name(static_cast<gemma3n_status>(77)), nullptr);
  EXPECT_NE(gemma3n_stop_reason_name(static_cast<gemma3n_stop_reason>(77)), nullptr);
}

TEST_F(CApiTest, SessionsOutliveTheirEngine) {
  auto engine = LoadEngine();
  const auto session = CreateSession(engine.get());
  engine.reset();
  const auto options = Greedy(2);
  EXPECT_EQ(gemma3n_generate(session.get(), kPrompt.data(), kPrompt.size(), &options, nullptr,
                             nullptr, nullptr, nullptr, &error_),
            GEMMA3N_OK);
}

}  // namespace
}  // namespace gemma3n
