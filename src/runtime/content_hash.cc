#include "runtime/content_hash.h"

#include <blake2.h>

namespace gemma3n {

struct ContentHasher::State {
  blake2b_state blake;
};

ContentHasher::ContentHasher(std::string_view kind) : state_(std::make_unique<State>()) {
  blake2b_init(&state_->blake, sizeof(ContentHash));
  Add(kind);
}

ContentHasher::ContentHasher(ContentHasher&&) noexcept = default;
ContentHasher::~ContentHasher() = default;

ContentHasher& ContentHasher::Add(std::span<const std::byte> bytes) {
  blake2b_update(&state_->blake, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  return *this;
}

ContentHasher& ContentHasher::Add(std::string_view text) {
  Add(static_cast<int64_t>(text.size()));
  return Add(std::as_bytes(std::span(text)));
}

ContentHasher& ContentHasher::Add(int64_t number) {
  return Add(std::as_bytes(std::span(&number, 1)));
}

ContentHasher& ContentHasher::Add(double number) {
  return Add(std::as_bytes(std::span(&number, 1)));
}

ContentHash ContentHasher::Finish() {
  ContentHash hash;
  blake2b_final(&state_->blake, reinterpret_cast<uint8_t*>(hash.data()), sizeof(hash));
  return hash;
}

}  // namespace gemma3n
