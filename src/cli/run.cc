// gemma3n run: one prompt, one answer.
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/generation_flags.h"
#include "cli/interrupt.h"
#include "cli/media_options.h"
#include "cli/messages_json.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "cli/text_input.h"

namespace gemma3n::cli {
namespace {

using Json = nlohmann::ordered_json;

struct RunOptions {
  ModelOptions model;
  GenerationOptions generation;
  std::string prompt, system, messages;
  MediaFlags media;
  bool raw = false, no_bos = false, stats = false, json = false;
};

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

Result<Prompt> BuildPrompt(const Engine& engine, const RunOptions& options) {
  Progress progress("reading the media");
  const MediaOptions media = Reading(options.media, options.model.context, progress);
  if (!options.messages.empty()) {
    G3N_ASSIGN_OR_RETURN(const auto messages, ReadMessages(options.messages));
    return engine.ChatPrompt(messages, media);
  }
  G3N_ASSIGN_OR_RETURN(std::string text, ReadTextArgument(options.prompt, "--prompt"));
  if (options.raw) {
    return engine.TextPrompt(text, options.media.parts, !options.no_bos, media);
  }
  if (IsBlank(text) && options.media.parts.empty())
    return Error(StatusCode::kInvalidArgument, "--prompt: expected some words, found only spaces");
  std::vector<Message> messages;
  if (!options.system.empty()) {
    G3N_ASSIGN_OR_RETURN(std::string system, ReadTextArgument(options.system, "--system"));
    messages.push_back(Message::Text("system", std::move(system)));
  }
  messages.push_back(UserMessage(options.media.parts, std::move(text)));
  return engine.ChatPrompt(messages, media);
}

Json LogprobJson(const Engine& engine, int32_t token, float logprob) {
  const int32_t one[] = {token};
  return {{"token", token}, {"text", engine.Detokenize(one, false)}, {"logprob", logprob}};
}

// Collects what --logprobs asks for, one entry per token of the answer.
class LogprobLog {
 public:
  LogprobLog(const Engine& engine, bool enabled) : engine_(engine), enabled_(enabled) {}

  void Add(const TokenEvent& event) {
    if (!enabled_) return;
    Json entry = LogprobJson(engine_, event.token, event.logprob);
    Json top = Json::array();
    for (const TokenLogprob& t : event.top) top.push_back(LogprobJson(engine_, t.token, t.logprob));
    if (!top.empty()) entry["top"] = std::move(top);
    entries_.push_back(std::move(entry));
  }
  // Without the event that only hands out text held back at the end.
  void Finish(size_t tokens) {
    while (entries_.size() > tokens) entries_.erase(entries_.size() - 1);
  }
  const Json& entries() const { return entries_; }

