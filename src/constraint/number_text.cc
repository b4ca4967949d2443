#include "constraint/number_text.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace gemma3n {
namespace {

constexpr std::string_view kInteger = R"(-?(0|[1-9]\d{0,17}))";
constexpr std::string_view kDecimal = R"(-?(0|[1-9]\d{0,17})(\.\d{1,17})?)";
constexpr std::string_view kNumber =
    R"(-?(0|[1-9]\d{0,19})(\.\d{1,19})?([eE][+-]?(\d{1,2}|[01]\d\d|2[0-7]\d))?)";

Result<Dfa> Texts(std::string_view pattern) {
  G3N_ASSIGN_OR_RETURN(const Regex regex, ParseRegex(pattern));
  G3N_ASSIGN_OR_RETURN(const Nfa nfa, Nfa::Whole(regex));
  return Dfa::FromNfa(nfa);
}

// A magnitude's decimal digits; the fraction without zeros at its end.
struct Digits {
  std::string whole, fraction;
  bool zero() const { return whole == "0" && fraction.empty(); }
};

// A JSON number's digits without its sign and exponent.
Digits DigitsOf(std::string shortest) {
  if (shortest.starts_with('-')) shortest.erase(0, 1);
  int exponent = 0;
  if (const size_t e = shortest.find('e'); e != std::string::npos) {
    exponent = std::stoi(shortest.substr(e + 1));
    shortest.resize(e);
  }
  size_t point = shortest.find('.');
  if (point == std::string::npos)
    point = shortest.size();
  else
    shortest.erase(point, 1);
  std::string digits = shortest;
  int whole = static_cast<int>(point) + exponent;
  if (whole < 1) digits.insert(0, static_cast<size_t>(1 - whole), '0'), whole = 1;
  if (whole > std::ssize(digits)) digits.append(static_cast<size_t>(whole) - digits.size(), '0');
  Digits result{digits.substr(0, static_cast<size_t>(whole)),
                digits.substr(static_cast<size_t>(whole))};
  result.whole.erase(0, std::min(result.whole.find_first_not_of('0'), result.whole.size() - 1));
  result.fraction.erase(result.fraction.find_last_not_of('0') + 1);
  return result;
}

// One of "[from-to]"; empty when there is none.
std::string DigitBetween(char from, char to) {
  if (from > to) return {};
  return from == to ? std::string(1, from) : std::string{'[', from, '-', to, ']'};
}

class Choices {
 public:
  void Add(const std::string& text) { text_ += (text_.empty() ? "" : "|") + text; }
  std::string text() const { return "(?:" + text_ + ")"; }
  bool none() const { return text_.empty(); }

 private:
  std::string text_;
};

constexpr const char* kNever = "(?:[])";
constexpr const char* kAnyFraction = R"((?:\.\d+)?)";

std::string FractionAtLeast(const std::string& digits, bool exclusive) {
  if (digits.empty()) return exclusive ? R"(\.\d*[1-9]\d*)" : kAnyFraction;
  Choices choices;
  for (size_t i = 0; i < digits.size(); ++i) {
    const std::string greater = DigitBetween(static_cast<char>(digits[i] + 1), '9');
    if (!greater.empty()) choices.Add(digits.substr(0, i) + greater + R"(\d*)");
  }
  choices.Add(digits + (exclusive ? R"(\d*[1-9]\d*)" : R"(\d*)"));
  return R"(\.)" + choices.text();
}

std::string FractionAtMost(const std::string& digits, bool exclusive) {
  if (digits.empty()) return exclusive ? kNever : R"((?:\.0+)?)";
  Choices choices;
  for (size_t i = 0; i < digits.size(); ++i) {
    const std::string smaller = DigitBetween('0', static_cast<char>(digits[i] - 1));
    if (!smaller.empty()) choices.Add(digits.substr(0, i) + smaller + R"(\d*)");
    if (i > 0) choices.Add(digits.substr(0, i));
  }
  if (!exclusive) choices.Add(digits + "0*");
  return choices.none() ? std::string() : R"((?:\.)" + choices.text() + ")?";
}

std::string More(size_t digits) { return R"(\d{)" + std::to_string(digits) + "}"; }

// Magnitudes that are not below, or not above, the bound's.
std::string AtLeast(const Digits& bound, bool exclusive) {
  const std::string& whole = bound.whole;
  Choices choices;
  choices.Add(whole == "0" ? std::string(R"([1-9]\d*)") + kAnyFraction
                           : R"([1-9]\d{)" + std::to_string(whole.size()) + R"(,})" + kAnyFraction);
  for (size_t i = 0; i < whole.size() && whole != "0"; ++i) {
    const std::string greater = DigitBetween(static_cast<char>(whole[i] + 1), '9');
    if (greater.empty()) continue;
    choices.Add(whole.substr(0, i) + greater + More(whole.size() - i - 1) + kAnyFraction);
  }
  choices.Add(whole + FractionAtLeast(bound.fraction, exclusive));
  return choices.text();
}

std::string AtMost(const Digits& bound, bool exclusive) {
  const std::string& whole = bound.whole;
  Choices choices;
  if (whole.size() > 1) {
    choices.Add(R"((?:0|[1-9]\d{0,)" + std::to_string(whole.size() - 2) + "})" + kAnyFraction);
  }
  for (size_t i = 0; i < whole.size(); ++i) {
    const char least = i == 0 && whole.size() > 1 ? '1' : '0';
    const std::string smaller = DigitBetween(least, static_cast<char>(whole[i] - 1));
    if (smaller.empty()) continue;
    choices.Add(whole.substr(0, i) + smaller + More(whole.size() - i - 1) + kAnyFraction);
  }
  choices.Add(whole + FractionAtMost(bound.fraction, exclusive));
  return choices.text();
}

constexpr const char* kAnyMagnitude = R"(\d+(?:\.\d+)?)";

// Numbers on one side of a bound; `lower`: not below it.
Result<std::string> OneSide(const NumberBound& bound, bool lower) {
  if (!(std::fabs(bound.value) <= 1e18)) {
    return Error(StatusCode::kUnsupported, "bounds of numbers: expected at most 10^18, found {}",
                 bound.value);
  }
  const Digits digits = DigitsOf(bound.text);
  const bool negative = bound.value < 0;
  // The far side of zero from the bound is all in, or all out.
  if ((negative == lower || digits.zero()) && !(digits.zero() && bound.exclusive)) {
    std::string text = lower ? "(?:" : "(?:-";
    text += kAnyMagnitude;
    text += lower ? "|-" : "|";
    text += AtMost(digits, bound.exclusive);
    return text += ")";
  }
  std::string text = lower ? "" : "-";
  return text += AtLeast(digits, bound.exclusive);
}

}  // namespace

Result<Dfa> NumberTexts(const NumberBounds& bounds) {
  const bool bounded = bounds.least || bounds.most;
  G3N_ASSIGN_OR_RETURN(Dfa dfa, Texts(bounds.integer ? kInteger : bounded ? kDecimal : kNumber));
  for (const bool lower : {true, false}) {
    const std::optional<NumberBound>& bound = lower ? bounds.least : bounds.most;
    if (!bound) continue;
    G3N_ASSIGN_OR_RETURN(const std::string pattern, OneSide(*bound, lower));
    G3N_ASSIGN_OR_RETURN(const Dfa side, Texts(pattern));
    G3N_ASSIGN_OR_RETURN(dfa, Dfa::Both(dfa, side));
  }
  return dfa;
}

}  // namespace gemma3n
