#include "chat/jinja/repr.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "chat/jinja/scope.h"
#include "chat/jinja/text.h"

namespace gemma3n::jinja {

void TextWriter::Put(std::string_view piece) {
  if (failed()) return;
  status_ = budget_.Bytes(piece.size());
  if (!failed()) text_ += piece;
}

void TextWriter::Fill(size_t n, char c) {
  if (failed()) return;
  status_ = budget_.Bytes(n);
  if (!failed()) text_.append(n, c);
}

void TextWriter::Fail(Status status) {
  if (!failed()) status_ = std::move(status);
}

Result<std::string> TextWriter::Take() {
  if (failed()) return status_;
  return std::move(text_);
}

std::string FloatRepr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, static_cast<size_t>(end - buffer));
  const size_t e = text.find('e');
  int exponent = 0;
  const char* digits_of_exponent = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(digits_of_exponent, end, exponent);
  if (exponent < -4 || exponent >= 16)
    return std::string(text);  // both write two digits of exponent at least
  const auto fixed =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  std::string out(buffer, fixed);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

namespace {

// str.isprintable is false: separators but the space, controls, formats, private use.
bool Unprintable(char32_t c) {
  struct Range {
    char32_t first, last;
  };
  static constexpr Range kRanges[] = {
      {0, 0x1F},          {0x7F, 0xA0},       {0xAD, 0xAD},       {0x600, 0x605},
      {0x61C, 0x61C},     {0x6DD, 0x6DD},     {0x70F, 0x70F},     {0x890, 0x891},
      {0x8E2, 0x8E2},     {0x1680, 0x1680},   {0x180E, 0x180E},   {0x2000, 0x200F},
      {0x2028, 0x202F},   {0x205F, 0x206F},   {0x3000, 0x3000},   {0xD800, 0xF8FF},
      {0xFEFF, 0xFEFF},   {0xFFF0, 0xFFFB},   {0xFFFE, 0xFFFF},   {0x110BD, 0x110BD},
      {0x110CD, 0x110CD}, {0x13430, 0x13438}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
      {0xE0000, 0xE00FF}, {0xE01F0, 0x10FFFF}};
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [c](Range r) { return c >= r.first && c <= r.last; });
}

void PutEscaped(char32_t c, TextWriter& out) {
  if (c < 0x100) return out.Put(fmt::format("\\x{:02x}", static_cast<uint32_t>(c)));
  if (c < 0x10000) return out.Put(fmt::format("\\u{:04x}", static_cast<uint32_t>(c)));
  out.Put(fmt::format("\\U{:08x}", static_cast<uint32_t>(c)));
}

void PutStringRepr(std::string_view text, TextWriter& out) {
  const bool doubled =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = doubled ? '"' : '\'';
  out.Put(quote);
  for (size_t at = 0; at < text.size() && !out.failed();) {
    const size_t begin = at;
    const char32_t c = NextCodePoint(text, at);
    if (c == '\n') {
      out.Put("\\n");
    } else if (c == '\r') {
      out.Put("\\r");
    } else if (c == '\t') {
      out.Put("\\t");
    } else if (c == '\\' || c == static_cast<char32_t>(quote)) {
      out.Put('\\');
      out.Put(static_cast<char>(c));
    } else if (Unprintable(c)) {
      PutEscaped(c, out);
    } else {
      out.Put(text.substr(begin, at - begin));
    }
  }
  out.Put(quote);
}

void PutRepr(const Value& value, TextWriter& out, int depth);

void PutListRepr(const ListObject& list, TextWriter& out, int depth) {
  out.Put(list.tuple ? '(' : '[');
  for (size_t i = 0; i < list.items.size() && !out.failed(); ++i) {
    if (i > 0) out.Put(", ");
    PutRepr(list.items[i], out, depth);
  }
  if (list.tuple && list.items.size() == 1) out.Put(',');
  out.Put(list.tuple ? ')' : ']');
}

template <typename Items>
void PutDictRepr(const Items& items, TextWriter& out, int depth) {
  out.Put('{');
  bool first = true;
  for (const auto& [key, value] : items) {
    if (out.failed()) return;
    if (!first) out.Put(", ");
    first = false;
    PutRepr(Value(key), out, depth);
    out.Put(": ");
    PutRepr(value, out, depth);
  }
  out.Put('}');
}

