// An engine over a small random checkpoint (tests/golden/fixtures) with a tokenizer of single
// bytes, so that every stage of the runtime runs for real.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "gemma3n/engine.h"
#include "gemma3n/session.h"

namespace gemma3n {

// A tokenizer.json of special tokens and bytes: ids 6 .. 261 are <0x00> .. <0xFF>, 262 the space,
// 263 and 264 the letters a and b.
inline std::string ByteTokenizerJson() {
  const char* special[] = {"<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"};
  std::string vocab, added;
  for (int id = 0; id < 6; ++id) {
    vocab += "\"" + std::string(special[id]) + "\":" + std::to_string(id) + ",";
    added +=
        std::string(id ? "," : "") + R"({"id":)" + std::to_string(id) + R"(,"content":")" +
        special[id] +
        R"(","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true})";
  }
  const char* hex = "0123456789ABCDEF";
  for (int byte = 0; byte < 256; ++byte) {
    vocab +=
        std::string("\"<0x") + hex[byte / 16] + hex[byte % 16] + ">\":" + std::to_string(6 + byte);
    vocab += ",";
  }
  vocab += R"("▁":262,"a":263,"b":264)";
  return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)" + added +
         R"(],"normalizer":{"type":"Replace","pattern":{"String":" "},"content":"▁"},"pre_tokenizer":{"type":"Split",)"
         R"("pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false},"post_processor":null,)"
         R"("decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},)"
         R"({"type":"ByteFallback"},{"type":"Fuse"}]},"model":{"type":"BPE","dropout":null,"unk_token":"<unk>",)"
         R"("continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":true,"byte_fallback":true,)"
         R"("ignore_merges":false,"vocab":{)" +
         vocab + R"(},"merges":[]}})";
}

class EngineTest : public testing::Test {
 protected:
  static constexpr const char* kFixture = GEMMA3N_SOURCE_DIR "/tests/golden/fixtures/hub_bf16";

  EngineTest()
      : dir_(std::filesystem::temp_directory_path() /
             ("g3n_runtime_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(dir_);
    std::ofstream(dir_ / "tokenizer.json") << ByteTokenizerJson();
  }
  ~EngineTest() override { std::filesystem::remove_all(dir_); }

  EngineOptions Options() const {
    EngineOptions options;
    options.model = kFixture;
    options.tokenizer = (dir_ / "tokenizer.json").string();
    options.threads = 2;
    return options;
  }

  static std::shared_ptr<const Engine> Load(const EngineOptions& options) {
    auto engine = Engine::Load(options);
    EXPECT_TRUE(engine.ok()) << engine.status().message();
    return engine.ok() ? *engine : nullptr;
  }

  static std::unique_ptr<Session> NewSession(const Engine& engine,
                                             const SessionOptions& options = {}) {
    auto session = engine.NewSession(options);
    EXPECT_TRUE(session.ok()) << session.status().message();
    return session.ok() ? std::move(session).value() : nullptr;
  }

  // n ids that repeat nowhere nearby.
  static std::vector<int32_t> Ids(int n, int salt = 0) {
    std::vector<int32_t> ids(n);
    for (int i = 0; i < n; ++i) ids[i] = 6 + (i * 37 + salt * 101 + i * i) % 250;
    ids[0] = 2;
    return ids;
  }

  static GenerationOptions Greedy(int64_t max_tokens) {
    GenerationOptions options;
    options.temperature = 0.0f;
    options.max_tokens = max_tokens;
    options.ignore_end_tokens = true;
    return options;
  }

  // Every position's logits, in one vector a position.
  static std::vector<std::vector<float>> ScoreAll(Session& session,
                                                  const std::vector<int32_t>& ids) {
    std::vector<std::vector<float>> rows;
    const Status status = session.Score(ids, [&](int64_t position, std::span<const float> logits) {
      EXPECT_EQ(position, static_cast<int64_t>(rows.size()));
      rows.emplace_back(logits.begin(), logits.end());
      return true;
    });
    EXPECT_TRUE(status.ok()) << status.message();
    return rows;
  }

  std::filesystem::path dir_;
};

}  // namespace gemma3n
