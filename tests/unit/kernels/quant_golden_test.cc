// Every stored dtype against the gguf package's own decoding and quantising, bit for bit
// (tools/golden/quant_fixtures.py).
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/quantize.h"

namespace gemma3n {
namespace {

enum class Kind : uint32_t { kDecode, kEncode, kSearch };

struct Record {
  DType dtype;
  Kind kind;
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

std::vector<Record> LoadRecords() {
  std::ifstream in(GEMMA3N_SOURCE_DIR "/tests/golden/quants/quants.bin", std::ios::binary);
  char magic[4] = {};
  uint32_t count = 0;
  in.read(magic, 4);
  in.read(reinterpret_cast<char*>(&count), 4);
  EXPECT_EQ(std::string(magic, 4), "G3NQ");
  std::vector<Record> records;
  for (uint32_t i = 0; i < count && in; ++i) {
    char name[9] = {};
    uint32_t sizes[3];
    in.read(name, 8);
    in.read(reinterpret_cast<char*>(sizes), sizeof(sizes));
    Record r{*DTypeFromName(name), static_cast<Kind>(sizes[0]), std::vector<std::byte>(sizes[2]),
             std::vector<float>(sizes[1])};
    in.read(reinterpret_cast<char*>(r.bytes.data()), static_cast<std::streamsize>(r.bytes.size()));
    in.read(reinterpret_cast<char*>(r.values.data()),
            static_cast<std::streamsize>(4 * r.values.size()));
    EXPECT_TRUE(in.good());
    records.push_back(std::move(r));
  }
  return records;
}

uint32_t Bits(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  return bits;
}

TEST(QuantGolden, DecodesEveryDTypeBitForBit) {
  int decoded = 0;
  for (const Record& r : LoadRecords()) {
    if (r.kind != Kind::kDecode) continue;
    ++decoded;
    const auto n = static_cast<int64_t>(r.values.size());
    ASSERT_EQ(RowBytes(r.dtype, n), static_cast<int64_t>(r.bytes.size())) << Name(r.dtype);
    for (const KernelTable* table : DistinctFloatKernels()) {
      std::vector<float> out(r.values.size());
      table->dequantize[static_cast<int>(r.dtype)](r.bytes.data(), out.data(), n);
      for (int64_t i = 0; i < n; ++i) {
        if (std::isnan(r.values[i])) {
          ASSERT_TRUE(std::isnan(out[i])) << table->name << " " << Name(r.dtype) << " " << i;
        } else {
          ASSERT_EQ(Bits(out[i]), Bits(r.values[i]))
              << table->name << " " << Name(r.dtype) << " value " << i << ": " << out[i]
              << ", expected " << r.values[i];
        }
      }
    }
  }
  EXPECT_EQ(decoded, kDTypeCount);
}

TEST(QuantGolden, EncodesAsTheReferenceQuantizerBitForBit) {
  int encoded = 0;
  for (const Record& r : LoadRecords()) {
    if (r.kind != Kind::kEncode) continue;
    ++encoded;
    ASSERT_TRUE(CanQuantize(r.dtype));
    std::vector<std::byte> out(r.bytes.size());
    QuantizeRow(r.dtype, r.values.data(), out.data(), static_cast<int64_t>(r.values.size()));
    for (size_t i = 0; i < out.size(); ++i) {
      ASSERT_EQ(out[i], r.bytes[i]) << Name(r.dtype) << " byte " << i;
    }
  }
  EXPECT_EQ(encoded, 4);
}

// Root mean square error of `bytes` as an encoding of r.values.
double RmsError(const Record& r, const std::vector<std::byte>& bytes) {
  std::vector<float> decoded(r.values.size());
  DistinctFloatKernels().front()->dequantize[static_cast<int>(r.dtype)](
      bytes.data(), decoded.data(), static_cast<int64_t>(decoded.size()));
  double sum = 0;
  for (size_t i = 0; i < decoded.size(); ++i) sum += std::pow(decoded[i] - r.values[i], 2.0);
  return std::sqrt(sum / static_cast<double>(decoded.size()));
}

TEST(QuantGolden, SearchesScalesAsWellAsTheReferenceQuantizer) {
  int searched = 0;
  for (const Record& r : LoadRecords()) {
    if (r.kind != Kind::kSearch) continue;
    ++searched;
    std::vector<std::byte> out(r.bytes.size());
    QuantizeRow(r.dtype, r.values.data(), out.data(), static_cast<int64_t>(r.values.size()));
    const double ours = RmsError(r, out), theirs = RmsError(r, r.bytes);
    EXPECT_LE(ours, 1.05 * theirs) << Name(r.dtype) << " record " << searched;
    EXPECT_GT(ours, 0.5 * theirs) << "too good to be true: " << Name(r.dtype);
  }
  EXPECT_EQ(searched, 6);
}

}  // namespace
}  // namespace gemma3n
