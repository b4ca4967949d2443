// Methods of str.
#include <algorithm>
#include <string>

#include "chat/jinja/arguments.h"
#include "chat/jinja/format.h"
#include "chat/jinja/methods.h"
#include "chat/jinja/text.h"

namespace gemma3n::jinja {
namespace {

// Searches from the right are quadratic at worst, which long patterns could make slow.
Status CheckPattern(bool from_right, std::string_view pattern) {
  if (!from_right || pattern.size() <= 64) return OkStatus();
  return Status(StatusCode::kUnsupported,
                "searching from the right for more than 64 bytes is not supported");
}

Result<Value> MakeTexts(Budget& budget, const std::vector<std::string_view>& pieces,
                        bool tuple = false) {
  std::vector<Value> items;
  for (std::string_view piece : pieces) {
    G3N_RETURN_IF_ERROR(budget.Bytes(piece.size() + 64));
    items.emplace_back(piece);
  }
  return MakeList(std::move(items), budget, tuple);
}

Result<Value> StripMethod(Interpreter& in, Ends ends, std::string_view self,
                          ArgumentReader& reader) {
  const Value chars = reader.Take("chars");
  G3N_RETURN_IF_ERROR(reader.Done());
  if (!chars.none() && !chars.is_string())
    return Error(StatusCode::kInvalidArgument, "strip: expected a string or none");
  G3N_RETURN_IF_ERROR(in.budget().Bytes(self.size()));
  return Value(chars.none() ? Strip(self, ends)
                            : Strip(self, ends, std::string_view(chars.string())));
}

// str.split and str.rsplit without a separator: runs of white space part the words. Past the limit
// the rest is one piece.
std::vector<std::string_view> SplitWords(std::string_view text, int64_t limit, bool from_right) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = at;
    if (at < text.size() && !IsSpace(NextCodePoint(text, at))) continue;
    if (end > begin) words.push_back(text.substr(begin, end - begin));
    begin = at;
    if (end == text.size()) break;
  }
  if (limit < 0 || words.size() <= static_cast<size_t>(limit)) return words;
  const auto kept = static_cast<size_t>(limit);
  const auto offset = [&](std::string_view word) {
    return static_cast<size_t>(word.data() - text.data());
  };
  if (from_right) {
    const std::string_view last = words[words.size() - kept - 1];
    words.erase(words.begin(), words.end() - static_cast<std::ptrdiff_t>(kept));
    words.insert(words.begin(), text.substr(0, offset(last) + last.size()));
  } else {
    const std::string_view rest = text.substr(offset(words[kept]));
    words.resize(kept);
    words.push_back(rest);
  }
  return words;
}

