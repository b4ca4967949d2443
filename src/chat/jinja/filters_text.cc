// Filters of strings and numbers. Semantics: Jinja2's filters module, tojson as transformers
// replaces it.
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "chat/jinja/arguments.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/methods.h"
#include "chat/jinja/operators.h"
#include "chat/jinja/repr.h"
#include "chat/jinja/text.h"

namespace gemma3n::jinja {
namespace {

// upper, lower, title, capitalize.
template <std::string (*kConvert)(std::string_view)>
Result<Value> CaseFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  G3N_RETURN_IF_ERROR(ArgumentReader("filter", arguments).Done());
  G3N_ASSIGN_OR_RETURN(const std::string text, ToText(input, in.budget()));
  G3N_RETURN_IF_ERROR(in.budget().Bytes(3 * text.size()));
  return Value(kConvert(text));
}

Result<Value> TrimFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("trim", arguments);
  const Value chars = reader.Take("chars");
  G3N_RETURN_IF_ERROR(reader.Done());
  G3N_ASSIGN_OR_RETURN(const std::string text, ToText(input, in.budget()));
  if (chars.none()) return Value(Strip(text));
  if (!chars.is_string())
    return Error(StatusCode::kInvalidArgument, "trim: the characters must be a string or none");
  return Value(Strip(text, Ends::kBoth, std::string_view(chars.string())));
}

Result<Value> StringFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  G3N_RETURN_IF_ERROR(ArgumentReader("string", arguments).Done());
  G3N_ASSIGN_OR_RETURN(std::string text, ToText(input, in.budget()));
  return Value(std::move(text));
}

// Output is never escaped, so that there is nothing to mark.
Result<Value> SafeFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  return StringFilter(in, input, arguments);
}

Result<Value> ReplaceFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("replace", arguments);
  G3N_ASSIGN_OR_RETURN(const Value from, reader.Need("old"));
  G3N_ASSIGN_OR_RETURN(const Value to, reader.Need("new"));
  const Value count = reader.Take("count");
  G3N_RETURN_IF_ERROR(reader.Done());
  if (!count.none() && !count.is_integer())
    return Error(StatusCode::kInvalidArgument, "replace: the count must be an integer");
  G3N_ASSIGN_OR_RETURN(const std::string text, ToText(input, in.budget()));
  G3N_ASSIGN_OR_RETURN(const std::string from_text, ToText(from, in.budget()));
  G3N_ASSIGN_OR_RETURN(const std::string to_text, ToText(to, in.budget()));
  return Replace(in.budget(), text, from_text, to_text, count.none() ? -1 : count.integer());
}

Result<Value> IndentFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("indent", arguments);
  const Value width = reader.Take("width", Value(int64_t{4}));
  const bool first = reader.TakeFlag("first"), blank = reader.TakeFlag("blank");
  G3N_RETURN_IF_ERROR(reader.Done());
  if (!input.is_string()) {
    if (input.undefined()) return UndefinedError(input);
    return Error(StatusCode::kInvalidArgument, "indent: expected a string, found {}",
                 TypeName(input));
  }
  std::string indent;
  if (width.is_string()) {
    indent = width.string();
  } else if (width.is_integer()) {
    const size_t n = width.integer() > 0 ? static_cast<size_t>(width.integer()) : 0;
    G3N_RETURN_IF_ERROR(in.budget().Bytes(n));
    indent.assign(n, ' ');
  } else {
    return Error(StatusCode::kInvalidArgument, "indent: the width must be an integer or a string");
  }
  G3N_RETURN_IF_ERROR(in.budget().Bytes(input.string().size(), sizeof(std::string_view)));
  const std::string text = input.string() + '\n';
  const auto lines = SplitLines(text);
  TextWriter out(in.budget());
  for (size_t i = 0; i < lines.size() && !out.failed(); ++i) {
    if (i > 0) out.Put('\n');
    if (i == 0 ? first : blank || !lines[i].empty()) out.Put(indent);
    out.Put(lines[i]);
  }
  G3N_ASSIGN_OR_RETURN(std::string indented, out.Take());
  return Value(std::move(indented));
}

Result<Value> FormatFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    return Error(StatusCode::kInvalidArgument, "format: positional and named arguments at once");
  }
  G3N_ASSIGN_OR_RETURN(const std::string format, ToText(input, in.budget()));
  if (arguments.named.empty()) {
    G3N_ASSIGN_OR_RETURN(const Value values, MakeList(arguments.positional, in.budget(), true));
    return PercentFormat(format, values, in.budget());
  }
  std::vector<std::pair<Value, Value>> items;
  for (const auto& [name, value] : arguments.named) items.emplace_back(Value(name), value);
  G3N_ASSIGN_OR_RETURN(const Value values, MakeDict(std::move(items), in.budget()));
  return PercentFormat(format, values, in.budget());
}

