// What goes into a prompt: messages made of parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gemma3n {

// Where a picture, a clip or a video lies: a file, a data: URL, or memory.
struct MediaSource {
  std::string location;                                // path or data: URL; with bytes or samples: a name for messages
  std::shared_ptr<const std::vector<std::byte>> bytes;  // the file's content, shared with whoever else keeps it
  std::shared_ptr<const std::vector<float>> samples;    // sound: mono in [-1, 1], 16,000 a second
};

// One piece of a message: words, or a medium that the model reads among the words.
//   kImage  JPEG, PNG, WebP, GIF or BMP; becomes 256 soft tokens
//   kAudio  anything that FFmpeg decodes; 188 soft tokens for each 30 s or part of it
//   kVideo  frames with their times between them, and the sound track beside them
struct Part {
  enum class Kind { kText, kImage, kAudio, kVideo };
  Kind kind = Kind::kText;
  std::string text;    // kText: UTF-8 words
  MediaSource source;  // the other kinds

  static Part Text(std::string words) { return {Kind::kText, std::move(words), {}}; }
  static Part Image(MediaSource source) { return {Kind::kImage, {}, std::move(source)}; }
  static Part Audio(MediaSource source) { return {Kind::kAudio, {}, std::move(source)}; }
  static Part Video(MediaSource source) { return {Kind::kVideo, {}, std::move(source)}; }
};

// One turn of a conversation.
struct Message {
  std::string role;  // "system" (first only), "user", "assistant"; others as the chat template allows
  std::vector<Part> parts;
  bool is_string = true;  // one text part given as a plain string: templates trim such content as a whole

  static Message Text(std::string role, std::string words) {
    return {std::move(role), {Part::Text(std::move(words))}, true};
  }
  static Message Parts(std::string role, std::vector<Part> parts) {
    return {std::move(role), std::move(parts), false};
  }
};

}  // namespace gemma3n
