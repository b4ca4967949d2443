#include "media/video_index.h"

#include <algorithm>

namespace gemma3n {
namespace {

constexpr int64_t kKeyFrameGap = 16;  // packets; seeking a shorter way saves nothing

double NominalFrameSeconds(const Container& container, int stream) {
  AVStream* s = container.stream(stream);
  const AVRational rate = av_guess_frame_rate(container.format(), s, nullptr);
  const double seconds = rate.num > 0 && rate.den > 0 ? av_q2d(av_inv_q(rate)) : 0;
  return seconds > 1e-4 && seconds < 1e4 ? seconds : 0.04;
}

}  // namespace

Result<VideoIndex> VideoIndex::Scan(Container* container, int stream) {
  VideoIndex index;
  index.frame_seconds = NominalFrameSeconds(*container, stream);
  const AVRational unit = container->stream(stream)->time_base;
  container->ReadOnly(stream);
  const PacketPtr packet(av_packet_alloc());
  if (packet == nullptr)
    return Error(StatusCode::kResourceExhausted, "{}: no memory to read it", container->name());
  int64_t number = 0, last = 0, last_duration = 0;
  // Every packet takes at least a byte of the file: no header makes this loop longer.
  while (number <= container->size() && container->ReadPacket(stream, packet.get())) {
    const AVPacket& p = *packet;
    const bool hidden = (p.flags & AV_PKT_FLAG_DISCARD) != 0;
    ++number;
    if (p.pts == AV_NOPTS_VALUE) index.timed = false;
    if (!hidden && index.timed) {
      if (index.packets == 0 || p.pts < index.first) index.first = p.pts;
      if (index.packets == 0 || p.pts >= last) {
        last = p.pts;
        last_duration = p.duration;
      }
    }
    if (!hidden) ++index.packets;
    if (!index.timed || (p.flags & AV_PKT_FLAG_KEY) == 0) continue;
    if (index.key_frames.empty() || (number - index.key_frames.back().packet >= kKeyFrameGap &&
                                     p.pts > index.key_frames.back().pts))
      index.key_frames.push_back({p.pts, number});
  }
  G3N_RETURN_IF_ERROR(container->ReadStatus());
  if (index.packets == 0)
    return Error(StatusCode::kCorruptFile, "{}: its video stream ({}) holds no frames",
                 container->name(),
                 avcodec_get_name(container->stream(stream)->codecpar->codec_id));
  if (index.timed) {
    const double end =
        last_duration > 0 ? static_cast<double>(last_duration) * av_q2d(unit) : index.frame_seconds;
    index.seconds =
        (static_cast<double>(last) - static_cast<double>(index.first)) * av_q2d(unit) + end;
  } else {
    index.key_frames.clear();
    index.seconds = static_cast<double>(index.packets) * index.frame_seconds;
  }
  return index;
}

const VideoIndex::KeyFrame* VideoIndex::Before(double moment, const AVRational& unit) const {
  const double pts = static_cast<double>(first) + moment / av_q2d(unit);
  const auto after = std::upper_bound(
      key_frames.begin(), key_frames.end(), pts,
      [](double t, const KeyFrame& key) { return t < static_cast<double>(key.pts); });
  return after == key_frames.begin() ? nullptr : &*std::prev(after);
}

}  // namespace gemma3n
