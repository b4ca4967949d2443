// object.name, object[key] and calls of functions.
#include <algorithm>
#include <array>

#include "chat/jinja/arguments.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/methods.h"
#include "chat/jinja/text.h"

namespace gemma3n::jinja {
namespace {

Value Unsafe(const Value& object, std::string_view name) {
  return Value::Missing(
      fmt::format("access to attribute '{}' of '{}' object is unsafe", name, TypeName(object)));
}

Value NoAttribute(const Value& object, std::string_view name) {
  return Value::Missing(fmt::format("'{} object' has no attribute '{}'", TypeName(object), name));
}

Result<Value> LoopAttribute(LoopObject& loop, std::string_view name) {
  const size_t i = loop.index;
  if (name == "index") return Value::Size(i + 1);
  if (name == "index0") return Value::Size(i);
  if (name == "first") return Value(i == 0);
  if (name == "depth") return Value::Size(1);
  if (name == "depth0") return Value::Size(0);
  if (name == "previtem")
    return i > 0 ? loop.item(i - 1) : Value::Missing("there is no previous item");
  if (name == "last" || name == "nextitem") {
    G3N_ASSIGN_OR_RETURN(const bool next, loop.Has(i + 1));
    if (name == "last") return Value(!next);
    return next ? loop.item(i + 1) : Value::Missing("there is no next item");
  }
  const bool counts = name == "length" || name == "revindex" || name == "revindex0";
  if (!counts)
    return Value::Missing(fmt::format("'LoopContext object' has no attribute '{}'", name));
  G3N_RETURN_IF_ERROR(loop.Has(SIZE_MAX).status());
  const size_t n = loop.known();
  return Value::Size(name == "length" ? n : name == "revindex" ? n - i : n - i - 1);
}

Value Bind(const Value& self, std::string_view name) {
  return Value(std::make_shared<const FunctionObject>(FunctionObject{std::string(name), self}));
}

// What Python's getattr finds; nothing when it raises AttributeError.
std::optional<Value> PythonAttribute(const Value& object, std::string_view name) {
  if (name.starts_with("__")) return Unsafe(object, name);
  switch (FindMethod(object, name)) {
    case MethodKind::kMethod:
      return Bind(object, name);
    case MethodKind::kMutating:
      return Unsafe(object, name);
    case MethodKind::kNone:
      break;
  }
  if (object.is(Value::Kind::kNamespace)) {
    const Value* value = object.name_space().Find(name);
    return value == nullptr ? std::nullopt : std::optional(*value);
  }
  if (object.is(Value::Kind::kLoop) && (name == "cycle" || name == "changed"))
    return Bind(object, name);
  if (object.is(Value::Kind::kMacro) && name == "name") return Value(object.macro().name());
  return std::nullopt;
}

}  // namespace

Result<Value> Interpreter::GetAttribute(const Value& object, std::string_view name) {
  if (object.undefined()) return UndefinedError(object);
  if (auto value = PythonAttribute(object, name)) return std::move(*value);
  if (object.is(Value::Kind::kLoop)) return LoopAttribute(object.loop(), name);
  if (object.is_dict()) {
    G3N_ASSIGN_OR_RETURN(const Value* value, DictFind(object.dict(), Value(name), budget_));
    if (value != nullptr) return *value;
  }
  return NoAttribute(object, name);
}

Result<Value> Interpreter::GetItem(const Value& object, const Value& key) {
  if (object.undefined()) return UndefinedError(object);
  if (object.is_dict()) {
    G3N_ASSIGN_OR_RETURN(const Value* value, DictFind(object.dict(), key, budget_));
    if (value != nullptr) return *value;
  } else if (key.is_integer() && (object.is_list() || object.is_string())) {
    if (object.is_string()) G3N_RETURN_IF_ERROR(budget_.Scan(object.string().size()));
    const auto size =
        static_cast<int64_t>(object.is_list() ? object.items().size() : Length(object.string()));
    const int64_t i = key.integer() < 0 ? key.integer() + size : key.integer();
    if (i < 0 || i >= size) {
      return Value::Missing(
          fmt::format("'{} object' has no element {}", TypeName(object), key.integer()));
    }
    if (object.is_list()) return object.items()[static_cast<size_t>(i)];
    const std::string_view rest = std::string_view(object.string())
                                      .substr(ByteOffset(object.string(), static_cast<size_t>(i)));
    return Value(Characters(rest.substr(0, ByteOffset(rest.substr(0, 4), 1))).front());
  }
  if (!key.is_string())
    return Value::Missing(fmt::format("'{} object' has no such element", TypeName(object)));
  if (auto value = PythonAttribute(object, key.string())) return std::move(*value);
  if (object.is(Value::Kind::kLoop)) return LoopAttribute(object.loop(), key.string());
  return NoAttribute(object, key.string());
}

namespace {

Result<Value> CallRange(Interpreter& in, const CallArguments& arguments) {
  constexpr int64_t kMaxRange = 100000;  // Jinja2's sandbox
  const auto& given = arguments.positional;
  const bool integers =
      std::all_of(given.begin(), given.end(), [](const Value& v) { return v.is_integer(); });
  if (given.empty() || given.size() > 3 || !arguments.named.empty() || !integers) {
    return Error(StatusCode::kInvalidArgument, "range: expected one to three integers");
  }
  const int64_t start = given.size() > 1 ? given[0].integer() : 0;
  const int64_t stop = given.size() > 1 ? given[1].integer() : given[0].integer();
  const int64_t step = given.size() > 2 ? given[2].integer() : 1;
  if (step == 0) return Error(StatusCode::kInvalidArgument, "range: the step must not be zero");
  std::vector<Value> items;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (items.size() == kMaxRange) {
      return Error(StatusCode::kInvalidArgument, "range: more than {} items", kMaxRange);
    }
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return MakeList(std::move(items), in.budget());
}

// namespace(...) and dict(...): a dict or pairs, and keywords.
Result<std::vector<std::pair<Value, Value>>> ReadPairs(Interpreter& in, std::string_view name,
                                                       const CallArguments& arguments) {
  std::vector<std::pair<Value, Value>> pairs;
  if (arguments.positional.size() > 1) {
    return Error(StatusCode::kInvalidArgument, "{}: expected at most one positional argument",
                 name);
  }
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional.front();
    if (source.is_dict()) {
      pairs = source.dict().items;
    } else {
      G3N_ASSIGN_OR_RETURN(const Value items, Iterate(source, in.budget()));
      for (const Value& item : items.items()) {
        G3N_ASSIGN_OR_RETURN(const Value pair, Iterate(item, in.budget()));
        if (pair.items().size() != 2)
          return Error(StatusCode::kInvalidArgument, "{}: expected pairs", name);
        pairs.emplace_back(pair.items()[0], pair.items()[1]);
      }
    }
  }
  for (const auto& [key, value] : arguments.named) pairs.emplace_back(Value(key), value);
  return pairs;
}

Result<Value> CallStrftime(Interpreter& in, const CallArguments& arguments) {
  ArgumentReader reader("strftime_now", arguments);
  G3N_ASSIGN_OR_RETURN(const std::string format, reader.NeedString("format"));
  G3N_RETURN_IF_ERROR(reader.Done());
  if (format.empty()) return Value("");
  const std::tm now = in.clock()();
  std::array<char, 1024> text;
  const size_t n = std::strftime(text.data(), text.size(), format.c_str(), &now);
  return Value(std::string_view(text.data(), n));
}

Result<Value> CallLoopMethod(const FunctionObject& function, const CallArguments& arguments) {
  if (function.name != "cycle") {
    return Error(StatusCode::kUnsupported, "the method 'loop.{}' is not supported", function.name);
  }
  const auto& values = arguments.positional;
  if (values.empty())
    return Error(StatusCode::kInvalidArgument, "loop.cycle: no items for cycling given");
  return values[function.self.loop().index % values.size()];
}

}  // namespace

