#include "media/container.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

namespace gemma3n {
namespace {

// Formats whose content is the names of other files, or a script.
constexpr std::array kRefused = {"hls", "dash", "concat",   "sdp",         "rtsp",  "rtp",
                                 "sap", "imf",  "avisynth", "vapoursynth", "vobsub"};

bool Names(const char* list, std::string_view name) {  // "mov,mp4,m4a": is one of them `name`?
  const std::string_view all(list);
  for (size_t begin = 0; begin <= all.size();) {
    const size_t end = std::min(all.find(',', begin), all.size());
    if (all.substr(begin, end - begin) == name) return true;
    begin = end + 1;
  }
  return false;
}

bool IsRefused(const AVInputFormat* format) {
  return (format->flags & AVFMT_NOFILE) != 0 ||
         std::any_of(kRefused.begin(), kRefused.end(),
                     [&](const char* name) { return Names(format->name, name); });
}

// Whatever a demuxer would open besides the bytes it was given.
int RefuseToOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

// Limits for the decoders that libavformat opens itself, to learn what the header does not say.
Status FindStreams(AVFormatContext* format, const std::string& name, int64_t max_pixels) {
  std::vector<AVDictionary*> options(format->nb_streams, nullptr);
  for (AVDictionary*& o : options) {
    av_dict_set_int(&o, "max_pixels", max_pixels, 0);
    av_dict_set_int(&o, "threads", 1, 0);
  }
  const int code = avformat_find_stream_info(format, options.empty() ? nullptr : options.data());
  for (AVDictionary*& o : options) av_dict_free(&o);
  if (code >= 0) return OkStatus();
  return Error(StatusCode::kCorruptFile, "{}: expected streams of {}, found none to read ({})",
               name, format->iformat->long_name, FfmpegError(code));
}

}  // namespace

Result<std::unique_ptr<Container>> Container::Open(const MediaInput& input, int64_t max_pixels) {
  std::unique_ptr<Container> file(new Container);
  file->name_ = input.name;
  file->max_pixels_ = max_pixels;
  G3N_ASSIGN_OR_RETURN(file->bytes_, ByteStream::Open(input));
  G3N_RETURN_IF_ERROR(file->Restart());
  return file;
}

Status Container::Restart() {
  format_.reset();
  incomplete_ = false;
  const Status status = OpenFormat();
  const Status read = ReadStatus();  // the cause, where there is one
  return read.ok() ? status : read;
}

Status Container::OpenFormat() {
  AVFormatContext* context = avformat_alloc_context();
  if (context != nullptr) context->pb = bytes_->Rewind();
  if (context == nullptr || context->pb == nullptr) {
    avformat_free_context(context);
    return Error(StatusCode::kResourceExhausted, "{}: no memory to read it", name_);
  }
  context->flags |= AVFMT_FLAG_CUSTOM_IO;  // closing it leaves the bytes alone
  format_.reset(context);
  // Probed without a file name: the content says what it is.
  const AVInputFormat* kind = nullptr;
  if (av_probe_input_buffer2(context->pb, &kind, "", nullptr, 0, 0) < 0 || kind == nullptr)
    return Error(StatusCode::kCorruptFile,
                 "{}: expected a sound or video file, found {} bytes in no format that is known",
                 name_, size());
  if (IsRefused(kind))
    return Error(StatusCode::kUnsupported,
                 "{}: expected a sound or video file, found {}, which names others", name_,
                 kind->long_name);
  context->io_open = RefuseToOpen;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "none", 0);
  (void)format_.release();  // a failure frees it
  const int code = avformat_open_input(&context, "", kind, &options);
  av_dict_free(&options);
  if (code < 0)
    return Error(StatusCode::kCorruptFile,
                 "{}: looks like {}, but its header is broken or not all there ({})", name_,
                 kind->long_name, FfmpegError(code));
  format_.reset(context);
  return FindStreams(context, name_, max_pixels_);
}

void Container::ReadOnly(int stream) {
  for (unsigned i = 0; i < format_->nb_streams; ++i)
    if (static_cast<int>(i) != stream) format_->streams[i]->discard = AVDISCARD_ALL;
}

