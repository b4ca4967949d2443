// media_probe audio FILE > SAMPLES            32-bit floats, 16 kHz mono
// media_probe video FILE RATE MAX > PIXELS    RGB of each frame; a line about each on stderr
#include <cstdio>
#include <cstdlib>
#include <string>

#include "media/audio.h"
#include "media/video.h"

namespace {

using gemma3n::MediaInput;

int Fail(const gemma3n::Status& status) {
  std::fprintf(stderr, "%s\n", status.message().c_str());
  return 1;
}

int PrintAudio(const std::string& path) {
  const auto audio = gemma3n::DecodeAudio(MediaInput::File(path));
  if (!audio.ok()) return Fail(audio.status());
  if (!audio->warning.empty()) std::fprintf(stderr, "%s\n", audio->warning.c_str());
  std::fwrite(audio->samples.data(), sizeof(float), audio->samples.size(), stdout);
  return 0;
}

int PrintVideo(const std::string& path, const gemma3n::VideoOptions& options) {
  auto reader = gemma3n::VideoReader::Open(MediaInput::File(path), options);
  if (!reader.ok()) return Fail(reader.status());
  const gemma3n::VideoInfo& info = reader->info();
  std::fprintf(stderr, "{\"seconds\": %.6f, \"possible\": %ld, \"frames\": %ld, \"audio\": %d}\n",
               info.seconds, info.possible_frames, info.frames, info.has_audio);
  for (;;) {
    auto next = reader->Next();
    if (!next.ok()) return Fail(next.status());
    if (!next->has_value()) return 0;
    const gemma3n::VideoFrame& frame = **next;
    std::fprintf(stderr,
                 "{\"seconds\": %.6f, \"shown_at\": %.6f, \"width\": %ld, \"height\": %ld}\n",
                 frame.seconds, frame.shown_at, frame.image.width, frame.image.height);
    std::fwrite(frame.image.rgb.data(), 1, frame.image.rgb.size(), stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 2 ? argv[1] : "";
  if (mode == "audio" && argc == 3) return PrintAudio(argv[2]);
  if (mode == "video" && argc == 5)
    return PrintVideo(argv[2],
                      {.frames_per_second = std::atof(argv[3]), .max_frames = std::atol(argv[4])});
  return std::fprintf(stderr, "usage: media_probe audio FILE | video FILE RATE MAX\n"), 2;
}
