#include "chat/jinja/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "chat/jinja/operators.h"
#include "chat/jinja/repr.h"
#include "chat/jinja/text.h"

namespace gemma3n::jinja {
namespace {

// One %-conversion: %[(key)][flags][width][.precision]letter.
struct Conversion {
  std::string key;
  bool has_key = false, left = false, zero = false, plus = false, space = false;
  int width = 0, precision = -1;
  char letter = 0;
};

constexpr int kMaxWidth = 10000;

int ReadNumber(std::string_view text, size_t& at) {
  int n = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at)
    n = std::min(n * 10 + (text[at] - '0'), kMaxWidth);
  return n;
}

// `at` is behind the '%'.
Result<Conversion> ReadConversion(std::string_view text, size_t& at) {
  Conversion c;
  if (at < text.size() && text[at] == '(') {
    const size_t end = text.find(')', at);
    if (end == std::string_view::npos)
      return Error(StatusCode::kInvalidArgument, "incomplete format key in '{}'",
                   text.substr(0, 60));
    c.has_key = true;
    c.key = text.substr(at + 1, end - at - 1);
    at = end + 1;
  }
  for (; at < text.size(); ++at) {
    if (text[at] == '-')
      c.left = true;
    else if (text[at] == '0')
      c.zero = true;
    else if (text[at] == '+')
      c.plus = true;
    else if (text[at] == ' ')
      c.space = true;
    else
      break;
  }
  c.width = ReadNumber(text, at);
  if (at < text.size() && text[at] == '.') {
    ++at;
    c.precision = ReadNumber(text, at);
  }
  if (at >= text.size()) return Error(StatusCode::kInvalidArgument, "incomplete format");
  c.letter = text[at++];
  return c;
}

Result<std::string> NumberText(const Conversion& c, const Value& value) {
  if (!value.is_number()) {
    return Error(StatusCode::kInvalidArgument, "%{}: a number is required, not {}", c.letter,
                 TypeName(value));
  }
  if (c.letter == 'f')
    return fmt::format("{:.{}f}", std::fabs(value.number()), c.precision < 0 ? 6 : c.precision);
  if (c.precision >= 0)
    return Status(StatusCode::kUnsupported, "%d with a precision is not supported");
  if (!value.is(Value::Kind::kFloat)) {
    const auto n = static_cast<uint64_t>(value.integer());
    return std::to_string(value.integer() < 0 ? 0 - n : n);
  }
  if (!(std::fabs(value.number()) < 9.2e18))
    return Error(StatusCode::kInvalidArgument, "%d: the number is too large");
  return std::to_string(static_cast<int64_t>(std::fabs(value.number())));
}

void PutPadded(const Conversion& c, std::string_view sign, std::string_view body, bool number,
               TextWriter& out) {
  const size_t length = Length(sign) + Length(body);
  const size_t pad =
      static_cast<size_t>(c.width) > length ? static_cast<size_t>(c.width) - length : 0;
  const bool zeros = c.zero && number && !c.left;
  if (!c.left && !zeros) out.Fill(pad, ' ');
  out.Put(sign);
  if (zeros) out.Fill(pad, '0');
  out.Put(body);
  if (c.left) out.Fill(pad, ' ');
}

Status PutConversion(const Conversion& c, const Value& value, TextWriter& out, Budget& budget) {
  if (c.letter == 's' || c.letter == 'r') {
    G3N_ASSIGN_OR_RETURN(const std::string text,
                         c.letter == 's' ? ToText(value, budget) : ToRepr(value, budget));
    const std::string_view cut =
        c.precision < 0
            ? std::string_view(text)
            : std::string_view(text).substr(0, ByteOffset(text, static_cast<size_t>(c.precision)));
    PutPadded(c, "", cut, false, out);
    return OkStatus();
  }
  if (c.letter != 'd' && c.letter != 'i' && c.letter != 'f') {
    return Error(StatusCode::kUnsupported, "the conversion %{} is not supported", c.letter);
  }
  if (value.undefined()) return UndefinedError(value);
  G3N_ASSIGN_OR_RETURN(const std::string digits, NumberText(c, value));
  const bool minus = value.is(Value::Kind::kFloat) && c.letter == 'f' ? std::signbit(value.number())
                                                                      : value.number() <= -1;
  PutPadded(c,
            minus     ? "-"
            : c.plus  ? "+"
            : c.space ? " "
                      : "",
            digits, std::isfinite(value.number()), out);
  return OkStatus();
}

}  // namespace

