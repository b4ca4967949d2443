#include "chat/jinja/methods.h"

#include <algorithm>

#include "chat/jinja/arguments.h"
#include "chat/jinja/operators.h"
#include "chat/jinja/repr.h"
#include "chat/jinja/text.h"

namespace gemma3n::jinja {
namespace {

using Names = std::initializer_list<std::string_view>;
bool Among(std::string_view name, Names names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Status NotSupported(const char* type, std::string_view name) {
  return Error(StatusCode::kUnsupported, "the method '{}.{}' is not supported", type, name);
}

}  // namespace

MethodKind FindMethod(const Value& object, std::string_view name) {
  // Every public attribute of Python's types: a template may ask for a key of the same name, and
  // gets the method.
  if (object.is_string()) {
    return Among(name, {"capitalize",   "casefold",     "center",    "count",     "encode",
                        "endswith",     "expandtabs",   "find",      "format",    "format_map",
                        "index",        "isalnum",      "isalpha",   "isascii",   "isdecimal",
                        "isdigit",      "isidentifier", "islower",   "isnumeric", "isprintable",
                        "isspace",      "istitle",      "isupper",   "join",      "ljust",
                        "lower",        "lstrip",       "maketrans", "partition", "removeprefix",
                        "removesuffix", "replace",      "rfind",     "rindex",    "rjust",
                        "rpartition",   "rsplit",       "rstrip",    "split",     "splitlines",
                        "startswith",   "strip",        "swapcase",  "title",     "translate",
                        "upper",        "zfill"})
               ? MethodKind::kMethod
               : MethodKind::kNone;
  }
  if (object.is_dict()) {
    if (Among(name, {"clear", "pop", "popitem", "setdefault", "update"}))
      return MethodKind::kMutating;
    return Among(name, {"copy", "fromkeys", "get", "items", "keys", "values"}) ? MethodKind::kMethod
                                                                               : MethodKind::kNone;
  }
  if (object.is_list()) {
    const bool mutating =
        Among(name, {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"});
    if (mutating && !object.list().tuple) return MethodKind::kMutating;
    if (name == "copy" && !object.list().tuple) return MethodKind::kMethod;
    return Among(name, {"count", "index"}) ? MethodKind::kMethod : MethodKind::kNone;
  }
  return MethodKind::kNone;
}

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to,
                       int64_t count) {
  std::string out;
  size_t at = 0;
  while (count != 0) {
    size_t found = at;
    size_t skip = from.size();
    if (from.empty()) {  // before every character and at the end
      out += to;
      --count;
      if (at >= text.size()) break;
      NextCodePoint(text, found);
      skip = 0;
      out += text.substr(at, found - at);
    } else {
      found = Find(text, from, at);
      if (found == std::string_view::npos) break;
      out += text.substr(at, found - at);
      out += to;
      --count;
    }
    at = found + skip;
  }
  if (at < text.size()) out += text.substr(at);
  return out;
}

Result<Value> Replace(Budget& budget, std::string_view text, std::string_view from,
                      std::string_view to, int64_t count) {
  size_t times = from.empty() ? Length(text) + 1 : 0;
  G3N_RETURN_IF_ERROR(budget.Scan(4 * text.size()));
  for (size_t at = 0; !from.empty() && (at = Find(text, from, at)) != std::string_view::npos;
       at += from.size())
    ++times;
  if (count >= 0) times = std::min(times, static_cast<size_t>(count));
  G3N_RETURN_IF_ERROR(budget.Bytes(text.size()));
  G3N_RETURN_IF_ERROR(budget.Bytes(times, to.size()));
  return Value(ReplaceAll(text, from, to, count));
}

Result<Value> JoinTexts(Budget& budget, std::string_view separator, const std::vector<Value>& items,
                        bool convert) {
  TextWriter out(budget);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.Put(separator);
    if (items[i].is_string()) {
      out.Put(items[i].string());
    } else if (convert) {
      G3N_ASSIGN_OR_RETURN(const std::string text, ToText(items[i], budget));
      out.Put(text);
    } else {
      return Error(StatusCode::kInvalidArgument, "join: item {}: expected a string, found {}", i,
                   TypeName(items[i]));
    }
  }
  G3N_ASSIGN_OR_RETURN(std::string text, out.Take());
  return Value(std::move(text));
}

Result<Value> CallListMethod(Interpreter& in, std::string_view name, const Value& self,
                             const CallArguments& arguments) {
  ArgumentReader reader(name, arguments);
  if (name == "copy") {
    G3N_RETURN_IF_ERROR(reader.Done());
    return self;
  }
  G3N_ASSIGN_OR_RETURN(const Value wanted, reader.Need("value"));
  G3N_RETURN_IF_ERROR(reader.Done());
  int64_t count = 0;
  for (size_t i = 0; i < self.items().size(); ++i) {
    G3N_ASSIGN_OR_RETURN(const bool same, Equal(self.items()[i], wanted, in.budget()));
    if (!same) continue;
    if (name == "index") return Value::Size(i);
    ++count;
  }
  if (name == "index")
    return Error(StatusCode::kInvalidArgument, "index: the value is not in the list");
  return Value(count);
}

Result<Value> CallDictMethod(Interpreter& in, std::string_view name, const Value& self,
                             const CallArguments& arguments) {
  ArgumentReader reader(name, arguments);
  if (name == "get") {
    G3N_ASSIGN_OR_RETURN(const Value key, reader.Need("key"));
    Value fallback = reader.Take("default");
    G3N_RETURN_IF_ERROR(reader.Done());
    G3N_ASSIGN_OR_RETURN(const Value* value, DictFind(self.dict(), key, in.budget()));
    return value == nullptr ? std::move(fallback) : *value;
  }
  if (name == "fromkeys") return NotSupported("dict", name);
  G3N_RETURN_IF_ERROR(reader.Done());
  if (name == "copy") return self;
  std::vector<Value> out;
  for (const auto& [key, value] : self.dict().items) {
    if (name == "items") {
      G3N_ASSIGN_OR_RETURN(Value pair, MakeList({key, value}, in.budget(), true));
      out.push_back(std::move(pair));
    } else {
      out.push_back(name == "keys" ? key : value);
    }
  }
  return MakeList(std::move(out), in.budget());
}

}  // namespace gemma3n::jinja
