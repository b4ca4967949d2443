// Filters of lists, dicts and strings as sequences. What Jinja2 makes as generators is a list here.
#include <algorithm>

#include "chat/jinja/arguments.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/methods.h"
#include "chat/jinja/operators.h"
#include "chat/jinja/repr.h"
#include "chat/jinja/text.h"

namespace gemma3n::jinja {
namespace {

// Follows "a.b.0" from an item; an empty path is the item. Parts of digits are indices.
Result<Value> FollowPath(Interpreter& in, Value item, const Value& path,
                         const Value& fallback = Value(None{})) {
  if (path.none()) return item;
  if (path.is_integer()) {
    G3N_ASSIGN_OR_RETURN(item, in.GetItem(item, path));
    return item.undefined() && !fallback.none() ? fallback : item;
  }
  if (!path.is_string())
    return Error(StatusCode::kInvalidArgument, "an attribute's name must be a string, not {}",
                 TypeName(path));
  std::string_view rest = path.string();
  while (true) {
    const size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const bool index = !part.empty() && part.size() < 10 &&
                       part.find_first_not_of("0123456789") == std::string_view::npos;
    const Value key =
        index ? Value(static_cast<int64_t>(std::stol(std::string(part)))) : Value(part);
    G3N_ASSIGN_OR_RETURN(item, in.GetItem(item, key));
    if (item.undefined() && !fallback.none()) item = fallback;
    if (dot == std::string_view::npos) return item;
    rest.remove_prefix(dot + 1);
  }
}

Value IgnoreCase(const Value& value) {
  return value.is_string() ? Value(Lower(value.string())) : value;
}

// Keys to sort or compare by.
Result<std::vector<Value>> SortKeys(Interpreter& in, const std::vector<Value>& items,
                                    const Value& path, bool case_sensitive) {
  std::vector<Value> keys;
  for (const Value& item : items) {
    G3N_RETURN_IF_ERROR(in.budget().Bytes(sizeof(Value)));
    G3N_ASSIGN_OR_RETURN(Value key, FollowPath(in, item, path));
    if (key.is_string() && !case_sensitive)
      G3N_RETURN_IF_ERROR(in.budget().Bytes(3 * key.string().size()));
    keys.push_back(case_sensitive ? std::move(key) : IgnoreCase(key));
  }
  return keys;
}

// Items in the order of their keys, equal ones as they were.
Result<Value> SortBy(Interpreter& in, const std::vector<Value>& items,
                     const std::vector<Value>& keys, bool reverse) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  Status status;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (!status.ok()) return false;
    auto compared = Compare(keys[a], keys[b], "<", in.budget());
    if (!compared.ok()) {
      status = compared.status();
      return false;
    }
    return reverse ? *compared > 0 : *compared < 0;
  });
  G3N_RETURN_IF_ERROR(status);
  std::vector<Value> sorted;
  for (size_t i : order) sorted.push_back(items[i]);
  return MakeList(std::move(sorted), in.budget());
}

// Jinja2 sorts by lists of keys, "a,b" giving two; equal keys in them are never asked for their
// order.
Result<std::vector<Value>> ListKeys(Interpreter& in, const std::vector<Value>& items,
                                    const Value& paths, bool case_sensitive) {
  std::vector<std::vector<Value>> lists(items.size());
  std::string_view rest = paths.is_string() ? std::string_view(paths.string()) : std::string_view();
  while (true) {
    const size_t comma = rest.find(',');
    const Value path = paths.is_string() ? Value(rest.substr(0, comma)) : paths;
    G3N_ASSIGN_OR_RETURN(std::vector<Value> keys, SortKeys(in, items, path, case_sensitive));
    for (size_t i = 0; i < keys.size(); ++i) lists[i].push_back(std::move(keys[i]));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  std::vector<Value> out;
  for (auto& list : lists) {
    G3N_ASSIGN_OR_RETURN(Value key, MakeList(std::move(list), in.budget()));
    out.push_back(std::move(key));
  }
  return out;
}

Result<Value> SortFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("sort", arguments);
  const bool reverse = reader.TakeFlag("reverse"),
             case_sensitive = reader.TakeFlag("case_sensitive");
  const Value attribute = reader.Take("attribute");
  G3N_RETURN_IF_ERROR(reader.Done());
  G3N_ASSIGN_OR_RETURN(const Value items, Iterate(input, in.budget()));
  G3N_ASSIGN_OR_RETURN(const auto keys, ListKeys(in, items.items(), attribute, case_sensitive));
  return SortBy(in, items.items(), keys, reverse);
}

