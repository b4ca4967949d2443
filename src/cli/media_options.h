// The options that bring pictures, sound and video into a prompt, and how they are read.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/terminal.h"
#include "gemma3n/engine.h"
#include "gemma3n/options.h"

namespace gemma3n::cli {

struct MediaFlags {
  std::vector<std::string> images, audios, videos;  // in the order of each option
  MediaOptions how;
  // The same across options, as typed: filled when the command line is parsed.
  std::vector<Part> parts;
};

enum class MediaKinds { kAll, kNoVideo };

// --image, --audio and --video, which may be repeated and mixed; and AddMediaReading's.
void AddMediaOptions(CLI::App& app, MediaFlags& flags, MediaKinds kinds = MediaKinds::kAll);
// --image-size, --video-size, --video-fps, --audio-window.
void AddMediaReading(CLI::App& app, MediaFlags& flags);

// A path, or a data: URL, as a part of a message.
Part FilePart(Part::Kind kind, std::string location);

// How the media of a prompt are read with these flags, into at most `room` tokens (0: the model's
// context), shown by `progress` and ended by an interruption.
MediaOptions Reading(const MediaFlags& flags, int64_t room, Progress& progress);

// A user's message: the media, then the words.
Message UserMessage(std::vector<Part> media, std::string words);

// What the reader of a prompt should know, on stderr.
void PrintNotes(const Prompt& prompt);

}  // namespace gemma3n::cli
