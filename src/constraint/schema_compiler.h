// Compiles schemas to nodes, one for each set of schemas that hold together.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "constraint/number_text.h"
#include "constraint/program.h"
#include "constraint/schema_parts.h"

namespace gemma3n {

class SchemaCompiler {
 public:
  explicit SchemaCompiler(Schema root) : document_(std::move(root)) {}

  Result<Program> Compile();

 private:
  // Kinds of values, as bits.
  enum Type : unsigned {
    kNull = 1,
    kBoolean = 2,
    kInteger = 4,
    kFraction = 8,  // numbers that are no integers
    kString = 16,
    kObject = 32,
    kArray = 64,
    kAll = 127
  };
  static constexpr size_t kMaxNodes = 20'000;

  // The node of schemas that all hold; it is filled later.
  Result<int32_t> NodeOf(SchemaParts parts);
  Result<int32_t> AddNode(Program::Node node);
  Status Fill(int32_t node, const SchemaParts& parts);
  Status FillChoice(int32_t node, const SchemaParts& parts, size_t part, const char* keyword,
                    SchemaPart::Done done);
  Status FillTypes(int32_t node, const SchemaParts& parts);
  Status FillValues(int32_t node, const SchemaParts& parts, unsigned types);

  // The types that the schemas leave, or a guess from their other keywords when none names any.
  Result<unsigned> TypesOf(const SchemaParts& parts);
  Result<unsigned> TypesNamed(const Schema& schema);

  // Nodes of one type of value under the schemas; nullopt: there is no such value.
  Result<std::optional<int32_t>> Number(const SchemaParts& parts, bool integer);
  Result<std::optional<int32_t>> String(const SchemaParts& parts);
  Result<std::optional<int32_t>> Object(const SchemaParts& parts);
  Result<std::optional<int32_t>> Array(const SchemaParts& parts);
  Result<std::optional<int32_t>> TextNode(Dfa dfa);
  // Nodes of one value, and of the texts of an expression over bytes, of which there are some.
  Result<int32_t> ConstantNode(const Schema& value);
  Result<int32_t> TextsNode(const Regex& regex);

  Status Required(const SchemaParts& parts, std::vector<std::string>& names);
  Status CheckNamesAndCounts(const Schema& schema, const Program::Node& object);
  // What the schemas say about a property, or about those that none of them names (empty name).
  Result<int32_t> PropertyNode(const SchemaParts& parts, const std::string& name, bool named);

  // A count like minItems: whole and not negative.
  Result<std::optional<int32_t>> Count(const Schema& schema, const char* keyword);
  // The tightest of all parts' limits.
  Status Limits(const SchemaParts& parts, const char* least_keyword, const char* most_keyword,
                int32_t& least, int32_t& most);
  Result<Dfa> NumberDfa(const SchemaParts& parts, bool integer);
  // The strings under pattern, format and length; nullopt: length alone.
  Result<std::optional<Dfa>> StringDfa(const SchemaParts& parts, int32_t least, int32_t most);

  SchemaDocument document_;
  Program program_;
  std::map<std::vector<std::pair<const Schema*, uint8_t>>, int32_t> known_;
  std::deque<std::pair<int32_t, SchemaParts>> open_;  // nodes to be filled
};

// Puts choices of choices into one, drops what has no value (or only deeper ones than kMaxDepth),
// and prepares names. Errors: kInvalidArgument when the root has no value.
Status FinishProgram(Program& program);

}  // namespace gemma3n
