// The streaming detector against a search of the whole text, for every way of cutting it.
#include "sampling/stop_detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace gemma3n {
namespace {

StopDetector Make(std::vector<std::string> stops) {
  auto detector = StopDetector::Create(std::move(stops));
  EXPECT_TRUE(detector.ok());
  return std::move(detector).value();
}

struct Outcome {
  std::string text;
  int matched = -1;
  bool operator==(const Outcome&) const = default;
};

// The definition: the first end position at which some stop string ends; the longest of those that
// end there.
Outcome Search(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    int best = -1;
    for (size_t i = 0; i < stops.size(); ++i) {
      if (!std::string_view(text).substr(0, end).ends_with(stops[i])) continue;
      if (best < 0 || stops[i].size() > stops[static_cast<size_t>(best)].size())
        best = static_cast<int>(i);
    }
    if (best >= 0) return {text.substr(0, end - stops[static_cast<size_t>(best)].size()), best};
  }
  return {text, -1};
}

TEST(StopDetector, HoldsBackWhatCouldBeAStop) {
  StopDetector d = Make({"<end>"});
  std::string out;
  EXPECT_FALSE(d.Push("Hello <", out));
  EXPECT_EQ(out, "Hello ");
  EXPECT_EQ(d.pending(), 1u);
  EXPECT_FALSE(d.Push("en", out));
  EXPECT_EQ(out, "Hello ");
  EXPECT_FALSE(d.Push("try> <e", out));
  EXPECT_EQ(out, "Hello <entry> ");
  EXPECT_TRUE(d.Push("nd> more", out));
  EXPECT_EQ(out, "Hello <entry> ");
  EXPECT_EQ(d.matched(), 0);
  EXPECT_TRUE(d.Push("ignored", out));
  EXPECT_EQ(out, "Hello <entry> ");
  d.Reset();
  EXPECT_FALSE(d.Push("<en", out));
  d.Finish(out);
  EXPECT_EQ(out, "Hello <entry> <en");
}

TEST(StopDetector, WithoutStopsTextPasses) {
  StopDetector d = Make({});
  std::string out;
  EXPECT_FALSE(d.Push("abc", out));
  EXPECT_EQ(out, "abc");
}

TEST(StopDetector, OverlapsWithItself) {
  StopDetector d = Make({"aab"});
  std::string out;
  EXPECT_TRUE(d.Push("aaaab", out));
  EXPECT_EQ(out, "aa");
}

TEST(StopDetector, FirstCompletedWinsAndOfThoseTheLongest) {
  StopDetector a = Make({"abcd", "bc"});
  std::string out;
  EXPECT_TRUE(a.Push("xabcd", out));
  EXPECT_EQ(out, "xa");
  EXPECT_EQ(a.matched(), 1);
  StopDetector b = Make({"\n", "\n\n"});
  out.clear();
  EXPECT_TRUE(b.Push("x\n\n", out));
  EXPECT_EQ(out, "x");
  EXPECT_EQ(b.matched(), 0);
  StopDetector c = Make({"bc", "abc"});
  out.clear();
  EXPECT_TRUE(c.Push("abc", out));
  EXPECT_EQ(out, "");
  EXPECT_EQ(c.matched(), 1);
}

TEST(StopDetector, Utf8IsNotCutInTwo) {
  // é is C3 A9, è is C3 A8: the first byte alone begins the stop string.
  StopDetector d = Make({"é!"});
  std::string out;
  EXPECT_FALSE(d.Push("caf\xC3", out));
  EXPECT_EQ(out, "caf");
  EXPECT_FALSE(d.Push("\xA8", out));
  EXPECT_EQ(out, "cafè");
  EXPECT_FALSE(d.Push("é", out));
  EXPECT_EQ(out, "cafè");
  EXPECT_TRUE(d.Push("!", out));
  EXPECT_EQ(out, "cafè");
}

TEST(StopDetector, RefusesEmptyAndBrokenStops) {
  EXPECT_EQ(StopDetector::Create({"a", ""}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(StopDetector::Create({"a", ""}).status().message(),
              testing::HasSubstr("stop string 2"));
  EXPECT_EQ(StopDetector::Create({"\xA9x"}).status().code(), StatusCode::kInvalidArgument);
}

TEST(StopDetector, EveryCutGivesWhatASearchGives) {
  std::mt19937_64 rng(99);
  const auto pick = [&](uint64_t n) { return static_cast<size_t>(rng() % n); };
  const auto word = [&](size_t length) {
    std::string s;
    for (size_t i = 0; i < length; ++i) s += "abc"[pick(3)];
    return s;
  };
  int stopped = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> stops;
    for (size_t i = 0, n = 1 + pick(3); i < n; ++i) stops.push_back(word(1 + pick(6)));
    const std::string text = word(pick(30));
    const Outcome want = Search(text, stops);
    StopDetector d = Make(stops);
    Outcome got;
    size_t at = 0;
    while (at < text.size() && !d.stopped()) {
      const size_t n = std::min(text.size() - at, pick(5));
      const bool stop = d.Push(std::string_view(text).substr(at, n), got.text);
      ASSERT_EQ(stop, d.stopped());
      at += n;
      ASSERT_TRUE(want.text.starts_with(got.text)) << "released a part of a stop string";
      // Nothing is held longer than needed: what is held begins some stop string.
      if (!stop) {
        bool begins = d.pending() == 0;
        const std::string_view held = std::string_view(text).substr(at - d.pending(), d.pending());
        for (const auto& s : stops) begins |= std::string_view(s).starts_with(held);
        ASSERT_TRUE(begins);
      }
    }
    d.Finish(got.text);
    got.matched = d.matched();
    ASSERT_EQ(got, want) << text;
    stopped += want.matched >= 0;
  }
  EXPECT_GT(stopped, 5000);
  EXPECT_LT(stopped, 19000);
}

}  // namespace
}  // namespace gemma3n
