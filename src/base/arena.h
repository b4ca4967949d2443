// Scratch memory for one forward pass: a stack of floats, planned once, handed back by scope.
// Steady state allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include "base/buffer.h"

namespace gemma3n {

class Arena {
 public:
  // `bytes` is the planned peak; physical pages are taken when first written.
  static Result<Arena> Create(size_t bytes) {
    Arena arena;
    G3N_ASSIGN_OR_RETURN(Buffer block, Buffer::Allocate(bytes, "scratch memory"));
    block.WishHugePages();
    arena.blocks_.push_back(std::move(block));
    return arena;
  }

  // n floats, 64-byte aligned, contents unspecified; valid until the enclosing Scope ends.
  // A plan that was too small grows by a block (grown() counts; tests hold it at 0). Throws
  // std::bad_alloc at the very end.
  float* Floats(int64_t n) {
    const size_t bytes = (static_cast<size_t>(n) * sizeof(float) + 63) / 64 * 64;
    while (used_ + bytes > blocks_[current_].size()) {
      if (current_ + 1 == blocks_.size()) {
        auto block = Buffer::Allocate(bytes + blocks_.front().size() / 2, "scratch memory");
        if (!block.ok()) throw std::bad_alloc();
        blocks_.push_back(std::move(block).value());
        ++grown_;
      }
      ++current_;
      used_ = 0;
    }
    float* p = reinterpret_cast<float*>(blocks_[current_].as<std::byte>() + used_);
    used_ += bytes;
    return p;
  }

  // n values of a plain type; contents unspecified.
  template <typename T>
  std::span<T> Array(int64_t n) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 64);
    const auto bytes = static_cast<int64_t>(sizeof(T)) * n;
    return {reinterpret_cast<T*>(Floats((bytes + 3) / 4)), static_cast<size_t>(n)};
  }

  int grown() const { return grown_; }

  // Gives the physical pages back; they are taken again when written. Nothing may be in use.
  void ReleasePages() {
    for (Buffer& block : blocks_) block.ReleasePages();
  }

  // Everything taken after the scope began is free again when it ends.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), current_(arena.current_), used_(arena.used_) {}
    ~Scope() {
      arena_.current_ = current_;
      arena_.used_ = used_;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    size_t current_, used_;
  };

 private:
  std::vector<Buffer> blocks_;
  size_t current_ = 0, used_ = 0;
  int grown_ = 0;
};

}  // namespace gemma3n
