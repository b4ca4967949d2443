// config.json, old style and new, whole and sparse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/config.h"

namespace gemma3n {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<ModelConfig> Parse(const json& config, const std::string& generation = "") {
  return ParseHubConfig(config.dump(), generation, "dir/config.json");
}

json Text(json fields = json::object()) {
  fields["model_type"] = "gemma3n_text";
  return fields;
}

json Multimodal(json text = json::object()) {
  return {{"model_type", "gemma3n"}, {"text_config", std::move(text)}};
}

TEST(HubConfig, AbsentFieldsMeanTheReleasedE4B) {
  for (const json& config : {Text(), Multimodal(), json{{"model_type", "gemma3n"}}}) {
    const auto parsed = Parse(config);
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    const TextConfig& c = parsed->text;
    EXPECT_EQ(c.hidden_size, 2048);
    EXPECT_EQ(c.num_layers, 35);
    EXPECT_EQ(c.num_heads, 8);
    EXPECT_EQ(c.num_kv_heads, 2);
    EXPECT_EQ(c.head_dim, 256);
    EXPECT_EQ(c.vocab_size, 262400);
    EXPECT_EQ(c.vocab_size_per_layer, 262144);
    EXPECT_EQ(c.per_layer_dim, 256);
    EXPECT_EQ(c.num_kv_shared_layers, 15);
    EXPECT_THAT(c.intermediate_size, AllOf(::testing::SizeIs(35), Each(16384)));
    EXPECT_EQ(c.sliding_window, 512);
    EXPECT_EQ(c.rope_theta_full, 1e6f);
    EXPECT_EQ(c.rope_theta_sliding, 1e4f);
    EXPECT_EQ(c.rms_norm_eps, 1e-6f);
    EXPECT_EQ(c.altup_num_inputs, 4);
    EXPECT_EQ(c.altup_active_idx, 0);
    EXPECT_TRUE(c.altup_correct_scale);
    EXPECT_EQ(c.laurel_rank, 64);
    EXPECT_EQ(c.final_logit_softcap, 30);
    EXPECT_EQ(c.max_position, 32768);
    for (int64_t i = 0; i < 35; ++i) {
      EXPECT_EQ(c.sliding[i], (i + 1) % 5 != 0) << i;
      EXPECT_EQ(c.sparsity_z[i], i < 10 ? NormalIcdf(0.95f) : 0) << i;
      EXPECT_EQ(c.kv_source(i), i < 20 ? i : c.sliding[i] ? 18 : 19) << i;
    }
    EXPECT_EQ(parsed->bos, 2);
    EXPECT_EQ(parsed->pad, 0);
    EXPECT_THAT(parsed->end_tokens, ElementsAre(1));
    EXPECT_EQ(parsed->multimodal, config["model_type"] == "gemma3n");
    const MultimodalTokens& t = parsed->tokens;
    if (!parsed->multimodal) {
      EXPECT_EQ(t.image, -1);
      continue;
    }
    EXPECT_THAT((std::vector<int32_t>{t.begin_image, t.end_image, t.image, t.begin_audio,
                                      t.end_audio, t.audio}),
                ElementsAre(255999, 262144, 262145, 256000, 262272, 262273));
    EXPECT_EQ(t.vision_vocab_offset, 262144);
    EXPECT_EQ(t.audio_vocab_offset, 262272);
    EXPECT_EQ(t.vision_vocab_size, 128);
    EXPECT_EQ(t.audio_vocab_size, 128);
    EXPECT_EQ(t.image_soft_tokens, 256);
    EXPECT_EQ(t.audio_soft_tokens, 188);
  }
}

TEST(HubConfig, OldAndNewStyleSayTheSame) {
  const auto old_style =
      Parse(Text({{"rope_theta", 5e5}, {"rope_local_base_freq", 2e4}, {"rope_scaling", nullptr}}));
  const auto new_style =
      Parse(Text({{"rope_parameters",
                   {{"full_attention", {{"rope_theta", 5e5}, {"rope_type", "default"}}},
                    {"sliding_attention", {{"rope_theta", 20000}, {"rope_type", "default"}}}}}}));
  // What transformers does where only one of the two is spelled out.
  const auto mixed =
      Parse(Text({{"rope_local_base_freq", 2e4},
                  {"rope_parameters", {{"full_attention", {{"rope_theta", 5e5}}}}}}));
  for (const auto* config : {&old_style, &new_style, &mixed}) {
    ASSERT_TRUE(config->ok()) << config->status().message();
    EXPECT_EQ((*config)->text.rope_theta_full, 5e5f);
    EXPECT_EQ((*config)->text.rope_theta_sliding, 2e4f);
  }
}

TEST(HubConfig, WidthsAreOneNumberOrOneEach) {
  const json small = {{"num_hidden_layers", 3}, {"num_kv_shared_layers", 0}};
  json one = Text(small), each = Text(small);
  one["intermediate_size"] = 8192;
  each["intermediate_size"] = {8192, 16384, 8192};
  EXPECT_THAT(Parse(one)->text.intermediate_size, ElementsAre(8192, 8192, 8192));
  EXPECT_THAT(Parse(each)->text.intermediate_size, ElementsAre(8192, 16384, 8192));
  each["intermediate_size"] = {8192, 16384};
  EXPECT_THAT(Parse(each).status().message(),
              HasSubstr("intermediate_size: expected a value for each of 3 layers, found 2"));
}

TEST(HubConfig, SparsityDefaultsDependOnDepth) {
  const auto z = [](json fields) {
    fields["num_kv_shared_layers"] = 0;
    return Parse(Text(std::move(fields)))->text.sparsity_z;
  };
  EXPECT_THAT(z({{"num_hidden_layers", 10}}), Each(0));
  const auto eleven = z({{"num_hidden_layers", 11}, {"activation_sparsity_pattern", nullptr}});
  EXPECT_EQ(std::count(eleven.begin(), eleven.end(), NormalIcdf(0.95f)), 10);
  EXPECT_EQ(eleven.back(), 0);
  const auto own =
      z({{"num_hidden_layers", 4}, {"activation_sparsity_pattern", {0, 0.5, 0.9, 0.3}}});
  EXPECT_EQ(own[0], 0);
  EXPECT_GT(own[1], 0);  // a cut at the mean is not a dense layer
  EXPECT_LT(own[1], 1e-30f);
  EXPECT_EQ(own[2], NormalIcdf(0.9f));
  EXPECT_LT(own[3], 0);
  for (const json& bad :
       {json{0.95}, json{1.0, 0, 0, 0}, json{-0.1, 0, 0, 0}, json(0.95), json{"a", 0, 0, 0}}) {
    const auto config = Parse(Text({{"num_hidden_layers", 4},
                                    {"num_kv_shared_layers", 0},
                                    {"activation_sparsity_pattern", bad}}));
    EXPECT_EQ(config.status().code(), StatusCode::kCorruptFile) << bad;
  }
}

TEST(HubConfig, EndTokensComeFromTheMostSpecificFile) {
  json config = Multimodal({{"eos_token_id", 1}});
  EXPECT_THAT(Parse(config)->end_tokens, ElementsAre(1));
  config["eos_token_id"] = {1, 106};
  EXPECT_THAT(Parse(config)->end_tokens, ElementsAre(1, 106));
  EXPECT_THAT(Parse(config, R"({"eos_token_id":[106,1,5]})")->end_tokens, ElementsAre(106, 1, 5));
  EXPECT_THAT(Parse(config, R"({"eos_token_id":7})")->end_tokens, ElementsAre(7));
  EXPECT_THAT(Parse(config, R"({"top_k":5})")->end_tokens, ElementsAre(1, 106));
}

TEST(HubConfig, ReadsGenerationDefaults) {
  const auto config =
      Parse(Text(), R"({"do_sample":true,"temperature":0.7,"top_p":0.9,"top_k":40})");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->generation.do_sample, true);
  EXPECT_EQ(config->generation.temperature, 0.7f);
  EXPECT_EQ(config->generation.top_p, 0.9f);
  EXPECT_EQ(config->generation.top_k, 40);
  const auto none = Parse(Text(), R"({"top_k":null})");
  EXPECT_EQ(none->generation.top_k, std::nullopt);
  EXPECT_EQ(none->generation.temperature, std::nullopt);
  for (const char* bad :
       {"[]", "{", R"({"temperature":-1})", R"({"temperature":"hot"})", R"({"top_p":0})",
        R"({"top_p":1.5})", R"({"top_k":-1})", R"({"top_k":9999999999})", R"({"do_sample":1})",
        R"({"eos_token_id":[-1]})", R"({"eos_token_id":{}})"}) {
    const auto config_or = Parse(Text(), bad);
    EXPECT_EQ(config_or.status().code(), StatusCode::kCorruptFile) << bad;
    EXPECT_THAT(config_or.status().message(), HasSubstr("generation_config.json")) << bad;
  }
}

