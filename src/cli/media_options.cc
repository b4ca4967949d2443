#include "cli/media_options.h"

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <utility>

#include "cli/help.h"
#include "cli/interrupt.h"

namespace gemma3n::cli {
namespace {

constexpr const char* kGroup = "Media (read before the words, in the order given)";

CLI::Option* AddFiles(CLI::App& app, const char* name, std::vector<std::string>& files,
                      const char* help) {
  return app.add_option(name, files, help)
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->group(kGroup);
}

CLI::Option* AddSize(CLI::App& app, const char* name, int64_t& size, const char* help) {
  return app.add_option(name, size, help)
      ->type_name("256|512|768")
      ->transform(OneOf({{"256", 256}, {"512", 512}, {"768", 768}}))
      ->group(kGroup);
}

}  // namespace

Part FilePart(Part::Kind kind, std::string location) {
  Part part;
  part.kind = kind;
  part.source.location = std::move(location);
  return part;
}

void AddMediaReading(CLI::App& app, MediaFlags& flags) {
  AddSize(app, "--image-size", flags.how.image_size,
          "Pixels a side that pictures are scaled to (default: the checkpoint's own)");
  AddSize(app, "--video-size", flags.how.video_size,
          "The same for the frames of videos (default: as --image-size)");
  app.add_option("--video-fps", flags.how.video_fps,
                 "Frames of a video read each second (default 1); fewer where they would not fit")
      ->type_name("F")
      ->check(NumberBetween(0.001, 60, false))
      ->group(kGroup);
  app.add_option("--audio-window", flags.how.audio_window,
                 "Longest clip in seconds (default 30, the model's limit): longer sound is split "
                 "at quiet places")
      ->type_name("S")
      ->check(NumberBetween(1, 30, false))
      ->group(kGroup);
}

void AddMediaOptions(CLI::App& app, MediaFlags& flags, MediaKinds kinds) {
  std::map<CLI::Option*, Part::Kind> options;
  options[AddFiles(app, "--image", flags.images, "A picture: JPEG, PNG, WebP, GIF or BMP")] =
      Part::Kind::kImage;
  options[AddFiles(app, "--audio", flags.audios, "Sound: WAV, FLAC, MP3, Opus, M4A, ...")] =
      Part::Kind::kAudio;
  if (kinds == MediaKinds::kAll) {
    options[AddFiles(app, "--video", flags.videos,
                     "A video, with its sound: MP4, MKV, WebM, MOV, ...")] = Part::Kind::kVideo;
  }
  AddMediaReading(app, flags);
  app.parse_complete_callback([&app, &flags, options] {
    std::map<const CLI::Option*, size_t> next;
    flags.parts.clear();
    for (const CLI::Option* option : app.parse_order()) {
      const auto found = options.find(const_cast<CLI::Option*>(option));
      if (found == options.end()) continue;
      flags.parts.push_back(FilePart(found->second, option->results().at(next[option]++)));
    }
  });
}

MediaOptions Reading(const MediaFlags& flags, int64_t room, Progress& progress) {
  MediaOptions media = flags.how;
  media.room = room;
  media.on_progress = [&progress](int64_t done) {
    progress.Count(done, 0);
    return !Interrupted();
  };
  return media;
}

Message UserMessage(std::vector<Part> media, std::string words) {
  if (media.empty()) return Message::Text("user", std::move(words));
  if (!words.empty()) media.push_back(Part::Text(std::move(words)));
  return Message::Parts("user", std::move(media));
}

void PrintNotes(const Prompt& prompt) {
  for (const std::string& note : prompt.notes) fmt::print(stderr, "gemma3n: {}\n", note);
}

}  // namespace gemma3n::cli
