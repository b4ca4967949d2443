#include "media/video.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "media/container.h"
#include "media/frame_to_image.h"
#include "media/video_index.h"

namespace gemma3n {
namespace {

constexpr double kSameTime = 1e-6;  // seconds; timestamps are rounded to their units
constexpr int64_t kPacketsWorthASeek = 16;

// Where a seek lands on the key frame that was asked for; elsewhere it is by guesses at positions.
bool SeeksByIndex(const Container& file) {
  const char* name = file.format()->iformat->name;
  return std::strstr(name, "mp4") != nullptr || std::strstr(name, "matroska") != nullptr;
}

Orientation StreamOrientation(const AVStream* stream) {
  const uint8_t* matrix = nullptr;
  size_t size = 0;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
  const AVPacketSideData* data =
      av_packet_side_data_get(stream->codecpar->coded_side_data,
                              stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  if (data != nullptr) matrix = data->data, size = data->size;
#else
  matrix = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
  if (matrix == nullptr || size < 9 * sizeof(int32_t)) return {};
  return Orientation::FromDisplayMatrix(reinterpret_cast<const int32_t*>(matrix));
}

// How many of 0, 1 / rate, 2 / rate, ... lie within the video, and which of them max_frames leaves.
void PlanFrames(const VideoOptions& options, VideoInfo* info) {
  const double count = std::ceil((info->seconds - kSameTime) * options.frames_per_second);
  info->possible_frames = static_cast<int64_t>(std::clamp(count, 1.0, 1e15));
  info->frames = std::min(info->possible_frames, options.max_frames);
  info->interval = 1 / options.frames_per_second;
  if (info->thinned())
    info->interval *=
        static_cast<double>(info->possible_frames) / static_cast<double>(info->frames);
}

}  // namespace

struct VideoReader::State {
  VideoOptions options;
  VideoInfo info;
  std::unique_ptr<Container> file;
  int stream = -1;
  VideoIndex index;
  std::optional<StreamDecoder> decoder;
  std::optional<FrameConverter> converter;
  FramePtr shown, ahead, scratch;  // the frame on show, the one after it, the one being decoded
  double shown_at = 0, ahead_at = 0;
  bool has_shown = false, has_ahead = false, ended = false;
  bool can_seek = false;
  int64_t skipped = 0;                // packets that seeks have jumped over
  int64_t decoded = 0;                // frames, counted where they have no times
  std::optional<int64_t> not_before;  // after a seek: earlier frames lack what they refer to
  bool landing = false;  // the next frame must be the whole picture that a seek went for
  int64_t delivered = 0;

  Status Start();
  Status ShowAt(double seconds);
  Status SeekTowards(double seconds);
  double TimeOf(const AVFrame& frame);
};

VideoReader::VideoReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;
VideoReader::~VideoReader() = default;
const VideoInfo& VideoReader::info() const { return state_->info; }

void VideoReader::Limit(int64_t max_frames) {
  state_->options.max_frames = max_frames;
  PlanFrames(state_->options, &state_->info);
}

Result<VideoReader> VideoReader::Open(const MediaInput& input, const VideoOptions& options) {
  if (!(options.frames_per_second > 0 && options.frames_per_second <= 1000) ||
      options.max_frames < 1 || options.max_pixels < 1 || options.threads < 0) {
    return Error(StatusCode::kInvalidArgument,
                 "video options: expected a rate in (0, 1000] and at least 1 frame of at least 1 "
                 "pixel, found {} frames a second, {} frames of {} pixels",
                 options.frames_per_second, options.max_frames, options.max_pixels);
  }
  auto state = std::make_unique<State>();
  State& s = *state;
  s.options = options;
  G3N_ASSIGN_OR_RETURN(s.file, Container::Open(input, options.max_pixels));
  s.stream = s.file->BestStream(AVMEDIA_TYPE_VIDEO);
  if (s.stream < 0)
    return Error(StatusCode::kUnsupported, "{}: expected a video, found {} without any pictures",
                 input.name, s.file->Describe());
  const AVCodecParameters* coded = s.file->stream(s.stream)->codecpar;
  s.info.width = coded->width;
  s.info.height = coded->height;
  if (s.info.width * s.info.height > options.max_pixels)
    return Error(StatusCode::kUnsupported,
                 "{}: found frames of {} x {}, expected at most {} pixels", input.name,
                 s.info.width, s.info.height, options.max_pixels);
  s.info.has_audio = s.file->BestStream(AVMEDIA_TYPE_AUDIO) >= 0;
  s.converter.emplace(StreamOrientation(s.file->stream(s.stream)));
  s.can_seek = SeeksByIndex(*s.file);
  G3N_ASSIGN_OR_RETURN(s.index, VideoIndex::Scan(s.file.get(), s.stream));
  s.info.seconds = s.index.seconds;
  PlanFrames(options, &s.info);
  for (FramePtr* frame : {&s.shown, &s.ahead, &s.scratch}) {
    frame->reset(av_frame_alloc());
    if (*frame == nullptr)
      return Error(StatusCode::kResourceExhausted, "{}: no memory to decode it", input.name);
  }
  G3N_RETURN_IF_ERROR(s.Start());
  return VideoReader(std::move(state));
}

// Decoding from the file's beginning.
Status VideoReader::State::Start() {
  decoder.reset();
  G3N_RETURN_IF_ERROR(file->Restart());
  if (stream >= static_cast<int>(file->format()->nb_streams))
    return Error(StatusCode::kCorruptFile, "{}: its video stream is not found a second time",
                 file->name());
  int threads = options.threads;
  if (threads == 0)
    threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 8u));
  G3N_ASSIGN_OR_RETURN(decoder,
                       StreamDecoder::Open(file.get(), stream, threads, options.max_pixels));
  has_shown = has_ahead = ended = false;
  not_before.reset();
  landing = false;
  skipped = decoded = 0;
  return OkStatus();
}

