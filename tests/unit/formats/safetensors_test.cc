#include "formats/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/formats/test_files.h"

namespace gemma3n {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ReadAll;
using testing::Safetensors;
using testing::TempDir;

std::string Entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  uint64_t begin, uint64_t end) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name, dtype,
                     shape, begin, end);
}

// Padded so that the data begins at a multiple of 8.
std::string Header(const std::string& entries) {
  std::string header = "{" + entries + "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  return header;
}

Status OpenStatus(const std::string& bytes) {
  const TempDir dir;
  const std::string path = dir.Write("x.safetensors", bytes);
  const auto file = SafetensorsFile::Open(path);
  if (!file.ok()) {
    EXPECT_THAT(file.status().message(), HasSubstr("x.safetensors"));
  }
  return file.status();
}

TEST(Safetensors, ReadsTensorsAndListsForeignDtypes) {
  const TempDir dir;
  const std::string header =
      Header(R"("__metadata__":{"format":"pt","x":"y"},)" + Entry("a", "F32", "[2,3]", 0, 24) +
             "," + Entry("n", "I64", "[1]", 24, 32) + "," + Entry("b", "BF16", "[]", 32, 34));
  const auto file = SafetensorsFile::Open(dir.Write("x", Safetensors(header, 34)));
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ(file->tensors().size(), 2u);
  const StoredTensor& a = file->tensors().at("a");
  EXPECT_EQ(a.dtype, DType::kF32);
  EXPECT_EQ(a.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(a.bytes, 24u);
  EXPECT_EQ(a.data[23], std::byte{1});
  EXPECT_EQ(file->tensors().at("b").elements(), 1);
  EXPECT_EQ(file->skipped(), std::vector<std::string>{"n"});
}

TEST(Safetensors, IgnoresUnknownFieldsOfAnyDepth) {
  std::string deep(20000, '[');
  deep += std::string(20000, ']');
  const std::string header = Header(R"("a":{"extra":{"x":[1,{"y":null}]},"deep":)" + deep +
                                    R"(,"dtype":"F16","shape":[2],"data_offsets":[0,4],"z":true})");
  EXPECT_TRUE(OpenStatus(Safetensors(header, 4)).ok());
}

struct BadHeader {
  const char* what;
  std::string header;
  size_t data;
  const char* message;
};

class SafetensorsBadHeader : public ::testing::TestWithParam<BadHeader> {};

TEST_P(SafetensorsBadHeader, IsRefused) {
  const Status status = OpenStatus(Safetensors(GetParam().header, GetParam().data));
  EXPECT_EQ(status.code(), StatusCode::kCorruptFile);
  EXPECT_THAT(status.message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, SafetensorsBadHeader,
    ::testing::Values(
        BadHeader{"list", "[1]", 0, "expected a JSON object"},
        BadHeader{"empty", "", 0, "not valid JSON"},
        BadHeader{"cut", R"({"a":{"dtype":"F32",)", 0, "not valid JSON"},
        BadHeader{"tail", R"({} x)", 0, "not valid JSON"},
        BadHeader{"utf8", "{\"\xff\":{}}", 0, "not valid JSON"},
        BadHeader{"number", R"({"a":5})", 0, "tensor a: expected an object"},
        BadHeader{"metadata", R"({"__metadata__":5})", 0, "expected an object"},
        BadHeader{"missing", R"({"a":{"dtype":"F32","shape":[1]}})", 4,
                  "tensor a: expected dtype, shape"},
        BadHeader{"twice",
                  "{" + Entry("a", "F32", "[1]", 0, 4) + "," + Entry("a", "F32", "[1]", 4, 8) + "}",
                  8, "tensor a: listed twice"},
        BadHeader{"field_twice",
                  R"({"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}})", 4,
                  "given twice"},
        BadHeader{"dtype_kind", R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4,
                  "dtype: expected a string"},
        BadHeader{"negative", "{" + Entry("a", "F32", "[-1]", 0, 4) + "}", 4,
                  "shape: expected a list"},
        BadHeader{"float", "{" + Entry("a", "F32", "[1.0]", 0, 4) + "}", 4,
                  "shape: expected a list"},
        BadHeader{"nested", "{" + Entry("a", "F32", "[[1]]", 0, 4) + "}", 4,
                  "shape: expected a list"},
        BadHeader{"offsets", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4,
                  "data_offsets: expected two"},
        BadHeader{"zero", "{" + Entry("a", "F32", "[0,5]", 0, 0) + "}", 0, "empty or too large"},
        BadHeader{"product", "{" + Entry("a", "F32", "[4294967296,4294967296]", 0, 0) + "}", 0,
                  "empty or too large"},
        BadHeader{"bytes_product", "{" + Entry("a", "F32", "[4611686018427387904]", 0, 0) + "}", 0,
                  "tensor a: 0 bytes of data"},
        BadHeader{"size", "{" + Entry("a", "F32", "[2]", 0, 4) + "}", 4,
                  "4 bytes of data, expected 2 values of F32"},
        BadHeader{"reversed", "{" + Entry("a", "F32", "[1]", 8, 4) + "}", 8, "before it begins"},
        BadHeader{"past", "{" + Entry("a", "F32", "[2]", 0, 8) + "}", 4, "truncated?"},
        BadHeader{"overlap",
                  "{" + Entry("a", "F32", "[2]", 0, 8) + "," + Entry("b", "F32", "[1]", 4, 8) + "}",
                  8, "(overlap)"},
        BadHeader{"gap", "{" + Entry("a", "F32", "[1]", 4, 8) + "}", 8, "(gap)"},
        BadHeader{"rest", "{" + Entry("a", "F32", "[1]", 0, 4) + "}", 9, "its tensors fill 4"},
        BadHeader{"huge_offsets", "{" + Entry("a", "X9", "[1]", 0, 18446744073709551615u) + "}", 8,
                  "truncated?"},
        BadHeader{"ranks",
                  "{" + Entry("a", "F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", 0, 4) + "}", 4,
                  "too long"}),
    [](const auto& test) { return test.param.what; });

