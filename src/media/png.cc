// PNG through libpng, which only decompresses here: what samples mean is settled below, as Pillow
// and convert_to_rgb settle it.
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "media/image_decoders.h"
#include "media/orientation.h"

namespace gemma3n {
namespace {

constexpr char kFormat[] = "PNG";

// libpng over bytes in memory. Its errors are long jumps, and they are only armed inside Guarded().
class PngReader {
 public:
  explicit PngReader(const ImageFile& file) : file_(file) {}
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  Status ReadHeader() {
    png_ = png_create_read_struct(
        PNG_LIBPNG_VER_STRING, this,
        [](png_structp png, png_const_charp text) {
          static_cast<PngReader*>(png_get_error_ptr(png))->Fail(text);
        },
        [](png_structp, png_const_charp) {});
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) throw std::bad_alloc();
    return Guarded([this] {
      png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // CheckImageSize says it better
      png_set_read_fn(png_, this, [](png_structp png, png_bytep to, size_t count) {
        static_cast<PngReader*>(png_get_io_ptr(png))->Read(png, to, count);
      });
      png_read_info(png_, info_);
    });
  }

  // Rows of one byte a sample, or two big-endian ones for 16-bit grey.
  Status Start() {
    return Guarded([this] {
      if (depth() < 8) png_set_packing(png_);
      if (depth() == 16 && color_type() != PNG_COLOR_TYPE_GRAY) png_set_strip_16(png_);
      passes_ = png_set_interlace_handling(png_);
      png_read_update_info(png_, info_);
      row_bytes_ = png_get_rowbytes(png_, info_);
    });
  }

  // An interlaced picture needs all its rows at once in `rows`, others one. Reads to the end of the
  // file: orientation may stand there.
  template <typename UseRow>
  Status ReadRows(uint8_t* rows, const UseRow& use_row) {
    return Guarded([&] {
      for (int pass = 0; pass < passes_; ++pass) {
        for (int64_t y = 0; y < height(); ++y) {
          uint8_t* row = interlaced() ? rows + static_cast<size_t>(y) * row_bytes_ : rows;
          png_read_row(png_, row, nullptr);
          if (pass + 1 == passes_) use_row(row, y);
        }
      }
      png_read_end(png_, info_);
    });
  }

  std::optional<int> Orientation() const;

  // The header's: what is read for a row is Start's.
  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }
  int depth() const { return png_get_bit_depth(png_, info_); }
  int color_type() const { return png_get_color_type(png_, info_); }
  bool interlaced() const { return passes_ > 1; }
  size_t row_bytes() const { return row_bytes_; }

  struct Transparency {
    png_bytep alpha = nullptr;  // of the first `count` palette entries
    int count = 0;
    png_color_16p color = nullptr;  // grey or RGB that is transparent; null: none
  };
  Transparency transparency() const {
    Transparency t;
    if (!png_get_tRNS(png_, info_, &t.alpha, &t.count, &t.color)) return {};
    return t;
  }
  std::span<const png_color> palette() const {
    png_colorp colors = nullptr;
    int count = 0;
    if (!png_get_PLTE(png_, info_, &colors, &count)) return {};
    return {colors, static_cast<size_t>(count)};
  }

 private:
  // Runs `body`, which may call libpng and holds nothing that needs a destructor.
  template <typename Body>
  Status Guarded(const Body& body) {
    if (setjmp(jump_) == 0) {
      body();
      return OkStatus();
    }
    return truncated_ ? file_.Truncated(kFormat) : file_.Corrupt(kFormat, message_);
  }

  [[noreturn]] void Fail(const char* text) {
    std::strncpy(message_, text, sizeof message_ - 1);
    std::longjmp(jump_, 1);
  }

  void Read(png_structp png, uint8_t* to, size_t count) {
    if (count > file_.bytes.size() - position_) {
      truncated_ = true;
      png_error(png, "the file ends early");
    }
    std::memcpy(to, file_.data() + position_, count);
    position_ += count;
  }

  const ImageFile& file_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  size_t position_ = 0, row_bytes_ = 0;
  int passes_ = 1;
  std::jmp_buf jump_;
  char message_[160] = {};
  bool truncated_ = false;
};

// ImageMagick's "Raw profile type exif": newline, name, length, then lines of hexadecimal digits.
std::string RawProfile(std::string_view text) {
  for (int line = 0; line < 3; ++line)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  std::string bytes;
  int digits = 0, value = 0;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
    if (!digit && !letter) continue;
    value = (value << 4 | (digit ? c - '0' : c - 'a' + 10)) & 0xff;
    if (++digits % 2 == 0) bytes += static_cast<char>(value);
  }
  return bytes;
}