int Container::BestStream(AVMediaType type) const {
  const auto is_cover = [&](int i) {
    return (stream(i)->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
  };
  const int best = av_find_best_stream(format_.get(), type, -1, -1, nullptr, 0);
  if (best < 0 || !is_cover(best)) return std::max(best, -1);
  for (int i = 0; i < static_cast<int>(format_->nb_streams); ++i)
    if (stream(i)->codecpar->codec_type == type && !is_cover(i)) return i;
  return -1;
}

std::string Container::Describe() const {
  std::string text;
  for (unsigned i = 0; i < format_->nb_streams && i < 8; ++i) {
    const AVCodecParameters* p = format_->streams[i]->codecpar;
    const char* kind = "data";
    if (p->codec_type == AVMEDIA_TYPE_AUDIO) kind = "sound";
    if (p->codec_type == AVMEDIA_TYPE_VIDEO) kind = "video";
    if (p->codec_type == AVMEDIA_TYPE_SUBTITLE) kind = "subtitles";
    if ((format_->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) kind = "a cover";
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", kind, avcodec_get_name(p->codec_id));
  }
  return text.empty() ? "no streams" : text;
}

bool Container::ReadPacket(int stream, AVPacket* packet) {
  for (;;) {
    av_packet_unref(packet);
    const int code = av_read_frame(format_.get(), packet);
    if (code < 0) {
      incomplete_ = incomplete_ || code != AVERROR_EOF;
      return false;
    }
    if (packet->stream_index != stream) continue;
    // The bytes ended within it, if nothing follows.
    incomplete_ = (packet->flags & AV_PKT_FLAG_CORRUPT) != 0;
    return true;
  }
}

Status Container::ReadStatus() const {
  if (bytes_->read_error() == 0) return OkStatus();
  return Error(StatusCode::kIo, "{}: cannot read it ({})", name_,
               std::strerror(bytes_->read_error()));
}

Result<StreamDecoder> StreamDecoder::Open(Container* container, int stream, int threads,
                                          int64_t max_pixels) {
  const AVStream* source = container->stream(stream);
  const AVCodec* codec = avcodec_find_decoder(source->codecpar->codec_id);
  if (codec == nullptr)
    return Error(StatusCode::kUnsupported, "{}: FFmpeg has no decoder here for its {}",
                 container->name(), avcodec_get_name(source->codecpar->codec_id));
  StreamDecoder decoder;
  decoder.container_ = container;
  decoder.stream_ = stream;
  decoder.packet_.reset(av_packet_alloc());
  decoder.codec_.reset(avcodec_alloc_context3(codec));
  AVCodecContext* context = decoder.codec_.get();
  if (context == nullptr || decoder.packet_ == nullptr)
    return Error(StatusCode::kResourceExhausted, "{}: no memory to decode it", container->name());
  int code = avcodec_parameters_to_context(context, source->codecpar);
  context->pkt_timebase = source->time_base;
  context->thread_count = threads;
  context->max_pixels = max_pixels;
  if (code >= 0) code = avcodec_open2(context, codec, nullptr);
  if (code < 0)
    return Error(StatusCode::kCorruptFile, "{}: its {} stream cannot be decoded ({})",
                 container->name(), codec->name, FfmpegError(code));
  container->ReadOnly(stream);
  return decoder;
}

// One packet to the decoder, or the news that there are no more; false when that is known already.
bool StreamDecoder::Feed() {
  if (draining_) return ++drain_errors_ < 64;  // each frame still inside may have failed
  if (!pending_ && !container_->ReadPacket(stream_, packet_.get())) {
    draining_ = true;
    avcodec_send_packet(codec_.get(), nullptr);
    return true;
  }
  const int code = avcodec_send_packet(codec_.get(), packet_.get());
  pending_ = code == AVERROR(EAGAIN);
  if (pending_) return true;
  ++packets_;
  if (code < 0) ++bad_packets_;
  return true;
}

Result<bool> StreamDecoder::Next(AVFrame* frame) {
  for (;;) {
    av_frame_unref(frame);
    const int code = avcodec_receive_frame(codec_.get(), frame);
    if (code >= 0) return true;
    if (code != AVERROR(EAGAIN) && code != AVERROR_EOF) ++bad_packets_;
    if (code == AVERROR_EOF || !Feed()) {
      G3N_RETURN_IF_ERROR(container_->ReadStatus());
      return false;
    }
  }
}

bool StreamDecoder::Seek(int64_t pts, int64_t* landed) {
  if (av_seek_frame(container_->format(), stream_, pts, AVSEEK_FLAG_BACKWARD) < 0) return false;
  avcodec_flush_buffers(codec_.get());
  draining_ = false;
  if (!container_->ReadPacket(stream_, packet_.get())) return false;
  pending_ = true;
  *landed = packet_->pts;
  return (packet_->flags & AV_PKT_FLAG_KEY) != 0 && packet_->pts != AV_NOPTS_VALUE;
}

}  // namespace gemma3n
