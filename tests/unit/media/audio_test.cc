// Sound files to 16 kHz mono, against the formula that the fixtures were made from.
#include "media/audio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/media/media_files.h"

namespace gemma3n {
namespace {

using ::testing::HasSubstr;
using testing::InMemory;
using testing::MediaFixture;
using testing::Wav;

struct SweepFile {
  const char* name;
  double min_snr;  // decibels; what the codec leaves
};

class Sweeps : public ::testing::TestWithParam<SweepFile> {};

TEST_P(Sweeps, DecodeToTheFormula) {
  const std::string path = MediaFixture(GetParam().name);
  const auto audio = DecodeAudio(MediaInput::File(path));
  ASSERT_TRUE(audio.ok()) << audio.status().message();
  EXPECT_EQ(audio->warning, "");
  // Lossy codecs pad the end to whole frames; the beginning is trimmed exactly.
  ASSERT_GE(audio->samples.size(), 7999u);
  EXPECT_LE(audio->samples.size(), 8000u + 1600u);
  const double snr = testing::SignalToNoise(testing::Sweep(), audio->samples, 400, 7600);
  std::printf("%-16s %5.1f dB, %zu samples\n", GetParam().name, snr, audio->samples.size());
  EXPECT_GT(snr, GetParam().min_snr);

  const auto bytes = testing::ReadAll(path);
  const auto memory = DecodeAudio(InMemory(bytes));
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  EXPECT_EQ(memory->samples, audio->samples);
}

INSTANTIATE_TEST_SUITE_P(Formats, Sweeps,
                         ::testing::Values(SweepFile{"sweep-8k.wav", 80},
                                           SweepFile{"sweep-22k.flac", 80},
                                           SweepFile{"sweep-44k.mp3", 20},
                                           SweepFile{"sweep-48k.opus", 20},
                                           SweepFile{"sweep-32k.m4a", 20}));

TEST(DecodeAudio, SixteenBitsAtSixteenKilohertzAreExact) {
  std::vector<int16_t> samples;
  for (int v = -32768; v <= 32767; v += 7) samples.push_back(static_cast<int16_t>(v));
  const auto audio = DecodeAudio(InMemory(Wav(samples, 1, 16000)));
  ASSERT_TRUE(audio.ok()) << audio.status().message();
  ASSERT_EQ(audio->samples.size(), samples.size());
  for (size_t i = 0; i < samples.size(); ++i)
    ASSERT_EQ(audio->samples[i], static_cast<float>(samples[i]) / 32768.0f) << i;
}

TEST(DecodeAudio, MonoIsTheMeanOfTheChannels) {
  for (const int channels : {2, 3, 6}) {
    std::vector<int16_t> samples;
    std::vector<float> want;
    for (int i = 0; i < 2000; ++i) {
      double sum = 0;
      for (int c = 0; c < channels; ++c) {
        samples.push_back(static_cast<int16_t>((i * 7919 + c * 12345) % 65536 - 32768));
        sum += samples.back() / 32768.0;
      }
      want.push_back(static_cast<float>(sum / channels));
    }
    const auto audio = DecodeAudio(InMemory(Wav(samples, channels, 16000)));
    ASSERT_TRUE(audio.ok()) << audio.status().message();
    EXPECT_EQ(audio->samples, want) << channels;
  }
}

TEST(DecodeAudio, EverySampleFormat) {
  const std::vector<double> values = {0, 0.5, -0.5, 0.25, -1, 0.75};
  std::vector<uint8_t> u8;
  std::vector<int32_t> s32;
  std::vector<float> f32;
  for (const double v : values) {
    u8.push_back(static_cast<uint8_t>(128 + v * 128));
    s32.push_back(static_cast<int32_t>(v * 2147483648.0));
    f32.push_back(static_cast<float>(v));
  }
  for (const std::string& file :
       {Wav(u8, 1, 16000), Wav(s32, 1, 16000), Wav(f32, 1, 16000), Wav(values, 1, 16000)}) {
    const auto audio = DecodeAudio(InMemory(file));
    ASSERT_TRUE(audio.ok()) << audio.status().message();
    EXPECT_EQ(audio->samples, f32);
  }
}

TEST(DecodeAudio, WhatIsNoNumberBecomesSilenceAndLoudnessIsClipped) {
  std::vector<float> samples(3200, 0.25f);
  samples[100] = std::numeric_limits<float>::quiet_NaN();
  samples[200] = std::numeric_limits<float>::infinity();
  samples[300] = 1e30f;
  samples[301] = -3;
  const auto exact = DecodeAudio(InMemory(Wav(samples, 1, 16000)));
  ASSERT_TRUE(exact.ok()) << exact.status().message();
  EXPECT_EQ(exact->samples[100], 0);
  EXPECT_EQ(exact->samples[200], 0);
  EXPECT_EQ(exact->samples[300], 1);
  EXPECT_EQ(exact->samples[301], -1);
  const auto resampled = DecodeAudio(InMemory(Wav(samples, 1, 44100)));
  ASSERT_TRUE(resampled.ok()) << resampled.status().message();
  for (const float v : resampled->samples) ASSERT_LE(std::abs(v), 1) << v;  // false for NaN too
}

TEST(DecodeAudio, ReadsPieceByPiece) {
  const auto path = MediaFixture("sweep-44k.mp3");
  auto reader = AudioReader::Open(MediaInput::File(path));
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  std::vector<float> all;
  size_t pieces = 0;
  for (bool more = true; more; ++pieces) {
    const size_t before = all.size();
    const auto read = reader->Read(&all);
    ASSERT_TRUE(read.ok()) << read.status().message();
    more = *read;
    EXPECT_EQ(more, all.size() > before);
  }
  EXPECT_GT(pieces, 5u);
  EXPECT_EQ(all, DecodeAudio(MediaInput::File(path))->samples);
}

TEST(DecodeAudio, LimitsCountWhatIsDecoded) {
  const std::string wav = Wav(std::vector<int16_t>(16000, 100), 1, 8000);  // two seconds
  const auto limited = DecodeAudio(InMemory(wav, "long.wav"), {.max_seconds = 1.5});
  EXPECT_EQ(limited.status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(limited.status().message(), "long.wav: more than the limit of 1.5 seconds of sound");
  EXPECT_TRUE(DecodeAudio(InMemory(wav), {.max_seconds = 2}).ok());
  const auto channels = DecodeAudio(InMemory(Wav(std::vector<int16_t>(160), 8, 16000), "wide.wav"),
                                    {.max_channels = 6});
  EXPECT_EQ(channels.status().code(), StatusCode::kUnsupported);
  EXPECT_THAT(channels.status().message(), HasSubstr("found 8 channels at 16000 Hz"));
  // One sample a second: 16,000 times as many come out, and are counted.
  const auto slow =
      DecodeAudio(InMemory(Wav(std::vector<int16_t>(1000, 5), 1, 1)), {.max_seconds = 100});
  EXPECT_EQ(slow.status().code(), StatusCode::kResourceExhausted) << slow.status().message();
}

// Ten hours by its header, a tenth of a second by its bytes.
TEST(DecodeAudio, HeadersThatLie) {
  std::string wav = testing::WavHeader(1, 16, 1, 16000, 36000u * 32000u);
  wav += std::string(3200, '\1');
  const auto audio = DecodeAudio(InMemory(wav, "liar.wav"));
  ASSERT_TRUE(audio.ok()) << audio.status().message();
  EXPECT_EQ(audio->samples.size(), 1600u);
  EXPECT_LT(audio->samples.capacity(), 100000u);
  EXPECT_EQ(audio->warning,
            "liar.wav: stops in the middle of its data, after 0.1 seconds of sound");
}

struct BadFile {
  const char* what;
  std::string bytes;
  StatusCode code;
  std::string message;
};

TEST(DecodeAudio, BadFilesAreOneSentence) {
  const std::string mp4 = testing::ReadAll(MediaFixture("seconds.mp4"));
  const std::vector<BadFile> files = {
      {"empty", "", StatusCode::kCorruptFile, "expected a sound or video file, found no bytes"},
      {"text", "This is no film, whatever its name says.\n", StatusCode::kCorruptFile,
       "found 41 bytes in no format that is known"},
      {"zeros", std::string(5000, '\0'), StatusCode::kCorruptFile, "x.mp4: "},
      {"cut before its header", mp4.substr(0, mp4.size() / 2), StatusCode::kCorruptFile,
       "its header is broken or not all there"},
      {"no sound", testing::ReadAll(MediaFixture("varying.mkv")), StatusCode::kUnsupported,
       "expected sound, found video (h264) without any"},
      {"no samples", testing::WavHeader(1, 16, 1, 16000, 0), StatusCode::kCorruptFile, "x.mp4: "},
  };
  for (const BadFile& file : files) {
    SCOPED_TRACE(file.what);
    const auto audio = DecodeAudio(InMemory(file.bytes, "x.mp4"));
    ASSERT_FALSE(audio.ok());
    EXPECT_EQ(audio.status().code(), file.code);
    EXPECT_THAT(audio.status().message(), HasSubstr(file.message));
    EXPECT_THAT(audio.status().message(), ::testing::StartsWith("x.mp4: "));
  }
  EXPECT_EQ(DecodeAudio(MediaInput::File("/nowhere.wav")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(DecodeAudio(MediaInput::File("/tmp")).status().code(), StatusCode::kInvalidArgument);
}

TEST(DecodeAudio, TruncatedFilesGiveWhatIsThereAndSaySo) {
  const std::string flac = testing::ReadAll(MediaFixture("sweep-22k.flac"));
  const std::string most = flac.substr(0, flac.size() * 3 / 4);
  const auto head = DecodeAudio(InMemory(most, "cut.flac"));
  ASSERT_TRUE(head.ok()) << head.status().message();
  EXPECT_NEAR(head->seconds(), 0.37, 0.08);
  EXPECT_EQ(head->warning, "cut.flac: 1 of 4 packets of sound could not be decoded");
  const std::string wav = Wav(std::vector<int16_t>(32000, 100), 1, 16000);
  const std::string cut = wav.substr(0, wav.size() / 2);
  const auto part = DecodeAudio(InMemory(cut, "cut.wav"));
  ASSERT_TRUE(part.ok()) << part.status().message();
  EXPECT_NEAR(part->seconds(), 1, 0.01);
  EXPECT_EQ(part->warning, "cut.wav: stops in the middle of its data, after 1.0 seconds of sound");
}

// A playlist would open the files it names.
TEST(DecodeAudio, PlaylistsAreRefused) {
  const testing::TempDir folder;
  folder.Write("secret.wav", Wav(std::vector<int16_t>(16000, 1000), 1, 16000));
  const std::string hls = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" +
                          (folder / "secret.wav") + "\n#EXT-X-ENDLIST\n";
  const std::string concat = "ffconcat version 1.0\nfile '" + (folder / "secret.wav") + "'\n";
  for (const std::string& list : {hls, concat}) {
    const auto path = folder.Write("list.m3u8", list);
    const auto audio = DecodeAudio(MediaInput::File(path));
    ASSERT_FALSE(audio.ok());
    EXPECT_EQ(audio.status().code(), StatusCode::kUnsupported) << audio.status().message();
    EXPECT_THAT(audio.status().message(), HasSubstr("which names others"));
  }
}

TEST(DecodeAudio, FfmpegKeepsQuiet) {
  ::testing::internal::CaptureStderr();
  const std::string mp4 = testing::ReadAll(MediaFixture("seconds.mp4"));
  (void)DecodeAudio(InMemory(mp4.substr(0, mp4.size() / 2))).ok();
  (void)DecodeAudio(InMemory(std::string(5000, '\0'))).ok();
  const std::string mp3 = testing::ReadAll(MediaFixture("sweep-44k.mp3"));
  (void)DecodeAudio(InMemory(mp3.substr(0, 1500) + std::string(300, 'x') + mp3.substr(1700))).ok();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace gemma3n