Result<Value> DictItems(Interpreter& in, const Value& dict) {
  return CallDictMethod(in, "items", dict, {});
}

Result<Value> DictSortFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("dictsort", arguments);
  const bool case_sensitive = reader.TakeFlag("case_sensitive");
  const Value by = reader.Take("by", Value("key"));
  const bool reverse = reader.TakeFlag("reverse");
  G3N_RETURN_IF_ERROR(reader.Done());
  if (input.undefined()) return UndefinedError(input);
  if (!input.is_dict())
    return Error(StatusCode::kInvalidArgument, "dictsort: expected a dict, found {}",
                 TypeName(input));
  const std::string way = by.is_string() ? by.string() : "";
  if (way != "key" && way != "value")
    return Error(StatusCode::kInvalidArgument, "dictsort: sorts by 'key' or 'value'");
  G3N_ASSIGN_OR_RETURN(const Value items, DictItems(in, input));
  const Value path(int64_t{way == "key" ? 0 : 1});
  G3N_ASSIGN_OR_RETURN(const auto keys, SortKeys(in, items.items(), path, case_sensitive));
  return SortBy(in, items.items(), keys, reverse);
}

Result<Value> ItemsFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  G3N_RETURN_IF_ERROR(ArgumentReader("items", arguments).Done());
  if (input.undefined()) return MakeList({}, in.budget());
  if (!input.is_dict())
    return Error(StatusCode::kInvalidArgument, "items: expected a dict, found {}", TypeName(input));
  return DictItems(in, input);
}

Result<Value> LengthFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  G3N_RETURN_IF_ERROR(ArgumentReader("length", arguments).Done());
  if (input.is_string()) {
    G3N_RETURN_IF_ERROR(in.budget().Scan(input.string().size()));
    return Value::Size(Length(input.string()));
  }
  if (input.is_list()) return Value::Size(input.items().size());
  if (input.is_dict()) return Value::Size(input.dict().items.size());
  if (input.is(Value::Kind::kLoop)) return in.GetAttribute(input, "length");
  if (input.undefined()) return Value::Size(0);
  return Error(StatusCode::kInvalidArgument, "object of type '{}' has no length", TypeName(input));
}

template <bool kLast>
Result<Value> EndFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  G3N_RETURN_IF_ERROR(ArgumentReader("first", arguments).Done());
  if (input.is_string()) {
    if (input.string().empty()) return Value::Missing("the string is empty");
    return in.GetItem(input, Value(int64_t{kLast ? -1 : 0}));
  }
  G3N_ASSIGN_OR_RETURN(const Value items, Iterate(input, in.budget()));
  if (items.items().empty()) return Value::Missing("the sequence is empty");
  return kLast ? items.items().back() : items.items().front();
}

Result<Value> JoinFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("join", arguments);
  const Value separator = reader.Take("d", Value("")), attribute = reader.Take("attribute");
  G3N_RETURN_IF_ERROR(reader.Done());
  G3N_ASSIGN_OR_RETURN(const std::string between, ToText(separator, in.budget()));
  G3N_ASSIGN_OR_RETURN(const Value items, Iterate(input, in.budget()));
  if (attribute.none()) return JoinTexts(in.budget(), between, items.items(), true);
  G3N_ASSIGN_OR_RETURN(const auto texts, SortKeys(in, items.items(), attribute, true));
  return JoinTexts(in.budget(), between, texts, true);
}

Result<Value> ListFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  G3N_RETURN_IF_ERROR(ArgumentReader("list", arguments).Done());
  G3N_ASSIGN_OR_RETURN(const Value items, Iterate(input, in.budget()));
  return MakeList(items.items(), in.budget());
}

