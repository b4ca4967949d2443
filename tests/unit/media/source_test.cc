#include "media/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

#include "media/decode_image.h"
#include "tests/unit/media/image_fixtures.h"

namespace gemma3n {
namespace {

constexpr size_t kLimit = 1000;

std::string Text(const Result<std::vector<std::byte>>& bytes) {
  if (!bytes.ok()) return "error: " + bytes.status().message();
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

std::string Read(const std::string& source) { return Text(ReadSource(source, kLimit)); }

TEST(ReadSource, DataUrls) {
  EXPECT_EQ(Read("data:,a%20b%2C,"), "a b,,");
  EXPECT_EQ(Read("data:text/plain;charset=utf-8,a+b"), "a+b");
  EXPECT_EQ(Read("DATA:image/png;BASE64,TWFu"), "Man");
  EXPECT_EQ(Read("data:;base64,TWE="), "Ma");
  EXPECT_EQ(Read("data:;base64,TQ=="), "M");
  EXPECT_EQ(Read("data:;base64,TQ"), "M");
  EXPECT_EQ(Read("data:;base64,TQ%3D%3d"), "M");
  EXPECT_EQ(Read("data:;base64,TW\r\nFu TWE"), "ManMa");
  EXPECT_EQ(Read("data:;base64,+/-_"), Read("data:,%FB%FF%BF"));
  EXPECT_EQ(Read("data:;base64,"), "");
}

TEST(ReadSource, MalformedDataUrls) {
  for (const char* url :
       {"data:image/png;base64", "data:;base64,TWFu!", "data:;base64,TWFuT", "data:;base64,TQ==TQ",
        "data:;base64,T===", "data:,%", "data:,%4", "data:,%g0", "data:;base64,\xff"}) {
    const auto bytes = ReadSource(url, kLimit);
    ASSERT_FALSE(bytes.ok()) << url;
    EXPECT_EQ(bytes.status().code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(bytes.status().message(), ::testing::StartsWith("data: URL: ")) << url;
  }
}

TEST(DecodeBase64, AsInAUrl) {
  EXPECT_EQ(Text(DecodeBase64("TW\r\nFu TWE=", kLimit)), "ManMa");
  EXPECT_EQ(DecodeBase64("TWFuTWFu", 5).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(DecodeBase64("TW*u", kLimit).status().code(), StatusCode::kInvalidArgument);
}

TEST(ReadSource, Limits) {
  EXPECT_TRUE(ReadSource("data:,12345", 5).ok());
  EXPECT_EQ(ReadSource("data:,12345", 4).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadSource("data:;base64,TWFu", 2).status().code(), StatusCode::kResourceExhausted);
  const auto bytes = ReadSource(testing::DataPath("expected.json"), 10);
  EXPECT_EQ(bytes.status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(bytes.status().message(), ::testing::HasSubstr("the limit is 10"));
  EXPECT_EQ(ReadSource("/dev/zero", kLimit).status().code(), StatusCode::kResourceExhausted);
}

TEST(ReadSource, Files) {
  EXPECT_EQ(ReadSource("/nowhere/x.png", kLimit).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(ReadSource("/", kLimit).ok());
  const std::string path = testing::DataPath("png-exif-6");
  EXPECT_EQ(*ReadSource(path, 1 << 20), testing::ReadBytes(path));
}

TEST(LoadImage, FromADataUrl) {
  // A GIF of one pixel.
  const auto image = LoadImage(
      "data:image/gif;base64,R0lGODlhAQABAPAAAAEUZAAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==");
  ASSERT_TRUE(image.ok()) << image.status().message();
  EXPECT_THAT(image->rgb, ::testing::ElementsAre(1, 20, 100));
  EXPECT_EQ(LoadImage("data:,").status().message(), "data: URL: empty, expected a picture");
}

}  // namespace
}  // namespace gemma3n
