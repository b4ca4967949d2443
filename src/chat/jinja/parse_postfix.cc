// What follows a primary expression: attributes, subscripts, calls, filters and tests.
#include "chat/jinja/make_expr.h"
#include "chat/jinja/parser.h"

namespace gemma3n::jinja {

Result<ExprPtr> Parser::ParsePostfix(ExprPtr value) {
  while (true) {
    const int line = Current().line;
    if (Current().Is(".") || Current().Is("[")) {
      G3N_ASSIGN_OR_RETURN(value, ParseSubscript(std::move(value)));
    } else if (Current().Is("(")) {
      G3N_ASSIGN_OR_RETURN(Arguments arguments, ParseArguments());
      G3N_ASSIGN_OR_RETURN(value, Make(line, Call{std::move(value), std::move(arguments)}));
    } else {
      return value;
    }
  }
}

Result<ExprPtr> Parser::ParseFilters(ExprPtr value) {
  while (true) {
    const int line = Current().line;
    if (SkipOp("|")) {
      G3N_ASSIGN_OR_RETURN(value, ParseFilter(std::move(value)));
    } else if (SkipName("is")) {
      G3N_ASSIGN_OR_RETURN(value, ParseTest(std::move(value)));
    } else if (Current().Is("(")) {
      G3N_ASSIGN_OR_RETURN(Arguments arguments, ParseArguments());
      G3N_ASSIGN_OR_RETURN(value, Make(line, Call{std::move(value), std::move(arguments)}));
    } else {
      return value;
    }
  }
}

Result<std::string> Parser::DottedName() {
  G3N_ASSIGN_OR_RETURN(std::string name, Identifier());
  while (SkipOp(".")) {
    G3N_ASSIGN_OR_RETURN(const std::string part, Identifier());
    name += '.' + part;
  }
  return name;
}

Result<ExprPtr> Parser::ParseFilter(ExprPtr input) {
  const int line = Current().line;
  Filter filter{std::move(input), {}, {}};
  G3N_ASSIGN_OR_RETURN(filter.name, DottedName());
  if (Current().Is("(")) {
    G3N_ASSIGN_OR_RETURN(filter.arguments, ParseArguments());
  }
  return Make(line, std::move(filter));
}

// Behind "is". An argument may stand without parentheses: x is divisibleby 3.
Result<ExprPtr> Parser::ParseTest(ExprPtr input) {
  const int line = Current().line;
  Test test{std::move(input), {}, {}, SkipName("not")};
  G3N_ASSIGN_OR_RETURN(test.name, DottedName());
  const Token& next = Current();
  const bool argument = next.kind == Token::Kind::kString || next.kind == Token::Kind::kInteger ||
                        next.kind == Token::Kind::kFloat || next.Is("[") || next.Is("{") ||
                        (next.kind == Token::Kind::kName && next.text != "else" &&
                         next.text != "or" && next.text != "and");
  if (next.Is("(")) {
    G3N_ASSIGN_OR_RETURN(test.arguments, ParseArguments());
  } else if (next.IsName("is")) {
    return Fail(StatusCode::kCorruptFile, next.line, "tests cannot be chained with 'is'");
  } else if (argument) {
    G3N_ASSIGN_OR_RETURN(ExprPtr value, ParsePrimary());
    G3N_ASSIGN_OR_RETURN(value, ParsePostfix(std::move(value)));
    test.arguments.positional.push_back(std::move(value));
  }
  return Make(line, std::move(test));
}

Result<ExprPtr> Parser::ParseSubscript(ExprPtr object) {
  const int line = Current().line;
  if (SkipOp(".")) {
    if (Current().kind == Token::Kind::kInteger) {
      G3N_ASSIGN_OR_RETURN(ExprPtr key, ParseNumber());
      return Make(line, Index{std::move(object), std::move(key)});
    }
    G3N_ASSIGN_OR_RETURN(std::string name, Identifier());
    return Make(line, Attribute{std::move(object), std::move(name)});
  }
  G3N_RETURN_IF_ERROR(ExpectOp("["));
  Slice slice{std::move(object), nullptr, nullptr, nullptr};
  ExprPtr* parts[] = {&slice.start, &slice.stop, &slice.step};
  int colons = 0;
  while (true) {
    if (!Current().Is(":") && !Current().Is("]")) {
      G3N_ASSIGN_OR_RETURN(*parts[colons], ParseExpression());
    }
    if (colons == 2 || !SkipOp(":")) break;
    ++colons;
  }
  if (Current().Is(",")) return Fail(StatusCode::kUnsupported, line, "subscripts with a comma");
  G3N_RETURN_IF_ERROR(ExpectOp("]"));
  if (colons > 0) return Make(line, std::move(slice));
  if (!slice.start) return Fail(StatusCode::kCorruptFile, line, "expected a subscript, found ']'");
  return Make(line, Index{std::move(slice.object), std::move(slice.start)});
}

Result<Arguments> Parser::ParseArguments() {
  G3N_RETURN_IF_ERROR(ExpectOp("("));
  Arguments arguments;
  while (!Current().Is(")")) {
    const int line = Current().line;
    const bool ordered = !arguments.star_star && (Current().Is("*") ? !arguments.star : true);
    if (!ordered) return Fail(StatusCode::kCorruptFile, line, "an argument behind **");
    if (SkipOp("*")) {
      G3N_ASSIGN_OR_RETURN(arguments.star, ParseExpression());
    } else if (SkipOp("**")) {
      G3N_ASSIGN_OR_RETURN(arguments.star_star, ParseExpression());
    } else if (Current().kind == Token::Kind::kName && Ahead().Is("=")) {
      std::string name = Take().text;
      Take();
      G3N_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
      arguments.named.emplace_back(std::move(name), std::move(value));
    } else {
      if (!arguments.named.empty() || arguments.star) {
        return Fail(StatusCode::kCorruptFile, line, "a positional argument behind a named one");
      }
      G3N_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
      arguments.positional.push_back(std::move(value));
    }
    if (!SkipOp(",")) break;
  }
  G3N_RETURN_IF_ERROR(ExpectOp(")"));
  return arguments;
}

}  // namespace gemma3n::jinja
