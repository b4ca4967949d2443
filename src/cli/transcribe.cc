// gemma3n transcribe: speech to text, clip by clip, from a file or as it arrives.
#include <unistd.h>

#include <memory>
#include <utility>

#include "cli/command.h"
#include "cli/generation_flags.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/media_options.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "media/audio.h"
#include "media/pcm_stream.h"
#include "media/quiet_cut.h"
#include "runtime/subtitles.h"
#include "runtime/transcription.h"

namespace gemma3n::cli {
namespace {

struct TranscribeOptions {
  ModelOptions model;
  std::string file, prompt;
  TranscriptionTask task;
  TranscriptFormat format = TranscriptFormat::kText;
  double window = 0;  // 0: the model's 30 s for a file, 10 s live
  int64_t max_tokens = 512;
};

constexpr double kLiveWindowSeconds = 10;

class Transcriber {
 public:
  Transcriber(const Engine& engine, Session& session, const TranscribeOptions& options)
      : engine_(engine),
        session_(session),
        options_(options),
        instruction_(options.prompt.empty() ? TranscriptionInstruction(options.task)
                                            : options.prompt) {
    generation_.temperature = 0;
    generation_.max_tokens = options.max_tokens;
  }

  Status Take(ClipSplitter::Clip clip) {
    const double begin = ClipBegin(clip), end = ClipEnd(clip);
    const Message message = ClipMessage(std::move(clip.samples), instruction_);
    MediaOptions media;
    media.room = session_.context();
    G3N_ASSIGN_OR_RETURN(const Prompt prompt, engine_.ChatPrompt({&message, 1}, media));

    Status written;
    const bool streams = options_.format == TranscriptFormat::kText;
    if (number_ == 0) written = WriteStdout(TranscriptHeader(options_.format));
    const auto on_token = [&](const TokenEvent& event) {
      if (streams && written.ok()) written = WriteStdout(event.text);
      return written.ok() && !Interrupted();
    };
    const auto on_prefill = [](int64_t, int64_t) { return !Interrupted(); };
    G3N_ASSIGN_OR_RETURN(const auto result,
                         session_.Generate(prompt, generation_, on_token, on_prefill));
    G3N_RETURN_IF_ERROR(written);
    ++number_;
    return WriteStdout(
        streams ? "\n" : TranscriptEntry(options_.format, number_, begin, end, result.text));
  }

 private:
  const Engine& engine_;
  Session& session_;
  const TranscribeOptions& options_;
  std::string instruction_;
  GenerationOptions generation_;
  int number_ = 0;  // clips done
};

// Reads on while clips are finished; what is left when the sound ends is the last one.
Status TranscribeStream(const ReadSamples& read, double window, Transcriber& transcriber) {
  const Status interrupted(StatusCode::kCancelled, "interrupted");
  const auto read_on = [&](std::vector<float>* samples) -> Result<bool> {
    auto more = read(samples);
    return Interrupted() ? Result<bool>(interrupted) : more;
  };
  const Status status = ForEachClip(
      read_on, window, [&](ClipSplitter::Clip clip) { return transcriber.Take(std::move(clip)); });
  return Interrupted() ? interrupted : status;
}

Status Run(const TranscribeOptions& options) {
  G3N_ASSIGN_OR_RETURN(const auto engine, LoadEngine(options.model));
  G3N_ASSIGN_OR_RETURN(const auto session, OpenSession(*engine, options.model));
  const FinishingScope finishing;
  Transcriber transcriber(*engine, *session, options);
  if (options.file == "-") {
    Pcm16Stream stream(STDIN_FILENO, "standard input");
    const auto read = [&](std::vector<float>* samples) { return stream.Read(samples); };
    return TranscribeStream(read, options.window > 0 ? options.window : kLiveWindowSeconds,
                            transcriber);
  }
  G3N_ASSIGN_OR_RETURN(AudioReader reader, AudioReader::Open(MediaInput::File(options.file)));
  const auto read = [&](std::vector<float>* samples) { return reader.Read(samples); };
  G3N_RETURN_IF_ERROR(TranscribeStream(
      read, options.window > 0 ? options.window : kAudioWindowSeconds, transcriber));
  if (!reader.warning().empty()) fmt::print(stderr, "gemma3n: {}\n", reader.warning());
  return OkStatus();
}

}  // namespace

Command MakeTranscribeCommand(CLI::App& root) {
  auto options = std::make_shared<TranscribeOptions>();
  CLI::App* app = root.add_subcommand("transcribe", "Write down what is said, of any length");
  app->add_option("FILE", options->file,
                  "Sound, or a video with sound; - reads raw 16 kHz mono 16-bit samples "
                  "(little-endian) from standard input and writes as it goes")
      ->required()
      ->group("Input");
  app->add_option("--audio-window", options->window,
                  "Longest clip in seconds (default 30, the model's limit; live 10); clips end "
                  "where it is quiet")
      ->type_name("S")
      ->check(NumberBetween(1, kAudioWindowSeconds, false))
      ->group("Input");
  app->add_option("--language", options->task.language, "The language that is spoken, e.g. French")
      ->type_name("NAME")
      ->group("Output");
  app->add_option("--translate-to", options->task.translate_to, "Write it in this language instead")
      ->type_name("NAME")
      ->group("Output");
  app->add_option("--format", options->format, "Default text; srt and vtt with the clips' times")
      ->type_name("text|srt|vtt")
      ->transform(OneOf({{"text", static_cast<int>(TranscriptFormat::kText)},
                         {"srt", static_cast<int>(TranscriptFormat::kSrt)},
                         {"vtt", static_cast<int>(TranscriptFormat::kVtt)}}))
      ->group("Output");
  app->add_option("--prompt", options->prompt,
                  "The words beside each clip, instead of those made from the two languages")
      ->type_name("TEXT")
      ->group("Output");
  app->add_option("--max-tokens", options->max_tokens, "Most tokens for one clip (default 512)")
      ->type_name("N")
      ->check(NumberBetween(1, 1e15, true))
      ->group("Output");
  AddModelOptions(*app, options->model);
  AddTowerOptions(*app, options->model);
  AddChatTemplateOption(*app, options->model);
  app->footer(
      "Examples:\n"
      "  gemma3n transcribe --model gemma-3n-E4B-it talk.mp3\n"
      "  gemma3n transcribe --model gemma-3n-E4B-it film.mkv --translate-to English --format srt\n"
      "  arecord -q -f S16_LE -r 16000 -c 1 -t raw | gemma3n transcribe --model gemma-3n-E4B-it -");
  return {app, [options] { return Run(*options); }};
}

}  // namespace gemma3n::cli
