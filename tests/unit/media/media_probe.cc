// media_probe audio FILE > SAMPLES    32-bit floats, 16 kHz mono
#include <cstdio>
#include <string>

#include "media/audio.h"

namespace {

int Fail(const gemma3n::Status& status) {
  std::fprintf(stderr, "%s\n", status.message().c_str());
  return 1;
}

int PrintAudio(const std::string& path) {
  const auto audio = gemma3n::DecodeAudio(gemma3n::MediaInput::File(path));
  if (!audio.ok()) return Fail(audio.status());
  if (!audio->warning.empty()) std::fprintf(stderr, "%s\n", audio->warning.c_str());
  std::fwrite(audio->samples.data(), sizeof(float), audio->samples.size(), stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 2 ? argv[1] : "";
  if (mode == "audio" && argc == 3) return PrintAudio(argv[2]);
  return std::fprintf(stderr, "usage: media_probe audio FILE\n"), 2;
}
