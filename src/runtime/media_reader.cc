#include "runtime/media_reader.h"

#include <algorithm>
#include <utility>

#include "chat/placeholders.h"
#include "chat/special_text.h"
#include "media/decode_image.h"
#include "media/source.h"
#include "runtime/media_source.h"
#include "runtime/sound_plan.h"
#include "runtime/video_plan.h"

namespace gemma3n::internal {
namespace {

// Tokens that the delimiters and newlines around a run of soft tokens take.
constexpr int64_t kDelimiters = 4;
// Left for the answer where a video is fitted into the context.
constexpr int64_t kAnswerRoom = 512;
constexpr int64_t kTimeTokens = 8;  // "00:02"
constexpr size_t kMaxImageBytes = size_t{256} << 20;

Status CheckWords(std::span<const Message> messages) {
  const std::string placeholders[] = {std::string(kImageSoftToken), std::string(kAudioSoftToken)};
  const auto found = SpecialTextFinder(placeholders).Find(messages);
  if (found.empty()) return OkStatus();
  const size_t message = found.front().message;
  return Error(StatusCode::kInvalidArgument,
               "message {} ({}): '{}' stands for a medium and cannot be written as words; attach "
               "the medium instead",
               message + 1, messages[message].role, found.front().text);
}

}  // namespace

int64_t MediaReader::ImageCost() const { return config_.tokens.image_soft_tokens + kDelimiters; }
int64_t MediaReader::ClipCost() const { return config_.tokens.audio_soft_tokens + kDelimiters; }

Status MediaReader::Step() {
  ++done_;
  if (options_.on_progress && !options_.on_progress(done_)) {
    return Error(StatusCode::kCancelled, "cancelled while reading the media");
  }
  return OkStatus();
}

Result<std::vector<Message>> MediaReader::Read(std::span<const Message> messages, Prompt* prompt) {
  G3N_RETURN_IF_ERROR(CheckWords(messages));
  for (const Message& message : messages) G3N_RETURN_IF_ERROR(ReadMessage(message));
  G3N_RETURN_IF_ERROR(EncodeClips());
  std::vector<Message> result(messages.begin(), messages.end());
  for (size_t i = 0; i < messages.size(); ++i) {
    result[i].parts.clear();
    for (Place& place : messages_[i]) {
      prompt->notes.insert(prompt->notes.end(), place.plan.notes.begin(), place.plan.notes.end());
      for (PlanItem& item : place.plan.items) {
        switch (item.kind) {
          case PlanItem::Kind::kText:
            result[i].parts.push_back(Part::Text(std::move(item.text)));
            break;
          case PlanItem::Kind::kPicture:
            result[i].parts.push_back(Part::Image({}));
            prompt->images.push_back(std::move(item.soft));
            break;
          case PlanItem::Kind::kClip:
            result[i].parts.push_back(Part::Audio({}));
            prompt->audios.push_back(std::move(item.soft));
            break;
        }
      }
    }
  }
  return result;
}

Status MediaReader::ReadMessage(const Message& message) {
  std::vector<Place>& places = messages_.emplace_back(message.parts.size());
  int64_t videos = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    const Part& part = message.parts[i];
    if (part.kind == Part::Kind::kVideo) {
      ++videos;
    } else {
      G3N_RETURN_IF_ERROR(PlanPart(part, &places[i]));
    }
  }
  // Frames take what the rest of the message leaves, each video as much as the others.
  const int64_t room = (options_.room > 0 ? options_.room : config_.text.max_position);
  for (size_t i = 0; i < places.size(); ++i) {
    const Part& part = message.parts[i];
    if (part.kind != Part::Kind::kVideo) continue;
    const int64_t share = (room - kAnswerRoom - used_) / videos--;
    G3N_RETURN_IF_ERROR(PlanVideo(part, share, &places[i]));
  }
  return OkStatus();
}

Status MediaReader::PlanPart(const Part& part, Place* place) {
  place->source = part.source;
  switch (part.kind) {
    case Part::Kind::kText:
      place->plan.items.push_back({.text = part.text});
      used_ += count_tokens_(part.text);
      return OkStatus();
    case Part::Kind::kImage:
      used_ += ImageCost();
      return PlanImage(part, place);
    case Part::Kind::kAudio:
      G3N_RETURN_IF_ERROR(PlanAudio(part, place));
      used_ += static_cast<int64_t>(place->plan.items.size()) * ClipCost();
      return OkStatus();
    case Part::Kind::kVideo:
      break;  // in ReadMessage
  }
  return OkStatus();
}

