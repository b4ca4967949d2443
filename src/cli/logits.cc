// gemma3n logits: the numbers behind every position, for comparison with other implementations.
#include <memory>

#include "base/file.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/media_options.h"
#include "cli/messages_json.h"
#include "cli/model_options.h"
#include "cli/npy.h"
#include "cli/terminal.h"
#include "cli/text_input.h"

namespace gemma3n::cli {
namespace {

struct LogitsOptions {
  ModelOptions model;
  std::string tokens_file, prompt, messages, output;
  MediaFlags media;
  bool chat = false, no_bos = false;
};

Result<Prompt> InputPrompt(const Engine& engine, const LogitsOptions& options) {
  if (!options.tokens_file.empty()) {
    G3N_ASSIGN_OR_RETURN(const std::string json, ReadFileOrStdin(options.tokens_file));
    G3N_ASSIGN_OR_RETURN(
        std::vector<int32_t> ids,
        ParseTokenArray(json, options.tokens_file == "-" ? "standard input" : options.tokens_file));
    return Prompt(std::move(ids));
  }
  Progress progress("reading the media");
  const MediaOptions media = Reading(options.media, options.model.context, progress);
  if (!options.messages.empty()) {
    G3N_ASSIGN_OR_RETURN(const auto messages, ReadMessages(options.messages));
    return engine.ChatPrompt(messages, media);
  }
  G3N_ASSIGN_OR_RETURN(std::string text, ReadTextArgument(options.prompt, "--prompt"));
  if (!options.chat) {
    return engine.TextPrompt(text, options.media.parts, !options.no_bos, media);
  }
  const Message message = UserMessage(options.media.parts, std::move(text));
  return engine.ChatPrompt({&message, 1}, media);
}

Status Run(const LogitsOptions& options) {
  G3N_RETURN_IF_ERROR(options.output == "-" ? OkStatus() : CheckOutputPath(options.output));
  G3N_ASSIGN_OR_RETURN(const auto engine, LoadEngine(options.model));
  G3N_ASSIGN_OR_RETURN(const Prompt prompt, InputPrompt(*engine, options));
  PrintNotes(prompt);
  G3N_ASSIGN_OR_RETURN(const auto session, OpenSession(*engine, options.model));

  const FinishingScope finishing;
  Progress progress("computing logits");
  const int64_t positions = static_cast<int64_t>(prompt.tokens.size());
  std::optional<NpyWriter>
      writer;  // made with the first row, so that refused tokens leave no output
  Status written;
  const auto on_logits = [&](int64_t position, std::span<const float> logits) {
    if (!writer) {
      auto created =
          NpyWriter::Create(options.output, positions, static_cast<int64_t>(logits.size()));
      if (!created.ok()) {
        written = created.status();
        return false;
      }
      writer = std::move(*created);
    }
    written = writer->AppendRow(logits);
    progress.Count(position + 1, positions);
    return written.ok() && !Interrupted();
  };
  const Status scored = session->Score(prompt, on_logits);
  progress.Clear();
  G3N_RETURN_IF_ERROR(written);
  if (Interrupted()) return Status(StatusCode::kCancelled, "interrupted");
  G3N_RETURN_IF_ERROR(scored);
  if (!writer) return Error(StatusCode::kInternal, "no logits came for {} tokens", positions);
  return writer->Commit();
}

}  // namespace

Command MakeLogitsCommand(CLI::App& root) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App* app = root.add_subcommand("logits", "Write every position's logits to a NumPy file");
  auto* tokens =
      app->add_option(
             "--tokens", options->tokens_file,
             "A file with one JSON array of token ids, taken as they are; - for standard input")
          ->type_name("FILE.json")
          ->group("Input");
  auto* prompt =
      app->add_option("-p,--prompt", options->prompt,
                      "Plain text, with <bos> in front; @FILE reads a file, - standard input")
          ->type_name("TEXT|@FILE|-")
          ->group("Input");
  auto* messages = app->add_option("--messages", options->messages,
                                   "A conversation as chat's /save writes it; - standard input")
                       ->type_name("FILE.json|-")
                       ->group("Input");
  app->add_flag("--chat", options->chat, "Render --prompt with the chat template")
      ->needs(prompt)
      ->group("Input");
  app->add_flag("--no-bos", options->no_bos, "Do not put <bos> in front of --prompt")
      ->needs(prompt)
      ->group("Input");
  app->add_option("-o,--output", options->output,
                  "The file to write: float32 [positions, vocabulary]; - for stdout")
      ->type_name("OUT.npy")
      ->required()
      ->group("Output");
  app->callback([tokens, prompt, messages] {
    if (tokens->count() + prompt->count() + messages->count() != 1)
      throw CLI::ValidationError("logits", "expected one of --tokens, --prompt and --messages");
  });
  AddMediaOptions(*app, options->media);
  AddModelOptions(*app, options->model);
  AddTowerOptions(*app, options->model);
  AddChatTemplateOption(*app, options->model);
  app->footer(
      "Row p holds the scores of the token that follows position p, soft cap included.\n"
      "Examples:\n"
      "  gemma3n logits --model gemma-3n-E2B-it --tokens ids.json --output logits.npy\n"
      "  gemma3n logits --model model.gguf --prompt \"The sky is\" --output logits.npy");
  return {app, [options] { return Run(*options); }};
}

}  // namespace gemma3n::cli
