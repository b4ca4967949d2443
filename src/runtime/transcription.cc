#include "runtime/transcription.h"

#include <memory>
#include <optional>
#include <utility>

#include "base/result.h"

namespace gemma3n {

std::string TranscriptionInstruction(const TranscriptionTask& task) {
  if (!task.translate_to.empty()) {
    return task.language.empty()
               ? fmt::format("Translate the following speech segment into {}.", task.translate_to)
               : fmt::format("Translate the following speech segment from {} into {}.",
                             task.language, task.translate_to);
  }
  if (task.language.empty()) return "Transcribe the following speech segment.";
  return fmt::format("Transcribe the following speech segment in {}.", task.language);
}

Message ClipMessage(std::vector<float> samples, std::string instruction) {
  MediaSource source;
  source.samples = std::make_shared<const std::vector<float>>(std::move(samples));
  return Message::Parts("user",
                        {Part::Audio(std::move(source)), Part::Text(std::move(instruction))});
}

double ClipBegin(const ClipSplitter::Clip& clip) {
  return static_cast<double>(clip.begin) / kAudioRate;
}

double ClipEnd(const ClipSplitter::Clip& clip) {
  return ClipBegin(clip) + static_cast<double>(clip.samples.size()) / kAudioRate;
}

Status ForEachClip(const ReadSamples& read, double window,
                   const std::function<Status(ClipSplitter::Clip)>& take) {
  ClipSplitter splitter(window);
  for (bool more = true; more;) {
    std::vector<float> samples;
    G3N_ASSIGN_OR_RETURN(more, read(&samples));
    splitter.Push(samples);
    while (auto clip = splitter.Next()) G3N_RETURN_IF_ERROR(take(*std::move(clip)));
  }
  if (auto clip = splitter.Finish()) return take(*std::move(clip));
  return OkStatus();
}

}  // namespace gemma3n
