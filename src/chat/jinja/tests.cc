// Tests: what stands behind `is`.
#include <algorithm>

#include "chat/jinja/arguments.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/operators.h"
#include "chat/jinja/repr.h"
#include "chat/jinja/text.h"

namespace gemma3n::jinja {
namespace {

using Kind = Value::Kind;

bool IsIterable(const Value& v) {
  return v.is_string() || v.is_list() || v.is_dict() || v.undefined() || v.is(Kind::kLoop);
}

// Tests without arguments that look at the value's type alone.
struct TypeTest {
  std::string_view name;
  bool (*holds)(const Value& value);
};
constexpr TypeTest kTypeTests[] = {
    {"defined", [](const Value& v) { return !v.undefined(); }},
    {"undefined", [](const Value& v) { return v.undefined(); }},
    {"none", [](const Value& v) { return v.none(); }},
    {"boolean", [](const Value& v) { return v.is(Kind::kBool); }},
    {"true", [](const Value& v) { return v.is(Kind::kBool) && v.boolean(); }},
    {"false", [](const Value& v) { return v.is(Kind::kBool) && !v.boolean(); }},
    {"integer", [](const Value& v) { return v.is(Kind::kInt); }},
    {"float", [](const Value& v) { return v.is(Kind::kFloat); }},
    {"number", [](const Value& v) { return v.is_number(); }},
    {"string", [](const Value& v) { return v.is_string(); }},
    {"mapping", [](const Value& v) { return v.is_dict(); }},
    {"sequence", [](const Value& v) { return IsIterable(v) && !v.is(Kind::kLoop); }},
    {"iterable", IsIterable},
    {"callable",
     [](const Value& v) {
       return v.is(Kind::kFunction) || v.is(Kind::kMacro) || v.is(Kind::kLoop) || v.undefined();
     }},
    {"escaped", [](const Value&) { return false; }},
};

// Tests with one argument that are operators.
struct OperatorTest {
  std::string_view name, op;
};
constexpr OperatorTest kOperatorTests[] = {
    {"eq", "=="}, {"equalto", "=="}, {"==", "=="},         {"ne", "!="},
    {"!=", "!="}, {"gt", ">"},       {"greaterthan", ">"}, {">", ">"},
    {"ge", ">="}, {">=", ">="},      {"lt", "<"},          {"lessthan", "<"},
    {"<", "<"},   {"le", "<="},      {"<=", "<="},         {"in", "in"},
};

constexpr std::string_view kOtherTests[] = {"odd",   "even",   "divisibleby", "lower",
                                            "upper", "sameas", "filter",      "test"};

template <typename Table>
auto FindIn(const Table& table, std::string_view name) {
  const auto it = std::find_if(std::begin(table), std::end(table),
                               [&](const auto& e) { return e.name == name; });
  return it == std::end(table) ? nullptr : &*it;
}

Result<bool> RemainderIs(const Value& value, const Value& divisor, int64_t wanted, Budget& budget) {
  G3N_ASSIGN_OR_RETURN(const Value rest, Arithmetic("%", value, divisor, budget));
  return Equal(rest, Value(wanted), budget);
}

Result<bool> SameAs(const Value& a, const Value& b, Budget& budget) {
  if (a.kind() != b.kind()) return false;
  if (a.none() || a.is_number() || a.is_string()) return Equal(a, b, budget);
  return a.identity() != nullptr && a.identity() == b.identity();
}

}  // namespace

bool HasTest(std::string_view name) {
  return FindIn(kTypeTests, name) != nullptr || FindIn(kOperatorTests, name) != nullptr ||
         std::find(std::begin(kOtherTests), std::end(kOtherTests), name) != std::end(kOtherTests);
}

Result<bool> Interpreter::ApplyTest(std::string_view name, const Value& input,
                                    const CallArguments& arguments) {
  if (!HasTest(name))
    return Error(StatusCode::kUnsupported, "the test '{}' is not supported", name);
  ArgumentReader reader(name, arguments);
  if (const OperatorTest* test = FindIn(kOperatorTests, name)) {
    G3N_ASSIGN_OR_RETURN(const Value other, reader.Need("other"));
    G3N_RETURN_IF_ERROR(reader.Done());
    return Holds(test->op, input, other, budget_);
  }
  if (name == "sameas" || name == "divisibleby") {
    G3N_ASSIGN_OR_RETURN(const Value other, reader.Need(name == "sameas" ? "other" : "num"));
    G3N_RETURN_IF_ERROR(reader.Done());
    return name == "sameas" ? SameAs(input, other, budget_) : RemainderIs(input, other, 0, budget_);
  }
  G3N_RETURN_IF_ERROR(reader.Done());
  if (const TypeTest* test = FindIn(kTypeTests, name)) return test->holds(input);
  if (name == "odd" || name == "even")
    return RemainderIs(input, Value(int64_t{2}), name == "odd" ? 1 : 0, budget_);
  if (name == "filter" || name == "test") {
    return input.is_string() &&
           (name == "filter" ? HasFilter(input.string()) : HasTest(input.string()));
  }
  G3N_ASSIGN_OR_RETURN(const std::string text, ToText(input, budget_));
  G3N_RETURN_IF_ERROR(budget_.Bytes(text.size(), 24));
  return name == "lower" ? IsLower(text) : IsUpper(text);
}

}  // namespace gemma3n::jinja
