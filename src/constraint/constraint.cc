#include "constraint/constraint.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "constraint/program.h"
#include "constraint/reader.h"
#include "constraint/token_mask.h"

namespace gemma3n {
namespace {

// What has been computed for one constraint so far. When it grows too large, answers move on to a
// fresh one, and the last to leave frees it.
struct Memory {
  static constexpr size_t kMaxBytes = size_t{24} << 20;

  explicit Memory(const Program& program) : reader(program) {}
  bool full() const { return reader.bytes() + mask_bytes > kMaxBytes; }

  std::mutex mutex;  // guards all of it
  Reader reader;
  std::unordered_map<Reader::State, TokenMask> masks;
  size_t mask_bytes = 0;
};

}  // namespace

struct Constraint::Impl {
  Impl(Program p, std::shared_ptr<const TokenIndex> t)
      : program(std::move(p)), tokens(std::move(t)), memory(std::make_shared<Memory>(program)) {}

  std::shared_ptr<Memory> Current() {
    const std::lock_guard lock(mutex);
    return memory;
  }
  // A fresh memory in the place of a full one.
  std::shared_ptr<Memory> After(const std::shared_ptr<Memory>& full) {
    const std::lock_guard lock(mutex);
    if (memory == full) memory = std::make_shared<Memory>(program);
    return memory;
  }

  const Program program;
  const std::shared_ptr<const TokenIndex> tokens;
  std::mutex mutex;  // guards memory, the pointer
  std::shared_ptr<Memory> memory;
};

Constraint::Constraint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Constraint::~Constraint() = default;

Result<std::shared_ptr<const Constraint>> Constraint::Compile(
    std::string_view schema, std::shared_ptr<const TokenIndex> tokens) {
  G3N_ASSIGN_OR_RETURN(Program program, CompileSchema(schema));
  return std::shared_ptr<const Constraint>(
      new Constraint(std::make_unique<Impl>(std::move(program), std::move(tokens))));
}

struct ConstraintState::Impl {
  explicit Impl(std::shared_ptr<const Constraint> c)
      : constraint(std::move(c)), memory(constraint->impl_->Current()) {
    const std::lock_guard lock(memory->mutex);
    state = memory->reader.start();
  }

  const TokenIndex& tokens() const { return *constraint->impl_->tokens; }

  // Precondition: the lock is held.
  Reader::State After(std::string_view text) const {
    Reader::State next = text.empty() ? Reader::kDead : state;
    for (const char c : text) {
      if (next == Reader::kDead) break;
      next = memory->reader.Next(next, static_cast<uint8_t>(c));
    }
    return next;
  }

  void MoveFrom(std::unique_lock<std::mutex> lock) {
    const Reader::Copy copy = memory->reader.Export(state);
    lock.unlock();
    memory = constraint->impl_->After(memory);
    const std::lock_guard fresh(memory->mutex);
    state = memory->reader.Import(copy);
  }

  std::shared_ptr<const Constraint> constraint;
  std::shared_ptr<Memory> memory;
  Reader::State state = Reader::kDead;
};

ConstraintState::ConstraintState(std::shared_ptr<const Constraint> constraint)
    : impl_(std::make_unique<Impl>(std::move(constraint))) {}
ConstraintState::ConstraintState(ConstraintState&&) noexcept = default;
ConstraintState& ConstraintState::operator=(ConstraintState&&) noexcept = default;
ConstraintState::~ConstraintState() = default;

void ConstraintState::Mask(std::span<float> logits) {
  Impl& s = *impl_;
  const std::lock_guard lock(s.memory->mutex);
  Memory& memory = *s.memory;
  auto it = memory.masks.find(s.state);
  if (it == memory.masks.end()) {
    it = memory.masks.emplace(s.state, TokenMask::Of(memory.reader, s.state, s.tokens())).first;
    memory.mask_bytes += it->second.bytes() + sizeof(TokenMask) + 64;
  }
  const bool complete = memory.reader.Complete(s.state);
  it->second.Apply(logits, complete ? s.tokens().ends() : std::span<const int32_t>());
}

bool ConstraintState::Allows(int32_t token) const {
  const std::lock_guard lock(impl_->memory->mutex);
  if (impl_->tokens().IsEnd(token)) return impl_->memory->reader.Complete(impl_->state);
  return impl_->After(impl_->tokens().Text(token)) != Reader::kDead;
}

bool ConstraintState::Accept(int32_t token) {
  std::unique_lock lock(impl_->memory->mutex);
  if (impl_->tokens().IsEnd(token)) return impl_->memory->reader.Complete(impl_->state);
  const Reader::State next = impl_->After(impl_->tokens().Text(token));
  if (next == Reader::kDead) return false;
  impl_->state = next;
  if (impl_->memory->full()) impl_->MoveFrom(std::move(lock));
  return true;
}

bool ConstraintState::Complete() const {
  const std::lock_guard lock(impl_->memory->mutex);
  return impl_->memory->reader.Complete(impl_->state);
}

bool ConstraintState::Final() const {
  const std::lock_guard lock(impl_->memory->mutex);
  return impl_->memory->reader.Final(impl_->state);
}

}  // namespace gemma3n
