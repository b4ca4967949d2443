// Clips of long sound: where they end, and that nothing is lost.
#include "media/quiet_cut.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "media/pcm_stream.h"
#include "tests/unit/media/media_files.h"

namespace gemma3n {
namespace {

constexpr int64_t kSecond = kAudioRate;

// Words of 0.3 to 0.8 s (voiced noise) with gaps of 40 ms, and the given pauses of 0.4 s.
std::vector<float> Speech(double seconds, const std::vector<double>& pauses, uint32_t seed,
                          float floor = 0.001f) {
  std::mt19937 random(seed);
  const auto uniform = [&] { return static_cast<float>(random()) / 4294967296.0f; };
  const auto total = static_cast<int64_t>(seconds * kSecond);
  std::vector<float> samples(static_cast<size_t>(total));
  int64_t word_end = 0, gap_end = 0;
  for (int64_t i = 0; i < total; ++i) {
    if (i >= gap_end) {
      word_end = i + static_cast<int64_t>((0.3f + 0.5f * uniform()) * kSecond);
      gap_end = word_end + kSecond / 25;
    }
    const float loud = i < word_end ? 0.3f : floor;
    samples[static_cast<size_t>(i)] = loud * (2 * uniform() - 1);
  }
  for (const double pause : pauses) {
    const auto begin = static_cast<int64_t>(pause * kSecond);
    for (int64_t i = begin; i < std::min(total, begin + kSecond * 2 / 5); ++i)
      samples[static_cast<size_t>(i)] = floor * (2 * uniform() - 1);
  }
  return samples;
}

void ExpectCover(const std::vector<Span>& clips, size_t total, double window) {
  int64_t at = 0;
  for (const Span& clip : clips) {
    EXPECT_EQ(clip.begin, at);
    EXPECT_GT(clip.end, clip.begin);
    EXPECT_LE(clip.end - clip.begin, static_cast<int64_t>(window * kSecond));
    at = clip.end;
  }
  EXPECT_EQ(at, static_cast<int64_t>(total));
}

TEST(SplitAtQuietPlaces, ShortSoundIsOneClip) {
  EXPECT_TRUE(SplitAtQuietPlaces({}).empty());
  for (const int64_t n : {int64_t{1}, kSecond, 30 * kSecond}) {
    const std::vector<float> samples(static_cast<size_t>(n), 0.1f);
    EXPECT_EQ(SplitAtQuietPlaces(samples), (std::vector<Span>{{0, n}}));
  }
  const std::vector<float> more(static_cast<size_t>(30 * kSecond + 1), 0.1f);
  EXPECT_EQ(SplitAtQuietPlaces(more).size(), 2u);
}

TEST(SplitAtQuietPlaces, CutsInThePauses) {
  for (const uint32_t seed : {1u, 2u, 3u}) {
    const std::vector<double> pauses = {5, 24.5, 31, 51, 77.25};
    const auto samples = Speech(95, pauses, seed);
    const auto clips = SplitAtQuietPlaces(samples);
    ExpectCover(clips, samples.size(), 30);
    ASSERT_EQ(clips.size(), 4u);
    // At least 100 ms inside the pause: none of the words on either side is touched.
    for (const auto& [clip, pause] : {std::pair{0, 24.5}, {1, 51.0}, {2, 77.25}}) {
      const double cut = static_cast<double>(clips[static_cast<size_t>(clip)].end) / kSecond;
      EXPECT_GE(cut, pause + 0.09) << seed;
      EXPECT_LE(cut, pause + 0.31) << seed;
    }
  }
}

TEST(SplitAtQuietPlaces, OfTwoPausesTheQuieterOne) {
  auto samples = Speech(40, {22, 27}, 7);
  for (int64_t i = 22 * kSecond; i < 22 * kSecond + kSecond * 2 / 5; ++i)
    samples[static_cast<size_t>(i)] *= 20;
  const double cut = static_cast<double>(SplitAtQuietPlaces(samples)[0].end) / kSecond;
  EXPECT_GT(cut, 27.05);
  EXPECT_LT(cut, 27.35);
}

TEST(SplitAtQuietPlaces, InTheMiddleOfTheLongestSilence) {
  std::vector<float> samples(static_cast<size_t>(40 * kSecond), 0.2f);
  const auto silence = [&](double begin, double end) {
    std::fill(samples.begin() + static_cast<int64_t>(begin * kSecond),
              samples.begin() + static_cast<int64_t>(end * kSecond), 0.0f);
  };
  silence(21, 21.5);
  silence(23, 25);
  silence(28, 28.5);
  EXPECT_NEAR(static_cast<double>(SplitAtQuietPlaces(samples)[0].end), 24.0 * kSecond, 160);
}

TEST(SplitAtQuietPlaces, SoundWithoutAPauseIsCoveredToo) {
  std::vector<float> samples(static_cast<size_t>(100 * kSecond));
  for (size_t i = 0; i < samples.size(); ++i)
    samples[i] = 0.5f * std::sin(0.3f * static_cast<float>(i));
  for (const double window : {1.0, 2.5, 7.0, 30.0}) {
    const auto clips = SplitAtQuietPlaces(samples, window);
    ExpectCover(clips, samples.size(), window);
    for (size_t i = 0; i + 1 < clips.size(); ++i)
      EXPECT_GE(static_cast<double>(clips[i].end - clips[i].begin),
                (window * 2 / 3 - 0.02) * kSecond);
  }
  // An impossible window is the nearest possible one.
  ExpectCover(SplitAtQuietPlaces(samples, 0), samples.size(), 1);
  ExpectCover(SplitAtQuietPlaces(samples, std::nan("")), samples.size(), 30);
}

TEST(ClipSplitter, CutsAsTheWholeWouldBeCut) {
  const auto samples = Speech(64, {6.2, 15, 24.5, 33, 41, 52}, 11);
  for (const double window : {5.0, 8.0, 30.0}) {
    const auto want = SplitAtQuietPlaces(samples, window);
    for (const size_t piece : {size_t{1000}, size_t{77777}, samples.size()}) {
      ClipSplitter splitter(window);
      std::vector<Span> got;
      std::vector<float> joined;
      const auto take = [&](const ClipSplitter::Clip& clip) {
        got.push_back({clip.begin, clip.begin + static_cast<int64_t>(clip.samples.size())});
        joined.insert(joined.end(), clip.samples.begin(), clip.samples.end());
      };
      for (size_t at = 0; at < samples.size(); at += piece) {
        splitter.Push(std::span(samples).subspan(at, std::min(piece, samples.size() - at)));
        while (auto clip = splitter.Next()) take(*clip);
      }
      if (auto clip = splitter.Finish()) take(*clip);
      EXPECT_FALSE(splitter.Finish().has_value());
      EXPECT_EQ(got, want) << window << " " << piece;
      EXPECT_EQ(joined, samples);
    }
  }
}

TEST(Pcm16, BytesInAnyPieces) {
  const std::string bytes = std::string("\x00\x80\xff\x7f\x00\x00\x01\x00\xff\xff", 10);
  const std::vector<float> want = {-1, 32767.0f / 32768, 0, 1.0f / 32768, -1.0f / 32768};
  for (const size_t piece : {1, 3, 4, 10}) {
    Pcm16Decoder decoder;
    std::vector<float> got;
    for (size_t at = 0; at < bytes.size(); at += piece)
      decoder.Push(std::as_bytes(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at))),
                   &got);
    EXPECT_EQ(got, want);
    EXPECT_FALSE(decoder.mid_sample());
  }
}

TEST(Pcm16, FromAPipeAsItComes) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  Pcm16Stream stream(fds[0], "pipe");
  std::vector<float> got;
  ASSERT_EQ(::write(fds[1], "\x00\x40\x00", 3), 3);
  ASSERT_TRUE(*stream.Read(&got));
  EXPECT_EQ(got, (std::vector<float>{0.5f}));
  ASSERT_EQ(::write(fds[1], "\xc0\x11", 2), 2);
  ::close(fds[1]);
  ASSERT_TRUE(*stream.Read(&got));
  EXPECT_EQ(got, (std::vector<float>{0.5f, -0.5f}));
  EXPECT_FALSE(*stream.Read(&got));
  ::close(fds[0]);
  EXPECT_EQ(Pcm16Stream(fds[0], "gone").Read(&got).status().code(), StatusCode::kIo);
}

}  // namespace
}  // namespace gemma3n