// The depth counts namespaces, which can hold one another in a circle.
void PutRepr(const Value& value, TextWriter& out, int depth) {
  if (depth > 2 * kMaxValueDepth) {
    return out.Fail(Error(StatusCode::kResourceExhausted, "prints values nested deeper than {}",
                          2 * kMaxValueDepth));
  }
  ++depth;
  switch (value.kind()) {
    case Value::Kind::kUndefined:
      return out.Put("Undefined");
    case Value::Kind::kNone:
      return out.Put("None");
    case Value::Kind::kBool:
      return out.Put(value.boolean() ? "True" : "False");
    case Value::Kind::kInt:
      return out.Put(std::to_string(value.integer()));
    case Value::Kind::kFloat:
      return out.Put(FloatRepr(value.number()));
    case Value::Kind::kString:
      return PutStringRepr(value.string(), out);
    case Value::Kind::kList:
      return PutListRepr(value.list(), out, depth);
    case Value::Kind::kDict:
      return PutDictRepr(value.dict().items, out, depth);
    case Value::Kind::kNamespace:
      out.Put("<Namespace ");
      PutDictRepr(value.name_space().attributes, out, depth);
      return out.Put('>');
    case Value::Kind::kMacro:
      out.Put("<Macro ");
      PutStringRepr(value.macro().name(), out);
      return out.Put('>');
    case Value::Kind::kLoop:
      return out.Put(
          fmt::format("<LoopContext {}/{}>", value.loop().index + 1, value.loop().known()));
    case Value::Kind::kFunction:
      return out.Fail(
          Error(StatusCode::kUnsupported, "prints the function '{}'", value.function().name));
  }
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Budget& budget)
      : style_(style), budget_(budget), out_(budget) {}
  Result<std::string> Write(const Value& value) {
    Put(value, 0);
    return out_.Take();
  }

 private:
  void PutString(std::string_view text) {
    out_.Put('"');
    for (size_t at = 0; at < text.size() && !out_.failed();) {
      const size_t begin = at;
      const char32_t c = NextCodePoint(text, at);
      PutCharacter(c, text.substr(begin, at - begin));
    }
    out_.Put('"');
  }

  void PutCharacter(char32_t c, std::string_view bytes) {
    switch (c) {
      case '"':
        return out_.Put("\\\"");
      case '\\':
        return out_.Put("\\\\");
      case '\n':
        return out_.Put("\\n");
      case '\r':
        return out_.Put("\\r");
      case '\t':
        return out_.Put("\\t");
      case '\b':
        return out_.Put("\\b");
      case '\f':
        return out_.Put("\\f");
      default:
        break;
    }
    if (c >= 0x20 && (c < 0x7F || !style_.ensure_ascii)) return out_.Put(bytes);
    const auto unit = [&](uint32_t u) { out_.Put(fmt::format("\\u{:04x}", u)); };
    if (c < 0x10000) return unit(c);
    unit(0xD800 + ((c - 0x10000) >> 10));
    unit(0xDC00 + ((c - 0x10000) & 0x3FF));
  }

  void Separate(bool first, int level) {
    if (!first) out_.Put(style_.item_separator);
    NewLine(level);
  }

  void NewLine(int level) {
    if (!style_.indent) return;
    out_.Put('\n');
    for (int i = 0; i < level; ++i) out_.Put(*style_.indent);
  }

  void PutNumber(double number) {
    if (std::isnan(number)) return out_.Put("NaN");
    if (std::isinf(number)) return out_.Put(number < 0 ? "-Infinity" : "Infinity");
    out_.Put(FloatRepr(number));
  }

  void Put(const Value& value, int level) {
    if (out_.failed()) return;
    switch (value.kind()) {
      case Value::Kind::kNone:
        return out_.Put("null");
      case Value::Kind::kBool:
        return out_.Put(value.boolean() ? "true" : "false");
      case Value::Kind::kInt:
        return out_.Put(std::to_string(value.integer()));
      case Value::Kind::kFloat:
        return PutNumber(value.number());
      case Value::Kind::kString:
        return PutString(value.string());
      case Value::Kind::kList:
        return PutList(value, level);
      case Value::Kind::kDict:
        return PutDict(value, level);
      default:
        out_.Fail(Error(StatusCode::kInvalidArgument, "Object of type {} is not JSON serializable",
                        TypeName(value)));
    }
  }

  void PutList(const Value& value, int level) {
    if (value.items().empty()) return out_.Put("[]");
    out_.Put('[');
    for (size_t i = 0; i < value.items().size() && !out_.failed(); ++i) {
      Separate(i == 0, level + 1);
      Put(value.items()[i], level + 1);
    }
    NewLine(level);
    out_.Put(']');
  }

  void PutKey(const Value& key) {
    if (key.is_string()) return PutString(key.string());
    if (key.is_list() || key.undefined()) {
      return out_.Fail(
          Error(StatusCode::kInvalidArgument, "a {} cannot be a JSON key", TypeName(key)));
    }
    out_.Put('"');
    Put(key, 0);
    out_.Put('"');
  }

  void PutDict(const Value& value, int level) {
    auto items = value.dict().items;
    if (items.empty()) return out_.Put("{}");
    if (style_.sort_keys) {
      Status status;
      std::stable_sort(items.begin(), items.end(), [&](const auto& a, const auto& b) {
        auto order = Compare(a.first, b.first, "<", budget_);
        if (!order.ok()) status = order.status();
        return order.ok() && *order < 0;
      });
      if (!status.ok()) return out_.Fail(status);
    }
    out_.Put('{');
    bool first = true;
    for (const auto& [key, item] : items) {
      if (out_.failed()) return;
      Separate(first, level + 1);
      first = false;
      PutKey(key);
      out_.Put(style_.key_separator);
      Put(item, level + 1);
    }
    NewLine(level);
    out_.Put('}');
  }

  const JsonStyle& style_;
  Budget& budget_;
  TextWriter out_;
};

}  // namespace

Result<std::string> ToText(const Value& value, Budget& budget) {
  if (value.undefined()) return std::string();
  if (!value.is_string()) return ToRepr(value, budget);
  G3N_RETURN_IF_ERROR(budget.Bytes(value.string().size()));
  return value.string();
}

Result<std::string> ToRepr(const Value& value, Budget& budget) {
  TextWriter out(budget);
  PutRepr(value, out, 0);
  return out.Take();
}

Result<std::string> ToJson(const Value& value, const JsonStyle& style, Budget& budget) {
  return JsonWriter(style, budget).Write(value);
}

}  // namespace gemma3n::jinja
