#include <optional>
#include <string>
#include <utility>

#include "constraint/regex.h"

namespace gemma3n {
namespace {

constexpr int kMaxNesting = 64;
constexpr int kMaxRepeat = 10000;

const SymbolSet kDigits = {{'0', '9'}};
const SymbolSet kWord = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const SymbolSet kSpace = {{9, 13},          {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680},
                          {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                          {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const SymbolSet kLineEnds = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

class Parser {
 public:
  explicit Parser(std::string_view pattern) : pattern_(pattern) {}

  Result<Regex> Parse() {
    G3N_ASSIGN_OR_RETURN(Regex regex, ParseChoice(0));
    if (!AtEnd()) return Wrong("an unmatched )");
    return regex;
  }

 private:
  bool AtEnd() const { return pos_ >= pattern_.size(); }
  bool Next(char c) {
    if (AtEnd() || pattern_[pos_] != c) return false;
    ++pos_;
    return true;
  }
  bool Next(std::string_view text) {
    if (!pattern_.substr(pos_).starts_with(text)) return false;
    pos_ += text.size();
    return true;
  }
  Status Wrong(std::string_view what) const {
    return Error(StatusCode::kInvalidArgument,
                 "expected a regular expression, found {} at byte {} of \"{}\"", what, pos_,
                 pattern_);
  }
  Status Unsupported(std::string_view what) const {
    return Error(StatusCode::kUnsupported, "{} in a regular expression, at byte {} of \"{}\"", what,
                 pos_, pattern_);
  }

  // The code point here. Precondition: !AtEnd(), valid UTF-8.
  uint32_t TakeCodePoint() {
    const auto lead = static_cast<unsigned char>(pattern_[pos_++]);
    if (lead < 0x80) return lead;
    int trail = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    uint32_t code = lead & (0x3F >> trail);
    while (trail-- > 0 && !AtEnd()) code = code << 6 | (pattern_[pos_++] & 0x3F);
    return code;
  }

  Result<Regex> ParseChoice(int nesting) {
    if (nesting > kMaxNesting) return Unsupported("groups nested too deeply");
    std::vector<Regex> choices;
    do {
      G3N_ASSIGN_OR_RETURN(Regex sequence, ParseSequence(nesting));
      choices.push_back(std::move(sequence));
    } while (Next('|'));
    return choices.size() == 1 ? std::move(choices.front()) : Regex::Choice(std::move(choices));
  }

  Result<Regex> ParseSequence(int nesting) {
    std::vector<Regex> parts;
    while (!AtEnd() && pattern_[pos_] != '|' && pattern_[pos_] != ')') {
      G3N_ASSIGN_OR_RETURN(Regex part, ParseAtom(nesting));
      G3N_ASSIGN_OR_RETURN(part, ParseQuantifier(std::move(part)));
      parts.push_back(std::move(part));
    }
    return Regex::Sequence(std::move(parts));
  }

  Result<Regex> ParseAtom(int nesting) {
    if (Next('(')) return ParseGroup(nesting);
    if (Next('[')) return ParseClass();
    if (Next('.')) return Regex::Set(Complement(kLineEnds));
    if (Next('^')) return Regex::Set({{kTextBegin, kTextBegin}});
    if (Next('$')) return Regex::Set({{kTextEnd, kTextEnd}});
    if (Next('\\')) {
      G3N_ASSIGN_OR_RETURN(SymbolSet set, ParseEscape(false));
      return Regex::Set(std::move(set));
    }
    const char c = pattern_[pos_];
    if (c == '*' || c == '+' || c == '?') return Wrong("a quantifier without what it repeats");
    const uint32_t code = TakeCodePoint();
    return Regex::Set({{code, code}});
  }

  Result<Regex> ParseGroup(int nesting) {
    if (Next("?=") || Next("?!") || Next("?<=") || Next("?<!")) return Unsupported("look-around");
    if (Next("?<") || Next("?P<")) {
      while (!AtEnd() && !Next('>')) ++pos_;
    } else if (!Next("?:") && !AtEnd() && pattern_[pos_] == '?') {
      return Unsupported("a group with flags");
    }
    G3N_ASSIGN_OR_RETURN(Regex inner, ParseChoice(nesting + 1));
    if (!Next(')')) return Wrong("a group without its )");
    return inner;
  }

  // Digits, if some are here.
  std::optional<int> TakeNumber() {
    std::optional<int> number;
    while (!AtEnd() && pattern_[pos_] >= '0' && pattern_[pos_] <= '9') {
      const int digit = pattern_[pos_++] - '0';
      number = std::min(number.value_or(0) * 10 + digit, kMaxRepeat + 1);
    }
    return number;
  }

  Result<Regex> ParseQuantifier(Regex part) {
    int least = 0, most = -1;
    if (Next('+')) {
      least = 1;
    } else if (Next('?')) {
      most = 1;
    } else if (!Next('*')) {
      const size_t before = pos_;
      if (!Next('{')) return part;
      const std::optional<int> first = TakeNumber();
      std::optional<int> second = first;
      if (Next(',')) second = TakeNumber().value_or(-1);
      if (!first || !Next('}')) {  // a brace that is a brace
        pos_ = before + 1;
        return Regex::Sequence({std::move(part), Regex::Set({{'{', '{'}})});
      }
      least = *first;
      most = *second;
      if (most >= 0 && most < least) return Wrong("a quantifier out of order");
      if (std::max(least, most) > kMaxRepeat) return Unsupported("more than 10000 repetitions");
    }
    Next('?');  // lazy: matches the same texts
    if (!AtEnd() && (pattern_[pos_] == '*' || pattern_[pos_] == '+'))
      return Wrong("a quantifier of a quantifier");
    return Regex::Repeat(std::move(part), least, most);
  }

  std::optional<uint32_t> TakeHex(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      if (AtEnd()) return std::nullopt;
      const char c = pattern_[pos_++];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return std::nullopt;
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    return value;
  }

  Result<SymbolSet> One(std::optional<uint32_t> code) const {
    if (!code || *code > kMaxCodePoint) return Wrong("a malformed escape");
    return SymbolSet{{*code, *code}};
  }

  // After the backslash.
  Result<SymbolSet> ParseEscape(bool in_class) {
    if (AtEnd()) return Wrong("a backslash at the end");
    const uint32_t c = TakeCodePoint();
    switch (c) {
      case 'd':
        return kDigits;
      case 'D':
        return Complement(kDigits);
      case 'w':
        return kWord;
      case 'W':
        return Complement(kWord);
      case 's':
        return kSpace;
      case 'S':
        return Complement(kSpace);
      case 't':
        return One('\t');
      case 'n':
        return One('\n');
      case 'r':
        return One('\r');
      case 'f':
        return One('\f');
      case 'v':
        return One('\v');
      case '0':
        return One(0);
      case 'x':
        return One(TakeHex(2));
      case 'u':
        return ParseUnicode();
      case 'b':
        if (in_class) return One('\b');
        return Unsupported("\\b");
      default:
        break;
    }
    if ((c >= '1' && c <= '9') || c == 'k') return Unsupported("a reference to a group");
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
      return Unsupported(std::string("\\") + static_cast<char>(c));
    return One(c);
  }

  Result<SymbolSet> ParseUnicode() {
    if (Next('{')) {
      int digits = 0;
      while (pos_ + digits < pattern_.size() && pattern_[pos_ + digits] != '}') ++digits;
      auto set = One(digits >= 1 && digits <= 6 ? TakeHex(digits) : std::nullopt);
      if (set.ok() && !Next('}')) return Wrong("a malformed escape");
      return set;
    }
    const auto first = TakeHex(4);
    if (!first || *first < 0xD800 || *first >= 0xDC00) return One(first);
    if (!Next("\\u")) return Wrong("half a surrogate pair");
    const auto second = TakeHex(4);
    if (!second || *second < 0xDC00 || *second >= 0xE000) return Wrong("half a surrogate pair");
    return One(0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00));
  }

  // After the bracket.
  Result<Regex> ParseClass() {
    const bool negated = Next('^');
    SymbolSet set;
    while (!Next(']')) {
      if (AtEnd()) return Wrong("a class without its ]");
      G3N_ASSIGN_OR_RETURN(SymbolSet low, ParseClassAtom());
      if (!AtEnd() && pattern_[pos_] == '-' && pos_ + 1 < pattern_.size() &&
          pattern_[pos_ + 1] != ']' && IsOne(low)) {
        ++pos_;
        G3N_ASSIGN_OR_RETURN(const SymbolSet high, ParseClassAtom());
        if (!IsOne(high) || high[0].low < low[0].low) return Wrong("a range out of order");
        low[0].high = high[0].high;
      }
      set.insert(set.end(), low.begin(), low.end());
    }
    set = Normalize(std::move(set));
    return Regex::Set(negated ? Complement(set) : std::move(set));
  }

  static bool IsOne(const SymbolSet& set) { return set.size() == 1 && set[0].low == set[0].high; }

  Result<SymbolSet> ParseClassAtom() {
    if (AtEnd()) return Wrong("a class without its ]");
    if (Next('\\')) return ParseEscape(true);
    return One(TakeCodePoint());
  }

  std::string_view pattern_;
  size_t pos_ = 0;
};

}  // namespace

Result<Regex> ParseRegex(std::string_view pattern) { return Parser(pattern).Parse(); }

}  // namespace gemma3n
