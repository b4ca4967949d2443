#include "chat/jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "chat/jinja/text.h"

namespace gemma3n::jinja {
namespace {

Status Overflow() {
  return Status(StatusCode::kUnsupported, "integers beyond 64 bits are not supported");
}
Status DivisionByZero() { return Status(StatusCode::kInvalidArgument, "division by zero"); }

// Rounds towards minus infinity, as Python does. Precondition: b != 0.
Result<Value> FloorDivide(int64_t a, int64_t b) {
  if (b == -1 && a == INT64_MIN) return Overflow();
  return Value(a / b - (a % b != 0 && (a < 0) != (b < 0)));
}
Result<Value> Modulo(int64_t a, int64_t b) {
  if (b == -1) return Value(int64_t{0});
  const int64_t r = a % b;
  return Value(r != 0 && (r < 0) != (b < 0) ? r + b : r);
}

double FloatModulo(double a, double b) {
  const double r = std::fmod(a, b);
  if (r == 0) return std::copysign(0.0, b);
  return (r < 0) != (b < 0) ? r + b : r;
}

// As CPython's float_floor_div, which keeps the sign of a zero.
double FloatFloorDivide(double a, double b) {
  const double quotient = (a - FloatModulo(a, b)) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

Result<Value> IntegerPower(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return DivisionByZero();
    return Value(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  while (true) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return Overflow();
    exponent >>= 1;
    if (exponent == 0) return Value(result);
    if (__builtin_mul_overflow(base, base, &base)) return Overflow();
  }
}

Result<Value> IntegerArithmetic(std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(a, b, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(a, b, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(a, b, &result);
  } else if (op == "**") {
    return IntegerPower(a, b);
  } else {
    if (b == 0) return DivisionByZero();
    if (op == "/") return Value(static_cast<double>(a) / static_cast<double>(b));
    return op == "//" ? FloorDivide(a, b) : Modulo(a, b);
  }
  if (overflow) return Overflow();
  return Value(result);
}

Result<Value> FloatArithmetic(std::string_view op, double a, double b) {
  if (op == "+") return Value(a + b);
  if (op == "-") return Value(a - b);
  if (op == "*") return Value(a * b);
  if (op == "**") {
    if (a == 0 && b < 0) return DivisionByZero();
    const double power = std::pow(a, b);
    if (std::isnan(power) && !std::isnan(a) && !std::isnan(b)) {
      return Status(StatusCode::kUnsupported, "complex numbers are not supported");
    }
    if (std::isinf(power) && std::isfinite(a) && std::isfinite(b)) {
      return Status(StatusCode::kInvalidArgument, "the result of ** is too large");
    }
    return Value(power);
  }
  if (b == 0) return DivisionByZero();
  if (op == "/") return Value(a / b);
  return Value(op == "//" ? FloatFloorDivide(a, b) : FloatModulo(a, b));
}

Result<Value> AddSequences(const Value& a, const Value& b, Budget& budget) {
  if (a.is_string()) {
    G3N_RETURN_IF_ERROR(budget.Bytes(a.string().size() + b.string().size()));
    return Value(a.string() + b.string());
  }
  std::vector<Value> items = a.items();
  items.insert(items.end(), b.items().begin(), b.items().end());
  return MakeList(std::move(items), budget, a.list().tuple);
}

Result<Value> Repeat(const Value& sequence, int64_t times, Budget& budget) {
  const size_t n = times > 0 ? static_cast<size_t>(times) : 0;
  if (sequence.is_string()) {
    G3N_RETURN_IF_ERROR(budget.Bytes(n, sequence.string().size()));
    if (sequence.string().empty()) return sequence;
    std::string text;
    text.reserve(n * sequence.string().size());
    for (size_t i = 0; i < n; ++i) text += sequence.string();
    return Value(std::move(text));
  }
  G3N_RETURN_IF_ERROR(budget.Bytes(n, sequence.items().size() * sizeof(Value)));
  std::vector<Value> items;
  if (!sequence.items().empty()) {
    for (size_t i = 0; i < n; ++i)
      items.insert(items.end(), sequence.items().begin(), sequence.items().end());
  }
  return MakeList(std::move(items), budget, sequence.list().tuple);
}

bool SameSequenceType(const Value& a, const Value& b) {
  return (a.is_string() && b.is_string()) ||
         (a.is_list() && b.is_list() && a.list().tuple == b.list().tuple);
}

}  // namespace

Result<Value> Arithmetic(std::string_view op, const Value& a, const Value& b, Budget& budget) {
  if (a.undefined()) return UndefinedError(a);
  if (op == "%" && a.is_string()) return PercentFormat(a.string(), b, budget);
  if (b.undefined()) return UndefinedError(b);
  if (a.is_integer() && b.is_integer()) return IntegerArithmetic(op, a.integer(), b.integer());
  if (a.is_number() && b.is_number()) return FloatArithmetic(op, a.number(), b.number());
  if (op == "+" && SameSequenceType(a, b)) return AddSequences(a, b, budget);
  const auto sequence = [](const Value& v) { return v.is_string() || v.is_list(); };
  if (op == "*" && sequence(a) && b.is_integer()) return Repeat(a, b.integer(), budget);
  if (op == "*" && sequence(b) && a.is_integer()) return Repeat(b, a.integer(), budget);
  return Error(StatusCode::kInvalidArgument, "unsupported operand types for {}: '{}' and '{}'", op,
               TypeName(a), TypeName(b));
}

Result<Value> Sign(char op, const Value& a) {
  if (a.undefined()) return UndefinedError(a);
  if (!a.is_number()) {
    return Error(StatusCode::kInvalidArgument, "bad operand type for unary {}: '{}'", op,
                 TypeName(a));
  }
  if (a.is(Value::Kind::kFloat)) return Value(op == '-' ? -a.number() : a.number());
  if (op == '-' && a.integer() == INT64_MIN) return Overflow();
  return Value(op == '-' ? -a.integer() : a.integer());
}

Result<bool> Contains(const Value& container, const Value& item, Budget& budget) {
  if (container.is_string()) {
    if (!item.is_string()) {
      return Error(StatusCode::kInvalidArgument,
                   "'in <string>' requires string as left operand, not {}", TypeName(item));
    }
    G3N_RETURN_IF_ERROR(budget.Scan(4 * container.string().size()));
    return Find(container.string(), item.string()) != std::string::npos;
  }
  if (container.is_dict()) {
    if (item.is_dict() || (item.is_list() && !item.list().tuple)) {
      return Error(StatusCode::kInvalidArgument, "a {} cannot be a dict's key", TypeName(item));
    }
    G3N_ASSIGN_OR_RETURN(const Value* found, DictFind(container.dict(), item, budget));
    return found != nullptr;
  }
  if (container.undefined()) return false;
  if (!container.is_list()) {
    return Error(StatusCode::kInvalidArgument, "argument of type '{}' is not iterable",
                 TypeName(container));
  }
  for (const Value& other : container.items()) {
    G3N_ASSIGN_OR_RETURN(const bool same, Equal(other, item, budget));
    if (same) return true;
  }
  return false;
}

Result<bool> Holds(std::string_view op, const Value& a, const Value& b, Budget& budget) {
  if (op == "in" || op == "not in") {
    G3N_ASSIGN_OR_RETURN(const bool contains, Contains(b, a, budget));
    return contains == (op == "in");
  }
  if (op == "==" || op == "!=") {
    G3N_ASSIGN_OR_RETURN(const bool same, Equal(a, b, budget));
    return same == (op == "==");
  }
  if (a.is_number() && b.is_number() && (std::isnan(a.number()) || std::isnan(b.number())))
    return false;
  G3N_ASSIGN_OR_RETURN(const int order, Compare(a, b, std::string(op).c_str(), budget));
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  return order >= 0;
}

Result<Value> TakeSlice(const Value& object, const Value& start, const Value& stop,
                        const Value& step, Budget& budget) {
  for (const Value* part : {&start, &stop, &step}) {
    if (part->none() || part->is_integer()) continue;
    return Error(StatusCode::kInvalidArgument, "slice indices must be integers or none, not {}",
                 TypeName(*part));
  }
  if (!object.is_string() && !object.is_list()) {
    return Error(StatusCode::kInvalidArgument, "'{}' object cannot be sliced", TypeName(object));
  }
  const int64_t by = step.none() ? 1 : step.integer();
  if (by == 0) return Error(StatusCode::kInvalidArgument, "slice step cannot be zero");
  std::vector<std::string_view> characters;
  if (object.is_string()) {
    G3N_RETURN_IF_ERROR(budget.Bytes(object.string().size(), sizeof(std::string_view)));
    characters = Characters(object.string());
  }
  const auto size =
      static_cast<int64_t>(object.is_string() ? characters.size() : object.items().size());
  const int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
  const auto bound = [&](const Value& v, int64_t fallback) {
    if (v.none()) return fallback;
    const int64_t i = v.integer();
    return std::clamp(i < 0 ? std::max(i, -size - 1) + size : i, low, high);
  };
  const int64_t from = bound(start, by > 0 ? low : high), to = bound(stop, by > 0 ? high : low);
  std::string text;
  std::vector<Value> items;
  for (int64_t i = from; by > 0 ? i < to : i > to;) {
    if (object.is_string()) {
      text += characters[static_cast<size_t>(i)];
    } else {
      items.push_back(object.items()[static_cast<size_t>(i)]);
    }
    if (__builtin_add_overflow(i, by, &i)) break;
  }
  if (object.is_string()) return Value(std::move(text));
  return MakeList(std::move(items), budget, object.list().tuple);
}

}  // namespace gemma3n::jinja
