#include "media/audio.h"

#include <algorithm>
#include <optional>

#include "media/container.h"
#include "media/mono.h"
#include "media/resampler.h"

namespace gemma3n {

struct AudioReader::State {
  AudioLimits limits;
  std::unique_ptr<Container> file;
  std::optional<StreamDecoder> decoder;
  FramePtr frame;
  int rate = 0;  // of the frames so far
  std::optional<Resampler> resampler;
  std::vector<float> mono;
  int64_t made = 0;      // samples handed out
  double promised = -1;  // seconds by the header, where it does not guess
  bool done = false;
  std::string warning;

  Status Convert(std::vector<float>* out);
  Status Finish(std::vector<float>* out);
  std::string Shortcomings() const;
};

namespace {

constexpr int64_t kCoverPixels = 1 << 24;  // libavformat looks at cover pictures too

// Seconds that the container states, or -1 where it would be a guess from the bit rate.
double PromisedSeconds(const Container& file, int stream) {
  const AVFormatContext* format = file.format();
  if (format->duration_estimation_method == AVFMT_DURATION_FROM_BITRATE) return -1;
  const AVStream* s = file.stream(stream);
  if (s->duration != AV_NOPTS_VALUE) return static_cast<double>(s->duration) * av_q2d(s->time_base);
  return -1;
}

}  // namespace

AudioReader::AudioReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
AudioReader::AudioReader(AudioReader&&) noexcept = default;
AudioReader& AudioReader::operator=(AudioReader&&) noexcept = default;
AudioReader::~AudioReader() = default;
const std::string& AudioReader::warning() const { return state_->warning; }

Result<AudioReader> AudioReader::Open(const MediaInput& input, const AudioLimits& limits) {
  auto state = std::make_unique<State>();
  state->limits = limits;
  G3N_ASSIGN_OR_RETURN(state->file, Container::Open(input, kCoverPixels));
  const int stream = state->file->BestStream(AVMEDIA_TYPE_AUDIO);
  if (stream < 0)
    return Error(StatusCode::kUnsupported, "{}: expected sound, found {} without any", input.name,
                 state->file->Describe());
  G3N_ASSIGN_OR_RETURN(state->decoder,
                       StreamDecoder::Open(state->file.get(), stream, 1, kCoverPixels));
  state->frame.reset(av_frame_alloc());
  if (state->frame == nullptr)
    return Error(StatusCode::kResourceExhausted, "{}: no memory to decode it", input.name);
  state->promised = PromisedSeconds(*state->file, stream);
  return AudioReader(std::move(state));
}

// One frame through the resampler. The rate may change between frames: what the old one still owes
// comes first.
Status AudioReader::State::Convert(std::vector<float>* out) {
  const int channels = frame->ch_layout.nb_channels;
  if (frame->sample_rate < 1 || frame->sample_rate > limits.max_rate || channels < 1 ||
      channels > limits.max_channels || frame->nb_samples < 0) {
    return Error(StatusCode::kUnsupported,
                 "{}: found {} channels at {} Hz, expected at most {} at up to {} Hz", file->name(),
                 channels, frame->sample_rate, limits.max_channels, limits.max_rate);
  }
  if (frame->sample_rate != rate) {
    if (resampler) G3N_RETURN_IF_ERROR(resampler->Finish(out));
    rate = frame->sample_rate;
    G3N_ASSIGN_OR_RETURN(resampler, Resampler::Create(rate, kAudioRate));
  }
  // Before any of it is made: a low rate turns few samples into many.
  const double coming = static_cast<double>(frame->nb_samples) / rate;
  if (static_cast<double>(made) / kAudioRate + coming > limits.max_seconds)
    return Error(StatusCode::kResourceExhausted, "{}: more than the limit of {} seconds of sound",
                 file->name(), limits.max_seconds);
  mono.clear();
  if (!AppendMono(*frame, &mono))
    return Error(StatusCode::kUnsupported, "{}: found samples in a format that is not known",
                 file->name());
  return resampler->Push(mono, out);
}

Status AudioReader::State::Finish(std::vector<float>* out) {
  done = true;
  if (!resampler)
    return Error(StatusCode::kCorruptFile,
                 "{}: expected sound, but none of its {} packets could be decoded", file->name(),
                 decoder->packets());
  return resampler->Finish(out);
}

std::string AudioReader::State::Shortcomings() const {
  const double got = static_cast<double>(made) / kAudioRate;
  if (promised > 0 && got < promised - std::max(0.25, 0.02 * promised))
    return OneLine(fmt::format("{}: holds {:.1f} seconds of sound, its header promises {:.1f}",
                               file->name(), got, promised));
  if (decoder->bad_packets() > 0)
    return OneLine(fmt::format("{}: {} of {} packets of sound could not be decoded", file->name(),
                               decoder->bad_packets(), decoder->packets()));
  if (file->incomplete())
    return OneLine(fmt::format("{}: stops in the middle of its data, after {:.1f} seconds of sound",
                               file->name(), got));
  return {};
}

Result<bool> AudioReader::Read(std::vector<float>* samples) {
  State& s = *state_;
  if (s.done) return false;
  const size_t before = samples->size();
  while (!s.done && samples->size() == before) {
    G3N_ASSIGN_OR_RETURN(const bool more, s.decoder->Next(s.frame.get()));
    G3N_RETURN_IF_ERROR(more ? s.Convert(samples) : s.Finish(samples));
  }
  for (size_t i = before; i < samples->size(); ++i)
    (*samples)[i] = std::clamp((*samples)[i], -1.0f, 1.0f);
  s.made += static_cast<int64_t>(samples->size() - before);
  if (s.done) s.warning = s.Shortcomings();
  return samples->size() > before;
}

Result<Audio> DecodeAudio(const MediaInput& input, const AudioLimits& limits) {
  G3N_ASSIGN_OR_RETURN(AudioReader reader, AudioReader::Open(input, limits));
  Audio audio;
  for (bool more = true; more;) {
    G3N_ASSIGN_OR_RETURN(more, reader.Read(&audio.samples));
  }
  audio.warning = reader.warning();
  return audio;
}

}  // namespace gemma3n