 private:
  const Engine& engine_;
  bool enabled_;
  Json entries_ = Json::array();
};

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json ResultJson(const GenerationResult& result, const LogprobLog& log, const RunOptions& options,
                double load_seconds, double prompt_seconds) {
  const GenerationStats& s = result.stats;
  Json json = {{"text", result.text},
               {"tokens", result.tokens},
               {"stop_reason", StopReasonName(result.reason)},
               {"stats",
                {{"prompt_tokens", s.prompt_tokens},
                 {"cached_tokens", s.cached_tokens},
                 {"generated_tokens", s.generated_tokens},
                 {"drafted_tokens", s.drafted_tokens},
                 {"accepted_tokens", s.accepted_tokens},
                 {"load_seconds", load_seconds},
                 {"media_seconds", prompt_seconds},
                 {"prefill_seconds", s.prefill_seconds},
                 {"first_token_seconds", s.first_token_seconds},
                 {"decode_seconds", s.decode_seconds},
                 {"peak_resident_bytes", PeakResidentBytes()}}}};
  if (options.generation.top_logprobs >= 0) json["logprobs"] = log.entries();
  return json;
}

Status Run(const RunOptions& options) {
  G3N_ASSIGN_OR_RETURN(const auto engine, LoadEngine(options.model));
  const auto begin = std::chrono::steady_clock::now();
  G3N_ASSIGN_OR_RETURN(const Prompt prompt, BuildPrompt(*engine, options));
  const double prompt_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  PrintNotes(prompt);
  G3N_ASSIGN_OR_RETURN(const auto session, OpenSession(*engine, options.model));

  const FinishingScope finishing;
  Progress progress("reading the prompt");
  LogprobLog log(*engine, options.generation.top_logprobs >= 0);
  Status written;
  const auto on_token = [&](const TokenEvent& event) {
    progress.Clear();
    log.Add(event);
    if (!options.json) written = WriteStdout(event.text);
    return written.ok() && !Interrupted();
  };
  const auto on_prefill = [&](int64_t done, int64_t total) {
    progress.Count(done, total);
    return !Interrupted();
  };
  G3N_ASSIGN_OR_RETURN(const auto result,
                       session->Generate(prompt, options.generation, on_token, on_prefill));
  progress.Clear();
  G3N_RETURN_IF_ERROR(written);
  log.Finish(result.tokens.size());
  const double load_seconds = engine->info().load_seconds;
  const std::string end =
      options.json ? Dump(ResultJson(result, log, options, load_seconds, prompt_seconds)) + "\n"
                   : "\n";
  G3N_RETURN_IF_ERROR(WriteStdout(end));
  if (!options.json) {
    for (const Json& entry : log.entries()) fmt::print(stderr, "{}\n", Dump(entry));
  }
  if (options.stats) {
    const size_t pictures = prompt.images.size(), clips = prompt.audios.size();
    if (pictures + clips > 0) {
      fmt::print(stderr, "media    {} pictures and {} clips read in {:.3f} s\n", pictures, clips,
                 prompt_seconds);
    }
    PrintStats(result, load_seconds);
  }
  if (Interrupted()) return Status(StatusCode::kCancelled, "interrupted");
  return OkStatus();
}

}  // namespace

Command MakeRunCommand(CLI::App& root) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* app = root.add_subcommand("run", "Answer one prompt");
  auto* prompt =
      app->add_option("-p,--prompt", options->prompt,
                      "The words; @FILE reads a file, - standard input (@@ for a plain @)")
          ->type_name("TEXT|@FILE|-")
          ->group("Prompt");
  auto* messages =
      app->add_option("--messages", options->messages,
                      "Instead: a conversation as chat's /save writes it, with words and media in "
                      "any order; - standard input")
          ->type_name("FILE.json|-")
          ->excludes(prompt)
          ->group("Prompt");
  app->add_option("--system", options->system, "Instructions that come before the conversation")
      ->type_name("TEXT|@FILE")
      ->group("Prompt");
  auto* raw = app->add_flag("--raw", options->raw,
                            "Continue the text as it stands, without the chat template; "
                            "<image_soft_token> and <audio_soft_token> say where the media go")
                  ->group("Prompt");
  app->add_flag("--no-bos", options->no_bos, "With --raw: do not put <bos> in front")
      ->needs(raw)
      ->group("Prompt");
  app->get_option("--system")->excludes(raw);
  messages->excludes(raw)->excludes(app->get_option("--system"));
  app->callback([prompt, messages] {
    if (prompt->count() + messages->count() != 1)
      throw CLI::ValidationError("run", "expected --prompt or --messages");
  });
  app->add_flag("--stats", options->stats, "Times, speeds and memory on stderr")->group("Output");
  app->add_flag("--json", options->json, "One JSON object instead of the bare answer")
      ->group("Output");
  AddMediaOptions(*app, options->media);
  AddGenerationOptions(*app, options->generation);
  AddModelOptions(*app, options->model);
  AddTowerOptions(*app, options->model);
  AddChatTemplateOption(*app, options->model);
  app->footer(
      "Examples:\n"
      "  gemma3n run --model gemma-3n-E2B-it --prompt \"What is a monad?\"\n"
      "  gemma3n run --model model.gguf --prompt @question.txt --temperature 0 --stats\n"
      "  gemma3n run --model gemma-3n-E4B-it --image photo.jpg --prompt \"What is this?\"\n"
      "  gemma3n run --model gemma-3n-E4B-it --video clip.mp4 --prompt \"What happens?\"\n"
      "  git diff | gemma3n run --model model.gguf --system \"Review this change.\" --prompt -\n"
      "  gemma3n run --model gemma-3n-E4B-it --size e2b --raw --prompt \"Once upon a time\"");
  return {app, [options] { return Run(*options); }};
}

}  // namespace gemma3n::cli
