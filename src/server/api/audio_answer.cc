#include "server/api/audio_answer.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "formats/json.h"
#include "runtime/subtitles.h"
#include "server/api/openai_logprobs.h"

namespace gemma3n::server {
namespace {

constexpr char kPlain[] = "text/plain; charset=utf-8";

std::string Joined(const std::vector<TranscribedClip>& clips) {
  std::string text;
  for (const TranscribedClip& clip : clips) text += Continuation(text, clip.text);
  return text;
}

TranscriptBody Subtitles(TranscriptFormat format, const char* content_type,
                         const std::vector<TranscribedClip>& clips) {
  std::string text = TranscriptHeader(format);
  int number = 0;
  for (const TranscribedClip& clip : clips) {
    text += TranscriptEntry(format, ++number, clip.begin, clip.end, clip.text);
  }
  return {content_type, std::move(text)};
}

// The mean over the tokens; 0 where there are none.
double MeanLogprob(const GenerationResult& result) {
  double sum = 0;
  for (const TokenLogprob& token : result.logprobs) sum += FiniteLogprob(token.logprob);
  return result.logprobs.empty() ? 0 : sum / static_cast<double>(result.logprobs.size());
}

// To the millisecond.
double Seconds(double seconds) { return std::round(seconds * 1000) / 1000; }

// The numbers that only Whisper has are those of an unsuspicious segment.
Json SegmentJson(const AudioRequest& request, const TranscribedClip& clip, size_t id) {
  return {{"id", id},
          {"seek", static_cast<int64_t>(clip.begin * 100)},
          {"start", Seconds(clip.begin)},
          {"end", Seconds(clip.end)},
          {"text", clip.text},
          {"tokens", clip.result.tokens},
          {"temperature", ShortestDecimal(request.temperature)},
          {"avg_logprob", MeanLogprob(clip.result)},
          {"compression_ratio", 1.0},
          {"no_speech_prob", 0.0}};
}

std::string LowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

Json VerboseJson(const AudioRequest& request, const std::vector<TranscribedClip>& clips) {
  const bool translates = !request.task.translate_to.empty();
  const double duration = clips.empty() ? 0 : Seconds(clips.back().end);
  Json segments = Json::array();
  for (const TranscribedClip& clip : clips) {
    segments.push_back(SegmentJson(request, clip, segments.size()));
  }
  return {{"task", translates ? "translate" : "transcribe"},
          {"language", LowerCase(translates ? request.task.translate_to : request.task.language)},
          {"duration", duration},
          {"text", Joined(clips)},
          {"segments", std::move(segments)},
          {"usage", {{"type", "duration"}, {"seconds", std::ceil(duration)}}}};
}

Json UsageJson(const Usage& usage) {
  return {{"type", "tokens"},
          {"input_tokens", usage.prompt_tokens},
          {"output_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
}

void AddLogprobsAndUsage(const Engine& engine, const AudioRequest& request,
                         const std::vector<TranscribedClip>& clips, const Usage& usage,
                         Json* json) {
  if (request.logprobs) {
    Json list = Json::array();
    for (const TranscribedClip& clip : clips) {
      for (const TokenLogprob& token : clip.result.logprobs) {
        list.push_back(LogprobEntry(engine, token.token, token.logprob, {}, 0));
        list.back().erase("top_logprobs");
      }
    }
    (*json)["logprobs"] = std::move(list);
  }
  (*json)["usage"] = UsageJson(usage);
}

}  // namespace

std::string Continuation(std::string_view text, std::string_view next) {
  const size_t begin = next.find_first_not_of(" \n");
  if (begin == next.npos) return {};
  const bool apart = text.empty() || text.back() == ' ' || text.back() == '\n';
  std::string words(next.substr(begin));
  if (!apart) words.insert(0, 1, ' ');
  return words;
}

TranscriptBody Transcript(const Engine& engine, const AudioRequest& request,
                          const std::vector<TranscribedClip>& clips, const Usage& usage) {
  switch (request.format) {
    case AudioFormat::kText:
      return {kPlain, Joined(clips) + "\n"};
    case AudioFormat::kSrt:
      return Subtitles(TranscriptFormat::kSrt, "application/x-subrip; charset=utf-8", clips);
    case AudioFormat::kVtt:
      return Subtitles(TranscriptFormat::kVtt, "text/vtt; charset=utf-8", clips);
    case AudioFormat::kVerboseJson:
      return {"application/json", DumpOrderedJson(VerboseJson(request, clips))};
    case AudioFormat::kJson:
      break;
  }
  Json json = {{"text", Joined(clips)}};
  AddLogprobsAndUsage(engine, request, clips, usage, &json);
  return {"application/json", DumpOrderedJson(json)};
}

std::string TranscriptDelta(std::string_view text) {
  return DumpOrderedJson({{"type", "transcript.text.delta"}, {"delta", text}});
}

std::string TranscriptDone(const Engine& engine, const AudioRequest& request,
                           const std::vector<TranscribedClip>& clips, std::string_view text,
                           const Usage& usage) {
  Json json = {{"type", "transcript.text.done"}, {"text", text}};
  AddLogprobsAndUsage(engine, request, clips, usage, &json);
  return DumpOrderedJson(json);
}

}  // namespace gemma3n::server
