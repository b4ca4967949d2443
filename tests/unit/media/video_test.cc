// The right frames at the right times, by the number that each fixture frame carries.
#include "media/video.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <numbers>

#include "media/audio.h"
#include "media/frame_to_image.h"
#include "tests/unit/media/media_files.h"

namespace gemma3n {
namespace {

using ::testing::HasSubstr;
using testing::InMemory;
using testing::MediaFixture;

using Rgb = std::array<int, 3>;
constexpr std::array<Rgb, 4> kColours = {
    {{200, 40, 40}, {40, 160, 60}, {50, 70, 200}, {190, 180, 60}}};

Rgb Pixel(const Image& image, int64_t x, int64_t y) {
  const size_t at = static_cast<size_t>((y * image.width + x) * 3);
  return {image.rgb[at], image.rgb[at + 1], image.rgb[at + 2]};
}

// The number in the eight blocks at the top.
int FrameNumber(const Image& image) {
  int number = 0;
  for (int bit = 0; bit < 8; ++bit)
    if (Pixel(image, bit * 8 + 4, 8)[1] > 128) number |= 1 << bit;
  return number;
}

void ExpectColour(const Image& image, int64_t x, int64_t y, const Rgb& want, int tolerance) {
  const Rgb got = Pixel(image, x, y);
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(got[c], want[c], tolerance) << "channel " << c;
}

struct Expected {
  double seconds, shown_at;
  int number;
};

// All frames, each checked for its colour too.
std::vector<Expected> Read(const MediaInput& input, const VideoOptions& options,
                           int tolerance = 6) {
  auto reader = VideoReader::Open(input, options);
  EXPECT_TRUE(reader.ok()) << reader.status().message();
  std::vector<Expected> frames;
  while (reader.ok()) {
    const auto next = reader->Next();
    EXPECT_TRUE(next.ok()) << next.status().message();
    if (!next.ok() || !next->has_value()) break;
    const VideoFrame& frame = **next;
    EXPECT_EQ(frame.image.width, 64);
    EXPECT_EQ(frame.image.height, 48);
    frames.push_back({frame.seconds, frame.shown_at, FrameNumber(frame.image)});
    if (frames.back().number < 40)
      ExpectColour(frame.image, 32, 36, kColours[static_cast<size_t>(frames.back().number / 10)],
                   tolerance);
  }
  EXPECT_EQ(static_cast<int64_t>(frames.size()), reader.ok() ? reader->info().frames : -1);
  return frames;
}

class TenASecond : public ::testing::TestWithParam<const char*> {};

// Frame n is shown from n / 10 to (n + 1) / 10 seconds, for 4 seconds.
TEST_P(TenASecond, FrameShownAtEachTime) {
  const MediaInput input = MediaInput::File(MediaFixture(GetParam()));
  for (const double rate : {1.0, 2.0, 3.0, 10.0, 25.0, 0.4}) {
    SCOPED_TRACE(rate);
    const auto frames = Read(input, {.frames_per_second = rate, .max_frames = 1000, .threads = 1});
    ASSERT_EQ(frames.size(), static_cast<size_t>(std::ceil(4 * rate - 1e-9)));
    for (size_t k = 0; k < frames.size(); ++k) {
      const double t = static_cast<double>(k) / rate;
      EXPECT_DOUBLE_EQ(frames[k].seconds, t);
      EXPECT_EQ(frames[k].number, static_cast<int>(t * 10 + 1e-5)) << t;
      EXPECT_NEAR(frames[k].shown_at, frames[k].number / 10.0, 1e-3);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Containers, TenASecond,
                         ::testing::Values("seconds.mp4", "late-709.mkv", "seconds.webm",
                                           "bare.h264"));

TEST(VideoReader, Info) {
  const auto mp4 = VideoReader::Open(MediaInput::File(MediaFixture("seconds.mp4")));
  ASSERT_TRUE(mp4.ok()) << mp4.status().message();
  EXPECT_EQ(mp4->info().width, 64);
  EXPECT_EQ(mp4->info().height, 48);
  EXPECT_NEAR(mp4->info().seconds, 4, 1e-6);
  EXPECT_TRUE(mp4->info().has_audio);
  EXPECT_EQ(mp4->info().possible_frames, 4);
  EXPECT_EQ(mp4->info().frames, 4);
  EXPECT_FALSE(mp4->info().thinned());
  EXPECT_FALSE(VideoReader::Open(MediaInput::File(MediaFixture("varying.mkv")))->info().has_audio);
}

TEST(VideoReader, ThinsEvenlyAndSaysSo) {
  const MediaInput input = MediaInput::File(MediaFixture("seconds.mp4"));
  const VideoOptions options{.frames_per_second = 10, .max_frames = 16, .threads = 1};
  const auto reader = VideoReader::Open(input, options);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  EXPECT_EQ(reader->info().possible_frames, 40);
  EXPECT_EQ(reader->info().frames, 16);
  EXPECT_DOUBLE_EQ(reader->info().interval, 0.25);
  EXPECT_TRUE(reader->info().thinned());
  const auto frames = Read(input, options);
  for (size_t k = 0; k < frames.size(); ++k) {
    EXPECT_DOUBLE_EQ(frames[k].seconds, 0.25 * static_cast<double>(k));
    EXPECT_EQ(frames[k].number, static_cast<int>(2.5 * static_cast<double>(k)));
  }
  EXPECT_EQ(Read(input, {.frames_per_second = 10, .max_frames = 1}).size(), 1u);
}

// Frame n comes on at n * n / 400 seconds.
TEST(VideoReader, VariableFrameRate) {
  const auto frames = Read(MediaInput::File(MediaFixture("varying.mkv")),
                           {.frames_per_second = 8, .max_frames = 1000});
  ASSERT_GE(frames.size(), 31u);
  for (const Expected& frame : frames) {
    int want = 0;
    while (want < 39 && std::floor((want + 1) * (want + 1) * 2.5) / 1000 <= frame.seconds + 1e-6)
      ++want;
    EXPECT_EQ(frame.number, want) << frame.seconds;
    EXPECT_NEAR(frame.shown_at, want * want / 400.0, 0.0011);
  }
}

TEST(VideoReader, RotationIsApplied) {
  auto reader = VideoReader::Open(MediaInput::File(MediaFixture("turned.mov")));
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  for (int second = 0; second < 4; ++second) {
    const auto next = reader->Next();
    ASSERT_TRUE(next.ok() && next->has_value()) << next.status().message();
    const Image& image = (*next)->image;
    ASSERT_EQ(image.width, 48);
    ASSERT_EQ(image.height, 64);
    // A quarter turn counter-clockwise: the blocks at the top run up the left side.
    int number = 0;
    for (int bit = 0; bit < 8; ++bit)
      if (Pixel(image, 8, 63 - (bit * 8 + 4))[1] > 128) number |= 1 << bit;
    EXPECT_EQ(number, second * 10);
    ExpectColour(image, 36, 32, kColours[static_cast<size_t>(second)], 6);
  }
}

TEST(Orientation, AllEight) {
  // 3 x 2 pixels 0..5; what each display matrix makes of them, by hand.
  Image image{3, 2, {}};
  for (uint8_t i = 0; i < 6; ++i) image.rgb.insert(image.rgb.end(), 3, i);
  struct Case {
    int a, b, c, d;
    int64_t width;
    std::array<uint8_t, 6> pixels;
  };
  for (const Case& t :
       {Case{1, 0, 0, 1, 3, {0, 1, 2, 3, 4, 5}}, Case{-1, 0, 0, 1, 3, {2, 1, 0, 5, 4, 3}},
        Case{1, 0, 0, -1, 3, {3, 4, 5, 0, 1, 2}}, Case{-1, 0, 0, -1, 3, {5, 4, 3, 2, 1, 0}},
        Case{0, 1, -1, 0, 2, {3, 0, 4, 1, 5, 2}}, Case{0, -1, 1, 0, 2, {2, 5, 1, 4, 0, 3}},
        Case{0, 1, 1, 0, 2, {0, 3, 1, 4, 2, 5}}, Case{0, -1, -1, 0, 2, {5, 2, 4, 1, 3, 0}}}) {
    const int32_t one = 1 << 16;
    const std::array<int32_t, 9> matrix = {t.a * one, t.b * one, 0, t.c * one, t.d * one,
                                           0,         0,         0, 1 << 30};
    const Image out = Oriented(image, Orientation::FromDisplayMatrix(matrix.data()));
    EXPECT_EQ(out.width, t.width);
    EXPECT_EQ(out.height, 6 / t.width);
    for (size_t i = 0; i < 6; ++i) EXPECT_EQ(out.rgb[3 * i], t.pixels[i]) << t.a << t.b << t.c;
  }
  const std::array<int32_t, 9> nothing = {};
  EXPECT_EQ(Orientation::FromDisplayMatrix(nothing.data()), Orientation{});
}

// BT.601 in the narrow range and BT.709 in the full one: the same colours. A wrong matrix would
// be off by 15 and more, a wrong range by 10 and more.
TEST(VideoReader, ColourSpaces) {
  for (const char* name : {"seconds.mp4", "late-709.mkv"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(Read(MediaInput::File(MediaFixture(name)), {}, 3).size(), 4u);
  }
}

TEST(VideoReader, SoundIsInStep) {
  for (const char* name : {"seconds.mp4", "late-709.mkv", "seconds.webm", "turned.mov"}) {
    const auto audio = DecodeAudio(MediaInput::File(MediaFixture(name)));
    ASSERT_TRUE(audio.ok()) << audio.status().message();
    EXPECT_NEAR(audio->seconds(), 4, 0.1) << name;
    for (int second = 0; second < 4; ++second) {
      // The share of the tone 400 + 300 s Hz in the middle of second s.
      const double step = 2 * std::numbers::pi * (400 + 300 * second) / kAudioRate;
      double re = 0, im = 0, power = 0;
      for (int i = 0; i < 8000; ++i) {
        const double x = audio->samples[static_cast<size_t>(second * 16000 + 4000 + i)];
        re += x * std::cos(step * i);
        im += x * std::sin(step * i);
        power += x * x;
      }
      EXPECT_GT((re * re + im * im) / (power * 8000 / 2), 0.9) << name << " second " << second;
    }
  }
}

TEST(VideoReader, FromMemoryAndWithThreadsTheSame) {
  const std::string bytes = testing::ReadAll(MediaFixture("seconds.mp4"));
  auto one = VideoReader::Open(InMemory(bytes), {.frames_per_second = 5, .threads = 1});
  auto four = VideoReader::Open(MediaInput::File(MediaFixture("seconds.mp4")),
                                {.frames_per_second = 5, .threads = 4});
  ASSERT_TRUE(one.ok() && four.ok());
  for (int k = 0; k < 20; ++k) {
    const auto a = one->Next(), b = four->Next();
    ASSERT_TRUE(a.ok() && a->has_value() && b.ok() && b->has_value());
    EXPECT_EQ((*a)->image.rgb, (*b)->image.rgb) << k;
  }
  EXPECT_FALSE(one->Next()->has_value());
}

TEST(VideoReader, BadFilesAreOneSentence) {
  const std::string mp4 = testing::ReadAll(MediaFixture("seconds.mp4"));
  struct BadFile {
    const char* what;
    std::string bytes;
    StatusCode code;
    const char* message;
  };
  for (const BadFile& file : std::vector<BadFile>{
           {"empty", "", StatusCode::kCorruptFile, "found no bytes"},
           {"text", "Not a film at all, just words.\n", StatusCode::kCorruptFile,
            "in no format that is known"},
           {"cut", mp4.substr(0, 9000), StatusCode::kCorruptFile, "broken or not all there"},
           {"sound", testing::ReadAll(MediaFixture("sweep-44k.mp3")), StatusCode::kUnsupported,
            "expected a video, found sound (mp3) without any pictures"}}) {
    SCOPED_TRACE(file.what);
    const auto reader = VideoReader::Open(InMemory(file.bytes, "x.mp4"));
    ASSERT_FALSE(reader.ok());
    EXPECT_EQ(reader.status().code(), file.code);
    EXPECT_THAT(reader.status().message(), HasSubstr(file.message));
    EXPECT_THAT(reader.status().message(), ::testing::StartsWith("x.mp4: "));
  }
  EXPECT_EQ(VideoReader::Open(MediaInput::File("/nowhere.mp4")).status().code(),
            StatusCode::kNotFound);
  for (const VideoOptions& options :
       {VideoOptions{.frames_per_second = 0}, VideoOptions{.frames_per_second = std::nan("")},
        VideoOptions{.max_frames = 0}, VideoOptions{.max_pixels = 0}})
    EXPECT_EQ(VideoReader::Open(InMemory(mp4), options).status().code(),
              StatusCode::kInvalidArgument);
  const auto large = VideoReader::Open(InMemory(mp4, "large.mp4"), {.max_pixels = 3000});
  EXPECT_EQ(large.status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(large.status().message(),
            "large.mp4: found frames of 64 x 48, expected at most 3000 pixels");
}

// The duration fields of the movie, the track and the medium say ten hours; the frames say 4 s.
TEST(VideoReader, DurationThatLies) {
  std::string mp4 = testing::ReadAll(MediaFixture("seconds.mp4"));
  int patched = 0;
  const auto patch = [&](const std::string& box, size_t scale_at, size_t duration_at) {
    for (size_t at = mp4.find(box); at != std::string::npos; at = mp4.find(box, at + 4)) {
      uint32_t scale = 1000;
      if (scale_at > 0) {
        scale = 0;
        for (size_t i = 0; i < 4; ++i)
          scale = scale << 8 | static_cast<uint8_t>(mp4[at + 4 + scale_at + i]);
      }
      const uint32_t duration = scale * 36000;
      for (size_t i = 0; i < 4; ++i)
        mp4[at + 4 + duration_at + i] = static_cast<char>(duration >> (24 - 8 * i));
      ++patched;
    }
  };
  patch("mvhd", 12, 16);
  patch("tkhd", 0, 20);
  patch("mdhd", 12, 16);
  ASSERT_EQ(patched, 5);
  const auto reader = VideoReader::Open(InMemory(mp4));
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  EXPECT_NEAR(reader->info().seconds, 4, 0.2);
  EXPECT_EQ(Read(InMemory(mp4), {}).size(), 4u);
  const auto audio = DecodeAudio(InMemory(mp4, "liar.mp4"));
  ASSERT_TRUE(audio.ok()) << audio.status().message();
  EXPECT_NEAR(audio->seconds(), 4, 0.1);
}

// Cut in its middle, a container that can be read so far gives the frames so far.
TEST(VideoReader, TruncatedMatroska) {
  const std::string bytes = testing::ReadAll(MediaFixture("late-709.mkv"));
  const std::string half = bytes.substr(0, bytes.size() / 2);
  const auto frames = Read(InMemory(half), {.frames_per_second = 10});
  ASSERT_GT(frames.size(), 8u);
  ASSERT_LT(frames.size(), 35u);
  for (size_t k = 0; k < frames.size(); ++k) EXPECT_NEAR(frames[k].number, static_cast<int>(k), 1);
}

TEST(VideoReader, DamageInTheMiddle) {
  std::string bytes = testing::ReadAll(MediaFixture("seconds.mp4"));
  ::testing::internal::CaptureStderr();
  for (size_t i = 3000; i < 6000; i += 7) bytes[i] = static_cast<char>(bytes[i] ^ 0x5a);
  auto reader = VideoReader::Open(InMemory(bytes), {.frames_per_second = 10});
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  int frames = 0;
  for (; frames < 100; ++frames) {
    const auto next = reader->Next();
    ASSERT_TRUE(next.ok()) << next.status().message();
    if (!next->has_value()) break;
  }
  EXPECT_EQ(frames, reader->info().frames);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace gemma3n
