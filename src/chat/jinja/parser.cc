// Statements.
#include "chat/jinja/parser.h"

#include "chat/jinja/make_expr.h"

namespace gemma3n::jinja {

Result<Body> ParseTemplate(std::string_view source) {
  G3N_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  return Parser(std::move(tokens)).Run();
}

Result<Body> Parser::Run() { return ParseBody({}); }

Status Parser::Fail(StatusCode code, int line, std::string_view what) const {
  const char* suffix = code == StatusCode::kUnsupported ? " is not supported" : "";
  return Error(code, "line {}: {}{}", line, what, suffix);
}

Status Parser::Unexpected(std::string_view wanted) const {
  const Token& token = Current();
  if (token.kind == Token::Kind::kEnd) {
    return Error(StatusCode::kCorruptFile, "line {}: expected {}, the template ends", token.line,
                 wanted);
  }
  return Error(StatusCode::kCorruptFile, "line {}: expected {}, found '{}'", token.line, wanted,
               token.text.substr(0, 60));
}

Status Parser::CheckNesting() const {
  if (nesting_ <= kMaxNesting) return OkStatus();
  return Fail(StatusCode::kUnsupported, Current().line,
              fmt::format("nesting deeper than {}", kMaxNesting));
}

bool Parser::SkipOp(std::string_view op) {
  if (!Current().Is(op)) return false;
  Take();
  return true;
}

bool Parser::SkipName(std::string_view name) {
  if (!Current().IsName(name)) return false;
  Take();
  return true;
}

Status Parser::ExpectOp(std::string_view op) {
  return SkipOp(op) ? OkStatus() : Unexpected(fmt::format("'{}'", op));
}

Status Parser::ExpectName(std::string_view name) {
  return SkipName(name) ? OkStatus() : Unexpected(fmt::format("'{}'", name));
}

Status Parser::Expect(Token::Kind kind, std::string_view what) {
  if (Current().kind != kind) return Unexpected(fmt::format("'{}'", what));
  Take();
  return OkStatus();
}

Result<std::string> Parser::Identifier() {
  if (Current().kind != Token::Kind::kName) return Unexpected("a name");
  return Take().text;
}

Result<Body> Parser::ParseBody(Ends ends) {
  Nest nest(nesting_);
  G3N_RETURN_IF_ERROR(CheckNesting());
  Body body;
  while (true) {
    const int line = Current().line;
    switch (Current().kind) {
      case Token::Kind::kEnd:
        if (ends.size() == 0) return body;
        return Unexpected(fmt::format("'{}'", *(ends.end() - 1)));
      case Token::Kind::kData:
        body.push_back({line, DataNode{Take().text}});
        break;
      case Token::Kind::kPrintBegin: {
        Take();
        G3N_ASSIGN_OR_RETURN(ExprPtr value, ParseTuple());
        G3N_RETURN_IF_ERROR(Expect(Token::Kind::kPrintEnd, "}}"));
        body.push_back({line, PrintNode{std::move(value)}});
        break;
      }
      default: {
        Take();
        if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return Current().IsName(end); }))
          return body;
        G3N_ASSIGN_OR_RETURN(Node node, ParseStatement());
        G3N_RETURN_IF_ERROR(Expect(Token::Kind::kBlockEnd, "%}"));
        body.push_back(std::move(node));
      }
    }
  }
}

// A body between "%}" and "{% end". The end's "%}" is the enclosing body's to take.
Result<Body> Parser::ParseBlock(Ends ends) {
  SkipOp(":");  // Jinja lets Python's colon stand
  G3N_RETURN_IF_ERROR(Expect(Token::Kind::kBlockEnd, "%}"));
  return ParseBody(ends);
}

Result<Node> Parser::ParseStatement() {
  const int line = Current().line;
  G3N_ASSIGN_OR_RETURN(const std::string name, Identifier());
  if (name == "if") return ParseIf(line);
  if (name == "for") return ParseFor(line);
  if (name == "set") return ParseSet(line);
  if (name == "macro") return ParseMacro(line);
  if (name == "call") return ParseCallBlock(line);
  if (name == "filter") return ParseFilterBlock(line);
  if (name == "with") return ParseWith(line);
  if (name == "generation") return ParseGeneration(line);
  if (name == "print") return ParsePrint(line);
  if (name == "break" || name == "continue") {
    if (loops_ == 0)
      return Fail(StatusCode::kCorruptFile, line, fmt::format("'{}' outside a loop", name));
    if (name == "break") return Node{line, BreakNode{}};
    return Node{line, ContinueNode{}};
  }
  for (const char* known :
       {"block", "extends", "include", "import", "from", "do", "trans", "debug", "autoescape"}) {
    if (name == known)
      return Fail(StatusCode::kUnsupported, line, fmt::format("the statement '{}'", name));
  }
  return Fail(StatusCode::kCorruptFile, line, fmt::format("unknown statement '{}'", name));
}

