// Expressions. The precedences are Jinja2's: `~` binds tighter than `+`, a filter tighter than a
// unary minus.
#include <charconv>
#include <cstdlib>

#include "chat/jinja/make_expr.h"
#include "chat/jinja/parser.h"

namespace gemma3n::jinja {
// a, b, c; one expression without a comma is itself.
Result<ExprPtr> Parser::ParseTuple(bool with_conditional) {
  const int line = Current().line;
  Sequence tuple{{}, true};
  bool comma = false;
  while (true) {
    const bool ends = Current().Is(")") || Current().kind == Token::Kind::kPrintEnd ||
                      Current().kind == Token::Kind::kBlockEnd || Current().IsName("recursive");
    if (comma && ends) break;
    G3N_ASSIGN_OR_RETURN(ExprPtr item, with_conditional ? ParseExpression() : ParseOr());
    tuple.items.push_back(std::move(item));
    if (!SkipOp(",")) break;
    comma = true;
  }
  if (!comma) return std::move(tuple.items.front());
  return Make(line, std::move(tuple));
}

Result<ExprPtr> Parser::ParseConditional() {
  Nest nest(nesting_);
  G3N_RETURN_IF_ERROR(CheckNesting());
  const int line = Current().line;
  G3N_ASSIGN_OR_RETURN(ExprPtr value, ParseOr());
  while (SkipName("if")) {
    G3N_ASSIGN_OR_RETURN(ExprPtr test, ParseOr());
    ExprPtr otherwise;
    if (SkipName("else")) {
      G3N_ASSIGN_OR_RETURN(otherwise, ParseConditional());
    }
    G3N_ASSIGN_OR_RETURN(
        value, Make(line, Conditional{std::move(value), std::move(test), std::move(otherwise)}));
  }
  return value;
}

Result<ExprPtr> Parser::ParseOr() {
  const int line = Current().line;
  G3N_ASSIGN_OR_RETURN(ExprPtr left, ParseAnd());
  while (SkipName("or")) {
    G3N_ASSIGN_OR_RETURN(ExprPtr right, ParseAnd());
    G3N_ASSIGN_OR_RETURN(left, Make(line, Logical{false, std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExprPtr> Parser::ParseAnd() {
  const int line = Current().line;
  G3N_ASSIGN_OR_RETURN(ExprPtr left, ParseNot());
  while (SkipName("and")) {
    G3N_ASSIGN_OR_RETURN(ExprPtr right, ParseNot());
    G3N_ASSIGN_OR_RETURN(left, Make(line, Logical{true, std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExprPtr> Parser::ParseNot() {
  if (!Current().IsName("not")) return ParseComparison();
  Nest nest(nesting_);
  G3N_RETURN_IF_ERROR(CheckNesting());
  const int line = Take().line;
  G3N_ASSIGN_OR_RETURN(ExprPtr operand, ParseNot());
  return Make(line, Unary{'!', std::move(operand)});
}

Result<ExprPtr> Parser::ParseComparison() {
  const int line = Current().line;
  G3N_ASSIGN_OR_RETURN(ExprPtr first, ParseSum());
  Comparison comparison{std::move(first), {}};
  while (true) {
    std::string op;
    if (SkipName("in")) {
      op = "in";
    } else if (Current().IsName("not") && Ahead().IsName("in")) {
      Take();
      Take();
      op = "not in";
    } else {
      for (const char* symbol : {"==", "!=", "<", "<=", ">", ">="}) {
        if (Current().Is(symbol)) op = symbol;
      }
      if (op.empty()) break;
      Take();
    }
    G3N_ASSIGN_OR_RETURN(ExprPtr operand, ParseSum());
    comparison.rest.emplace_back(std::move(op), std::move(operand));
  }
  if (comparison.rest.empty()) return std::move(comparison.first);
  return Make(line, std::move(comparison));
}

Result<ExprPtr> Parser::ParseSum() {
  const int line = Current().line;
  G3N_ASSIGN_OR_RETURN(ExprPtr left, ParseConcat());
  while (Current().Is("+") || Current().Is("-")) {
    std::string op = Take().text;
    G3N_ASSIGN_OR_RETURN(ExprPtr right, ParseConcat());
    G3N_ASSIGN_OR_RETURN(left,
                         Make(line, Binary{std::move(op), std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExprPtr> Parser::ParseConcat() {
  const int line = Current().line;
  Concat concat;
  do {
    G3N_ASSIGN_OR_RETURN(ExprPtr item, ParseProduct());
    concat.items.push_back(std::move(item));
  } while (SkipOp("~"));
  if (concat.items.size() == 1) return std::move(concat.items.front());
  return Make(line, std::move(concat));
}

Result<ExprPtr> Parser::ParseProduct() {
  const int line = Current().line;
  G3N_ASSIGN_OR_RETURN(ExprPtr left, ParsePower());
  while (Current().Is("*") || Current().Is("/") || Current().Is("//") || Current().Is("%")) {
    std::string op = Take().text;
    G3N_ASSIGN_OR_RETURN(ExprPtr right, ParsePower());
    G3N_ASSIGN_OR_RETURN(left,
                         Make(line, Binary{std::move(op), std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExprPtr> Parser::ParsePower() {
  const int line = Current().line;
  G3N_ASSIGN_OR_RETURN(ExprPtr left, ParseUnary());
  while (SkipOp("**")) {
    G3N_ASSIGN_OR_RETURN(ExprPtr right, ParseUnary());
    G3N_ASSIGN_OR_RETURN(left, Make(line, Binary{"**", std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExprPtr> Parser::ParseUnary(bool with_filter) {
  const int line = Current().line;
  ExprPtr value;
  if (Current().Is("-") || Current().Is("+")) {
    Nest nest(nesting_);
    G3N_RETURN_IF_ERROR(CheckNesting());
    const char op = Take().text.front();
    G3N_ASSIGN_OR_RETURN(ExprPtr operand, ParseUnary(false));
    G3N_ASSIGN_OR_RETURN(value, Make(line, Unary{op, std::move(operand)}));
  } else {
    G3N_ASSIGN_OR_RETURN(value, ParsePrimary());
  }
  G3N_ASSIGN_OR_RETURN(value, ParsePostfix(std::move(value)));
  if (!with_filter) return value;
  return ParseFilters(std::move(value));
}

Result<ExprPtr> Parser::ParsePrimary() {
  const Token& token = Current();
  switch (token.kind) {
    case Token::Kind::kName:
      return ParseName();
    case Token::Kind::kInteger:
    case Token::Kind::kFloat:
      return ParseNumber();
    case Token::Kind::kString: {
      const int line = token.line;
      std::string text;
      while (Current().kind == Token::Kind::kString) text += Take().text;
      return Make(line, Literal{Value(std::move(text))});
    }
    default:
      break;
  }
  if (token.Is("(")) return ParseParenthesized();
  if (token.Is("[")) return ParseListDisplay();
  if (token.Is("{")) return ParseDictDisplay();
  return Unexpected("an expression");
}

Result<ExprPtr> Parser::ParseName() {
  Token token = Take();
  if (token.text == "true" || token.text == "True") return Make(token.line, Literal{Value(true)});
  if (token.text == "false" || token.text == "False")
    return Make(token.line, Literal{Value(false)});
  if (token.text == "none" || token.text == "None") return Make(token.line, Literal{Value(None{})});
  for (MacroNode* macro : macros_) {
    macro->takes_varargs |= token.text == "varargs";
    macro->takes_kwargs |= token.text == "kwargs";
    macro->takes_caller |= token.text == "caller";
  }
  return Make(token.line, Name{std::move(token.text)});
}

Result<ExprPtr> Parser::ParseNumber() {
  const Token token = Take();
  std::string_view digits = token.text;
  if (token.kind == Token::Kind::kFloat) {
    double value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (parsed.ec == std::errc::result_out_of_range)
      value = std::strtod(token.text.c_str(), nullptr);
    return Make(token.line, Literal{Value(value)});
  }
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0') {
    const char letter = static_cast<char>(digits[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    if (base != 10) digits.remove_prefix(2);
  }
  int64_t value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value, base).ec !=
      std::errc()) {
    return Fail(StatusCode::kUnsupported, token.line,
                fmt::format("the integer {} does not fit 64 bits", token.text));
  }
  return Make(token.line, Literal{Value(value)});
}

Result<ExprPtr> Parser::ParseParenthesized() {
  const int line = Take().line;
  if (SkipOp(")")) return Make(line, Sequence{{}, true});
  G3N_ASSIGN_OR_RETURN(ExprPtr value, ParseTuple());
  G3N_RETURN_IF_ERROR(ExpectOp(")"));
  return value;
}

Result<ExprPtr> Parser::ParseListDisplay() {
  const int line = Take().line;
  Sequence list;
  while (!Current().Is("]")) {
    G3N_ASSIGN_OR_RETURN(ExprPtr item, ParseExpression());
    list.items.push_back(std::move(item));
    if (!SkipOp(",")) break;
  }
  G3N_RETURN_IF_ERROR(ExpectOp("]"));
  return Make(line, std::move(list));
}

Result<ExprPtr> Parser::ParseDictDisplay() {
  const int line = Take().line;
  DictDisplay dict;
  while (!Current().Is("}")) {
    G3N_ASSIGN_OR_RETURN(ExprPtr key, ParseExpression());
    G3N_RETURN_IF_ERROR(ExpectOp(":"));
    G3N_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
    dict.items.emplace_back(std::move(key), std::move(value));
    if (!SkipOp(",")) break;
  }
  G3N_RETURN_IF_ERROR(ExpectOp("}"));
  return Make(line, std::move(dict));
}

}  // namespace gemma3n::jinja
