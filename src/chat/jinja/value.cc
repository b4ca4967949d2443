#include "chat/jinja/value.h"

#include <algorithm>

#include "chat/jinja/text.h"

namespace gemma3n::jinja {

std::string Value::reason() const {
  const auto& reason = std::get<Undefined>(data_).reason;
  return reason ? *reason : "the value is undefined";
}

const void* Value::identity() const {
  return std::visit(
      [](const auto& v) -> const void* {
        if constexpr (requires { v.get(); }) {
          return v.get();
        } else {
          return nullptr;
        }
      },
      data_);
}

int Value::depth() const {
  if (is_list()) return list().depth;
  if (is_dict()) return dict().depth;
  if (is(Kind::kFunction)) return 1 + function().self.depth();
  if (is(Kind::kLoop)) return 1 + loop().source.depth();
  return 0;
}

size_t LoopObject::known() const { return filtered ? chosen.size() : source.items().size(); }

const Value& LoopObject::item(size_t i) const { return source.items()[filtered ? chosen[i] : i]; }

Result<bool> LoopObject::Has(size_t i) {
  while (known() <= i) {
    if (!more) return false;
    G3N_ASSIGN_OR_RETURN(const bool found, more());
    if (!found) return false;
  }
  return true;
}

const Value* NamespaceObject::Find(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (key == name) return &value;
  }
  return nullptr;
}

void NamespaceObject::Set(std::string_view name, Value value) {
  for (auto& [key, old] : attributes) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  attributes.emplace_back(name, std::move(value));
}

namespace {

Status CheckDepth(int depth) {
  if (depth <= kMaxValueDepth) return OkStatus();
  return Error(StatusCode::kResourceExhausted, "nests lists or dicts deeper than {}",
               kMaxValueDepth);
}

}  // namespace

bool Hashable(const Value& key) {
  if (key.is_dict()) return false;
  if (!key.is_list()) return true;
  return key.list().tuple && std::all_of(key.items().begin(), key.items().end(), Hashable);
}

Result<Value> MakeList(std::vector<Value> items, Budget& budget, bool tuple) {
  G3N_RETURN_IF_ERROR(budget.Bytes(items.size() + 2, sizeof(Value)));
  auto list = std::make_shared<ListObject>();
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth());
  list->depth = depth + 1;
  G3N_RETURN_IF_ERROR(CheckDepth(list->depth));
  list->items = std::move(items);
  list->tuple = tuple;
  return Value(Value::List(std::move(list)));
}

Result<Value> MakeDict(std::vector<std::pair<Value, Value>> items, Budget& budget) {
  G3N_RETURN_IF_ERROR(budget.Bytes(items.size() + 2, 2 * sizeof(Value)));
  auto dict = std::make_shared<DictObject>();
  int depth = 0;
  for (auto& [key, value] : items) {
    if (!Hashable(key))
      return Error(StatusCode::kInvalidArgument, "a {} cannot be a dict's key", TypeName(key));
    depth = std::max({depth, key.depth(), value.depth()});
    G3N_ASSIGN_OR_RETURN(const Value* old, DictFind(*dict, key, budget));
    if (old != nullptr) {
      *const_cast<Value*>(old) = std::move(value);  // ours until it is handed out
    } else {
      dict->items.emplace_back(std::move(key), std::move(value));
    }
  }
  dict->depth = depth + 1;
  G3N_RETURN_IF_ERROR(CheckDepth(dict->depth));
  return Value(Value::Dict(std::move(dict)));
}

const char* TypeName(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kUndefined:
      return "Undefined";
    case Value::Kind::kNone:
      return "NoneType";
    case Value::Kind::kBool:
      return "bool";
    case Value::Kind::kInt:
      return "int";
    case Value::Kind::kFloat:
      return "float";
    case Value::Kind::kString:
      return "str";
    case Value::Kind::kList:
      return value.list().tuple ? "tuple" : "list";
    case Value::Kind::kDict:
      return "dict";
    case Value::Kind::kNamespace:
      return "Namespace";
    case Value::Kind::kFunction:
      return "function";
    case Value::Kind::kMacro:
      return "Macro";
    case Value::Kind::kLoop:
      return "LoopContext";
  }
  return "?";
}

