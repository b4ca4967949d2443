// A JSON Schema made ready to follow a document byte by byte.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "constraint/dfa.h"

namespace gemma3n {

// The names of an object's properties as they stand in JSON, from behind the opening quote to the
// closing one.
class NameTrie {
 public:
  static constexpr int32_t kNone = -1;

  // name: as JSON, with its quotes. Names of properties that may not be there are in it without an
  // index: no additional property may have them.
  void Add(std::string_view name, int32_t index);

  int32_t Child(int32_t node, uint8_t byte) const;
  // The property whose name ends here; kNone where none does, or it may not be there.
  int32_t Property(int32_t node) const { return nodes_[static_cast<size_t>(node)].property; }
  // Those whose names go through here, ascending.
  const std::vector<int32_t>& Through(int32_t node) const {
    return nodes_[static_cast<size_t>(node)].through;
  }
  bool empty() const { return nodes_.size() == 1; }

 private:
  struct Node {
    std::vector<std::pair<uint8_t, int32_t>> children;  // few: searched from the front
    std::vector<int32_t> through;
    int32_t property = kNone;
  };
  std::vector<Node> nodes_ = std::vector<Node>(1);
};

// What a value may be.
struct Program {
  static constexpr int32_t kNone = -1;
  static constexpr int32_t kNoLimit = std::numeric_limits<int32_t>::max();
  // Deepest nesting of objects and arrays in a document.
  static constexpr int32_t kMaxDepth = 64;

  struct Property {
    std::string name;
    int32_t value = kNone;  // node
    bool required = false;
  };

  struct Node {
    enum class Kind {
      kChoice,  // one of `parts`
      kText,    // a text of a Dfa: numbers, literals, strings with a pattern
      kString,  // least to most characters
      kObject,
      kArray  // least to most values: `parts` first, then `rest`
    };
    Kind kind = Kind::kChoice;
    std::vector<int32_t> parts;  // kChoice, kArray: nodes
    int32_t rest = kNone;        // kArray: the other values; kObject: other properties
    int32_t dfa = kNone;
    int32_t least = 0, most = kNoLimit;
    std::vector<Property> properties;    // in the order in which they come
    std::vector<int32_t> next_required;  // [properties + 1] the first required one from here
    NameTrie names;
    int32_t depth = 0;  // of the flattest value; above kMaxDepth: there is none
  };

  std::vector<Node> nodes;  // choices hold no choices
  std::vector<Dfa> dfas;
  int32_t root = kNone;
};

// schema: JSON text. Errors: kInvalidArgument (no JSON, no schema, nothing that it allows),
// kUnsupported naming the keyword and where it stands; kResourceExhausted (too large).
Result<Program> CompileSchema(std::string_view schema);

}  // namespace gemma3n
