#include "formats/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/formats/test_files.h"

namespace gemma3n {
namespace {

using testing::Bytes;
using ::testing::ElementsAre;
using testing::GgufFileBytes;
using testing::GgufPair;
using testing::GgufString;
using testing::GgufTensor;
using ::testing::HasSubstr;
using testing::TempDir;

constexpr uint32_t kU8 = 0, kI8 = 1, kU16 = 2, kI16 = 3, kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7,
                   kStr = 8, kArr = 9, kU64 = 10, kI64 = 11, kF64 = 12;

std::string Array(uint32_t kind, uint64_t count, const std::string& elements) {
  return Bytes(kind) + Bytes(count) + elements;
}

Result<GgufFile> Open(const TempDir& dir, const std::string& bytes) {
  auto file = GgufFile::Open(dir.Write("x.gguf", bytes));
  if (!file.ok()) {
    EXPECT_THAT(file.status().message(), HasSubstr("x.gguf"));
  }
  return file;
}

TEST(Gguf, ReadsEveryKindOfValue) {
  const TempDir dir;
  const std::string pairs =
      GgufPair("u8", kU8, Bytes<uint8_t>(200)) + GgufPair("i8", kI8, Bytes<int8_t>(-3)) +
      GgufPair("u16", kU16, Bytes<uint16_t>(60000)) +
      GgufPair("i16", kI16, Bytes<int16_t>(-30000)) +
      GgufPair("u32", kU32, Bytes<uint32_t>(4000000000u)) +
      GgufPair("i32", kI32, Bytes<int32_t>(-5)) + GgufPair("f32", kF32, Bytes(1.5f)) +
      GgufPair("bool", kBool, Bytes<uint8_t>(1)) + GgufPair("str", kStr, GgufString("words")) +
      GgufPair("u64", kU64, Bytes<uint64_t>(~uint64_t{0})) +
      GgufPair("i64", kI64, Bytes<int64_t>(-7)) + GgufPair("f64", kF64, Bytes(2.25)) +
      GgufPair("bools", kArr, Array(kBool, 2, {"\0\1", 2})) +
      GgufPair("ints", kArr, Array(kI32, 2, Bytes<int32_t>(-1) + Bytes<int32_t>(9))) +
      GgufPair("uints", kArr, Array(kU8, 2, "\3\4")) +
      GgufPair("floats", kArr, Array(kF32, 1, Bytes(-std::numeric_limits<float>::infinity()))) +
      GgufPair("strs", kArr, Array(kStr, 2, GgufString("") + GgufString("b"))) +
      GgufPair("none", kArr, Array(kStr, 0, ""));
  for (uint32_t version : {2u, 3u}) {
    const auto file = Open(dir, GgufFileBytes(version, 0, 18, pairs, 0));
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ(file->GetInt("u8"), 200);
    EXPECT_EQ(file->GetInt("i8"), -3);
    EXPECT_EQ(file->GetInt("u16"), 60000);
    EXPECT_EQ(file->GetInt("i16"), -30000);
    EXPECT_EQ(file->GetInt("u32"), 4000000000);
    EXPECT_EQ(file->GetInt("i32"), -5);
    EXPECT_EQ(file->GetFloat("f32"), 1.5);
    EXPECT_EQ(file->GetFloat("u8"), 200);
    EXPECT_EQ(file->GetBool("bool"), true);
    EXPECT_EQ(file->GetString("str"), "words");
    EXPECT_EQ(file->GetInt("u64"), std::nullopt);  // does not fit
    EXPECT_EQ(file->GetInt("i64"), -7);
    EXPECT_EQ(file->GetFloat("f64"), 2.25);
    EXPECT_THAT(*file->GetBools("bools"), ElementsAre(false, true));
    EXPECT_THAT(*file->GetInts("ints"), ElementsAre(-1, 9));
    EXPECT_THAT(*file->GetInts("uints"), ElementsAre(3, 4));
    EXPECT_THAT(*file->GetFloats("uints"), ElementsAre(3, 4));
    EXPECT_TRUE(std::isinf(file->GetFloats("floats")->front()));
    EXPECT_THAT(*file->GetStrings("strs"), ElementsAre("", "b"));
    EXPECT_TRUE(file->GetStrings("none")->empty());
    EXPECT_EQ(file->GetRaw("i32"), Bytes(kI32) + Bytes<int32_t>(-5));
    EXPECT_EQ(file->GetString("u8"), std::nullopt);
    EXPECT_EQ(file->GetInt("absent"), std::nullopt);
    EXPECT_EQ(file->GetStrings("ints"), nullptr);
  }
}

TEST(Gguf, StringsPointIntoTheFile) {
  const TempDir dir;
  const auto file = Open(dir, GgufFileBytes(3, 0, 1, GgufPair("s", kStr, GgufString("abc")), 64));
  ASSERT_TRUE(file.ok());
  const auto raw = *file->GetRaw("s");
  EXPECT_EQ(file->GetString("s")->data(), raw.data() + 4 + 8);
}

TEST(Gguf, ReadsTensorsOutermostFirst) {
  const TempDir dir;
  const std::string body = GgufTensor("a", {4, 3, 2}, 0, 0) + GgufTensor("q", {32, 2}, 2, 96) +
                           GgufTensor("odd", {256}, 10, 160);
  const auto file = Open(dir, GgufFileBytes(3, 3, 0, body, 160 + 84));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_THAT(file->tensors().at("a").shape, ElementsAre(2, 3, 4));
  EXPECT_EQ(file->tensors().at("a").bytes, 96u);
  EXPECT_EQ(file->tensors().at("q").dtype, DType::kQ4_0);
  EXPECT_EQ(file->tensors().at("q").bytes, 36u);
  EXPECT_EQ(file->unknown_types().at("odd"), 10u);
  EXPECT_EQ(file->tensors().count("odd"), 0u);
}

TEST(Gguf, HonoursAlignment) {
  const TempDir dir;
  const std::string body = GgufPair("general.alignment", kU32, Bytes<uint32_t>(128)) +
                           GgufTensor("a", {1}, 0, 0) + GgufTensor("b", {1}, 0, 128);
  const std::string bytes = GgufFileBytes(3, 2, 1, body, 132, 128);
  const auto file = Open(dir, bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->tensors().at("b").data - file->tensors().at("a").data, 128);
  EXPECT_EQ(file->tensors().at("a").data[0], std::byte{2});
}

struct BadFile {
  const char* what;
  std::string bytes;
  StatusCode code;
  const char* message;
};

class GgufBadFile : public ::testing::TestWithParam<BadFile> {};

TEST_P(GgufBadFile, IsRefused) {
  const TempDir dir;
  const auto file = Open(dir, GetParam().bytes);
  EXPECT_EQ(file.status().code(), GetParam().code);
  EXPECT_THAT(file.status().message(), HasSubstr(GetParam().message));
}

BadFile Pair(const char* what, const std::string& pair, const char* message,
             StatusCode code = StatusCode::kCorruptFile) {
  return {what, GgufFileBytes(3, 0, 1, pair, 0), code, message};
}

BadFile Tensor(const char* what, const std::string& body, uint64_t count, size_t data,
               const char* message) {
  return {what, GgufFileBytes(3, count, 0, body, data), StatusCode::kCorruptFile, message};
}

INSTANTIATE_TEST_SUITE_P(
    All, GgufBadFile,
    ::testing::Values(
        BadFile{"empty", "", StatusCode::kCorruptFile, "empty"},
        BadFile{"magic", std::string(64, 'x'), StatusCode::kCorruptFile,
                "does not begin with \"GGUF\""},
        BadFile{"short", "GGUF", StatusCode::kCorruptFile, "version: 4 bytes expected"},
        BadFile{"v1", GgufFileBytes(1, 0, 0, "", 0), StatusCode::kUnsupported, "version 1"},
        BadFile{"v4", GgufFileBytes(4, 0, 0, "", 0), StatusCode::kUnsupported, "version 4"},
        BadFile{"big_endian", GgufFileBytes(0x03000000, 0, 0, "", 0), StatusCode::kUnsupported,
                "big-endian"},
        BadFile{"pairs", GgufFileBytes(3, 0, 1'000'000'000, "", 0), StatusCode::kCorruptFile,
                "1000000000 key-value pairs"},
        BadFile{"tensors", GgufFileBytes(3, ~uint64_t{0}, 0, "", 0), StatusCode::kCorruptFile,
                "18446744073709551615 tensors"},
        Pair("key_length", Bytes<uint64_t>(uint64_t{1} << 60) + "abcdefghijk", "key 0 of 1"),
        Pair("empty_key", GgufPair("", kU8, "\1"), "a key of 0 bytes"),
        Pair("kind", GgufPair("k", 13, "12345678"), "k: value of unknown kind 13"),
        Pair("bool", GgufPair("k", kBool, "\2"), "k: a bool of 2"),
        Pair("array_bool", GgufPair("k", kArr, Array(kBool, 1, "\5")), "k: a bool of 5"),
        Pair("string", GgufPair("k", kStr, Bytes<uint64_t>(100'000'000'000)),
             "k: 100000000000 bytes"),
        Pair("array_count", GgufPair("k", kArr, Array(kU64, ~uint64_t{0} / 8, "")),
             "k: array of 2305843009213693951"),
        Pair("array_kind", GgufPair("k", kArr, Array(77, 1, "12345678")),
             "array of unknown kind 77"),
        Pair("nested", GgufPair("k", kArr, Array(kArr, 1, Array(kU8, 1, "1"))),
             "an array of arrays", StatusCode::kUnsupported),
        BadFile{"key_twice",
                GgufFileBytes(3, 0, 2, GgufPair("k", kU8, "1") + GgufPair("k", kU8, "1"), 0),
                StatusCode::kCorruptFile, "key k: given twice"},
        Pair("alignment_zero", GgufPair("general.alignment", kU32, Bytes<uint32_t>(0)),
             "power of two"),
        Pair("alignment_odd", GgufPair("general.alignment", kU32, Bytes<uint32_t>(48)),
             "power of two"),
        Pair("alignment_huge",
             GgufPair("general.alignment", kU64, Bytes<uint64_t>(uint64_t{1} << 62)),
             "power of two"),
        Pair("alignment_kind", GgufPair("general.alignment", kStr, GgufString("32")),
             "power of two"),
        Tensor("rank0", GgufTensor("a", {}, 0, 0) + std::string(16, 0), 1, 32, "0 dimensions"),
        Tensor("rank5", GgufTensor("a", {1, 1, 1, 1, 1}, 0, 0), 1, 32, "5 dimensions"),
        Tensor("name", GgufTensor("", {1}, 0, 0) + "12345678", 1, 32, "a tensor name of 0 bytes"),
        Tensor("zero", GgufTensor("a", {4, 0}, 0, 0), 1, 32, "dimension 1 of 0"),
        Tensor("product", GgufTensor("a", {1u << 31, 1u << 31, 1u << 31}, 0, 0), 1, 32,
               "dimension 2"),
        Tensor("bytes_overflow", GgufTensor("a", {uint64_t{1} << 62}, 0, 0), 1, 32, "too large"),
        Tensor("block", GgufTensor("a", {33}, 2, 0), 1, 32, "a multiple of 32 for Q4_0"),
        Tensor("misaligned", GgufTensor("a", {1}, 0, 4), 1, 32, "expected a multiple of 32"),
        Tensor("past", GgufTensor("a", {9}, 0, 0), 1, 32, "truncated?"),
        Tensor("offset_overflow", GgufTensor("a", {1}, 0, ~uint64_t{0} - 31), 1, 32, "truncated?"),
        Tensor("overlap", GgufTensor("a", {16}, 0, 0) + GgufTensor("b", {1}, 0, 32), 2, 64,
               "overlaps"),
        Tensor("unknown_inside", GgufTensor("a", {16}, 0, 0) + GgufTensor("b", {256}, 10, 32), 2,
               64, "overlaps"),
        Tensor("twice", GgufTensor("a", {1}, 0, 0) + GgufTensor("a", {1}, 0, 32), 2, 64,
               "tensor a: listed twice"),
        Tensor("twice_unknown", GgufTensor("a", {1}, 0, 0) + GgufTensor("a", {256}, 10, 32), 2, 64,
               "listed twice")),
    [](const auto& test) { return test.param.what; });

TEST(Gguf, BoundsWhatArraysTakeInMemory) {
  const TempDir dir;
  // A sparse file of bytes that would become eight times as many bytes of numbers.
  const std::string head =
      GgufFileBytes(3, 0, 1, GgufPair("k", kArr, Array(kU8, 40'000'000, "")), 0);
  const std::string path = dir.Write("x.gguf", head);
  std::filesystem::resize_file(path, 50'000'000);
  const auto file = GgufFile::Open(path);
  EXPECT_EQ(file.status().code(), StatusCode::kUnsupported);
  EXPECT_THAT(file.status().message(), HasSubstr("array of 40000000 elements"));
}

TEST(GgufWriter, RoundTrips) {
  const TempDir dir;
  GgufWriter writer;
  writer.AddBool("bool", true);
  writer.AddU32("u32", 4000000000u);
  writer.AddI32("i32", -4);
  writer.AddF32("f32", 0.1f);
  writer.AddString("str", "a\0b");
  writer.AddBools("bools", {true, false});
  writer.AddI32s("i32s", {-1, 2});
  writer.AddF32s("f32s", {-std::numeric_limits<float>::infinity()});
  writer.AddStrings("strs", {"", "\xE2\x96\x81"});
  writer.AddRaw("raw", Bytes(kU16) + Bytes<uint16_t>(513));
  writer.AddTensor({"a", DType::kF32, {2, 3}});
  writer.AddTensor({"q", DType::kQ8_0, {2, 2, 32}});
  writer.AddTensor({"b", DType::kBF16, {1}});
  ASSERT_TRUE(writer.Begin(dir / "w.gguf").ok());
  const std::string a(24, 'a'), q(4 * 34, 'q'), b(2, 'b');
  ASSERT_TRUE(writer.Append(a.data(), 10).ok());
  ASSERT_TRUE(writer.Append(a.data() + 10, 14).ok());
  ASSERT_TRUE(writer.Append(q.data(), q.size()).ok());
  EXPECT_FALSE(FileExists(dir / "w.gguf"));  // until it is whole
  ASSERT_TRUE(writer.Append(b.data(), 2).ok());
  ASSERT_TRUE(writer.Commit().ok());
  EXPECT_EQ(writer.bytes_written(), testing::ReadAll(dir / "w.gguf").size());
  const auto file = GgufFile::Open(dir / "w.gguf");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->metadata().size(), 10u);
  EXPECT_EQ(file->GetInt("u32"), 4000000000);
  EXPECT_EQ(file->GetInt("i32"), -4);
  EXPECT_EQ(file->GetFloat("f32"), static_cast<double>(0.1f));
  EXPECT_EQ(file->GetInt("raw"), 513);
  EXPECT_THAT(*file->GetBools("bools"), ElementsAre(true, false));
  EXPECT_THAT(*file->GetStrings("strs"), ElementsAre("", "\xE2\x96\x81"));
  EXPECT_THAT(file->tensors().at("q").shape, ElementsAre(2, 2, 32));
  EXPECT_EQ(std::memcmp(file->tensors().at("q").data, q.data(), q.size()), 0);
  EXPECT_EQ(std::memcmp(file->tensors().at("b").data, b.data(), b.size()), 0);
}

TEST(GgufWriter, RefusesWhatDoesNotFitAndLeavesNothing) {
  const TempDir dir;
  for (const GgufWriter::Entry& entry :
       {GgufWriter::Entry{"a", DType::kQ4_K, {128}}, GgufWriter::Entry{"a", DType::kF32, {}},
        GgufWriter::Entry{"a", DType::kF32, {0}},
        GgufWriter::Entry{"a", DType::kF32, {1, 1, 1, 1, 1}},
        GgufWriter::Entry{"a", DType::kF32, {int64_t{1} << 40, int64_t{1} << 40}}}) {
    GgufWriter writer;
    writer.AddTensor(entry);
    EXPECT_EQ(writer.Begin(dir / "w.gguf").code(), StatusCode::kInvalidArgument);
  }
  {
    GgufWriter writer;
    EXPECT_EQ(writer.Append("x", 1).code(), StatusCode::kInternal);
    writer.AddTensor({"a", DType::kF32, {2}});
    ASSERT_TRUE(writer.Begin(dir / "w.gguf").ok());
    EXPECT_EQ(writer.Append("123456789", 9).code(), StatusCode::kInternal);
    EXPECT_TRUE(writer.Append("1234", 4).ok());
    EXPECT_EQ(writer.Commit().code(), StatusCode::kInternal);
  }
  EXPECT_EQ(dir.Count(), 0u);
}

}  // namespace
}  // namespace gemma3n
