#include "chat/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "chat/jinja/escapes.h"
#include "chat/jinja/text.h"

namespace gemma3n::jinja {
namespace {

using Kind = Token::Kind;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c); }

// "\r\n" and "\r" become "\n"; one newline at the very end is dropped.
std::string NormalizeNewlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : text_(source) {}

  Result<std::vector<Token>> Run() {
    while (at_ < text_.size()) G3N_RETURN_IF_ERROR(Root());
    Add(Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  Status Syntax(const std::string& what) const {
    return Error(StatusCode::kCorruptFile, "line {}: {}", line_, what);
  }
  void Add(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool At(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  void Advance(size_t n) {
    line_ +=
        static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                    text_.begin() + static_cast<std::ptrdiff_t>(at_ + n), '\n'));
    at_ += n;
  }

  void SkipSpace() {
    const std::string_view rest = text_.substr(at_);
    Advance(rest.size() - Strip(rest, Ends::kLeft).size());
  }

  // The text up to the next tag, and the tag.
  Status Root() {
    size_t tag = at_;
    do {
      tag = text_.find('{', tag);
      if (tag == std::string_view::npos || tag + 1 >= text_.size()) tag = text_.size();
      if (tag == text_.size()) break;
      const char c = text_[tag + 1];
      if (c == '%' || c == '{' || c == '#') break;
      ++tag;
    } while (true);
    const std::string_view before = text_.substr(at_, tag - at_);
    if (tag == text_.size()) {
      AddData(before);
      Advance(before.size());
      return OkStatus();
    }
    const char sign = tag + 2 < text_.size() ? text_[tag + 2] : '\0';
    AddData(StripBeforeTag(before, sign, text_[tag + 1]));
    const char type = text_[tag + 1];
    Advance(before.size() + 2 + (sign == '-' || sign == '+' ? 1 : 0));
    if (type == '#') return Comment();
    if (type == '{') {
      Add(Kind::kPrintBegin, "{{");
      return Tag(Kind::kPrintEnd, "}}");
    }
    if (SkipRawBegin()) return Raw();
    Add(Kind::kBlockBegin, "{%");
    return Tag(Kind::kBlockEnd, "%}");
  }

  void AddData(std::string_view data) {
    if (!data.empty()) Add(Kind::kData, std::string(data));
  }

  // '-' strips all white space before the tag, '+' none; else lstrip_blocks strips a line's
  // indentation before a block or comment.
  std::string_view StripBeforeTag(std::string_view before, char sign, char type) const {
    if (sign == '-') return Strip(before, Ends::kRight);
    if (sign == '+' || type == '{') return before;
    const size_t newline = before.rfind('\n');
    const size_t line_begin = newline == std::string_view::npos ? 0 : newline + 1;
    const bool starts_line = line_begin > 0 || at_ == 0 || text_[at_ - 1] == '\n';
    return starts_line && Strip(before.substr(line_begin)).empty() ? before.substr(0, line_begin)
                                                                   : before;
  }

  Status Comment() {
    const size_t end = text_.find("#}", at_);
    if (end == std::string_view::npos) return Syntax("missing end of comment tag");
    const char sign = end > at_ ? text_[end - 1] : '\0';
    Advance(end - at_);
    CloseBlockTag(2, sign);
    return OkStatus();
  }

  // Behind a tag of the given length: '-' takes all white space with it, '+' nothing; else
  // trim_blocks takes a newline.
  void CloseBlockTag(size_t length, char sign) {
    Advance(length);
    if (sign == '-') {
      SkipSpace();
    } else if (sign != '+' && Peek() == '\n') {
      Advance(1);
    }
  }

  // " raw %}" behind "{%".
  bool SkipRawBegin() {
    const size_t at = at_;
    const int line = line_;
    SkipSpace();
    if (At("raw") && !IsNamePart(Peek(3))) {
      Advance(3);
      SkipSpace();
      if (At("-%}")) {
        Advance(3);
        SkipSpace();
        return true;
      }
      if (At("%}")) {
        Advance(2);
        return true;
      }
    }
    at_ = at;
    line_ = line;
    return false;
  }

  Status Raw() {
    const size_t begin = at_;
    for (size_t tag = text_.find("{%", begin); tag != std::string_view::npos;
         tag = text_.find("{%", tag + 2)) {
      const size_t back_at = at_;
      const int back_line = line_;
      Advance(tag + 2 - at_);
      const char sign = Peek();
      if (sign == '-' || sign == '+') Advance(1);
      SkipSpace();
      if (At("endraw")) {
        Advance(6);
        SkipSpace();
        const char end_sign = Peek();
        if (end_sign == '-' || end_sign == '+') Advance(1);
        if (At("%}")) {
          const size_t after = at_;
          at_ = begin;  // StripBeforeTag looks at what stands before the text
          AddData(StripBeforeTag(text_.substr(begin, tag - begin), sign, '%'));
          at_ = after;
          CloseBlockTag(2, end_sign);
          return OkStatus();
        }
      }
      at_ = back_at;
      line_ = back_line;
    }
    return Syntax("missing end of raw directive");
  }

  // The tokens inside {{ }} or {% %}, and its end.
  Status Tag(Kind end_kind, std::string_view end) {
    std::string open;  // the closing brackets still to come
    while (at_ < text_.size()) {
      if (open.empty()) {
        const bool signed_end = (Peek() == '-' || (Peek() == '+' && end_kind == Kind::kBlockEnd)) &&
                                text_.substr(at_ + 1).starts_with(end);
        if (signed_end || At(end)) {
          const char sign = signed_end ? Peek() : '\0';
          Add(end_kind, std::string(end));
          if (signed_end) Advance(1);
          // A newline behind {{ }} stays.
          CloseBlockTag(end.size(), end_kind == Kind::kPrintEnd && sign == '\0' ? '+' : sign);
          return OkStatus();
        }
      }
      const size_t before = at_;
      SkipSpace();
      if (at_ != before) continue;
      G3N_RETURN_IF_ERROR(OneToken(open));
    }
    return Syntax(fmt::format("expected '{}', the template ends", end));
  }

  Status OneToken(std::string& open) {
    if (IsDigit(Peek())) return Number();
    if (IsNameStart(Peek())) {
      size_t n = 1;
      while (IsNamePart(Peek(n))) ++n;
      Add(Kind::kName, std::string(text_.substr(at_, n)));
      Advance(n);
      return OkStatus();
    }
    if (Peek() == '\'' || Peek() == '"') return String();
    return Operator(open);
  }

  // Digits with '_' between them, from `at`; their end.
  size_t Digits(size_t at, bool (*is_digit)(char)) const {
    size_t end = at;
    while (end < text_.size()) {
      if (is_digit(text_[end])) {
        ++end;
      } else if (text_[end] == '_' && end > at && end + 1 < text_.size() &&
                 is_digit(text_[end + 1])) {
        ++end;
      } else {
        break;
      }
    }
    return end;
  }

  Status Number() {
    const size_t begin = at_;
    size_t end = FloatEnd();
    Kind kind = Kind::kFloat;
    if (end == begin) {
      kind = Kind::kInteger;
      end = IntegerEnd();
    }
    std::string digits;
    std::copy_if(text_.begin() + static_cast<std::ptrdiff_t>(begin),
                 text_.begin() + static_cast<std::ptrdiff_t>(end), std::back_inserter(digits),
                 [](char c) { return c != '_'; });
    Add(kind, std::move(digits));
    Advance(end - begin);
    return OkStatus();
  }

  // End of a float that starts here, or here. "1.5", "1e3", "1.5e-3"; not behind a dot, as in
  // x.0.1.
  size_t FloatEnd() const {
    if (at_ > 0 && text_[at_ - 1] == '.') return at_;
    const size_t whole = Digits(at_, IsDigit);
    size_t end = whole;
    if (end < text_.size() && text_[end] == '.') {
      const size_t fraction = Digits(end + 1, IsDigit);
      if (fraction > end + 1) end = fraction;
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      size_t exponent = end + 1;
      if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
      const size_t last = Digits(exponent, IsDigit);
      if (last > exponent) end = last;
    }
    return end == whole ? at_ : end;
  }

  size_t IntegerEnd() const {
    if (Peek() != '0') return Digits(at_, IsDigit);
    const char base = static_cast<char>(Peek(1) | 0x20);
    const auto prefixed = [&](bool (*is_digit)(char)) {
      const size_t from = at_ + 2 + (Peek(2) == '_' ? 1 : 0);
      const size_t end = Digits(from, is_digit);
      return end > from ? end : Digits(at_, [](char c) { return c == '0'; });
    };
    if (base == 'x')
      return prefixed(
          [](char c) { return IsDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); });
    if (base == 'o') return prefixed([](char c) { return c >= '0' && c <= '7'; });
    if (base == 'b') return prefixed([](char c) { return c == '0' || c == '1'; });
    return Digits(at_, [](char c) { return c == '0'; });
  }

  Status String() {
    const char quote = Peek();
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) return Syntax("a string does not end");
    auto value = Unescape(text_.substr(at_ + 1, end - at_ - 1));
    if (!value.ok()) return value.status().WithContext(fmt::format("line {}", line_));
    Add(Kind::kString, std::move(value).value());
    Advance(end + 1 - at_);
    return OkStatus();
  }

  Status Operator(std::string& open) {
    static constexpr std::array<std::string_view, 26> kOperators = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    const auto op =
        std::find_if(kOperators.begin(), kOperators.end(), [&](auto o) { return At(o); });
    if (op == kOperators.end()) {
      return Syntax(
          fmt::format("unexpected character '{}'", Characters(text_.substr(at_, 4)).front()));
    }
    const char c = op->front();
    if (c == '(' || c == '[' || c == '{') {
      open += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) return Syntax(fmt::format("unexpected '{}'", c));
      if (open.back() != c)
        return Syntax(fmt::format("unexpected '{}', expected '{}'", c, open.back()));
      open.pop_back();
    }
    Add(Kind::kOperator, std::string(*op));
    Advance(op->size());
    return OkStatus();
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> Tokenize(std::string_view source) {
  const std::string text = NormalizeNewlines(source);
  return Lexer(text).Run();
}

}  // namespace gemma3n::jinja
