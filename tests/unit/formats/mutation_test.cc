// Whole files with something changed: cut at every byte, every bit of the headers flipped. Each
// must give a failure in one sentence or an object that can be used; the sanitizer builds see what
// goes wrong in between.
#include <gtest/gtest.h>

#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "tests/unit/formats/test_files.h"

namespace gemma3n {
namespace {

using testing::TempDir;

std::string SafetensorsBytes(const TempDir& dir) {
  auto writer = SafetensorsWriter::Create(
      dir / "w", {{"a.weight", DType::kF32, {2, 3}}, {"b", DType::kBF16, {4}}});
  const std::string data(32, '\7');
  EXPECT_TRUE(writer->Append(data.data(), data.size()).ok());
  EXPECT_TRUE(writer->Commit().ok());
  return testing::ReadAll(dir / "w");
}

std::string GgufBytes(const TempDir& dir) {
  GgufWriter writer;
  writer.AddString("general.architecture", "gemma3n");
  writer.AddU32("general.alignment", 32);
  writer.AddStrings("tokens", {"<pad>", "a"});
  writer.AddBools("flags", {true, false, true});
  writer.AddTensor({"a", DType::kF32, {2, 3}});
  writer.AddTensor({"q", DType::kQ4_0, {2, 32}});
  const std::string data(36, '\7');
  EXPECT_TRUE(writer.Begin(dir / "w").ok());
  EXPECT_TRUE(writer.Append(data.data(), 24).ok());
  EXPECT_TRUE(writer.Append(data.data(), 36).ok());
  EXPECT_TRUE(writer.Commit().ok());
  return testing::ReadAll(dir / "w");
}

// Reads every byte that the object points at.
template <typename File>
unsigned Use(const File& file) {
  unsigned sum = 0;
  for (const auto& [name, tensor] : file.tensors()) {
    for (size_t i = 0; i < tensor.bytes; ++i) sum += static_cast<unsigned>(tensor.data[i]);
    EXPECT_EQ(RowBytes(tensor.dtype, tensor.elements()), static_cast<int64_t>(tensor.bytes))
        << name;
  }
  return sum;
}

template <typename File>
bool OpensOrFailsWell(const TempDir& dir, const std::string& bytes) {
  const auto file = File::Open(dir.Write("m", bytes));
  if (!file.ok()) {
    EXPECT_FALSE(file.status().message().empty());
    EXPECT_EQ(file.status().message().find('\n'), std::string::npos);
    EXPECT_NE(file.status().code(), StatusCode::kInternal);
    return false;
  }
  Use(*file);
  return true;
}

template <typename File>
void Mutate(const std::string& bytes, const TempDir& dir, size_t padding_at_end) {
  ASSERT_TRUE(OpensOrFailsWell<File>(dir, bytes));
  for (size_t n = 0; n < bytes.size() - padding_at_end; ++n) {
    EXPECT_FALSE(OpensOrFailsWell<File>(dir, bytes.substr(0, n))) << "cut to " << n << " bytes";
  }
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string changed = bytes;
    changed[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    OpensOrFailsWell<File>(dir, changed);
  }
  for (size_t at = 0; at + 8 <= bytes.size();
       ++at) {  // lengths, counts and offsets at their extremes
    for (uint64_t value : {uint64_t{0}, ~uint64_t{0}, uint64_t{1} << 63, uint64_t{1} << 32}) {
      std::string changed = bytes;
      std::memcpy(changed.data() + at, &value, sizeof(value));
      OpensOrFailsWell<File>(dir, changed);
    }
  }
}

TEST(Mutation, Safetensors) {
  const TempDir dir;
  Mutate<SafetensorsFile>(SafetensorsBytes(dir), dir, 0);
}

TEST(Mutation, Gguf) {
  const TempDir dir;
  Mutate<GgufFile>(GgufBytes(dir), dir, 64 - 36);
}

}  // namespace
}  // namespace gemma3n
