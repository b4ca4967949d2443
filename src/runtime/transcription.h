// Speech to text, clip by clip: what the command and the server share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gemma3n/content.h"
#include "gemma3n/status.h"
#include "media/audio.h"
#include "media/quiet_cut.h"

namespace gemma3n {

// Languages by their names in English; empty where unknown.
struct TranscriptionTask {
  std::string language;      // that is spoken
  std::string translate_to;  // not empty: the text is to be in this one
};

// What is asked beside each clip, in the words that the released models know.
std::string TranscriptionInstruction(const TranscriptionTask& task);

// A user's turn: the clip, then the words.
Message ClipMessage(std::vector<float> samples, std::string instruction);

// Where a clip lies in the sound, in seconds.
double ClipBegin(const ClipSplitter::Clip& clip);
double ClipEnd(const ClipSplitter::Clip& clip);

// Appends the next samples; false when there are no more (AudioReader::Read, ...).
using ReadSamples = std::function<Result<bool>(std::vector<float>* samples)>;

// Reads sound and hands it on in clips of at most `window` seconds, each as soon as it is complete.
// Errors: those of `read` and of `take`, which end it.
Status ForEachClip(const ReadSamples& read, double window,
                   const std::function<Status(ClipSplitter::Clip)>& take);

}  // namespace gemma3n
