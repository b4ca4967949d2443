// Values of a template: Python's, as far as templates see them. Strings, lists and dicts never
// change once made; only a namespace does. Copies share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "chat/jinja/budget.h"

namespace gemma3n::jinja {

class Value;
struct ListObject;
struct DictObject;
struct NamespaceObject;
struct FunctionObject;
struct MacroObject;
struct LoopObject;

struct Undefined {
  std::shared_ptr<const std::string> reason;  // why, for the error that using it gives
};
struct None {};

class Value {
 public:
  // In the order of the variant.
  enum class Kind {
    kUndefined,
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,
    kDict,
    kNamespace,
    kFunction,
    kMacro,
    kLoop
  };
  using List = std::shared_ptr<const ListObject>;
  using Dict = std::shared_ptr<const DictObject>;

  Value() = default;                                                                  // undefined
  Value(None none) : data_(none) {}                                                   // NOLINT
  Value(bool b) : data_(b) {}                                                         // NOLINT
  Value(int64_t i) : data_(i) {}                                                      // NOLINT
  Value(double d) : data_(d) {}                                                       // NOLINT
  Value(std::string s) : data_(std::make_shared<const std::string>(std::move(s))) {}  // NOLINT
  Value(std::string_view s) : Value(std::string(s)) {}                                // NOLINT
  Value(const char* s) : Value(std::string(s)) {}                                     // NOLINT
  Value(List list) : data_(std::move(list)) {}                                        // NOLINT
  Value(Dict dict) : data_(std::move(dict)) {}                                        // NOLINT
  Value(std::shared_ptr<NamespaceObject> object) : data_(std::move(object)) {}        // NOLINT
  Value(std::shared_ptr<const FunctionObject> object) : data_(std::move(object)) {}   // NOLINT
  Value(std::shared_ptr<const MacroObject> object) : data_(std::move(object)) {}      // NOLINT
  Value(std::shared_ptr<LoopObject> object) : data_(std::move(object)) {}             // NOLINT
  static Value Missing(std::string reason) {
    Value v;
    v.data_ = Undefined{std::make_shared<const std::string>(std::move(reason))};
    return v;
  }
  static Value Size(size_t n) { return Value(static_cast<int64_t>(n)); }

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind k) const { return kind() == k; }
  bool undefined() const { return is(Kind::kUndefined); }
  bool none() const { return is(Kind::kNone); }
  bool is_string() const { return is(Kind::kString); }
  bool is_list() const { return is(Kind::kList); }  // list or tuple
  bool is_dict() const { return is(Kind::kDict); }
  bool is_integer() const { return is(Kind::kInt) || is(Kind::kBool); }  // Python's bool is an int
  bool is_number() const { return is_integer() || is(Kind::kFloat); }

  // Preconditions: the kind.
  bool boolean() const { return std::get<bool>(data_); }
  int64_t integer() const { return is(Kind::kBool) ? boolean() : std::get<int64_t>(data_); }
  double number() const {
    return is(Kind::kFloat) ? std::get<double>(data_) : static_cast<double>(integer());
  }
  const std::string& string() const { return *std::get<std::shared_ptr<const std::string>>(data_); }
  const ListObject& list() const { return *std::get<List>(data_); }
  const DictObject& dict() const { return *std::get<Dict>(data_); }
  const std::vector<Value>& items() const;  // of a list
  NamespaceObject& name_space() const { return *std::get<std::shared_ptr<NamespaceObject>>(data_); }
  const FunctionObject& function() const {
    return *std::get<std::shared_ptr<const FunctionObject>>(data_);
  }
  const MacroObject& macro() const { return *std::get<std::shared_ptr<const MacroObject>>(data_); }
  LoopObject& loop() const { return *std::get<std::shared_ptr<LoopObject>>(data_); }

  // Why it is undefined. Precondition: undefined().
  std::string reason() const;
  // The same object in memory: Python's `is` for what has an identity here.
  const void* identity() const;
  // How deep lists and dicts are nested in it; 0 for scalars.
  int depth() const;

 private:
  std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const std::string>, List,
               Dict, std::shared_ptr<NamespaceObject>, std::shared_ptr<const FunctionObject>,
               std::shared_ptr<const MacroObject>, std::shared_ptr<LoopObject>>
      data_;
};

struct ListObject {
  std::vector<Value> items;
  bool tuple = false;
  int depth = 1;
};

struct DictObject {
  std::vector<std::pair<Value, Value>> items;  // in order of insertion
  int depth = 1;
};

struct NamespaceObject {
  std::vector<std::pair<std::string, Value>> attributes;
  const Value* Find(std::string_view name) const;
  void Set(std::string_view name, Value value);
};

// A built-in function, or a method bound to its object.
struct FunctionObject {
  std::string name;
  Value self;  // undefined for a function
};

// State of a for loop, alive as long as someone holds `loop`.
struct LoopObject {
  Value source;  // list
  size_t index = 0;
  // A loop with an `if` of its own asks it item by item, as late as it can: the body may change the
  // answer.
  bool filtered = false;
  std::vector<size_t> chosen;          // indices into the source, so far
  std::function<Result<bool>()> more;  // looks for one more to choose; gone when the loop is over

  size_t known() const;  // items known so far
  const Value& item(size_t i) const;
  // Whether there is an item i. Errors: the filter's.
  Result<bool> Has(size_t i);
};

inline const std::vector<Value>& Value::items() const { return list().items; }

// Lists and dicts nested deeper than this are refused, so that walking and freeing them cannot
// exhaust the stack.
constexpr int kMaxValueDepth = 64;

// Whether it can be a key: lists and dicts, which in Python can change, cannot.
bool Hashable(const Value& value);

Result<Value> MakeList(std::vector<Value> items, Budget& budget, bool tuple = false);
// Later keys replace earlier equal ones. Errors: kInvalidArgument for a key that cannot be hashed.
Result<Value> MakeDict(std::vector<std::pair<Value, Value>> items, Budget& budget);

// Python's name of the value's type: "str", "NoneType".
const char* TypeName(const Value& value);
bool Truthy(const Value& value);
// Python's ==.
Result<bool> Equal(const Value& a, const Value& b, Budget& budget);
// Negative, zero or positive, as for Python's <. Errors: kInvalidArgument for types without order
// among them.
Result<int> Compare(const Value& a, const Value& b, const char* op, Budget& budget);
// Value at a key, nullptr when it isn't there or cannot be a key.
Result<const Value*> DictFind(const DictObject& dict, const Value& key, Budget& budget);
// What a for loop goes through: items of lists, keys of dicts, characters of strings, nothing for
// undefined.
Result<Value> Iterate(const Value& value, Budget& budget);

// kInvalidArgument with the value's reason. Precondition: undefined().
Status UndefinedError(const Value& value);

}  // namespace gemma3n::jinja