std::vector<std::string_view> SplitAt(std::string_view text, std::string_view separator,
                                      int64_t limit, bool from_right) {
  std::vector<std::string_view> pieces;
  while (limit-- != 0) {
    const size_t at = from_right ? text.rfind(separator) : Find(text, separator);
    if (at == std::string_view::npos) break;
    const std::string_view before = text.substr(0, at), after = text.substr(at + separator.size());
    pieces.push_back(from_right ? after : before);
    text = from_right ? before : after;
  }
  pieces.push_back(text);
  if (from_right) std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

Result<Value> SplitMethod(Interpreter& in, bool from_right, std::string_view self,
                          ArgumentReader& reader) {
  const Value separator = reader.Take("sep");
  G3N_ASSIGN_OR_RETURN(const int64_t limit, reader.TakeInteger("maxsplit", -1));
  G3N_RETURN_IF_ERROR(reader.Done());
  G3N_RETURN_IF_ERROR(in.budget().Scan((from_right ? 64 : 4) * self.size()));
  // One piece a byte at most, before they are made into values.
  G3N_RETURN_IF_ERROR(in.budget().Bytes(self.size() + 1, sizeof(std::string_view)));
  if (separator.none()) {
    return MakeTexts(in.budget(), SplitWords(self, limit, from_right));
  }
  if (!separator.is_string() || separator.string().empty()) {
    return Error(StatusCode::kInvalidArgument,
                 "split: expected a separator of at least one character");
  }
  G3N_RETURN_IF_ERROR(CheckPattern(from_right, separator.string()));
  return MakeTexts(in.budget(), SplitAt(self, separator.string(), limit, from_right));
}

Result<Value> PartitionMethod(Interpreter& in, bool from_right, std::string_view self,
                              ArgumentReader& reader) {
  G3N_ASSIGN_OR_RETURN(const std::string separator, reader.NeedString("sep"));
  G3N_RETURN_IF_ERROR(reader.Done());
  if (separator.empty()) return Error(StatusCode::kInvalidArgument, "partition: empty separator");
  G3N_RETURN_IF_ERROR(CheckPattern(from_right, separator));
  G3N_RETURN_IF_ERROR(in.budget().Scan(4 * self.size()));
  const size_t at = from_right ? self.rfind(separator) : Find(self, separator);
  if (at == std::string_view::npos) {
    if (from_right) return MakeTexts(in.budget(), {"", "", self}, true);
    return MakeTexts(in.budget(), {self, "", ""}, true);
  }
  return MakeTexts(in.budget(), {self.substr(0, at), separator, self.substr(at + separator.size())},
                   true);
}

Result<Value> AffixMethod(bool at_end, std::string_view name, std::string_view self,
                          ArgumentReader& reader) {
  G3N_ASSIGN_OR_RETURN(const Value affix, reader.Need("prefix"));
  if (!reader.Done().ok())
    return Error(StatusCode::kUnsupported, "{} with a start or an end is not supported", name);
  const auto matches = [&](const Value& v) {
    return at_end ? self.ends_with(v.string()) : self.starts_with(v.string());
  };
  if (affix.is_string()) return Value(matches(affix));
  if (!affix.is_list() || !affix.list().tuple) {
    return Error(StatusCode::kInvalidArgument,
                 "{}: expected a string or a tuple of strings, found {}", name, TypeName(affix));
  }
  for (const Value& item : affix.items()) {
    if (!item.is_string())
      return Error(StatusCode::kInvalidArgument, "{}: expected strings in the tuple", name);
    if (matches(item)) return Value(true);
  }
  return Value(false);
}

Result<Value> FindMethodOf(Interpreter& in, std::string_view name, std::string_view self,
                           ArgumentReader& reader) {
  G3N_ASSIGN_OR_RETURN(const std::string wanted, reader.NeedString("sub"));
  if (!reader.Done().ok())
    return Error(StatusCode::kUnsupported, "{} with a start or an end is not supported", name);
  G3N_RETURN_IF_ERROR(CheckPattern(name.starts_with("r"), wanted));
  G3N_RETURN_IF_ERROR(in.budget().Scan((name.starts_with("r") ? 64 : 4) * self.size()));
  if (name == "count") {
    if (wanted.empty()) return Value::Size(Length(self) + 1);
    int64_t count = 0;
    for (size_t at = 0; (at = Find(self, wanted, at)) != std::string_view::npos;
         at += wanted.size())
      ++count;
    return Value(count);
  }
  const size_t at = name.starts_with("r") ? self.rfind(wanted) : Find(self, wanted);
  if (at != std::string_view::npos) return Value::Size(Length(self.substr(0, at)));
  if (name.ends_with("index"))
    return Error(StatusCode::kInvalidArgument, "{}: substring not found", name);
  return Value(int64_t{-1});
}

// ljust, rjust, center, zfill.
Result<Value> PadMethod(Interpreter& in, std::string_view name, std::string_view self,
                        ArgumentReader& reader) {
  G3N_ASSIGN_OR_RETURN(const Value width, reader.Need("width"));
  if (!width.is_integer())
    return Error(StatusCode::kInvalidArgument, "{}: the width must be an integer", name);
  const Value fill = name == "zfill" ? Value("0") : reader.Take("fillchar", Value(" "));
  G3N_RETURN_IF_ERROR(reader.Done());
  if (!fill.is_string() || Length(fill.string()) != 1) {
    return Error(StatusCode::kInvalidArgument,
                 "{}: the fill character must be exactly one character", name);
  }
  const auto length = static_cast<int64_t>(Length(self));
  const int64_t pad = std::max<int64_t>(0, width.integer() - length);
  G3N_RETURN_IF_ERROR(in.budget().Bytes(self.size()));
  G3N_RETURN_IF_ERROR(in.budget().Bytes(static_cast<size_t>(pad), fill.string().size()));
  int64_t left = name == "ljust" ? 0 : pad;
  if (name == "center") left = pad / 2 + (pad & width.integer() & 1);  // as CPython does
  std::string out;
  const bool sign = name == "zfill" && !self.empty() && (self[0] == '-' || self[0] == '+');
  if (sign) out += self[0];
  for (int64_t i = 0; i < left; ++i) out += fill.string();
  out += self.substr(sign ? 1 : 0);
  for (int64_t i = left; i < pad; ++i) out += fill.string();
  return Value(std::move(out));
}

Result<Value> ClassMethod(std::string_view name, std::string_view self) {
  if (name == "isupper") return Value(IsUpper(self));
  if (name == "islower") return Value(IsLower(self));
  const auto all = [&](auto holds) {
    for (size_t at = 0; at < self.size();) {
      if (!holds(NextCodePoint(self, at))) return false;
    }
    return !self.empty();
  };
  if (name == "isspace") return Value(all(IsSpace));
  const bool ascii = std::all_of(self.begin(), self.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (name == "isascii") return Value(ascii);
  if (!ascii)
    return Error(StatusCode::kUnsupported, "str.{} of text beyond ASCII is not supported", name);
  const auto digit = [](char32_t c) { return c >= '0' && c <= '9'; };
  const auto letter = [](char32_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  if (name == "isalpha") return Value(all(letter));
  if (name == "isalnum") return Value(all([&](char32_t c) { return letter(c) || digit(c); }));
  return Value(all(digit));
}

Result<Value> ReplaceMethod(Interpreter& in, std::string_view self, ArgumentReader& reader) {
  G3N_ASSIGN_OR_RETURN(const std::string from, reader.NeedString("old"));
  G3N_ASSIGN_OR_RETURN(const std::string to, reader.NeedString("new"));
  G3N_ASSIGN_OR_RETURN(const int64_t count, reader.TakeInteger("count", -1));
  G3N_RETURN_IF_ERROR(reader.Done());
  return Replace(in.budget(), self, from, to, count);
}

Result<Value> SplitLinesMethod(Interpreter& in, std::string_view self, ArgumentReader& reader) {
  if (reader.TakeFlag("keepends"))
    return Status(StatusCode::kUnsupported, "splitlines with keepends is not supported");
  G3N_RETURN_IF_ERROR(reader.Done());
  G3N_RETURN_IF_ERROR(in.budget().Bytes(self.size(), sizeof(std::string_view)));
  return MakeTexts(in.budget(), SplitLines(self));
}

Result<Value> AffixRemoved(Interpreter& in, std::string_view name, std::string_view self,
                           ArgumentReader& reader) {
  G3N_ASSIGN_OR_RETURN(const std::string affix, reader.NeedString("prefix"));
  G3N_RETURN_IF_ERROR(reader.Done());
  G3N_RETURN_IF_ERROR(in.budget().Bytes(self.size()));
  if (name == "removeprefix") return Value(self.substr(self.starts_with(affix) ? affix.size() : 0));
  return Value(self.substr(0, self.size() - (self.ends_with(affix) ? affix.size() : 0)));
}

// upper, lower, title, capitalize: without arguments, and at most three times the length.
Result<Value> CaseMethod(Interpreter& in, std::string (*convert)(std::string_view),
                         std::string_view self, ArgumentReader& reader) {
  G3N_RETURN_IF_ERROR(reader.Done());
  G3N_RETURN_IF_ERROR(in.budget().Bytes(3 * self.size()));
  return Value(convert(self));
}

}  // namespace

Result<Value> CallStringMethod(Interpreter& in, std::string_view name, const std::string& self,
                               const CallArguments& arguments) {
  ArgumentReader reader(name, arguments);
  if (name == "strip") return StripMethod(in, Ends::kBoth, self, reader);
  if (name == "lstrip") return StripMethod(in, Ends::kLeft, self, reader);
  if (name == "rstrip") return StripMethod(in, Ends::kRight, self, reader);
  if (name == "split" || name == "rsplit") return SplitMethod(in, name == "rsplit", self, reader);
  if (name == "splitlines") return SplitLinesMethod(in, self, reader);
  if (name == "partition" || name == "rpartition")
    return PartitionMethod(in, name == "rpartition", self, reader);
  if (name == "startswith" || name == "endswith")
    return AffixMethod(name == "endswith", name, self, reader);
  if (name == "removeprefix" || name == "removesuffix") return AffixRemoved(in, name, self, reader);
  if (name == "upper") return CaseMethod(in, Upper, self, reader);
  if (name == "lower") return CaseMethod(in, Lower, self, reader);
  if (name == "title") return CaseMethod(in, TitleMethod, self, reader);
  if (name == "capitalize") return CaseMethod(in, Capitalize, self, reader);
  if (name == "replace") return ReplaceMethod(in, self, reader);
  if (name == "find" || name == "rfind" || name == "index" || name == "rindex" || name == "count") {
    return FindMethodOf(in, name, self, reader);
  }
  if (name == "ljust" || name == "rjust" || name == "center" || name == "zfill")
    return PadMethod(in, name, self, reader);
  if (name == "join") {
    G3N_ASSIGN_OR_RETURN(const Value iterable, reader.Need("iterable"));
    G3N_RETURN_IF_ERROR(reader.Done());
    G3N_ASSIGN_OR_RETURN(const Value items, Iterate(iterable, in.budget()));
    return JoinTexts(in.budget(), self, items.items(), false);
  }
  if (name == "format") return BraceFormat(self, arguments, in.budget());
  for (const char* known : {"isupper", "islower", "isspace", "isascii", "isalpha", "isalnum",
                            "isdigit", "isdecimal", "isnumeric"}) {
    if (name != known) continue;
    G3N_RETURN_IF_ERROR(reader.Done());
    G3N_RETURN_IF_ERROR(in.budget().Bytes(self.size(), 24));
    return ClassMethod(name, self);
  }
  return Error(StatusCode::kUnsupported, "the method 'str.{}' is not supported", name);
}

}  // namespace gemma3n::jinja