bool Truthy(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kUndefined:
    case Value::Kind::kNone:
      return false;
    case Value::Kind::kBool:
    case Value::Kind::kInt:
      return value.integer() != 0;
    case Value::Kind::kFloat:
      return value.number() != 0;
    case Value::Kind::kString:
      return !value.string().empty();
    case Value::Kind::kList:
      return !value.items().empty();
    case Value::Kind::kDict:
      return !value.dict().items.empty();
    default:
      return true;
  }
}

Result<bool> Equal(const Value& a, const Value& b, Budget& budget) {
  G3N_RETURN_IF_ERROR(budget.Steps());
  if (a.is_integer() && b.is_integer()) return a.integer() == b.integer();
  if (a.is_number() && b.is_number()) return a.number() == b.number();
  if (a.kind() != b.kind()) return false;
  if (a.undefined() || a.none()) return true;
  if (a.identity() == b.identity()) return true;
  if (a.is_string()) {
    if (a.string().size() != b.string().size()) return false;
    G3N_RETURN_IF_ERROR(budget.Scan(a.string().size()));
    return a.string() == b.string();
  }
  if (a.is_list()) {
    if (a.list().tuple != b.list().tuple || a.items().size() != b.items().size()) return false;
    for (size_t i = 0; i < a.items().size(); ++i) {
      G3N_ASSIGN_OR_RETURN(const bool same, Equal(a.items()[i], b.items()[i], budget));
      if (!same) return false;
    }
    return true;
  }
  if (a.is_dict()) {
    if (a.dict().items.size() != b.dict().items.size()) return false;
    for (const auto& [key, value] : a.dict().items) {
      G3N_ASSIGN_OR_RETURN(const Value* other, DictFind(b.dict(), key, budget));
      if (other == nullptr) return false;
      G3N_ASSIGN_OR_RETURN(const bool same, Equal(value, *other, budget));
      if (!same) return false;
    }
    return true;
  }
  return false;
}

Result<int> Compare(const Value& a, const Value& b, const char* op, Budget& budget) {
  G3N_RETURN_IF_ERROR(budget.Steps());
  const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
  if (a.undefined()) return UndefinedError(a);
  if (b.undefined()) return UndefinedError(b);
  if (a.is_integer() && b.is_integer()) return sign(a.integer(), b.integer());
  if (a.is_number() && b.is_number()) return sign(a.number(), b.number());
  if (a.is_string() && b.is_string()) {
    G3N_RETURN_IF_ERROR(budget.Scan(std::min(a.string().size(), b.string().size())));
    return sign(a.string().compare(b.string()), 0);  // order of UTF-8 bytes is order of code points
  }
  if (a.is_list() && b.is_list() && a.list().tuple == b.list().tuple) {
    for (size_t i = 0; i < std::min(a.items().size(), b.items().size()); ++i) {
      G3N_ASSIGN_OR_RETURN(const bool same, Equal(a.items()[i], b.items()[i], budget));
      if (!same) return Compare(a.items()[i], b.items()[i], op, budget);
    }
    return sign(a.items().size(), b.items().size());
  }
  return Error(StatusCode::kInvalidArgument,
               "'{}' not supported between instances of '{}' and '{}'", op, TypeName(a),
               TypeName(b));
}

Result<const Value*> DictFind(const DictObject& dict, const Value& key, Budget& budget) {
  for (const auto& [other, value] : dict.items) {
    G3N_ASSIGN_OR_RETURN(const bool same, Equal(other, key, budget));
    if (same) return &value;
  }
  return nullptr;
}

Result<Value> Iterate(const Value& value, Budget& budget) {
  if (value.is_list()) return value;
  std::vector<Value> items;
  if (value.is_dict()) {
    for (const auto& [key, unused] : value.dict().items) items.push_back(key);
    return MakeList(std::move(items), budget);
  }
  if (value.is_string()) {
    G3N_RETURN_IF_ERROR(budget.Bytes(value.string().size(), 64));  // a shared string each
    for (std::string_view character : Characters(value.string())) items.emplace_back(character);
    return MakeList(std::move(items), budget);
  }
  if (value.undefined()) return MakeList({}, budget);
  return Error(StatusCode::kInvalidArgument, "'{}' object is not iterable", TypeName(value));
}

Status UndefinedError(const Value& value) {
  return Status(StatusCode::kInvalidArgument, value.reason());
}

}  // namespace gemma3n::jinja
