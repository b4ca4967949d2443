#include "base/huge_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/thread_pool.h"

namespace gemma3n {
namespace {

namespace fs = std::filesystem;

// A file of five huge pages and a bit, each 8 bytes a number of their own.
class HugePagesTest : public testing::Test {
 protected:
  HugePagesTest()
      : path_((fs::temp_directory_path() / ("g3n_huge_" + std::to_string(::getpid()))).string()) {
    content_.resize(5 * kHugePage / 8 + 77);
    for (size_t i = 0; i < content_.size(); ++i) content_[i] = i * 0x9E3779B97F4A7C15u;
    auto writer = AtomicFileWriter::Create(path_);
    EXPECT_TRUE(writer.ok());
    EXPECT_TRUE(writer->Write(content_.data(), 8 * content_.size()).ok());
    EXPECT_TRUE(writer->Commit().ok());
  }
  ~HugePagesTest() override { fs::remove(path_); }

  bool Intact(const MappedFile& file) const {
    return file.bytes().size() == 8 * content_.size() &&
           std::memcmp(file.bytes().data(), content_.data(), file.bytes().size()) == 0;
  }

  std::string path_;
  std::vector<uint64_t> content_;
  ThreadPool pool_{2};
};

TEST_F(HugePagesTest, MappedFilesBeginAtOne) {
  auto file = MappedFile::Open(path_);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->bytes().data()) % kHugePage, 0u);
  EXPECT_TRUE(Intact(*file));
}

TEST_F(HugePagesTest, CopiesTakeTheFilesPlace) {
  auto file = MappedFile::Open(path_);
  ASSERT_TRUE(file.ok());
  const size_t moved = MoveToHugePages(file->bytes().subspan(100, 3 * kHugePage), pool_);
  if (AvailableMemory() == 0 || moved == 0) GTEST_SKIP() << "no huge pages on this system";
  EXPECT_EQ(moved, 2 * kHugePage) << "the whole ones within";
  EXPECT_TRUE(Intact(*file));
  // What was not moved still is the file's, what was is a copy.
  content_[0] = 1;
  content_[kHugePage / 8] = 2;
  std::FILE* out = std::fopen(path_.c_str(), "r+b");
  ASSERT_NE(out, nullptr);
  std::fwrite(content_.data(), 8, 1, out);
  std::fseek(out, kHugePage, SEEK_SET);
  std::fwrite(&content_[kHugePage / 8], 8, 1, out);
  std::fclose(out);
  uint64_t seen = 0;
  std::memcpy(&seen, file->bytes().data(), 8);
  EXPECT_EQ(seen, 1u);
  std::memcpy(&seen, file->bytes().data() + kHugePage, 8);
  EXPECT_NE(seen, 2u);
}

TEST_F(HugePagesTest, TheFilesOwnAreKnownAndNotMoved) {
  auto file = MappedFile::Open(path_);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(Intact(*file)) << "and so every page has been read";
  const uintptr_t first = reinterpret_cast<uintptr_t>(file->bytes().data()) / kHugePage;
  if (!IsHugePage(first)) GTEST_SKIP() << "this file system keeps none, or the system does not say";
  HugePageMover mover;
  mover.Want({file->bytes()});
  mover.Work(60, pool_);
  EXPECT_TRUE(mover.idle());
  EXPECT_EQ(mover.moved_bytes(), 0u) << "five whole ones, and the rest is less than one";
  RefuseHugePages(file->bytes().first(2 * kHugePage));
  ReleaseMappedPages(file->bytes());
  EXPECT_TRUE(Intact(*file));
  EXPECT_FALSE(IsHugePage(first));
  EXPECT_TRUE(IsHugePage(first + 2)) << "the others are mapped as before";
}

TEST_F(HugePagesTest, OthersAreNotTakenForHugeOnes) {
  void* memory = ReserveAtHugePage(kHugePage, PROT_READ | PROT_WRITE);
  ASSERT_NE(memory, nullptr);
  ::madvise(memory, kHugePage, MADV_NOHUGEPAGE);
  std::memset(memory, 1, kHugePage);
  EXPECT_FALSE(IsHugePage(reinterpret_cast<uintptr_t>(memory) / kHugePage));
  EXPECT_FALSE(IsHugePage(0)) << "where nothing is mapped";
  ::munmap(memory, kHugePage);
}

TEST_F(HugePagesTest, LessThanOneIsLeftAlone) {
  auto file = MappedFile::Open(path_);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(MoveToHugePages(file->bytes().subspan(1, 2 * kHugePage - 2), pool_), 0u);
  EXPECT_EQ(MoveToHugePages({}, pool_), 0u);
  EXPECT_TRUE(Intact(*file));
}

TEST_F(HugePagesTest, TheMoverTakesEachPageOnceAndNoMoreTimeThanItHas) {
  auto file = MappedFile::Open(path_);
  ASSERT_TRUE(file.ok());
  const auto bytes = file->bytes();
  HugePageMover mover;
  EXPECT_TRUE(mover.idle());
  // Two parts that meet in the middle of a page, out of order, one of them twice.
  const auto low = bytes.subspan(10, kHugePage * 3 / 2 - 10),
             high = bytes.subspan(kHugePage * 3 / 2);
  mover.Want({high, low, high});
  mover.Want({low});
  mover.Work(1e-9, pool_);
  if (mover.moved_bytes() == 0) GTEST_SKIP() << "no huge pages on this system";
  EXPECT_EQ(mover.moved_bytes(), kHugePage) << "one at least";
  mover.Work(1e-9, pool_);
  EXPECT_EQ(mover.moved_bytes(), kHugePage) << "that one took longer than a nanosecond";
  mover.Work(60, pool_);
  EXPECT_EQ(mover.moved_bytes(), 4 * kHugePage);
  EXPECT_TRUE(mover.idle());
  EXPECT_TRUE(Intact(*file));
}

TEST_F(HugePagesTest, AvailableMemoryIsPlausible) {
  EXPECT_GE(AvailableMemory(), 0);
  EXPECT_LT(AvailableMemory(), int64_t{1} << 50);
}

}  // namespace
}  // namespace gemma3n
