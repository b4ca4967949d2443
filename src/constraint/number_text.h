// JSON numbers between bounds, as regular expressions over their text.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "constraint/dfa.h"

namespace gemma3n {

struct NumberBound {
  std::string text;  // as JSON: digits are exact where doubles are not
  double value = 0;
  bool exclusive = false;
};

struct NumberBounds {
  bool integer = false;
  std::optional<NumberBound> least, most;
};

// The numbers within the bounds: integers of up to 18 digits; others with up to 20 digits before
// the point and 19 behind it, with an exponent to 279 (so that a double holds them), or, when there
// is a bound, up to 18 and 17 digits and no exponent. Bounds are met exactly: digits are compared,
// not doubles. Errors: kUnsupported (a bound beyond 10^18 in magnitude).
Result<Dfa> NumberTexts(const NumberBounds& bounds);

}  // namespace gemma3n