// {% print a, b %} writes a, then b.
Result<Node> Parser::ParsePrint(int line) {
  Sequence items;
  do {
    G3N_ASSIGN_OR_RETURN(ExprPtr item, ParseExpression());
    items.items.push_back(std::move(item));
  } while (SkipOp(","));
  G3N_ASSIGN_OR_RETURN(ExprPtr joined, Make(line, Concat{std::move(items.items)}));
  return Node{line, PrintNode{std::move(joined)}};
}

Result<Node> Parser::ParseIf(int line) {
  IfNode node;
  while (true) {
    G3N_ASSIGN_OR_RETURN(ExprPtr test, ParseTuple(false));
    G3N_ASSIGN_OR_RETURN(Body body, ParseBlock({"elif", "else", "endif"}));
    node.branches.emplace_back(std::move(test), std::move(body));
    if (!SkipName("elif")) break;
  }
  if (SkipName("else")) {
    G3N_ASSIGN_OR_RETURN(node.otherwise, ParseBlock({"endif"}));
  }
  G3N_RETURN_IF_ERROR(ExpectName("endif"));
  return Node{line, std::move(node)};
}

Result<Node> Parser::ParseFor(int line) {
  ForNode node;
  G3N_ASSIGN_OR_RETURN(node.target, ParseTarget(true));
  G3N_RETURN_IF_ERROR(ExpectName("in"));
  G3N_ASSIGN_OR_RETURN(node.iterable, ParseTuple(false));
  if (SkipName("if")) {
    G3N_ASSIGN_OR_RETURN(node.condition, ParseExpression());
  }
  if (Current().IsName("recursive"))
    return Fail(StatusCode::kUnsupported, line, "a recursive loop");
  ++loops_;
  G3N_ASSIGN_OR_RETURN(node.body, ParseBlock({"else", "endfor"}));
  --loops_;
  if (SkipName("else")) {
    G3N_ASSIGN_OR_RETURN(node.otherwise, ParseBlock({"endfor"}));
  }
  G3N_RETURN_IF_ERROR(ExpectName("endfor"));
  return Node{line, std::move(node)};
}

Result<Node> Parser::ParseSet(int line) {
  G3N_ASSIGN_OR_RETURN(Target target, ParseTarget(false));
  if (SkipOp("=")) {
    G3N_ASSIGN_OR_RETURN(ExprPtr value, ParseTuple());
    return Node{line, SetNode{std::move(target), std::move(value)}};
  }
  SetBlockNode node{std::move(target), nullptr, {}};
  while (SkipOp("|")) {
    G3N_ASSIGN_OR_RETURN(node.filter, ParseFilter(std::move(node.filter)));
  }
  G3N_ASSIGN_OR_RETURN(node.body, ParseBlock({"endset"}));
  G3N_RETURN_IF_ERROR(ExpectName("endset"));
  return Node{line, std::move(node)};
}

Result<Target> Parser::ParseTarget(bool in_for) {
  Target tuple;
  bool comma = false;
  while (true) {
    if (comma && (Current().Is(")") || Current().Is("=") || (in_for && Current().IsName("in"))))
      break;
    G3N_ASSIGN_OR_RETURN(Target target, ParseSingleTarget(in_for));
    tuple.tuple.push_back(std::move(target));
    if (!SkipOp(",")) break;
    comma = true;
  }
  if (!comma) return std::move(tuple.tuple.front());
  return tuple;
}

Result<Target> Parser::ParseSingleTarget(bool in_for) {
  Nest nest(nesting_);
  G3N_RETURN_IF_ERROR(CheckNesting());
  if (SkipOp("(")) {
    G3N_ASSIGN_OR_RETURN(Target target, ParseTarget(in_for));
    G3N_RETURN_IF_ERROR(ExpectOp(")"));
    return target;
  }
  const int line = Current().line;
  Target target;
  G3N_ASSIGN_OR_RETURN(target.name, Identifier());
  for (const char* literal : {"true", "false", "none", "True", "False", "None"}) {
    if (target.name == literal)
      return Fail(StatusCode::kCorruptFile, line, fmt::format("cannot assign to '{}'", literal));
  }
  if (!in_for && SkipOp(".")) {
    G3N_ASSIGN_OR_RETURN(target.attribute, Identifier());
  }
  return target;
}