double VideoReader::State::TimeOf(const AVFrame& frame) {
  if (!index.timed) return static_cast<double>(decoded++) * index.frame_seconds;
  if (frame.best_effort_timestamp == AV_NOPTS_VALUE) return has_shown ? shown_at : 0;
  return (static_cast<double>(frame.best_effort_timestamp) - static_cast<double>(index.first)) *
         av_q2d(file->stream(stream)->time_base);
}

// Jumps ahead when a key frame lies well beyond what has been decoded, and never past the frame
// that is wanted: what is shown at any moment was coded after the last key frame shown before it.
// Where the jump does not end on that key frame, or it turns out to be no whole picture (H.264's
// gradual refresh), decoding starts over and goes through everything: slower, the same frames.
Status VideoReader::State::SeekTowards(double seconds) {
  if (!can_seek) return OkStatus();
  const VideoIndex::KeyFrame* key =
      index.Before(seconds + kSameTime, file->stream(stream)->time_base);
  const int64_t position = skipped + decoder->packets();
  if (key == nullptr || key->packet < position + kPacketsWorthASeek) return OkStatus();
  int64_t landed = 0;
  const bool found = decoder->Seek(key->pts, &landed);
  can_seek = found && landed == key->pts;
  if (!can_seek) return Start();
  skipped = key->packet - 1 - decoder->packets();
  not_before = landed;
  landing = true;
  has_ahead = ended = false;
  return OkStatus();
}

// Decodes until `shown` is the last frame that comes on at or before this moment.
Status VideoReader::State::ShowAt(double seconds) {
  if (!has_ahead || ahead_at <= seconds + kSameTime) G3N_RETURN_IF_ERROR(SeekTowards(seconds));
  for (;;) {
    if (has_ahead) {
      if (has_shown && ahead_at > seconds + kSameTime) return OkStatus();
      std::swap(shown, ahead);
      shown_at = ahead_at;
      has_shown = true;
      has_ahead = false;
    }
    if (ended) break;
    G3N_ASSIGN_OR_RETURN(const bool more, decoder->Next(scratch.get()));
    ended = !more;
    const int64_t pts = scratch->best_effort_timestamp;
    if (!ended && not_before && pts != AV_NOPTS_VALUE && pts < *not_before) continue;
    if (landing) {
      landing = false;
      can_seek =
          can_seek && !ended && pts == *not_before && scratch->pict_type == AV_PICTURE_TYPE_I;
      if (!can_seek) {
        G3N_RETURN_IF_ERROR(Start());
        continue;
      }
    }
    if (ended) continue;
    std::swap(ahead, scratch);
    ahead_at = TimeOf(*ahead);
    has_ahead = true;
  }
  if (has_shown) return OkStatus();
  return Error(StatusCode::kCorruptFile,
               "{}: expected video frames, but none of its {} packets could be decoded",
               file->name(), index.packets);
}

Result<std::optional<VideoFrame>> VideoReader::Next() {
  State& s = *state_;
  if (s.delivered == s.info.frames) return std::optional<VideoFrame>();
  VideoFrame frame;
  frame.seconds = static_cast<double>(s.delivered) * s.info.interval;
  G3N_RETURN_IF_ERROR(s.ShowAt(frame.seconds));
  auto image = s.converter->Convert(*s.shown);
  if (!image.ok()) return image.status().WithContext(s.file->name());
  frame.image = std::move(image).value();
  frame.shown_at = s.shown_at;
  ++s.delivered;
  return std::optional<VideoFrame>(std::move(frame));
}

}  // namespace gemma3n
