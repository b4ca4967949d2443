// Huge pages for what is read from end to end again and again: a processor that looks an address up
// for every 4 KiB of a stream reads it a fifth slower (bench/SPEED.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

namespace gemma3n {

class ThreadPool;

inline constexpr size_t kHugePage = size_t{2} << 20;

// Asks for huge pages where memory is written for the first time, or a mapped file is read from
// disk for the first time. A wish: false where the system knows none.
bool WishHugePages(void* data, size_t bytes);

// Asks to map a part of a file by small pages though the system may hold it in huge ones: of a
// table of which few rows are read each would make a huge page resident.
void RefuseHugePages(std::span<const std::byte> part);

// Whether that huge page is one already: a file system that reads or writes a file in large pieces
// (Linux 6.16's ext4, XFS) keeps it in huge pages, and a mapping that begins at one gets them as
// they are. False where the system does not say.
bool IsHugePage(uintptr_t number);

// Address space of that many bytes, rounded up to whole small pages, which begins where a huge page
// may; for munmap. protection: PROT_... Null when the system refuses, errno says why.
void* ReserveAtHugePage(size_t bytes, int protection);

// Puts copies in huge pages in the place of a mapped file's pages, at the same addresses: whoever
// points there reads the same bytes. Only whole huge pages within `part` are replaced. No other
// thread may read `part` meanwhile, and nobody may let go of its pages afterwards (they would not
// come back from the file). Returns the bytes replaced: 0 where the system has no huge pages or no
// memory to give.
size_t MoveToHugePages(std::span<const std::byte> part, ThreadPool& pool);

// Memory that could be taken without pushing out what others use, of the machine and of this
// process's control group; 0 where the system does not say.
int64_t AvailableMemory();

// Moves parts of mapped files to huge pages little by little, so that nobody waits for it. One
// thread at a time.
class HugePageMover {
 public:
  // Queues what has not been wanted before. Parts that follow each other are taken together.
  void Want(std::vector<std::span<const std::byte>> parts);
  bool idle() const { return next_ == queue_.size(); }
  // Moves some of the queue, one page at least unless earlier calls took longer than they were
  // given: over many calls it takes `seconds` of each. How many pages that is differs: a machine
  // that has to get fresh memory from its host takes ten times as long. Passes over what the file
  // has in huge pages itself. Forgets the whole queue where memory is short or the system has no
  // huge pages.
  void Work(double seconds, ThreadPool& pool);
  size_t moved_bytes() const { return moved_; }

 private:
  std::unordered_set<uintptr_t> known_;  // huge pages by their number
  std::vector<uintptr_t> queue_;
  size_t next_ = 0, moved_ = 0;
  double credit_ = 0;             // seconds
  double page_seconds_ = 0.0005;  // the last one's
};

}  // namespace gemma3n