struct Refused {
  json config;
  StatusCode code;
  const char* message;
};

TEST(HubConfig, RefusesWhatItDoesNotComputeAndWhatContradictsItself) {
  constexpr auto kUnsupported = StatusCode::kUnsupported, kCorrupt = StatusCode::kCorruptFile;
  const std::vector<Refused> cases = {
      {{{"model_type", "llama"}}, kUnsupported, "expected gemma3n or gemma3n_text, found llama"},
      {json::object(), kUnsupported, "found nothing"},
      {{{"model_type", 5}}, kCorrupt, "model_type: expected a string, found 5"},
      {{{"model_type", "gemma3n"}, {"text_config", 7}},
       kCorrupt,
       "text_config: expected an object"},
      {{{"model_type", "gemma3n"}, {"vision_config", "x"}},
       kCorrupt,
       "vision_config: expected an object"},
      {Text({{"quantization_config", {{"quant_method", "bitsandbytes"}}}}), kUnsupported,
       "quantised by bitsandbytes"},
      {Text({{"hidden_activation", "silu"}}), kUnsupported,
       "expected gelu_pytorch_tanh, found silu"},
      {Text({{"attention_bias", true}}), kUnsupported, "attention_bias"},
      {Text({{"rope_scaling", {{"rope_type", "yarn"}}}}), kUnsupported, "found yarn"},
      {Text({{"rope_scaling", {{"type", "linear"}}}}), kUnsupported, "found linear"},
      {Text({{"rope_parameters", {{"full_attention", {{"rope_type", "yarn"}}}}}}), kUnsupported,
       "full_attention"},
      {Text({{"rope_parameters", 5}}), kCorrupt, "rope_parameters: expected an object"},
      {Text({{"rope_theta", 0}}), kCorrupt,
       "rope_theta of full attention: expected a positive number"},
      {Text({{"rope_theta", 1e300}}), kCorrupt, "rope_theta: expected a number"},
      {Text({{"hidden_size", 0}}), kCorrupt, "hidden_size: expected 1 to"},
      {Text({{"hidden_size", -5}}), kCorrupt, "found -5"},
      {Text({{"hidden_size", "2048"}}), kCorrupt,
       "hidden_size: expected an integer, found \"2048\""},
      {Text({{"hidden_size", 2048.5}}), kCorrupt, "expected an integer"},
      {Text({{"hidden_size", 18446744073709551615u}}), kCorrupt, "expected an integer"},
      {Text({{"num_hidden_layers", 0}}), kCorrupt,
       "num_hidden_layers: expected 1 to 1024, found 0"},
      {Text({{"num_hidden_layers", 1000000000}}), kCorrupt, "found 1000000000"},
      {Text({{"num_hidden_layers", 10}}), kCorrupt,
       "num_kv_shared_layers: expected 0 to 9, found 15"},
      {Text({{"num_kv_shared_layers", -1}}), kCorrupt, "num_kv_shared_layers"},
      // Four layers own K/V, all sliding: layer 4 is a full one without a source.
      {Text({{"num_kv_shared_layers", 31}}), kCorrupt,
       "layer 4 (full attention) shares keys and values, but none of the 4 layers"},
      {Text({{"layer_types", {"sliding_attention"}}}), kCorrupt,
       "layer_types: expected a value for each of 35"},
      {Text({{"layer_types", {"linear_attention"}}}), kUnsupported, "found linear_attention"},
      {Text({{"layer_types", "full"}}), kCorrupt, "layer_types: expected a list"},
      {Text({{"num_attention_heads", 7}}), kCorrupt,
       "expected a multiple of num_key_value_heads 2, found 7"},
      {Text({{"num_key_value_heads", 0}}), kCorrupt, "num_key_value_heads"},
      {Text({{"head_dim", 255}}), kCorrupt, "head_dim: expected an even number"},
      {Text({{"altup_active_idx", 4}}), kCorrupt, "altup_active_idx: expected 0 to 3, found 4"},
      {Text({{"rms_norm_eps", 0}}), kCorrupt, "rms_norm_eps"},
      {Text({{"final_logit_softcapping", -1}}), kCorrupt, "final_logit_softcapping"},
      {Text({{"intermediate_size", {{"a", 1}}}}), kCorrupt,
       "intermediate_size: expected an integer or a list"},
      {Text({{"intermediate_size", 0}}), kCorrupt, "intermediate_size of layer 0: expected 1 to"},
      {Text({{"sliding_window", 0}}), kCorrupt, "sliding_window"},
      {Text({{"eos_token_id", 300000}}), kCorrupt,
       "eos_token_id: expected 0 to 262399, found 300000"},
      {Text({{"bos_token_id", 300000}}), kCorrupt, "bos_token_id"},
      {{{"model_type", "gemma3n"}, {"image_token_id", 300000}}, kCorrupt, "image_token_id"},
      {{{"model_type", "gemma3n"}, {"audio_config", {{"vocab_offset", 262273}}}},
       kCorrupt,
       "ids 262272 to 262272 have no embedding"},
      {{{"model_type", "gemma3n"}, {"audio_config", {{"vocab_size", 100}}}},
       kCorrupt,
       "ids 262372 to 262399 have no embedding"},
      {json::array(), kCorrupt, "expected a JSON object"},
  };
  for (const Refused& c : cases) {
    const auto config = Parse(c.config);
    ASSERT_FALSE(config.ok()) << c.config;
    EXPECT_EQ(config.status().code(), c.code) << c.config;
    EXPECT_THAT(config.status().message(),
                AllOf(HasSubstr("dir/config.json"), HasSubstr(c.message)))
        << c.config;
  }
}

