// The sound tower against transformers: features, every stage, and the soft tokens of requests of
// one or more clips.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "tests/golden/audio_model.h"

namespace gemma3n::golden {
namespace {

// Compares the rows that both have. found: every `step`-th row of the stage.
std::string Difference(const SomeRows& expected, const ConstView& found, int64_t step,
                       float tolerance) {
  if (found.cols != expected.values.cols)
    return fmt::format("{} columns, expected {}", found.cols, expected.values.cols);
  int64_t compared = 0;
  for (size_t i = 0; i < expected.rows.size(); ++i) {
    const int64_t row = expected.rows[i];
    if (row % step != 0 || row / step >= found.rows) continue;
    ++compared;
    const float* e = expected.values.row(static_cast<int64_t>(i));
    const float difference = MaxDifference(found.row(row / step), e, found.cols);
    if (!(difference <= tolerance)) return fmt::format("row {} differs by {:.2g}", row, difference);
  }
  // Rows behind the last one that a token is made from are not computed.
  return compared + 1 >= static_cast<int64_t>(expected.rows.size())
             ? ""
             : fmt::format("only {} rows", compared);
}

class AudioTest : public ::testing::TestWithParam<const KernelTable*> {
 protected:
  AudioTest() : ops_(*GetParam(), pool_, Precision::kFloat32) {}

  static const AudioExpected& Expected() {
    static const AudioExpected expected = ReadAudioExpected();
    return expected;
  }
  static const Checkpoint& Weights() {
    static const AudioCheckpoint files;
    static const Checkpoint checkpoint = Take(Checkpoint::Open(files.path()));
    return checkpoint;
  }
  AudioTower Tower(Arithmetic arithmetic = Arithmetic::kFloat32) const {
    return Take(AudioTower::Bind(Weights(), arithmetic, ops_));
  }

