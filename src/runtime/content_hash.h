// Names for content: equal bytes read in the same way have the same one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace gemma3n {

// 128 bits of BLAKE2b: collisions cannot be made on purpose either, so that on a server nobody's
// picture can pass for another's.
using ContentHash = std::array<uint64_t, 2>;

class ContentHasher {
 public:
  // `kind` sets apart uses whose bytes could be equal.
  explicit ContentHasher(std::string_view kind);
  ContentHasher(ContentHasher&&) noexcept;
  ~ContentHasher();

  ContentHasher& Add(std::span<const std::byte> bytes);
  ContentHasher& Add(std::string_view text);  // with its length
  ContentHasher& Add(int64_t number);
  ContentHasher& Add(double number);

  ContentHash Finish();

 private:
  struct State;  // libb2's, kept out of this header
  std::unique_ptr<State> state_;
};

}  // namespace gemma3n
