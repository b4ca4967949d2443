// Answers that are JSON of a given schema: which tokens may come next, and which came.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "constraint/token_index.h"

namespace gemma3n {

// A JSON Schema (draft 2020-12) compiled for a vocabulary; immutable, shared by any number of
// answers and threads. What it allows are JSON values that the schema allows, written on one line
// or indented, properties in the schema's order.
//   Kept to: type, enum, const, anyOf, oneOf (as anyOf), allOf, $ref with $defs (recursion too),
//   properties, required, additionalProperties, items, prefixItems, min/maxItems, min/maxLength,
//   pattern, format (those of FormatPattern), minimum, maximum, exclusiveMinimum/Maximum.
//   Keywords that would change what is allowed but cannot be kept to are refused; all others are
//   annotations.
//   Narrower than the schema: values nest at most 64 deep, numbers are bounded in their digits
//   (NumberTexts), enum, const and names come in their shortest spelling, strings with a pattern
//   escape only what must be.
class Constraint {
 public:
  // schema: JSON text; "{}" and "true" allow any value. Errors: kInvalidArgument (no schema, or
  // nothing is allowed), kUnsupported naming the keyword and its place, kResourceExhausted.
  static Result<std::shared_ptr<const Constraint>> Compile(
      std::string_view schema, std::shared_ptr<const TokenIndex> tokens);
  ~Constraint();

 private:
  friend class ConstraintState;
  struct Impl;
  explicit Constraint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// One answer. One thread at a time.
class ConstraintState {
 public:
  explicit ConstraintState(std::shared_ptr<const Constraint> constraint);
  ConstraintState(ConstraintState&&) noexcept;
  ConstraintState& operator=(ConstraintState&&) noexcept;
  ~ConstraintState();

  // Sets the logits of tokens that may not follow to -inf: of end tokens until the value is
  // complete, of other special tokens always. There is always one that may.
  void Mask(std::span<float> logits);
  // Whether the token may follow.
  bool Allows(int32_t token) const;
  // Goes on by a token; false, and nothing changes, where it may not follow.
  bool Accept(int32_t token);
  // The answer so far is a whole value ...
  bool Complete() const;
  // ... and nothing can follow.
  bool Final() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gemma3n
