// Files that are no picture, or less of one than they say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "media/decode_image.h"
#include "tests/unit/media/image_fixtures.h"

namespace gemma3n {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// The status of decoding, which wrote nothing to stderr.
Status Decode(std::span<const std::byte> bytes, const ImageLimits& limits = {}) {
  ::testing::internal::CaptureStderr();
  const auto image = DecodeImage(bytes, "x.png", limits);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  if (image.ok()) {
    EXPECT_EQ(image->rgb.size(), static_cast<size_t>(image->width * image->height * 3));
    return OkStatus();
  }
  EXPECT_THAT(image.status().message(), StartsWith("x.png: "));
  EXPECT_NE(image.status().code(), StatusCode::kInternal);
  return image.status();
}

TEST(DamagedImage, NoPicture) {
  EXPECT_THAT(Decode({}).message(), HasSubstr("empty"));
  EXPECT_THAT(Decode(Bytes("<html></html>")).message(),
              HasSubstr("no picture of a known kind, expected JPEG, PNG, WebP, GIF or BMP"));
  EXPECT_EQ(Decode(Bytes("hello")).code(), StatusCode::kUnsupported);
  EXPECT_THAT(Decode(Bytes({"II*\0abcd", 8})).message(), HasSubstr("TIFF, expected"));
  EXPECT_THAT(Decode(Bytes({"\0\0\0\x18"
                            "ftypheic",
                            12}))
                  .message(),
              HasSubstr("HEIC, expected"));
}

// A picture cut anywhere is an error, not grey pixels. (A GIF lacks nothing without its last byte.)
TEST(DamagedImage, Truncated) {
  for (const auto& [name, want] : testing::ExpectedImages()["files"].items()) {
    SCOPED_TRACE(name);
    const auto bytes = testing::ReadBytes(testing::DataPath(name));
    size_t end = bytes.size() - (name.starts_with("gif") ? 1 : 0);
    if (name == "jpeg-garbage-behind") end -= 7;
    if (name == "gif-animation") end = bytes.size() / 4;  // its later frames are not read
    const size_t step = std::max<size_t>(1, end / 60);
    for (size_t size = 0; size < end; size += size < 40 || size + 40 > end ? 1 : step) {
      ASSERT_FALSE(Decode(std::span(bytes).first(size)).ok()) << size << " bytes";
    }
  }
}

// Any byte changed: a picture or one sentence.
TEST(DamagedImage, Mutated) {
  uint32_t random = 1;
  for (const auto& [name, want] : testing::ExpectedImages()["files"].items()) {
    SCOPED_TRACE(name);
    auto bytes = testing::ReadBytes(testing::DataPath(name));
    for (int round = 0; round < 40; ++round) {
      random = random * 1664525 + 1013904223;
      auto& byte = bytes[(random >> 8) % std::min<size_t>(bytes.size(), round % 2 ? 100 : 10000)];
      const auto before = std::exchange(byte, static_cast<std::byte>(random >> 24));
      (void)Decode(bytes, {.max_pixels = 1'000'000}).ok();
      byte = before;
    }
  }
}

// Writes a number over a file's bytes.
void Put(std::vector<std::byte>& bytes, size_t at, size_t count, uint32_t value, bool big_endian) {
  for (size_t i = 0; i < count; ++i) {
    bytes[at + (big_endian ? count - 1 - i : i)] = static_cast<std::byte>(value >> (8 * i) & 255);
  }
}

TEST(DamagedImage, HugePicturesAreRefusedFromTheirHeader) {
  auto png = testing::ReadBytes(testing::DataPath("png-RGB-13x9"));
  Put(png, 16, 4, 60000, true), Put(png, 20, 4, 60000, true);
  Put(png, 29, 4, testing::Crc({reinterpret_cast<uint8_t*>(png.data()) + 12, 17}), true);
  const Status status = Decode(png);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(),
            "x.png: picture of 60000 x 60000 = 3600000000 pixels, the limit is 128000000 pixels");
  Put(png, 16, 4, 0x7fffffff, true);
  Put(png, 29, 4, testing::Crc({reinterpret_cast<uint8_t*>(png.data()) + 12, 17}), true);
  EXPECT_THAT(Decode(png).message(), HasSubstr("the limit is 65500 on a side"));

  auto jpeg = testing::ReadBytes(testing::DataPath("jpeg-restart"));
  const std::byte frame[] = {std::byte{0xff}, std::byte{0xc0}};
  const auto at = std::search(jpeg.begin(), jpeg.end(), std::begin(frame), std::end(frame));
  ASSERT_NE(at, jpeg.end());
  Put(jpeg, static_cast<size_t>(at - jpeg.begin()) + 5, 4, 65000u << 16 | 65000, true);
  EXPECT_EQ(Decode(jpeg).code(), StatusCode::kResourceExhausted);

  auto gif = testing::ReadBytes(testing::DataPath("gif-P-transparent"));
  Put(gif, 6, 4, 0xffffffff, false);
  EXPECT_EQ(Decode(gif).code(), StatusCode::kResourceExhausted);

  auto bmp = testing::ReadBytes(testing::DataPath("bmp-24"));
  Put(bmp, 18, 4, 60000, false), Put(bmp, 22, 4, 60000, false);
  EXPECT_EQ(Decode(bmp).code(), StatusCode::kResourceExhausted);

  auto webp = testing::ReadBytes(testing::DataPath("webp-animation-RGB"));
  Put(webp, 24, 3, 16000, false), Put(webp, 27, 3, 16000, false);
  EXPECT_EQ(Decode(webp).code(), StatusCode::kResourceExhausted);
}

TEST(DamagedImage, LimitsAreTheCallers) {
  for (const char* name :
       {"png-RGB-13x9", "bmp-24", "jpeg-restart", "gif-P-transparent", "webp-animation-RGB"}) {
    SCOPED_TRACE(name);
    const auto bytes = testing::ReadBytes(testing::DataPath(name));
    EXPECT_TRUE(Decode(bytes).ok());
    EXPECT_EQ(Decode(bytes, {.max_side = 12}).code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(Decode(bytes, {.max_pixels = 60}).code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(Decode(bytes, {.max_file_bytes = 60}).code(), StatusCode::kResourceExhausted);
  }
}

TEST(DamagedImage, KindsOfBmpThatAreNotRead) {
  auto bmp = testing::ReadBytes(testing::DataPath("bmp-24"));
  Put(bmp, 30, 4, 1, false);
  EXPECT_THAT(Decode(bmp).message(), HasSubstr("BMP picture of compression 1, expected none"));
  Put(bmp, 30, 4, 0, false), Put(bmp, 28, 2, 2, false);
  EXPECT_EQ(Decode(bmp).code(), StatusCode::kUnsupported);
  Put(bmp, 14, 4, 16, false);
  EXPECT_EQ(Decode(bmp).code(), StatusCode::kCorruptFile);
}

}  // namespace
}  // namespace gemma3n
