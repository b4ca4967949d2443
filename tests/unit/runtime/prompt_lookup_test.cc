#include "runtime/prompt_lookup.h"

#include <gmock/gmock.h>

namespace gemma3n {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

void AddAll(PromptLookup& lookup, std::initializer_list<int32_t> tokens) {
  for (int32_t token : tokens) lookup.Add(token);
}

TEST(PromptLookup, GuessesWhatFollowedTheLastThreeTokensBefore) {
  PromptLookup lookup(7);
  AddAll(lookup, {1, 2, 3, 4, 5, 6, 9, 1, 2, 3});
  EXPECT_THAT(lookup.Guess(7), ElementsAre(4, 5, 6));  // the first guess is short
  EXPECT_THAT(lookup.Guess(2), ElementsAre(4, 5));
  EXPECT_THAT(lookup.Guess(0), IsEmpty());
}

TEST(PromptLookup, TheLatestOfSeveralPlacesCounts) {
  PromptLookup lookup(7);
  AddAll(lookup, {1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3});
  EXPECT_THAT(lookup.Guess(1), ElementsAre(5));
}

TEST(PromptLookup, ARunOfOneTokenIsFollowedToTheEndOfTheText) {
  PromptLookup lookup(7);
  AddAll(lookup, {8, 8, 8, 8});
  EXPECT_THAT(lookup.Guess(7), ElementsAre(8));
}

TEST(PromptLookup, NothingWithoutARepetitionOrWhenOff) {
  PromptLookup lookup(7), off(0);
  EXPECT_THAT(lookup.Guess(7), IsEmpty());
  AddAll(lookup, {1, 2});
  EXPECT_THAT(lookup.Guess(7), IsEmpty());
  AddAll(lookup, {3, 4, 1, 2, 4});
  EXPECT_THAT(lookup.Guess(7), IsEmpty());
  AddAll(off, {1, 2, 3, 4, 1, 2, 3});
  EXPECT_THAT(off.Guess(7), IsEmpty());
}

TEST(PromptLookup, ASoftTokenIsNeverGuessed) {
  PromptLookup lookup(7);
  AddAll(lookup, {1, 2, 3, 4});
  lookup.Add(77, false);
  AddAll(lookup, {5, 1, 2, 3});
  EXPECT_THAT(lookup.Guess(7), ElementsAre(4));
}

TEST(PromptLookup, GuessesGrowWhileTheyComeTrue) {
  PromptLookup lookup(7);
  AddAll(lookup, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3});
  lookup.Learn(3, 3);
  EXPECT_EQ(lookup.Guess(7).size(), 6u);
  lookup.Learn(6, 6);
  EXPECT_EQ(lookup.Guess(7).size(), 7u);
  lookup.Learn(7, 2);
  EXPECT_EQ(lookup.Guess(7).size(), 3u);
}

TEST(PromptLookup, GuessesThatFailGetRareButNeverStop) {
  PromptLookup lookup(7);
  AddAll(lookup, {1, 2, 3, 4, 5, 6, 1, 2, 3});
  int guesses = 0, tokens = 0;
  for (int step = 0; step < 1000; ++step) {
    const auto guess = static_cast<int64_t>(lookup.Guess(7).size());
    guesses += guess > 0;
    tokens += static_cast<int>(guess);
    lookup.Learn(guess, 0);
  }
  EXPECT_GE(guesses, 15);
  EXPECT_LE(guesses, 25);
  EXPECT_LE(tokens, 2 * guesses + 2);
}

}  // namespace
}  // namespace gemma3n