  ThreadPool pool_{2};
  Ops ops_;
};

INSTANTIATE_TEST_SUITE_P(Golden, AudioTest, ::testing::ValuesIn(AvailableKernels()),
                         [](const auto& table) { return std::string(table.param->name); });

TEST_P(AudioTest, LogMel) {
  const LogMel log_mel(128);
  for (const auto& [kind, expected] : Expected().log_mel) {
    const std::vector<float> sound = Sound(kind, 16000);
    const int64_t frames = LogMel::Frames(16000);
    ASSERT_EQ(frames, 97);
    std::vector<float> mel(frames * 128);
    const View out(mel.data(), frames, 128);
    log_mel.Compute(sound, out, ops_);
    EXPECT_EQ(expected.rows.size(), 13u);
    EXPECT_EQ(Difference(expected, out, 1, 1e-6f), "") << kind;
  }
}

TEST_P(AudioTest, EveryStage) {
  std::set<std::string> seen;
  std::string first_divergence;
  const Probe probe = [&](std::string_view name, int layer, const ConstView& values) {
    const std::string key = layer < 0 ? std::string(name) : fmt::format("layer{}/{}", layer, name);
    seen.insert(key);
    const auto expected = Expected().stages.find(key);
    ASSERT_NE(expected, Expected().stages.end()) << key;
    const bool kept = values.rows < 10;  // the last block's rows of tokens
    const std::string difference =
        Difference(expected->second, values, kept ? 4 : 1, kAudioTolerance);
    if (first_divergence.empty() && !difference.empty()) first_divergence = key + ": " + difference;
  };
  EncodeSounds(Tower(), {Sound("voice", 21920)}, ops_, probe);
  EXPECT_EQ(first_divergence, "");
  for (const auto& [key, values] : Expected().stages)
    EXPECT_TRUE(seen.contains(key)) << "no probe at " << key;
}

TEST_P(AudioTest, SoftTokens) {
  const AudioTower tower = Tower();
  EXPECT_EQ(tower.soft_tokens(), 188);
  ASSERT_EQ(Expected().requests.size(), 14u);
  for (const auto& [number, clips] : Expected().requests) {
    std::vector<std::vector<float>> sounds;
    std::vector<int64_t> tokens;
    for (const auto& [index, clip] : clips) {
      sounds.push_back(Sound(clip.kind, clip.samples));
      tokens.push_back(clip.tokens);
    }
    const std::vector<AudioClip> spans(sounds.begin(), sounds.end());
    EXPECT_EQ(tower.ValidTokens(spans), tokens) << number;
    std::vector<float> soft = EncodeSounds(tower, sounds, ops_);
    for (const auto& [index, clip] : clips) {
      const int64_t d = tower.out_features();
      const View own(soft.data() + index * tower.soft_tokens() * d, tower.soft_tokens(), d);
      EXPECT_EQ(Difference(clip.soft, own, 1, kAudioTolerance), "")
          << "request " << number << ", clip " << index;
      EXPECT_EQ(clip.soft.rows.back(), 187);
    }
  }
}

// Fewer than 513 samples make no frame: transformers fails, here all positions are padding.
TEST_P(AudioTest, TooShortForAFrame) {
  const AudioTower tower = Tower();
  const std::vector<float> soft =
      EncodeSounds(tower, {Sound("voice", 512), Sound("voice", 0)}, ops_);
  const SomeRows& other = Expected().requests.at(0).at(0).soft;
  const float* padding = other.values.row(other.values.rows - 1);
  for (size_t row = 0; row < 2 * 188; ++row) {
    ASSERT_LE(
        MaxDifference(soft.data() + row * tower.out_features(), padding, tower.out_features()),
        kAudioTolerance);
  }
}

// What is heard does not depend on how the rows are grouped, nor on the threads.
TEST_P(AudioTest, TheSameBitsInAnyCompany) {
  const AudioTower tower = Tower();
  const auto sound = [](int64_t samples) { return Sound("voice", samples); };
  const std::vector<float> alone = EncodeSounds(tower, {sound(480000)}, ops_);
  ThreadPool three(3);
  const std::vector<float> together = EncodeSounds(
      tower, {sound(16000), sound(480000), sound(40000), sound(1000)}, Ops(*GetParam(), three, Precision::kFloat32));
  EXPECT_EQ(std::vector(together.begin() + static_cast<int64_t>(alone.size()),
                        together.begin() + 2 * static_cast<int64_t>(alone.size())),
            alone);
}

TEST_P(AudioTest, OtherArithmeticsStayNear) {
  const std::vector<std::vector<float>> sounds = {Sound("voice", 48000), Sound("clipped", 20000)};
  const AudioTower exact = Tower();
  const std::vector<float> expected = EncodeSounds(exact, sounds, ops_);
  for (const Arithmetic arithmetic : {Arithmetic::kBFloat16, Arithmetic::kInt8}) {
    const std::vector<float> found = EncodeSounds(Tower(arithmetic), sounds, ops_);
    const auto d = static_cast<size_t>(exact.out_features());
    for (size_t row = 0; row < found.size() / d; ++row) {
      double dot = 0, a = 0, b = 0;
      for (size_t i = row * d; i < (row + 1) * d; ++i) {
        dot += static_cast<double>(found[i]) * expected[i];
        a += static_cast<double>(found[i]) * found[i];
        b += static_cast<double>(expected[i]) * expected[i];
      }
      ASSERT_GE(dot / std::sqrt(a * b), 0.999) << static_cast<int>(arithmetic) << ", row " << row;
    }
  }
}

TEST(AudioCheckpointTest, NamesWhatIsMissing) {
  ThreadPool pool(1);
  const Ops ops(*AvailableKernels().front(), pool, Precision::kFloat32);
  for (const char* name : {"model.audio_tower.conformer.2.attention.attn.per_dim_scale",
                           "model.embed_audio.embedding.weight",
                           "model.audio_tower.subsample_conv_projection.conv_1.conv.weight"}) {
    const AudioCheckpoint files(name);
    const Checkpoint checkpoint = Take(Checkpoint::Open(files.path()));
    const auto tower = AudioTower::Bind(checkpoint, Arithmetic::kFloat32, ops);
    ASSERT_FALSE(tower.ok());
    EXPECT_EQ(tower.status().code(), StatusCode::kNotFound);
    EXPECT_THAT(tower.status().message(), ::testing::HasSubstr(std::string(name).substr(6)));
  }
}

TEST(AudioCheckpointTest, NamesAWrongShape) {
  ThreadPool pool(1);
  const Ops ops(*AvailableKernels().front(), pool, Precision::kFloat32);
  const AudioCheckpoint files;
  std::string config = gemma3n::testing::ReadAll(files.path() + "/config.json");
  const size_t at = config.find("\"hidden_size\": 64");
  ASSERT_NE(at, std::string::npos);
  std::ofstream(files.path() + "/config.json") << config.replace(at, 17, "\"hidden_size\": 96");
  const Checkpoint checkpoint = Take(Checkpoint::Open(files.path()));
  const auto tower = AudioTower::Bind(checkpoint, Arithmetic::kFloat32, ops);
  ASSERT_FALSE(tower.ok());
  EXPECT_THAT(tower.status().message(),
              ::testing::AllOf(::testing::HasSubstr("expected shape [96, 128]"),
                               ::testing::HasSubstr("found [64, 128]")));
}

}  // namespace
}  // namespace gemma3n::golden
