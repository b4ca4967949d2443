// FFmpeg's C objects with owners, and its log kept quiet. For the files of this room only.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

namespace gemma3n {

template <auto Free>
struct FreeByAddress {  // for FFmpeg's void free(T** object)
  template <typename T>
  void operator()(T* object) const {
    Free(&object);
  }
};
template <auto Free>
struct FreeByValue {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

using FormatPtr = std::unique_ptr<AVFormatContext, FreeByAddress<avformat_close_input>>;
using CodecPtr = std::unique_ptr<AVCodecContext, FreeByAddress<avcodec_free_context>>;
using PacketPtr = std::unique_ptr<AVPacket, FreeByAddress<av_packet_free>>;
using FramePtr = std::unique_ptr<AVFrame, FreeByAddress<av_frame_free>>;
using ScalerPtr = std::unique_ptr<SwsContext, FreeByValue<sws_freeContext>>;

// FFmpeg's text for one of its error codes.
std::string FfmpegError(int code);

// While any of these lives, FFmpeg's log level is "quiet"; the last one puts back what the first
// found. The level is the process's and there is nothing smaller to turn; a program that has set a
// log callback of its own keeps it (there is no way to read a callback back, so none is set here).
class QuietLog {
 public:
  QuietLog();
  ~QuietLog();
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;
};

}  // namespace gemma3n
