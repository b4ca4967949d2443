// JPEG through libjpeg-turbo, with the settings that Pillow leaves it: integer DCT, smooth chroma.
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE
#include <optional>
#include <string_view>
#include <vector>

#include <jpeglib.h>
// After jpeglib.h, whose settings it reads:
#include <jerror.h>

#include "media/image_decoders.h"
#include "media/orientation.h"

namespace gemma3n {
namespace {

constexpr char kFormat[] = "JPEG";
constexpr int kMaxScans = 500;  // of a progressive file: each costs a pass over the whole picture

// libjpeg over bytes in memory. Its errors are long jumps, and they are only armed inside
// Guarded().
class JpegReader {
 public:
  explicit JpegReader(const ImageFile& file) : file_(file) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = [](j_common_ptr info) { Self(info).Fail(info); };
    errors_.emit_message = [](j_common_ptr info, int level) { Self(info).OnMessage(info, level); };
    errors_.output_message = [](j_common_ptr) {};
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  Status ReadHeader() {
    return Guarded([this] {
      jpeg_create_decompress(&info_);
      info_.progress = &progress_;
      progress_.progress_monitor = [](j_common_ptr info) { Self(info).OnProgress(info); };
      info_.src = &source_;
      source_.next_input_byte = file_.data();
      source_.bytes_in_buffer = file_.bytes.size();
      source_.init_source = source_.term_source = [](j_decompress_ptr) {};
      source_.fill_input_buffer = [](j_decompress_ptr info) -> boolean {
        ERREXIT(info, JERR_INPUT_EOF);
        return FALSE;
      };
      source_.skip_input_data = [](j_decompress_ptr info, long count) {
        if (count <= 0) return;
        if (static_cast<size_t>(count) > info->src->bytes_in_buffer) ERREXIT(info, JERR_INPUT_EOF);
        info->src->next_input_byte += count;
        info->src->bytes_in_buffer -= static_cast<size_t>(count);
      };
      source_.resync_to_restart = jpeg_resync_to_restart;
      jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xffff);
      jpeg_read_header(&info_, TRUE);
    });
  }

  // Rows of `channels()` samples: RGB, or CMYK inverted.
  Status Start() {
    return Guarded([this] {
      info_.out_color_space = info_.num_components == 4 ? JCS_CMYK : JCS_RGB;
      jpeg_start_decompress(&info_);
    });
  }

  template <typename UseRow>
  Status ReadRows(uint8_t* row, const UseRow& use_row) {
    return Guarded([&] {
      while (info_.output_scanline < info_.output_height) {
        const int64_t y = info_.output_scanline;
        JSAMPROW rows[] = {row};
        jpeg_read_scanlines(&info_, rows, 1);
        use_row(y);
      }
      jpeg_finish_decompress(&info_);
    });
  }

  std::optional<int> Orientation() const {
    constexpr std::string_view kExif("Exif\0\0", 6), kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
    std::string exif;
    std::optional<int> in_xmp;
    for (auto* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
      std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
      // A block too long for one marker goes on in the next.
      if (data.starts_with(kExif)) exif += exif.empty() ? data : data.substr(kExif.size());
      if (data.starts_with(kXmp)) in_xmp = XmpOrientation(data.substr(kXmp.size()));
    }
    const auto in_exif = ExifOrientation(std::as_bytes(std::span(exif)));
    return in_exif ? in_exif : in_xmp;
  }

  int64_t width() const { return info_.image_width; }
  int64_t height() const { return info_.image_height; }
  int channels() const { return info_.num_components == 4 ? 4 : 3; }
  int components() const { return info_.num_components; }

 private:
  static JpegReader& Self(j_common_ptr info) {
    return *static_cast<JpegReader*>(info->client_data);
  }

  // Runs `body`, which may call libjpeg and holds nothing that needs a destructor.
  template <typename Body>
  Status Guarded(const Body& body) {
    if (setjmp(jump_) == 0) {
      body();
      return OkStatus();
    }
    return truncated_ ? file_.Truncated(kFormat) : file_.Corrupt(kFormat, message_);
  }

  [[noreturn]] void Fail(j_common_ptr info) {
    truncated_ = errors_.msg_code == JERR_INPUT_EOF;
    errors_.format_message(info, message_);
    std::longjmp(jump_, 1);
  }

  // Of libjpeg's warnings, those after which it would paint grey. The others lose nothing.
  void OnMessage(j_common_ptr info, int level) {
    if (level >= 0) return;
    switch (errors_.msg_code) {
      case JWRN_HIT_MARKER:
      case JWRN_JPEG_EOF:
      case JWRN_HUFF_BAD_CODE:
      case JWRN_ARITH_BAD_CODE:
      case JWRN_MUST_RESYNC:
        Fail(info);
      default:
        return;
    }
  }

  void OnProgress(j_common_ptr info) {
    if (info_.input_scan_number <= kMaxScans) return;
    errors_.msg_code = JERR_BAD_PROGRESSION;
    Fail(info);
  }

  const ImageFile& file_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_;
  char message_[JMSG_LENGTH_MAX] = {};
  bool truncated_ = false;
};

// Pillow's conversion; the samples are stored inverted, as 255 - ink.
void CmykRowToRgb(const uint8_t* cmyk, int64_t width, uint8_t* rgb) {
  for (int64_t x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int white = cmyk[3];
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - cmyk[c]) * white + 128;
      rgb[c] = static_cast<uint8_t>(white - (((product >> 8) + product) >> 8));
    }
  }
}

}  // namespace

Result<Image> DecodeJpeg(const ImageFile& file) {
  JpegReader reader(file);
  G3N_RETURN_IF_ERROR(reader.ReadHeader());
  const int64_t width = reader.width(), height = reader.height();
  G3N_RETURN_IF_ERROR(CheckImageSize(file, width, height));
  if (const int n = reader.components(); n != 1 && n != 3 && n != 4) {
    return Error(StatusCode::kUnsupported, "{}: JPEG picture of {} components, expected 1, 3 or 4",
                 file.name, n);
  }
  const auto orientation = reader.Orientation();  // libjpeg forgets markers when it is done
  G3N_RETURN_IF_ERROR(reader.Start());
  Image image = MakeImage(width, height);
  std::vector<uint8_t> row(static_cast<size_t>(width * reader.channels()));
  const bool cmyk = reader.channels() == 4;
  G3N_RETURN_IF_ERROR(reader.ReadRows(row.data(), [&](int64_t y) {
    uint8_t* out = image.rgb.data() + y * width * 3;
    if (cmyk) {
      CmykRowToRgb(row.data(), width, out);
    } else {
      std::copy(row.begin(), row.end(), out);
    }
  }));
  return Upright(std::move(image), orientation);
}

}  // namespace gemma3n
