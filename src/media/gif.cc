// The first frame of a GIF through giflib, on its screen as Pillow lays it there.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "media/image_decoders.h"

namespace gemma3n {
namespace {

constexpr char kFormat[] = "GIF";

struct Input {
  const ImageFile& file;
  size_t position = 0;
  bool truncated = false;
};

int ReadInput(GifFileType* gif, GifByteType* to, int count) {
  auto& input = *static_cast<Input*>(gif->UserData);
  const size_t left = input.file.bytes.size() - input.position;
  const size_t n = std::min(left, static_cast<size_t>(std::max(count, 0)));
  if (n < static_cast<size_t>(count)) input.truncated = true;
  if (n != 0) std::memcpy(to, input.file.data() + input.position, n);
  input.position += n;
  return static_cast<int>(n);
}

struct Closer {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

Status Failure(const Input& input, int code) {
  if (input.truncated) return input.file.Truncated(kFormat);
  const char* text = GifErrorString(code);
  return input.file.Corrupt(kFormat, text == nullptr ? "its data cannot be decoded" : text);
}

// Skips to the first frame; returns its transparent index, -1 for none.
Result<int> ReadToFrame(GifFileType* gif, const Input& input) {
  int transparent = -1;
  for (;;) {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(gif, &type) == GIF_ERROR) return Failure(input, gif->Error);
    if (type == IMAGE_DESC_RECORD_TYPE) {
      if (DGifGetImageDesc(gif) == GIF_ERROR) return Failure(input, gif->Error);
      return transparent;
    }
    if (type == TERMINATE_RECORD_TYPE) return input.file.Corrupt(kFormat, "no frame");
    int code = 0;
    GifByteType* block = nullptr;  // length, bytes
    if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) return Failure(input, gif->Error);
    while (block != nullptr) {
      GraphicsControlBlock control;
      if (code == GRAPHICS_EXT_FUNC_CODE && block[0] == 4 &&
          DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK &&
          control.TransparentColor != NO_TRANSPARENT_COLOR) {
        transparent = control.TransparentColor;
      }
      if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) return Failure(input, gif->Error);
    }
  }
}

using Rgb = std::array<uint8_t, 3>;

// Whether a colour map is there and says more than that i is the grey i.
bool HasColors(const ColorMapObject* map) {
  for (int i = 0; map != nullptr && i < map->ColorCount; ++i) {
    const GifColorType& color = map->Colors[i];
    if (color.Red != i || color.Green != i || color.Blue != i) return true;
  }
  return false;
}

// RGB of each index. A frame whose own map has no colours gets the screen's, as in Pillow; without
// either, indices are greys.
std::array<Rgb, 256> ColorTable(const GifFileType& gif, int transparent) {
  std::array<Rgb, 256> table{};
  const auto* map = HasColors(gif.Image.ColorMap) ? gif.Image.ColorMap : gif.SColorMap;
  const bool colors = HasColors(map);
  for (size_t i = 0; i < table.size(); ++i) {
    if (!colors) {
      table[i].fill(static_cast<uint8_t>(i));
    } else if (static_cast<int>(i) < map->ColorCount) {
      table[i] = {map->Colors[i].Red, map->Colors[i].Green, map->Colors[i].Blue};
    }
  }
  if (transparent >= 0) table[static_cast<size_t>(transparent)].fill(255);
  return table;
}

}  // namespace

Result<Image> DecodeGif(const ImageFile& file) {
  Input input{file};
  int error = 0;
  const std::unique_ptr<GifFileType, Closer> gif(DGifOpen(&input, ReadInput, &error));
  if (gif == nullptr) return Failure(input, error);
  G3N_ASSIGN_OR_RETURN(const int transparent, ReadToFrame(gif.get(), input));
  const GifImageDesc& frame = gif->Image;
  if (frame.Width <= 0 || frame.Height <= 0) return file.Corrupt(kFormat, "its frame is empty");
  // A frame that reaches over the screen enlarges it.
  const int64_t width = std::max(gif->SWidth, frame.Left + frame.Width);
  const int64_t height = std::max(gif->SHeight, frame.Top + frame.Height);
  G3N_RETURN_IF_ERROR(CheckImageSize(file, width, height));
  const auto table = ColorTable(*gif, transparent);
  Image image = MakeImage(width, height);
  const Rgb& around = table[static_cast<size_t>(std::max(transparent, 0))];
  for (size_t i = 0; i < image.rgb.size(); i += 3) std::memcpy(&image.rgb[i], around.data(), 3);

  std::vector<GifPixelType> line(static_cast<size_t>(frame.Width));
  constexpr int kFirst[] = {0, 4, 2, 1}, kStep[] = {8, 8, 4, 2};  // of the interlaced passes
  for (int pass = 0; pass < (frame.Interlace ? 4 : 1); ++pass) {
    const int step = frame.Interlace ? kStep[pass] : 1;
    for (int y = frame.Interlace ? kFirst[pass] : 0; y < frame.Height; y += step) {
      if (DGifGetLine(gif.get(), line.data(), frame.Width) == GIF_ERROR) {
        return Failure(input, gif->Error);
      }
      uint8_t* out = image.rgb.data() + ((frame.Top + y) * width + frame.Left) * 3;
      for (const GifPixelType index : line) {
        std::memcpy(out, table[index].data(), 3);
        out += 3;
      }
    }
  }
  return image;
}

}  // namespace gemma3n