TEST(Safetensors, RefusesAHeaderLongerThanTheFile) {
  const Status status = OpenStatus(testing::Bytes<uint64_t>(100'000'000'000) + "{}");
  EXPECT_EQ(status.code(), StatusCode::kCorruptFile);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("100000000000"), HasSubstr("file of 10")));
  EXPECT_EQ(OpenStatus(testing::Bytes<uint64_t>(~uint64_t{0}) + "{}").code(),
            StatusCode::kCorruptFile);
  EXPECT_THAT(OpenStatus("abc").message(), HasSubstr("too short"));
  EXPECT_THAT(OpenStatus("").message(), HasSubstr("empty"));
}

TEST(Safetensors, RefusesMisalignedData) {
  const std::string header = "{" + Entry("a", "F32", "[1]", 0, 4) + "}";
  const Status status =
      OpenStatus(Safetensors(header + std::string(9 - header.size() % 8, ' '), 4));
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("not aligned"));
}

TEST(Safetensors, MissingFileIsNotFound) {
  EXPECT_EQ(SafetensorsFile::Open("/nowhere/x.safetensors").status().code(), StatusCode::kNotFound);
}

TEST(SafetensorsWriter, RoundTrips) {
  const TempDir dir;
  auto writer = SafetensorsWriter::Create(
      dir / "w.safetensors", {{"z \"quoted\"", DType::kF32, {2, 2}}, {"a", DType::kBF16, {3}}});
  ASSERT_TRUE(writer.ok());
  const float z[4] = {1, 2, 3, 4};
  const uint16_t a[3] = {7, 8, 9};
  ASSERT_TRUE(writer->Append(z, 6).ok());  // in pieces that cut values
  ASSERT_TRUE(writer->Append(reinterpret_cast<const char*>(z) + 6, 10).ok());
  ASSERT_TRUE(writer->Append(a, 6).ok());
  ASSERT_TRUE(writer->Commit().ok());
  const auto file = SafetensorsFile::Open(dir / "w.safetensors");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(std::memcmp(file->tensors().at("z \"quoted\"").data, z, sizeof(z)), 0);
  EXPECT_EQ(std::memcmp(file->tensors().at("a").data, a, sizeof(a)), 0);
  EXPECT_EQ(writer->bytes_written(), ReadAll(dir / "w.safetensors").size());
}

TEST(SafetensorsWriter, LeavesNothingWhenBytesAreMissingOrTooMany) {
  const TempDir dir;
  {
    auto writer = SafetensorsWriter::Create(dir / "w.safetensors", {{"a", DType::kF32, {2}}});
    ASSERT_TRUE(writer.ok());
    const float a[3] = {1, 2, 3};
    EXPECT_EQ(writer->Append(a, 12).code(), StatusCode::kInternal);
    EXPECT_TRUE(writer->Append(a, 4).ok());
    EXPECT_EQ(writer->Commit().code(), StatusCode::kInternal);
  }
  EXPECT_EQ(dir.Count(), 0u);
}