Status MediaReader::PlanImage(const Part& part, Place* place) {
  const int64_t size = options_.image_size > 0 ? options_.image_size : config_.vision.image_size;
  const ContentHash key = SourceHash("image", part.source).Add(size).Finish();
  if (!encoder_.FindPlan(key, &place->plan)) {
    G3N_ASSIGN_OR_RETURN(const MediaBytes bytes, MediaBytes::Read(part.source, kMaxImageBytes));
    G3N_ASSIGN_OR_RETURN(const Image image, DecodeImage(bytes.span(), bytes.name()));
    G3N_ASSIGN_OR_RETURN(auto soft, encoder_.EncodePicture(image, size));
    place->plan.items.push_back(
        {.kind = PlanItem::Kind::kPicture, .key = soft->hash, .soft = std::move(soft)});
    encoder_.InsertPlan(key, place->plan);
  }
  return Step();
}

Status MediaReader::PlanAudio(const Part& part, Place* place) {
  const ContentHash key = SourceHash("sound", part.source).Add(options_.audio_window).Finish();
  if (encoder_.FindPlan(key, &place->plan)) return OkStatus();
  G3N_ASSIGN_OR_RETURN(place->plan, PlanSound(part.source, options_.audio_window));
  encoder_.InsertPlan(key, place->plan);
  return OkStatus();
}

Status MediaReader::PlanVideo(const Part& part, int64_t room, Place* place) {
  place->source = part.source;
  const VideoChoices choices = {.size = options_.video_size > 0   ? options_.video_size
                                        : options_.image_size > 0 ? options_.image_size
                                                                  : config_.vision.image_size,
                                .frames_per_second = options_.video_fps,
                                .audio_window = options_.audio_window,
                                .room = room,
                                .frame_cost = ImageCost() + kTimeTokens,
                                .clip_cost = ClipCost()};
  const ContentHash key = choices.Hash(part.source);
  if (!encoder_.FindPlan(key, &place->plan)) {
    G3N_ASSIGN_OR_RETURN(place->plan,
                         PlanVideoFile(part.source, choices, encoder_, [&] { return Step(); }));
    encoder_.InsertPlan(key, place->plan);
  }
  for (const PlanItem& item : place->plan.items) {
    used_ += item.kind == PlanItem::Kind::kPicture ? choices.frame_cost
             : item.kind == PlanItem::Kind::kClip  ? choices.clip_cost
                                                   : 0;
  }
  return OkStatus();
}

Status MediaReader::EncodeClips() {
  int64_t longest = 0;
  for (const std::vector<Place>& places : messages_) {
    for (const Place& place : places) {
      for (const PlanItem& item : place.plan.items) longest = std::max(longest, item.samples);
    }
  }
  for (std::vector<Place>& places : messages_) {
    for (Place& place : places) G3N_RETURN_IF_ERROR(EncodeClipsOf(place, longest));
  }
  return OkStatus();
}

Status MediaReader::EncodeClipsOf(Place& place, int64_t longest) {
  bool is_missing = false;
  for (PlanItem& item : place.plan.items) {
    if (item.kind != PlanItem::Kind::kClip) continue;
    item.soft = encoder_.FindClip(item.key, longest);
    is_missing = is_missing || (item.soft == nullptr && item.audio.empty());
  }
  if (is_missing) {
    // The plan came from the cache, which no longer has the soft tokens (or has them for another
    // longest clip): read the sound again.
    G3N_ASSIGN_OR_RETURN(MediumPlan again, PlanSound(place.source, options_.audio_window));
    size_t next = 0;
    for (PlanItem& item : place.plan.items) {
      if (item.kind != PlanItem::Kind::kClip) continue;
      if (next == again.items.size() || again.items[next].key != item.key) {
        return Error(StatusCode::kIo, "{}: the file changed while it was read",
                     place.source.location);
      }
      item.audio = std::move(again.items[next++].audio);
    }
  }
  for (PlanItem& item : place.plan.items) {
    if (item.kind != PlanItem::Kind::kClip) continue;
    if (item.soft == nullptr) {
      G3N_ASSIGN_OR_RETURN(item.soft, encoder_.EncodeClip(item.key, item.audio, longest));
    }
    std::vector<float>().swap(item.audio);
    G3N_RETURN_IF_ERROR(Step());
  }
  return OkStatus();
}

}  // namespace gemma3n::internal
