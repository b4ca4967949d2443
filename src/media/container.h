// A sound or video file, opened: its streams, and one stream's frames.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "media/byte_stream.h"
#include "media/ffmpeg.h"
#include "media/media_input.h"

namespace gemma3n {

// What FFmpeg's libavformat makes of the bytes. Only these bytes: playlists and whatever else would
// open another file or address are refused, and no protocol is allowed.
class Container {
 public:
  // Errors: those of ByteStream::Open; kCorruptFile for bytes in no known format or with a broken
  // header; kUnsupported for playlists. Pictures of more than max_pixels are not decoded.
  static Result<std::unique_ptr<Container>> Open(const MediaInput& input, int64_t max_pixels);
  // Opens it again at its beginning; decoders of its streams are to be opened anew.
  Status Restart();

  const std::string& name() const { return name_; }
  int64_t size() const { return bytes_->size(); }  // bytes
  AVFormatContext* format() const { return format_.get(); }
  AVStream* stream(int index) const { return format_->streams[index]; }
  // The other streams' packets are not read from now on.
  void ReadOnly(int stream);
  // The stream that a player would choose, or -1. A cover picture is no video.
  int BestStream(AVMediaType type) const;
  // "video (h264), sound (aac)": what there is, for messages.
  std::string Describe() const;

  // The next packet of this stream; false at the end. incomplete() then says whether the file
  // stopped in the middle of its data.
  bool ReadPacket(int stream, AVPacket* packet);
  bool incomplete() const { return incomplete_; }
  // kIo when the operating system refused a read.
  Status ReadStatus() const;

 private:
  Container() = default;
  Status OpenFormat();

  QuietLog quiet_;  // first in, last out: closing may log too
  std::string name_;
  int64_t max_pixels_ = 0;
  std::unique_ptr<ByteStream> bytes_;
  FormatPtr format_;
  bool incomplete_ = false;
};

// The frames of one stream, in the order in which they are shown. Packets that cannot be decoded
// are left out and counted.
class StreamDecoder {
 public:
  // Errors: kUnsupported when there is no decoder, kCorruptFile when it refuses the stream.
  static Result<StreamDecoder> Open(Container* container, int stream, int threads,
                                    int64_t max_pixels);

  // False at the end. Errors: kIo.
  Result<bool> Next(AVFrame* frame);
  // Moves to the key frame that is shown at or last before `pts` (stream units); `landed` is when
  // it is shown. False when no key frame was found there: then only Restart() helps.
  bool Seek(int64_t pts, int64_t* landed);

  int64_t packets() const { return packets_; }
  int64_t bad_packets() const { return bad_packets_; }

 private:
  StreamDecoder() = default;
  bool Feed();

  Container* container_ = nullptr;
  int stream_ = -1;
  CodecPtr codec_;
  PacketPtr packet_;
  bool pending_ = false;   // packet_ is still to be sent
  bool draining_ = false;  // no more packets
  int drain_errors_ = 0;
  int64_t packets_ = 0, bad_packets_ = 0;
};

}  // namespace gemma3n