std::optional<int> PngReader::Orientation() const {
  std::string exif;
  std::string_view xmp;
  png_textp texts = nullptr;
  int count = 0;
  png_get_text(png_, info_, &texts, &count);
  for (int i = 0; i < count; ++i) {
    const std::string_view key = texts[i].key;
    const std::string_view text = texts[i].text == nullptr ? "" : texts[i].text;
    if (key == "Raw profile type exif") exif = RawProfile(text);
    if (key == "XML:com.adobe.xmp") xmp = text;
  }
  png_uint_32 size = 0;
  png_bytep data = nullptr;
  if (png_get_eXIf_1(png_, info_, &size, &data)) exif.assign(reinterpret_cast<char*>(data), size);
  const auto in_exif = ExifOrientation(std::as_bytes(std::span(exif)));
  return in_exif ? in_exif : XmpOrientation(xmp);
}

using Rgb = std::array<uint8_t, 3>;
constexpr Rgb kWhite = {255, 255, 255};

// RGB of each value of a one-byte sample: palette entries, or shades of grey.
std::array<Rgb, 256> ColorTable(const PngReader& reader) {
  std::array<Rgb, 256> table{};
  const auto transparency = reader.transparency();
  if (reader.color_type() == PNG_COLOR_TYPE_PALETTE) {
    const auto palette = reader.palette();
    for (size_t i = 0; i < std::min(palette.size(), table.size()); ++i) {
      const uint8_t rgb[] = {palette[i].red, palette[i].green, palette[i].blue};
      const bool opaque = i >= static_cast<size_t>(transparency.count);
      PutOnWhite(rgb, opaque ? 255 : transparency.alpha[i], table[i].data());
    }
    return table;
  }
  const int depth = reader.depth(), top = depth >= 8 ? 255 : (1 << depth) - 1;
  int transparent = -1;
  if (transparency.color != nullptr) {
    transparent = transparency.color->gray & 255;
    if (depth == 1) transparent = transparency.color->gray != 0 ? 255 : 0;
  }
  for (int value = 0; value <= top; ++value) {
    const auto grey = static_cast<uint8_t>(value * 255 / top);
    table[static_cast<size_t>(value)] = grey == transparent ? kWhite : Rgb{grey, grey, grey};
  }
  return table;
}

// Turns rows as the reader gives them into RGB.
class RowConverter {
 public:
  explicit RowConverter(const PngReader& reader)
      : width_(reader.width()),
        type_(reader.color_type()),
        wide_grey_(type_ == PNG_COLOR_TYPE_GRAY && reader.depth() == 16) {
    if (type_ == PNG_COLOR_TYPE_PALETTE || type_ == PNG_COLOR_TYPE_GRAY) {
      table_ = ColorTable(reader);
    } else if (const auto* color = reader.transparency().color) {
      transparent_ = {static_cast<uint8_t>(color->red), static_cast<uint8_t>(color->green),
                      static_cast<uint8_t>(color->blue)};
    }
  }

  void operator()(const uint8_t* row, uint8_t* rgb) const {
    for (int64_t x = 0; x < width_; ++x, rgb += 3) {
      switch (type_) {
        case PNG_COLOR_TYPE_PALETTE:
        case PNG_COLOR_TYPE_GRAY:
          if (wide_grey_) {
            Put(table_[row[0] != 0 ? 255 : row[1]], rgb);
            row += 2;
          } else {
            Put(table_[*row++], rgb);
          }
          break;
        case PNG_COLOR_TYPE_GRAY_ALPHA: {
          const uint8_t grey[] = {row[0], row[0], row[0]};
          PutOnWhite(grey, row[1], rgb);
          row += 2;
          break;
        }
        case PNG_COLOR_TYPE_RGB_ALPHA:
          PutOnWhite(row, row[3], rgb);
          row += 4;
          break;
        default: {
          const Rgb color = {row[0], row[1], row[2]};
          Put(transparent_ == color ? kWhite : color, rgb);
          row += 3;
        }
      }
    }
  }

 private:
  static void Put(const Rgb& color, uint8_t* rgb) { std::memcpy(rgb, color.data(), 3); }

  int64_t width_;
  int type_;
  bool wide_grey_;
  std::array<Rgb, 256> table_{};
  std::optional<Rgb> transparent_;
};

}  // namespace

Result<Image> DecodePng(const ImageFile& file) {
  PngReader reader(file);
  G3N_RETURN_IF_ERROR(reader.ReadHeader());
  G3N_RETURN_IF_ERROR(CheckImageSize(file, reader.width(), reader.height()));
  const RowConverter convert(reader);
  G3N_RETURN_IF_ERROR(reader.Start());
  Image image = MakeImage(reader.width(), reader.height());
  std::vector<uint8_t> rows(reader.row_bytes() *
                            static_cast<size_t>(reader.interlaced() ? reader.height() : 1));
  G3N_RETURN_IF_ERROR(reader.ReadRows(rows.data(), [&](const uint8_t* row, int64_t y) {
    convert(row, image.rgb.data() + y * image.width * 3);
  }));
  return Upright(std::move(image), reader.Orientation());
}

}  // namespace gemma3n