TEST(SafetensorsWriter, RefusesWhatTheFormatCannotHold) {
  const TempDir dir;
  const auto create = [&](std::vector<SafetensorsWriter::Entry> entries) {
    return SafetensorsWriter::Create(dir / "w", std::move(entries)).status().code();
  };
  EXPECT_EQ(create({{"a", DType::kQ4_0, {32}}}), StatusCode::kInvalidArgument);
  EXPECT_EQ(create({{"a", DType::kF32, {0}}}), StatusCode::kInvalidArgument);
  EXPECT_EQ(create({{"a", DType::kF32, {int64_t{1} << 40, int64_t{1} << 40}}}),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(create({{"a", DType::kBF16, {1}}, {"b", DType::kF32, {1}}}), StatusCode::kInternal);
  EXPECT_EQ(SafetensorsWriter::Create("/nowhere/w", {}).status().code(), StatusCode::kIo);
}

// --- A directory of shards.

class ShardedDirectory : public ::testing::Test {
 protected:
  void Shard(const std::string& file, const std::string& tensor) {
    dir_.Write(file, Safetensors(Header(Entry(tensor, "F32", "[1]", 0, 4)), 4));
  }
  void Index(const std::string& weight_map) {
    dir_.Write("model.safetensors.index.json",
               "{\"metadata\":{},\"weight_map\":" + weight_map + "}");
  }
  Result<SafetensorsCheckpoint> Open() { return SafetensorsCheckpoint::Open(dir_.path()); }
  void ExpectError(StatusCode code, const std::string& message) {
    const auto checkpoint = Open();
    EXPECT_EQ(checkpoint.status().code(), code);
    EXPECT_THAT(checkpoint.status().message(), HasSubstr(message));
  }
  TempDir dir_;
};

TEST_F(ShardedDirectory, JoinsShards) {
  Shard("s1.safetensors", "a");
  Shard("s2.safetensors", "b");
  Index(R"({"a":"s1.safetensors","b":"s2.safetensors"})");
  const auto checkpoint = Open();
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->tensors().size(), 2u);
  EXPECT_EQ(checkpoint->files().size(), 2u);
}

TEST_F(ShardedDirectory, PrefersTheSingleFile) {
  Shard("model.safetensors", "a");
  Index(R"({"a":"nowhere.safetensors"})");
  EXPECT_TRUE(Open().ok());
}

TEST_F(ShardedDirectory, TakesTheOnlyFileWhateverItsName) {
  ExpectError(StatusCode::kNotFound, "no model.safetensors");
  Shard("weights.safetensors", "a");
  EXPECT_TRUE(Open().ok());
  Shard("more.safetensors", "b");
  ExpectError(StatusCode::kNotFound, "2 .safetensors files, but no");
}

TEST_F(ShardedDirectory, FollowsLinksToBlobs) {
  std::filesystem::create_directory(dir_ / "blobs");
  std::filesystem::create_directory(dir_ / "snapshot");
  dir_.Write("blobs/0123", Safetensors(Header(Entry("a", "F32", "[1]", 0, 4)), 4));
  std::filesystem::create_symlink("../blobs/0123", dir_ / "snapshot/model.safetensors");
  EXPECT_TRUE(SafetensorsCheckpoint::Open(dir_ / "snapshot").ok());
}

TEST_F(ShardedDirectory, RefusesBadIndexes) {
  Shard("s1.safetensors", "a");
  Shard("s2.safetensors", "a");
  Index("5");
  ExpectError(StatusCode::kCorruptFile, "weight_map");
  Index("{}");
  ExpectError(StatusCode::kCorruptFile, "weight_map");
  Index(R"({"a":7})");
  ExpectError(StatusCode::kCorruptFile, "tensor a: expected a file name");
  for (const char* name : {"../s1.safetensors", "/etc/passwd", "sub/s1.safetensors", ".safetensors",
                           "", "model.safetensors.index.json", "s1.bin"}) {
    Index(fmt::format(R"({{"a":"{}"}})", name));
    ExpectError(StatusCode::kCorruptFile, "not the name of a .safetensors file");
  }
  Index(R"({"a":"s3.safetensors"})");
  ExpectError(StatusCode::kNotFound, "s3.safetensors: no such file");
  Index(R"({"b":"s1.safetensors"})");
  ExpectError(StatusCode::kCorruptFile, "tensor b: s1.safetensors does not hold it");
  Index(R"({"a":"s1.safetensors","b":"s2.safetensors"})");
  ExpectError(StatusCode::kCorruptFile, "holds it too");
  dir_.Write("model.safetensors.index.json", std::string(100000, '['));
  ExpectError(StatusCode::kCorruptFile, "nested 100000 deep");
}

}  // namespace
}  // namespace gemma3n