Result<Value> Interpreter::CallFunction(const FunctionObject& function,
                                        const CallArguments& arguments) {
  const Value& self = function.self;
  if (self.is_string()) return CallStringMethod(*this, function.name, self.string(), arguments);
  if (self.is_list()) return CallListMethod(*this, function.name, self, arguments);
  if (self.is_dict()) return CallDictMethod(*this, function.name, self, arguments);
  if (self.is(Value::Kind::kLoop)) return CallLoopMethod(function, arguments);
  if (function.name == "range") return CallRange(*this, arguments);
  if (function.name == "strftime_now") return CallStrftime(*this, arguments);
  if (function.name == "namespace" || function.name == "dict") {
    G3N_ASSIGN_OR_RETURN(auto pairs, ReadPairs(*this, function.name, arguments));
    if (function.name == "dict") return MakeDict(std::move(pairs), budget_);
    return NewNamespace(std::move(pairs));
  }
  ArgumentReader reader(function.name, arguments);
  G3N_ASSIGN_OR_RETURN(const Value message, reader.Need("message"));
  G3N_RETURN_IF_ERROR(reader.Done());
  return Status(StatusCode::kInvalidArgument,
                message.is_string() ? message.string() : "the template refuses the messages");
}

}  // namespace gemma3n::jinja