Result<Value> PercentFormat(std::string_view format, const Value& value, Budget& budget) {
  TextWriter out(budget);
  const bool tuple = value.is_list() && value.list().tuple;
  size_t next = 0;
  const size_t given = tuple ? value.items().size() : 1;
  bool keyed = false;
  for (size_t at = 0; at < format.size();) {
    const size_t percent = std::min(format.find('%', at), format.size());
    out.Put(format.substr(at, percent - at));
    at = percent + 1;
    if (percent == format.size()) break;
    G3N_RETURN_IF_ERROR(budget.Steps());
    G3N_ASSIGN_OR_RETURN(const Conversion c, ReadConversion(format, at));
    if (c.letter == '%') {
      out.Put('%');
    } else if (c.has_key) {
      if (!value.is_dict()) return Error(StatusCode::kInvalidArgument, "format requires a mapping");
      keyed = true;
      G3N_ASSIGN_OR_RETURN(const Value* item, DictFind(value.dict(), Value(c.key), budget));
      if (item == nullptr)
        return Error(StatusCode::kInvalidArgument, "no value for the format key '{}'", c.key);
      G3N_RETURN_IF_ERROR(PutConversion(c, *item, out, budget));
    } else {
      if (next >= given)
        return Error(StatusCode::kInvalidArgument, "not enough arguments for the format string");
      G3N_RETURN_IF_ERROR(PutConversion(c, tuple ? value.items()[next] : value, out, budget));
      ++next;
    }
  }
  // Python forgives an unused dict or list, not an unused scalar.
  const bool spare = keyed || value.undefined() || value.is_dict() || (value.is_list() && !tuple);
  if (next < given && !spare)
    return Error(StatusCode::kInvalidArgument,
                 "not all arguments converted during string formatting");
  G3N_ASSIGN_OR_RETURN(std::string text, out.Take());
  return Value(std::move(text));
}

Result<Value> BraceFormat(std::string_view format, const CallArguments& arguments, Budget& budget) {
  TextWriter out(budget);
  size_t next = 0;
  bool automatic = false, numbered = false;
  for (size_t at = 0; at < format.size();) {
    const char c = format[at];
    if (c != '{' && c != '}') {
      const size_t end = std::min(format.find_first_of("{}", at), format.size());
      out.Put(format.substr(at, end - at));
      at = end;
      continue;
    }
    if (at + 1 < format.size() && format[at + 1] == c) {
      out.Put(c);
      at += 2;
      continue;
    }
    const size_t end = format.find('}', at);
    if (c == '}' || end == std::string_view::npos)
      return Error(StatusCode::kInvalidArgument, "single '{}' in a format string", c);
    const std::string_view field = format.substr(at + 1, end - at - 1);
    at = end + 1;
    if (field.find_first_of(".[!:{") != std::string_view::npos) {
      return Error(StatusCode::kUnsupported, "the format field '{{{}}}' is not supported",
                   field.substr(0, 60));
    }
    G3N_RETURN_IF_ERROR(budget.Steps());
    const Value* value = nullptr;
    size_t number = 0;
    const auto parsed = std::from_chars(field.data(), field.data() + field.size(), number);
    if (field.empty()) {
      automatic = true;
      number = next++;
    }
    if (field.empty() || (parsed.ec == std::errc() && parsed.ptr == field.data() + field.size())) {
      numbered |= !field.empty();
      if (automatic && numbered)
        return Error(StatusCode::kInvalidArgument, "format fields both numbered and not");
      if (number < arguments.positional.size()) value = &arguments.positional[number];
    } else {
      for (const auto& [name, item] : arguments.named) {
        if (name == field) value = &item;
      }
    }
    if (value == nullptr)
      return Error(StatusCode::kInvalidArgument, "no value for the format field '{{{}}}'",
                   field.substr(0, 60));
    G3N_ASSIGN_OR_RETURN(const std::string text, ToText(*value, budget));
    out.Put(text);
  }
  G3N_ASSIGN_OR_RETURN(std::string text, out.Take());
  return Value(std::move(text));
}

}  // namespace gemma3n::jinja