Result<Value> ReverseFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  G3N_RETURN_IF_ERROR(ArgumentReader("reverse", arguments).Done());
  if (input.is_string())
    return TakeSlice(input, Value(None{}), Value(None{}), Value(int64_t{-1}), in.budget());
  G3N_ASSIGN_OR_RETURN(const Value items, Iterate(input, in.budget()));
  return MakeList({items.items().rbegin(), items.items().rend()}, in.budget());
}

Result<Value> UniqueFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("unique", arguments);
  const bool case_sensitive = reader.TakeFlag("case_sensitive");
  const Value attribute = reader.Take("attribute");
  G3N_RETURN_IF_ERROR(reader.Done());
  G3N_ASSIGN_OR_RETURN(const Value items, Iterate(input, in.budget()));
  G3N_ASSIGN_OR_RETURN(const auto keys, SortKeys(in, items.items(), attribute, case_sensitive));
  std::vector<Value> out;
  std::vector<size_t> kept;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!Hashable(keys[i])) {
      return Error(StatusCode::kInvalidArgument, "unique: unhashable type: '{}'",
                   TypeName(keys[i]));
    }
    bool seen = false;
    for (size_t j = 0; j < kept.size() && !seen; ++j) {
      G3N_ASSIGN_OR_RETURN(seen, Equal(keys[i], keys[kept[j]], in.budget()));
    }
    if (seen) continue;
    kept.push_back(i);
    out.push_back(items.items()[i]);
  }
  return MakeList(std::move(out), in.budget());
}

template <bool kMax>
Result<Value> ExtremeFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader(kMax ? "max" : "min", arguments);
  const bool case_sensitive = reader.TakeFlag("case_sensitive");
  const Value attribute = reader.Take("attribute");
  G3N_RETURN_IF_ERROR(reader.Done());
  G3N_ASSIGN_OR_RETURN(const Value items, Iterate(input, in.budget()));
  if (items.items().empty()) return Value::Missing("the sequence is empty");
  G3N_ASSIGN_OR_RETURN(const auto keys, SortKeys(in, items.items(), attribute, case_sensitive));
  size_t best = 0;
  for (size_t i = 1; i < keys.size(); ++i) {
    G3N_ASSIGN_OR_RETURN(const int order,
                         Compare(keys[i], keys[best], kMax ? ">" : "<", in.budget()));
    if (kMax ? order > 0 : order < 0) best = i;
  }
  return items.items()[best];
}

Result<Value> SumFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("sum", arguments);
  const Value attribute = reader.Take("attribute");
  Value sum = reader.Take("start", Value(int64_t{0}));
  G3N_RETURN_IF_ERROR(reader.Done());
  if (sum.is_string()) return Error(StatusCode::kInvalidArgument, "sum: strings cannot be summed");
  G3N_ASSIGN_OR_RETURN(const Value items, Iterate(input, in.budget()));
  G3N_ASSIGN_OR_RETURN(const auto terms, SortKeys(in, items.items(), attribute, true));
  for (const Value& term : terms) {
    G3N_ASSIGN_OR_RETURN(sum, Arithmetic("+", sum, term, in.budget()));
  }
  return sum;
}

Result<Value> AttrFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  ArgumentReader reader("attr", arguments);
  G3N_ASSIGN_OR_RETURN(const std::string name, reader.NeedString("name"));
  G3N_RETURN_IF_ERROR(reader.Done());
  if (input.undefined()) return UndefinedError(input);
  // Attributes only: a dict's keys are items.
  if (input.is_dict() && FindMethod(input, name) == MethodKind::kNone) {
    return Value::Missing(fmt::format("'dict object' has no attribute '{}'", name));
  }
  return in.GetAttribute(input, name);
}

