#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

namespace gemma3n {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  FileTest() : dir_(fs::temp_directory_path() / ("g3n_file_" + std::to_string(::getpid()))) {
    fs::create_directories(dir_);
  }
  ~FileTest() override { fs::remove_all(dir_); }
  std::string Path(const std::string& name) const { return (dir_ / name).string(); }
  size_t Entries() const {
    return std::distance(fs::directory_iterator(dir_), fs::directory_iterator());
  }
  fs::path dir_;
};

TEST_F(FileTest, CommittedFileHoldsWhatWasWritten) {
  auto writer = AtomicFileWriter::Create(Path("a"));
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->Write("hello").ok());
  ASSERT_TRUE(writer->PadTo(32).ok());
  EXPECT_EQ(writer->position(), 32u);
  EXPECT_FALSE(FileExists(Path("a"))) << "nothing under the final name before Commit()";
  ASSERT_TRUE(writer->Commit().ok());
  auto mapped = MappedFile::Open(Path("a"));
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(mapped->text(), std::string("hello") + std::string(27, '\0'));
  auto read = ReadFile(Path("a"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, mapped->text());
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(FileTest, DroppedWriterLeavesTheOldFileAndNoOther) {
  {
    auto writer = AtomicFileWriter::Create(Path("a"));
    ASSERT_TRUE(writer->Write("old").ok());
    ASSERT_TRUE(writer->Commit().ok());
  }
  {
    auto writer = AtomicFileWriter::Create(Path("a"));
    ASSERT_TRUE(writer->Write("new and unfinished").ok());
  }
  EXPECT_EQ(*ReadFile(Path("a")), "old");
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(FileTest, FullDiskIsOneErrorAndLeavesNothing) {
  // A file size limit stands for the full disk: writes past it fail in the same places.
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small{1 << 16, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  auto writer = AtomicFileWriter::Create(Path("big"));
  ASSERT_TRUE(writer.ok());
  const std::string piece(1 << 20, 'x');
  Status status = writer->Write(piece);
  if (status.ok()) status = writer->Write(piece);
  if (status.ok()) status = writer->Commit();
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message().find(Path("big")), testing::Ne(std::string::npos))
      << status.message();
  EXPECT_EQ(Entries(), 0u);
}

TEST_F(FileTest, WriteAfterAFailureStaysAnError) {
  auto writer = AtomicFileWriter::Create(Path("a"));
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->Write("x").ok());
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_FALSE(writer->Write("more").ok()) << "committed already";
}

TEST_F(FileTest, OpenErrorsNameTheFile) {
  EXPECT_EQ(MappedFile::Open(Path("none")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(MappedFile::Open(dir_.string()).status().code(), StatusCode::kInvalidArgument);
  {
    auto w = AtomicFileWriter::Create(Path("empty"));
    ASSERT_TRUE(w->Commit().ok());
  }
  const Status empty = MappedFile::Open(Path("empty")).status();
  EXPECT_EQ(empty.code(), StatusCode::kCorruptFile);
  EXPECT_NE(empty.message().find(Path("empty")), std::string::npos);
  EXPECT_EQ(AtomicFileWriter::Create(Path("no/such/dir")).status().code(), StatusCode::kIo);
  EXPECT_EQ(AtomicFileWriter::Create(dir_.string()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(Path("empty"), 0).ok(), true);
}

TEST_F(FileTest, ReleasedPagesComeBackFromTheFile) {
  auto writer = AtomicFileWriter::Create(Path("a"));
  std::string content(100000, 'x');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 + i / 251);
  ASSERT_TRUE(writer->Write(content).ok());
  ASSERT_TRUE(writer->Commit().ok());
  auto mapped = MappedFile::Open(Path("a"));
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(mapped->text(), content);
  ReleaseMappedPages(mapped->bytes());
  ReleaseMappedPages(mapped->bytes().subspan(5, 3));  // less than a page: nothing to let go
  ReleaseMappedPages({});
  EXPECT_EQ(mapped->text(), content);
}

TEST_F(FileTest, ReadFileHonoursItsLimit) {
  auto writer = AtomicFileWriter::Create(Path("a"));
  ASSERT_TRUE(writer->Write(std::string(100, 'x')).ok());
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_TRUE(ReadFile(Path("a"), 100).ok());
  EXPECT_EQ(ReadFile(Path("a"), 99).status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace gemma3n