Result<Parameters> Parser::ParseParameters() {
  Parameters parameters;
  G3N_RETURN_IF_ERROR(ExpectOp("("));
  while (!Current().Is(")")) {
    const int line = Current().line;
    G3N_ASSIGN_OR_RETURN(std::string name, Identifier());
    parameters.names.push_back(std::move(name));
    if (SkipOp("=")) {
      G3N_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
      parameters.defaults.push_back(std::move(value));
    } else if (!parameters.defaults.empty()) {
      return Fail(StatusCode::kCorruptFile, line, "a parameter without a default behind one with");
    }
    if (!SkipOp(",")) break;
  }
  G3N_RETURN_IF_ERROR(ExpectOp(")"));
  return parameters;
}

Result<std::unique_ptr<MacroNode>> Parser::ParseMacroBody(std::string name, Parameters parameters,
                                                          std::string_view end) {
  auto macro = std::make_unique<MacroNode>();
  macro->name = std::move(name);
  macro->parameters = std::move(parameters);
  macros_.push_back(macro.get());
  const int loops = std::exchange(loops_, 0);
  auto body = ParseBlock({end});
  loops_ = loops;
  macros_.pop_back();
  G3N_RETURN_IF_ERROR(body.status());
  macro->body = std::move(body).value();
  G3N_RETURN_IF_ERROR(ExpectName(end));
  return macro;
}

Result<Node> Parser::ParseMacro(int line) {
  G3N_ASSIGN_OR_RETURN(std::string name, Identifier());
  G3N_ASSIGN_OR_RETURN(Parameters parameters, ParseParameters());
  G3N_ASSIGN_OR_RETURN(auto macro,
                       ParseMacroBody(std::move(name), std::move(parameters), "endmacro"));
  return Node{line, std::move(macro)};
}

Result<Node> Parser::ParseCallBlock(int line) {
  Parameters parameters;
  if (Current().Is("(")) {
    G3N_ASSIGN_OR_RETURN(parameters, ParseParameters());
  }
  CallNode node;
  G3N_ASSIGN_OR_RETURN(node.call, ParseExpression());
  if (!std::holds_alternative<Call>(node.call->node))
    return Fail(StatusCode::kCorruptFile, line, "expected a call");
  G3N_ASSIGN_OR_RETURN(node.caller, ParseMacroBody("caller", std::move(parameters), "endcall"));
  return Node{line, std::move(node)};
}

Result<Node> Parser::ParseFilterBlock(int line) {
  FilterNode node;
  do {
    G3N_ASSIGN_OR_RETURN(node.filter, ParseFilter(std::move(node.filter)));
  } while (SkipOp("|"));
  G3N_ASSIGN_OR_RETURN(node.body, ParseBlock({"endfilter"}));
  G3N_RETURN_IF_ERROR(ExpectName("endfilter"));
  return Node{line, std::move(node)};
}

Result<Node> Parser::ParseWith(int line) {
  WithNode node;
  while (Current().kind != Token::Kind::kBlockEnd) {
    if (!node.values.empty()) G3N_RETURN_IF_ERROR(ExpectOp(","));
    G3N_ASSIGN_OR_RETURN(Target target, ParseTarget(false));
    G3N_RETURN_IF_ERROR(ExpectOp("="));
    G3N_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
    node.values.emplace_back(std::move(target), std::move(value));
  }
  G3N_ASSIGN_OR_RETURN(node.body, ParseBlock({"endwith"}));
  G3N_RETURN_IF_ERROR(ExpectName("endwith"));
  return Node{line, std::move(node)};
}

// transformers' extension: marks the model's own words for training; the text is the same.
Result<Node> Parser::ParseGeneration(int line) {
  GenerationNode node;
  G3N_ASSIGN_OR_RETURN(node.body, ParseBlock({"endgeneration"}));
  G3N_RETURN_IF_ERROR(ExpectName("endgeneration"));
  return Node{line, std::move(node)};
}

}  // namespace gemma3n::jinja
