#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/config.h"

namespace gemma3n {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<ModelConfig> Parse(const json& vision, const json& audio) {
  const json config = {
      {"model_type", "gemma3n"}, {"vision_config", vision}, {"audio_config", audio}};
  return ParseHubConfig(config.dump(), "", "dir/config.json");
}

TEST(MultimodalConfig, DefaultsAreTheReleasedModels) {
  const auto config = Parse(json::object(), json::object());
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->vision.rms_norm_eps, 1e-6f);
  EXPECT_EQ(config->vision.image_size, 768);
  EXPECT_EQ(config->audio.hidden_size, 1536);
  EXPECT_EQ(config->audio.num_layers, 12);
  EXPECT_THAT(config->audio.sscp_channels, ElementsAre(128, 32));
}

TEST(MultimodalConfig, ReadsEachTowersOwnFields) {
  const auto config = Parse({{"rms_norm_eps", 1e-5}}, {{"hidden_size", 128},
                                                       {"conf_num_hidden_layers", 4},
                                                       {"conf_num_attention_heads", 2},
                                                       {"conf_attention_logit_cap", 30},
                                                       {"rms_norm_eps", 1e-4},
                                                       {"sscp_conv_channel_size", {32, 16}}});
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->vision.rms_norm_eps, 1e-5f);
  EXPECT_EQ(config->audio.hidden_size, 128);
  EXPECT_EQ(config->audio.num_layers, 4);
  EXPECT_EQ(config->audio.num_heads, 2);
  EXPECT_EQ(config->audio.logit_cap, 30);
  EXPECT_EQ(config->audio.rms_norm_eps, 1e-4f);
  EXPECT_THAT(config->audio.sscp_channels, ElementsAre(32, 16));

  const auto again = ParseHubConfig(HubConfigJson(*config), "", "written");
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(HubConfigJson(*again), HubConfigJson(*config));
  EXPECT_EQ(again->audio.logit_cap, 30);
  EXPECT_EQ(again->vision.rms_norm_eps, 1e-5f);
}

TEST(MultimodalConfig, RefusesWhatTheTowersCannotCompute) {
  const auto message = [](const json& audio) {
    const auto config = Parse(json::object(), audio);
    return config.ok() ? std::string("accepted") : config.status().message();
  };
  EXPECT_THAT(message({{"conf_attention_context_right", 2}}),
              HasSubstr("audio_config: conf_attention_context_right: expected 0 to 0, found 2"));
  EXPECT_THAT(message({{"sscp_conv_stride_size", {{2, 2}, {3, 2}}}}),
              HasSubstr("sscp_conv_stride_size: expected [[2, 2], [2, 2]]"));
  EXPECT_THAT(message({{"conf_num_hidden_layers", 1 << 30}}),
              HasSubstr("conf_num_hidden_layers: expected 1 to 1024"));
  EXPECT_THAT(message({{"sscp_conv_channel_size", {1, 2, 3}}}),
              HasSubstr("sscp_conv_channel_size"));
}

TEST(PreprocessorConfig, GivesTheImageSizeInEitherFile) {
  const auto size_of = [](const json& file) {
    ModelConfig config;
    const Status read =
        ReadPreprocessorConfig(file.dump(), "dir/preprocessor_config.json", &config);
    return read.ok() ? std::to_string(config.vision.image_size) : read.message();
  };
  const json size = {{"height", 256}, {"width", 256}};
  EXPECT_EQ(size_of({{"size", size}}), "256");
  EXPECT_EQ(size_of({{"image_processor", {{"size", size}}}}), "256");
  EXPECT_EQ(size_of({{"do_normalize", false}}), "768");
  EXPECT_THAT(size_of({{"size", {{"height", 256}, {"width", 512}}}}),
              HasSubstr("size: width: expected a square, 256 as its height is, found 512"));
  EXPECT_THAT(size_of({{"size", {{"height", -1}, {"width", -1}}}}), HasSubstr("size: height"));
  EXPECT_THAT(size_of({{"size", 768}}), HasSubstr("size: expected an object"));
}

}  // namespace
}  // namespace gemma3n
