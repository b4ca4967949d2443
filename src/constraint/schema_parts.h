// Schemas that hold together: what allOf, $ref and a branch of anyOf come to.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "formats/json.h"

namespace gemma3n {

using Schema = nlohmann::ordered_json;

// One schema of several that all hold; `done` are its keywords that were dealt with already.
struct SchemaPart {
  enum Done : uint8_t { kAnyOf = 1, kOneOf = 2, kResolved = 4 };  // $ref and allOf
  const Schema* schema = nullptr;
  uint8_t done = 0;
};

// All of these hold. None: anything goes.
using SchemaParts = std::vector<SchemaPart>;

// The schemas of one document, by their place.
class SchemaDocument {
 public:
  explicit SchemaDocument(Schema root) : root_(std::move(root)) { paths_.emplace(&root_, "#"); }

  const Schema& root() const { return root_; }

  // `parts` with their references and allOf resolved, each schema once, true ones left out. With a
  // false one: `never`. Errors: kInvalidArgument (no schema, a reference that leads nowhere),
  // kUnsupported (a keyword; a reference to another document).
  Status Resolve(SchemaParts& parts, bool& never);

  // A schema inside one that has been seen.
  const Schema* Inside(const Schema& outer, const std::string& keyword);
  const Schema* Inside(const Schema& outer, const std::string& keyword, const std::string& name);
  const Schema* Inside(const Schema& outer, const std::string& keyword, size_t index);

  // Where it stands: "#/properties/a".
  const std::string& Path(const Schema& schema) { return paths_[&schema]; }
  // kInvalidArgument: the keyword's value is not what it must be.
  Status Malformed(const Schema& schema, const char* keyword, const char* expected);
  Status Unsupported(const Schema& schema, const std::string& keyword, const std::string& why = {});

 private:
  Status Check(const Schema& schema);
  Result<const Schema*> Follow(const Schema& from, const std::string& reference);

  Schema root_;
  std::unordered_map<const Schema*, std::string> paths_;
  std::unordered_map<const Schema*, bool> checked_;
};

}  // namespace gemma3n