Result<Value> CenterFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("center", arguments);
  CallArguments method;
  method.positional.push_back(reader.Take("width", Value(int64_t{80})));
  G3N_RETURN_IF_ERROR(reader.Done());
  G3N_ASSIGN_OR_RETURN(const std::string text, ToText(input, in.budget()));
  return CallStringMethod(in, "center", text, method);
}

Result<Value> JsonFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("tojson", arguments);
  JsonStyle style;
  style.ensure_ascii = reader.TakeFlag("ensure_ascii");
  const Value indent = reader.Take("indent"), separators = reader.Take("separators");
  style.sort_keys = reader.TakeFlag("sort_keys");
  G3N_RETURN_IF_ERROR(reader.Done());
  if (indent.is_integer()) {
    const int64_t width = indent.integer();
    if (width > 1000)
      return Error(StatusCode::kUnsupported, "tojson with an indent of {} is not supported", width);
    style.indent = std::string(width > 0 ? static_cast<size_t>(width) : 0, ' ');
  } else if (indent.is_string()) {
    style.indent = indent.string();
  } else if (!indent.none()) {
    return Error(StatusCode::kInvalidArgument,
                 "tojson: the indent must be an integer, a string or none");
  }
  if (style.indent) style.item_separator = ",";
  if (!separators.none()) {
    const bool pair = separators.is_list() && separators.items().size() == 2 &&
                      separators.items()[0].is_string() && separators.items()[1].is_string();
    if (!pair)
      return Error(StatusCode::kInvalidArgument, "tojson: the separators must be two strings");
    style.item_separator = separators.items()[0].string();
    style.key_separator = separators.items()[1].string();
  }
  G3N_ASSIGN_OR_RETURN(std::string json, ToJson(input, style, in.budget()));
  return Value(std::move(json));
}

// Digits without the '_' that Python allows between them; nothing when there are others.
std::optional<std::string> NumberText(std::string_view text) {
  text = Strip(text);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t j) {
      return j < text.size() && text[j] >= '0' && text[j] <= '9';
    };
    if (text[i] == '_' && !(i > 0 && digit(i - 1) && digit(i + 1))) return std::nullopt;
    if (text[i] != '_') out += text[i];
  }
  if (out.starts_with('+')) {
    out.erase(0, 1);
    if (out.starts_with('-') || out.starts_with('+')) return std::nullopt;
  }
  if (out.empty()) return std::nullopt;
  return out;
}

std::optional<double> ParseFloat(std::string_view text) {
  const auto digits = NumberText(text);
  if (!digits || digits->find_first_of("xX(") != std::string::npos) return std::nullopt;
  double value = 0;
  const auto parsed = std::from_chars(digits->data(), digits->data() + digits->size(), value);
  if (parsed.ptr != digits->data() + digits->size()) return std::nullopt;
  if (parsed.ec == std::errc::result_out_of_range) value = std::strtod(digits->c_str(), nullptr);
  return value;
}

Result<Value> FloatFilter(Interpreter&, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("float", arguments);
  Value fallback = reader.Take("default", Value(0.0));
  G3N_RETURN_IF_ERROR(reader.Done());
  if (input.undefined()) return UndefinedError(input);
  if (input.is_number()) return Value(input.number());
  if (!input.is_string()) return fallback;
  const auto value = ParseFloat(input.string());
  return value ? Value(*value) : std::move(fallback);
}

Result<Value> TruncateToInteger(double value) {
  if (std::fabs(value) < 9.2e18) return Value(static_cast<int64_t>(value));
  return Status(StatusCode::kUnsupported, "integers beyond 64 bits are not supported");
}

