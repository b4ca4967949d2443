// The resize against torchvision's, on pictures too large to keep: sample i is the top byte of
// i * 2654435761.
#include "media/resize.h"

#include <gtest/gtest.h>

#include "tests/unit/media/image_fixtures.h"

namespace gemma3n {
namespace {

Image Noise(int64_t width, int64_t height) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
  uint32_t value = 0;
  for (auto& sample : image.rgb) {
    sample = static_cast<uint8_t>(value >> 24);
    value += 2654435761u;
  }
  return image;
}

TEST(ResizeBilinear, BitForBitAsTorchvision) {
  const auto& cases = testing::ExpectedImages()["resize"];
  EXPECT_GT(cases.size(), 30u);
  for (const auto& c : cases) {
    const int64_t size = c["size"];
    const Image resized = ResizeBilinear(Noise(c["width"], c["height"]), size, size);
    EXPECT_EQ(resized.width, size);
    EXPECT_EQ(resized.height, size);
    ASSERT_EQ(resized.rgb.size(), static_cast<size_t>(size * size * 3));
    EXPECT_EQ(testing::Crc(resized.rgb), c["crc"]) << c.dump();
  }
}

TEST(ResizeBilinear, AFittingPictureStaysAsItIs) {
  const Image image = Noise(31, 17);
  EXPECT_EQ(ResizeBilinear(image, 31, 17).rgb, image.rgb);
}

TEST(ResizeBilinear, NotSquare) {
  const Image image{1, 1, {9, 200, 255}};
  const Image resized = ResizeBilinear(image, 2, 3);
  ASSERT_EQ(resized.rgb.size(), 18u);
  for (size_t i = 0; i < 18; ++i) EXPECT_EQ(resized.rgb[i], image.rgb[i % 3]);
}

}  // namespace
}  // namespace gemma3n