TEST(HubConfig, ArchitectureStandsInForAMissingModelType) {
  EXPECT_TRUE(Parse({{"architectures", {"Gemma3nForConditionalGeneration"}}})->multimodal);
  EXPECT_FALSE(Parse({{"architectures", {"Gemma3nForCausalLM"}}})->multimodal);
}

TEST(HubConfig, NullSoftcapIsNone) {
  EXPECT_EQ(Parse(Text({{"final_logit_softcapping", nullptr}}))->text.final_logit_softcap, 0);
}

TEST(HubConfig, WrittenTextIsReadBack) {
  json text = {{"num_hidden_layers", 6},
               {"num_kv_shared_layers", 2},
               {"intermediate_size", {96, 64, 64, 96, 32, 32}},
               {"layer_types",
                {"full_attention", "sliding_attention", "sliding_attention", "full_attention",
                 "sliding_attention", "full_attention"}},
               {"activation_sparsity_pattern", {0.95, 0.9, 0.123, 0.5, 0.2, 0}},
               {"rope_theta", 123456.7},
               {"rope_local_base_freq", 777},
               {"rms_norm_eps", 1e-5},
               {"altup_correct_scale", false},
               {"eos_token_id", 9}};
  for (const json& source : {Text(text), Multimodal(text)}) {
    const auto config = Parse(source);
    ASSERT_TRUE(config.ok()) << config.status().message();
    const std::string written = HubConfigJson(*config);
    const auto again = ParseHubConfig(written, "", "written");
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(HubConfigJson(*again), written);
    EXPECT_EQ(again->text.sparsity_z, config->text.sparsity_z);
    EXPECT_EQ(again->text.rope_theta_full, 123456.7f);
    EXPECT_EQ(again->text.sliding, config->text.sliding);
    EXPECT_EQ(again->multimodal, config->multimodal);
    EXPECT_EQ(again->end_tokens, config->end_tokens);
    EXPECT_FALSE(again->text.altup_correct_scale);
    EXPECT_THAT(written, HasSubstr("0.95,"));  // not 0.949999988
  }
}

}  // namespace
}  // namespace gemma3n
