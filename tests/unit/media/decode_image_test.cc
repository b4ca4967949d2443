// Every kind of file against Pillow and transformers' image processor.
#include "media/decode_image.h"

#include <gtest/gtest.h>

#include "media/orientation.h"
#include "media/resize.h"
#include "tests/unit/media/image_fixtures.h"

namespace gemma3n {
namespace {

TEST(DecodeImage, SampleForSampleAsTheReference) {
  const auto& files = testing::ExpectedImages()["files"];
  EXPECT_GT(files.size(), 100u);
  for (const auto& [name, want] : files.items()) {
    SCOPED_TRACE(name);
    const auto image = LoadImage(testing::DataPath(name));
    ASSERT_TRUE(image.ok()) << image.status().message();
    EXPECT_EQ(image->width, want["width"]);
    EXPECT_EQ(image->height, want["height"]);
    ASSERT_EQ(image->rgb.size(), static_cast<size_t>(image->width * image->height * 3));
    EXPECT_EQ(testing::Crc(image->rgb), want["crc"]);
    for (const auto& [size, crc] : want["resized"].items()) {
      const Image resized = ResizeBilinear(*image, std::stoll(size), std::stoll(size));
      EXPECT_EQ(testing::Crc(resized.rgb), crc) << "at " << size;
    }
  }
}

TEST(DecodeImage, TheNameDoesNotMatter) {
  const auto bytes = testing::ReadBytes(testing::DataPath("webp-animation-RGB"));
  EXPECT_TRUE(DecodeImage(bytes, "photo.jpg").ok());
}

std::optional<int> Exif(const std::string& bytes) {
  return ExifOrientation(std::as_bytes(std::span(bytes)));
}

TEST(Orientation, ExifThatCannotBeReadHasNone) {
  const std::string head("II*\0\x08\0\0\0\x01\0", 10);
  const std::string entry("\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 12);
  EXPECT_EQ(Exif(head + entry), 6);
  EXPECT_EQ(Exif(std::string("Exif\0\0", 6) + head + entry), 6);
  EXPECT_EQ(Exif(""), std::nullopt);
  EXPECT_EQ(Exif("Exif"), std::nullopt);
  EXPECT_EQ(Exif("XX" + (head + entry).substr(2)), std::nullopt);
  EXPECT_EQ(Exif(head), std::nullopt);
  EXPECT_EQ(Exif(std::string("II*\0\xff\xff\xff\xff", 8)), std::nullopt);
  EXPECT_EQ(Exif(std::string("II*\0\x08\0\0\0\xff\xff", 10)), std::nullopt);
  EXPECT_EQ(Exif(head + std::string("\x12\x01\x02\0\x01\0\0\0\x06\0\0\0", 12)), std::nullopt);
  EXPECT_EQ(Exif(head + std::string("\x12\x01\x03\0\x02\0\0\0\x06\0\0\0", 12)), std::nullopt);
}

TEST(Orientation, Xmp) {
  EXPECT_EQ(XmpOrientation("<a tiff:Orientation=\"8\">"), 8);
  EXPECT_EQ(XmpOrientation("tiff:Orientation <tiff:Orientation>3<"), 3);
  EXPECT_EQ(XmpOrientation("tiff:Orientation=\""), std::nullopt);
  EXPECT_EQ(XmpOrientation("tiff:Orientation"), std::nullopt);
  EXPECT_EQ(XmpOrientation(""), std::nullopt);
}

}  // namespace
}  // namespace gemma3n