Result<Value> IntFilter(Interpreter&, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("int", arguments);
  Value fallback = reader.Take("default", Value(int64_t{0}));
  G3N_ASSIGN_OR_RETURN(const int64_t base, reader.TakeInteger("base", 10));
  G3N_RETURN_IF_ERROR(reader.Done());
  if (input.undefined()) return UndefinedError(input);
  if (input.is_integer()) return Value(input.integer());
  if (input.is(Value::Kind::kFloat)) {
    if (std::isnan(input.number())) return fallback;
    return TruncateToInteger(input.number());
  }
  if (!input.is_string()) return fallback;
  if (base < 2 || base > 36)
    return Error(StatusCode::kUnsupported, "int with the base {} is not supported", base);
  if (auto digits = NumberText(input.string())) {
    std::string_view rest = *digits;
    const bool minus = rest.starts_with('-');
    if (minus) rest.remove_prefix(1);
    const std::string_view prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : "";
    if (!prefix.empty() && Lower(rest.substr(0, 2)) == prefix) rest.remove_prefix(2);
    const std::string signed_digits = (minus ? "-" : "") + std::string(rest);
    int64_t value = 0;
    const char* end = signed_digits.data() + signed_digits.size();
    const auto parsed = std::from_chars(signed_digits.data(), end, value, static_cast<int>(base));
    if (parsed.ec == std::errc() && parsed.ptr == end && !rest.starts_with('-'))
      return Value(value);
    if (parsed.ec == std::errc::result_out_of_range) return TruncateToInteger(1e300);
  }
  const auto number = ParseFloat(input.string());
  if (!number || !std::isfinite(*number)) return fallback;
  return TruncateToInteger(*number);
}

// Python's round: to even, on the decimal expansion.
Result<Value> RoundHalfEven(const Value& input, int64_t precision) {
  if (input.is_integer() && precision >= 0) return Value(input.integer());
  if (precision < -18 || precision > 300)
    return Error(StatusCode::kUnsupported, "round with a precision of {} is not supported",
                 precision);
  if (precision >= 0) {
    const std::string digits = fmt::format("{:.{}f}", input.number(), precision);
    return Value(std::isfinite(input.number()) ? std::strtod(digits.c_str(), nullptr)
                                               : input.number());
  }
  const double unit = std::pow(10.0, static_cast<double>(-precision));
  const double rounded = std::nearbyint(input.number() / unit) * unit;
  if (input.is_integer()) return TruncateToInteger(rounded);
  return Value(rounded);
}

Result<Value> RoundFilter(Interpreter&, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("round", arguments);
  G3N_ASSIGN_OR_RETURN(const int64_t precision, reader.TakeInteger("precision", 0));
  const Value method = reader.Take("method", Value("common"));
  G3N_RETURN_IF_ERROR(reader.Done());
  if (!input.is_number())
    return Error(StatusCode::kInvalidArgument, "round: expected a number, found {}",
                 TypeName(input));
  const std::string name = method.is_string() ? method.string() : "";
  if (name == "common") return RoundHalfEven(input, precision);
  if (name != "ceil" && name != "floor")
    return Error(StatusCode::kInvalidArgument, "round: method must be common, ceil or floor");
  const double unit = std::pow(10.0, static_cast<double>(precision));
  const double scaled = input.number() * unit;
  return Value((name == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit);
}

Result<Value> AbsFilter(Interpreter&, const Value& input, const CallArguments& arguments) {
  G3N_RETURN_IF_ERROR(ArgumentReader("abs", arguments).Done());
  if (!input.is_number())
    return Error(StatusCode::kInvalidArgument, "abs: expected a number, found {}", TypeName(input));
  if (input.is(Value::Kind::kFloat)) return Value(std::fabs(input.number()));
  return input.integer() < 0 ? Sign('-', input) : Value(input.integer());
}

Result<Value> DefaultFilter(Interpreter&, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("default", arguments);
  Value fallback = reader.Take("default_value", Value(""));
  const bool boolean = reader.TakeFlag("boolean");
  G3N_RETURN_IF_ERROR(reader.Done());
  return input.undefined() || (boolean && !Truthy(input)) ? std::move(fallback) : input;
}

constexpr FilterEntry kTextFilters[] = {
    {"abs", AbsFilter},
    {"capitalize", CaseFilter<Capitalize>},
    {"center", CenterFilter},
    {"d", DefaultFilter},
    {"default", DefaultFilter},
    {"float", FloatFilter},
    {"format", FormatFilter},
    {"indent", IndentFilter},
    {"int", IntFilter},
    {"lower", CaseFilter<Lower>},
    {"replace", ReplaceFilter},
    {"round", RoundFilter},
    {"safe", SafeFilter},
    {"string", StringFilter},
    {"title", CaseFilter<TitleFilter>},
    {"tojson", JsonFilter},
    {"trim", TrimFilter},
    {"upper", CaseFilter<Upper>},
};

}  // namespace

std::span<const FilterEntry> TextFilters() { return kTextFilters; }

}  // namespace gemma3n::jinja
