// Deterministic finite automata over bytes, without states from which nothing is accepted.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "constraint/nfa.h"

namespace gemma3n {

class Dfa {
 public:
  static constexpr int32_t kDead = -1;
  static constexpr size_t kMaxStates = 60'000;

  // Errors: kUnsupported (more than kMaxStates).
  static Result<Dfa> FromNfa(const Nfa& bytes);
  // The texts that both accept. Errors: as above.
  static Result<Dfa> Both(const Dfa& a, const Dfa& b);

  // Where a byte leads, or kDead. The first state is 0.
  int32_t Next(int32_t state, uint8_t byte) const {
    return next_[static_cast<size_t>(state) * classes_ + class_of_[byte]];
  }
  bool Accepts(int32_t state) const { return accepts_[static_cast<size_t>(state)]; }
  bool Accepts(std::string_view text) const;
  // Whether some byte leads on.
  bool GoesOn(int32_t state) const { return goes_on_[static_cast<size_t>(state)]; }
  // Whether it accepts nothing.
  bool empty() const { return accepts_.empty(); }
  size_t states() const { return accepts_.size(); }

 private:
  // Leaves out states from which nothing is accepted.
  void Trim();

  std::array<uint8_t, 256> class_of_{};  // bytes that all states treat alike have one class
  size_t classes_ = 1;
  std::vector<int32_t> next_;  // [states, classes]
  std::vector<bool> accepts_, goes_on_;
};

}  // namespace gemma3n
