// Tokens to a syntax tree.
#pragma once

#include <string_view>
#include <vector>

#include "chat/jinja/ast.h"
#include "chat/jinja/lexer.h"

namespace gemma3n::jinja {

// Errors: kCorruptFile for syntax errors, kUnsupported for statements that are not interpreted;
// "line N: ...".
Result<Body> ParseTemplate(std::string_view source);

// Recursive descent; one per template.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}
  Result<Body> Run();

 private:
  // Statements and parentheses inside one another, and levels of one expression.
  static constexpr int kMaxNesting = 100, kMaxExprDepth = 200;

  // Tokens.
  const Token& Current() const { return tokens_[at_]; }
  const Token& Ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token Take() { return at_ + 1 < tokens_.size() ? std::move(tokens_[at_++]) : tokens_[at_]; }
  bool SkipOp(std::string_view op);
  bool SkipName(std::string_view name);
  Status ExpectOp(std::string_view op);
  Status ExpectName(std::string_view name);
  Status Expect(Token::Kind kind, std::string_view what);
  Result<std::string> Identifier();
  Status Unexpected(std::string_view wanted) const;
  Status Fail(StatusCode code, int line, std::string_view what) const;

  struct Nest {
    explicit Nest(int& depth) : depth_(depth) { ++depth_; }
    ~Nest() { --depth_; }
    int& depth_;
  };
  Status CheckNesting() const;

  // Statements (parser.cc). A body ends before one of the named statements, whose name is not
  // taken.
  using Ends = std::initializer_list<std::string_view>;
  Result<Body> ParseBody(Ends ends);
  Result<Node> ParseStatement();
  Result<Body> ParseBlock(Ends ends);  // "%}", body
  Result<Node> ParsePrint(int line);
  Result<Node> ParseIf(int line);
  Result<Node> ParseFor(int line);
  Result<Node> ParseSet(int line);
  Result<Node> ParseMacro(int line);
  Result<Node> ParseCallBlock(int line);
  Result<Node> ParseFilterBlock(int line);
  Result<Node> ParseWith(int line);
  Result<Node> ParseGeneration(int line);
  Result<Target> ParseTarget(bool in_for);
  Result<Target> ParseSingleTarget(bool in_for);
  Result<Parameters> ParseParameters();
  Result<std::unique_ptr<MacroNode>> ParseMacroBody(std::string name, Parameters parameters,
                                                    std::string_view end);

  // Expressions (parse_expr.cc), loosest first.
  Result<ExprPtr> ParseTuple(bool with_conditional = true);
  Result<ExprPtr> ParseExpression() { return ParseConditional(); }
  Result<ExprPtr> ParseConditional();
  Result<ExprPtr> ParseOr();
  Result<ExprPtr> ParseAnd();
  Result<ExprPtr> ParseNot();
  Result<ExprPtr> ParseComparison();
  Result<ExprPtr> ParseSum();
  Result<ExprPtr> ParseConcat();
  Result<ExprPtr> ParseProduct();
  Result<ExprPtr> ParsePower();
  Result<ExprPtr> ParseUnary(bool with_filter = true);
  Result<ExprPtr> ParsePrimary();
  Result<ExprPtr> ParseName();
  Result<ExprPtr> ParseNumber();
  Result<ExprPtr> ParseParenthesized();
  Result<ExprPtr> ParseListDisplay();
  Result<ExprPtr> ParseDictDisplay();
  Result<ExprPtr> ParsePostfix(ExprPtr value);
  Result<ExprPtr> ParseFilters(ExprPtr value);
  Result<ExprPtr> ParseFilter(ExprPtr input);  // behind the '|'
  Result<ExprPtr> ParseTest(ExprPtr input);
  Result<ExprPtr> ParseSubscript(ExprPtr object);
  Result<Arguments> ParseArguments();
  Result<std::string> DottedName();
  template <typename T>
  Result<ExprPtr> Make(int line, T node);

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int nesting_ = 0, loops_ = 0;
  std::vector<MacroNode*> macros_;  // being parsed, innermost last
};

}  // namespace gemma3n::jinja