Result<Value> MapFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  if (!Truthy(input)) return MakeList({}, in.budget());
  G3N_ASSIGN_OR_RETURN(const Value items, Iterate(input, in.budget()));
  std::vector<Value> out;
  if (arguments.positional.empty()) {
    ArgumentReader reader("map", arguments);
    G3N_ASSIGN_OR_RETURN(const Value attribute, reader.Need("attribute"));
    const Value fallback = reader.Take("default");
    G3N_RETURN_IF_ERROR(reader.Done());
    for (const Value& item : items.items()) {
      G3N_RETURN_IF_ERROR(in.budget().Steps());
      G3N_ASSIGN_OR_RETURN(Value value, FollowPath(in, item, attribute, fallback));
      out.push_back(std::move(value));
    }
    return MakeList(std::move(out), in.budget());
  }
  const Value& name = arguments.positional.front();
  if (!name.is_string())
    return Error(StatusCode::kInvalidArgument, "map: expected a filter's name");
  const CallArguments rest{{arguments.positional.begin() + 1, arguments.positional.end()},
                           arguments.named};
  for (const Value& item : items.items()) {
    G3N_RETURN_IF_ERROR(in.budget().Steps());
    G3N_ASSIGN_OR_RETURN(Value value, in.ApplyFilter(name.string(), item, rest));
    out.push_back(std::move(value));
  }
  return MakeList(std::move(out), in.budget());
}

// select, reject, selectattr, rejectattr.
template <bool kByAttribute, bool kKeep>
Result<Value> SelectFilter(Interpreter& in, const Value& input, const CallArguments& arguments) {
  if (!Truthy(input)) return MakeList({}, in.budget());
  G3N_ASSIGN_OR_RETURN(const Value items, Iterate(input, in.budget()));
  CallArguments rest = arguments;
  Value attribute(None{});
  const auto shift = [&rest] {
    Value first = std::move(rest.positional.front());
    rest.positional.erase(rest.positional.begin());
    return first;
  };
  if (kByAttribute) {
    if (rest.positional.empty())
      return Error(StatusCode::kInvalidArgument, "selectattr: the attribute's name is missing");
    attribute = shift();
  }
  std::optional<Value> test;
  if (!rest.positional.empty()) test = shift();
  if (test && !test->is_string())
    return Error(StatusCode::kInvalidArgument, "select: expected a test's name");
  std::vector<Value> out;
  for (const Value& item : items.items()) {
    G3N_RETURN_IF_ERROR(in.budget().Steps());
    G3N_ASSIGN_OR_RETURN(const Value value, FollowPath(in, item, attribute));
    bool holds = Truthy(value);
    if (test) {
      G3N_ASSIGN_OR_RETURN(holds, in.ApplyTest(test->string(), value, rest));
    }
    if (holds == kKeep) out.push_back(item);
  }
  return MakeList(std::move(out), in.budget());
}

constexpr FilterEntry kSequenceFilters[] = {
    {"attr", AttrFilter},
    {"count", LengthFilter},
    {"dictsort", DictSortFilter},
    {"first", EndFilter<false>},
    {"items", ItemsFilter},
    {"join", JoinFilter},
    {"last", EndFilter<true>},
    {"length", LengthFilter},
    {"list", ListFilter},
    {"map", MapFilter},
    {"max", ExtremeFilter<true>},
    {"min", ExtremeFilter<false>},
    {"reject", SelectFilter<false, false>},
    {"rejectattr", SelectFilter<true, false>},
    {"reverse", ReverseFilter},
    {"select", SelectFilter<false, true>},
    {"selectattr", SelectFilter<true, true>},
    {"sort", SortFilter},
    {"sum", SumFilter},
    {"unique", UniqueFilter},
};

const FilterEntry* FindFilter(std::string_view name) {
  for (const auto table : {TextFilters(), SequenceFilters()}) {
    const auto it = std::find_if(table.begin(), table.end(),
                                 [&](const FilterEntry& e) { return e.name == name; });
    if (it != table.end()) return &*it;
  }
  return nullptr;
}

}  // namespace

std::span<const FilterEntry> SequenceFilters() { return kSequenceFilters; }
bool HasFilter(std::string_view name) { return FindFilter(name) != nullptr; }

Result<Value> Interpreter::ApplyFilter(std::string_view name, const Value& input,
                                       const CallArguments& arguments) {
  const FilterEntry* filter = FindFilter(name);
  if (filter == nullptr)
    return Error(StatusCode::kUnsupported, "the filter '{}' is not supported", name);
  struct Guard {
    int& depth;
    ~Guard() { --depth; }
  } guard{++depth_};  // map('map', 'map', ...)
  G3N_RETURN_IF_ERROR(CheckDepth());
  return filter->apply(*this, input, arguments);
}

}  // namespace gemma3n::jinja
