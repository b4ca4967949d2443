// gemma3n chat: a conversation. Its cache is kept, so a turn costs only its new tokens.
#include <algorithm>
#include <memory>
#include <optional>

#include "cli/command.h"
#include "cli/conversation.h"
#include "cli/generation_flags.h"
#include "cli/interrupt.h"
#include "cli/line_reader.h"
#include "cli/media_options.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "cli/text_input.h"

namespace gemma3n::cli {
namespace {

struct ChatOptions {
  ModelOptions model;
  GenerationOptions generation;
  std::string system;
  MediaFlags media;
  bool stats = false, no_history = false;
};

constexpr const char* kHelp =
    "  /help          this list\n"
    "  /image FILE    a picture for the next message; so do /audio FILE and /video FILE\n"
    "  /reset         forget the conversation (the system message stays)\n"
    "  /stats         tokens, speed and memory of the last answer, and room left\n"
    "  /save FILE     write the conversation as JSON\n"
    "  /load FILE     go on with a saved one\n"
    "  /exit          leave (so does Ctrl-D)\n"
    "A line that ends with \\ goes on in the next one; \"\"\" begins and ends a text of many "
    "lines.\n"
    "Ctrl-C stops an answer. A message that begins with / is sent when written with two: //.\n";

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

class Chat {
 public:
  Chat(const Engine& engine, Session& session, LineReader& reader, const ChatOptions& options,
       bool interactive)
      : engine_(engine),
        session_(session),
        reader_(reader),
        options_(options),
        interactive_(interactive),
        conversation_(engine, options.system) {}

  // Until the user leaves. Errors: those that end a conversation (output that cannot be written);
  // kCancelled.
  Status Loop() {
    for (;;) {
      std::string text;
      const auto event = ReadMessage(text);
      if (event == LineReader::Event::kEnd) return OkStatus();
      if (event == LineReader::Event::kInterrupted) {
        if (!interactive_ || InterruptExitCode() != kCtrlC)
          return Status(StatusCode::kCancelled, "interrupted");
        ClearInterrupt();
        continue;
      }
      const std::string_view trimmed = Trim(text);
      if (trimmed.empty()) continue;
      if (trimmed.starts_with('/') && !trimmed.starts_with("//")) {
        if (trimmed == "/exit" || trimmed == "/quit") return OkStatus();
        G3N_RETURN_IF_ERROR(RunCommand(trimmed));
        continue;
      }
      if (trimmed.starts_with("//")) text.erase(text.find('/'), 1);
      G3N_RETURN_IF_ERROR(Answer(text));
    }
  }

 private:
  static constexpr int kCtrlC = 130;

  // One message of one or more lines.
  LineReader::Event ReadMessage(std::string& text) {
    std::string line;
    auto event = reader_.Read("> ", line);
    if (event != LineReader::Event::kLine) return event;
    const std::string_view trimmed = Trim(line);
    if (trimmed.starts_with("\"\"\"")) return ReadBlock(std::string(trimmed.substr(3)), text);
    while (line.ends_with('\\')) {
      line.back() = '\n';
      text += line;
      line.clear();
      event = reader_.Read(". ", line);
      if (event == LineReader::Event::kEnd) return LineReader::Event::kLine;  // what there is
      if (event != LineReader::Event::kLine) return event;
    }
    text += line;
    return event;
  }

  // Lines up to the one that ends with """.
  LineReader::Event ReadBlock(std::string line, std::string& text) {
    for (bool first = true;; first = false) {
      const size_t end = line.rfind("\"\"\"");
      if (end != std::string::npos && Trim(std::string_view(line).substr(end + 3)).empty()) {
        text += line.substr(0, end);
        return LineReader::Event::kLine;
      }
      text += line;
      if (!first || !line.empty()) text += '\n';
      line.clear();
      const auto event = reader_.Read(". ", line);
      if (event == LineReader::Event::kEnd) return LineReader::Event::kLine;
      if (event != LineReader::Event::kLine) return event;
    }
  }

  Status RunCommand(std::string_view command) {
    const size_t space = command.find_first_of(" \t");
    const std::string_view name = command.substr(0, space);
    const std::string file(space == std::string_view::npos ? "" : Trim(command.substr(space)));
    if (name == "/help") {
      fmt::print(stderr, "{}", kHelp);
    } else if (name == "/reset") {
      conversation_.Reset();
      session_.Reset();
      pending_.clear();
      fmt::print(stderr, "forgotten\n");
    } else if (const auto kind = MediumKind(name)) {
      return Attach(*kind, name, file);
    } else if (name == "/stats") {
      ShowStats();
    } else if (name == "/save" || name == "/load") {
      if (file.empty())
        return Complain(
            Error(StatusCode::kInvalidArgument, "{}: expected a file name after it", name));
      const bool save = name == "/save";
      Progress progress("reading " + file);
      const Status done =
          save ? conversation_.Save(file) : conversation_.Load(file, ReadingWith(progress));
      progress.Clear();
      if (!done.ok()) return Complain(done);
      fmt::print(stderr, "{} {} turns {} {}\n", save ? "saved" : "loaded", conversation_.turns(),
                 save ? "to" : "from", file);
    } else {
      return Complain(
          Error(StatusCode::kInvalidArgument, "{}: no such command; /help lists them", name));
    }
    return OkStatus();
  }

  static std::optional<Part::Kind> MediumKind(std::string_view command) {
    if (command == "/image") return Part::Kind::kImage;
    if (command == "/audio") return Part::Kind::kAudio;
    if (command == "/video") return Part::Kind::kVideo;
    return std::nullopt;
  }

  MediaOptions ReadingWith(Progress& progress) const {
    return Reading(options_.media, session_.context(), progress);
  }

  // Reads the medium at once: what is wrong with it shows now, and the words that are typed
  // meanwhile need not wait for it.
  Status Attach(Part::Kind kind, std::string_view command, const std::string& file) {
    if (file.empty()) {
      return Complain(
          Error(StatusCode::kInvalidArgument, "{}: expected a file name after it", command));
    }
    std::vector<Part> with = pending_;
    with.push_back(FilePart(kind, file));
    Progress progress("reading " + file);
    const auto prompt = conversation_.PromptWith(UserMessage(with, ""), ReadingWith(progress));
    progress.Clear();
    if (Interrupted() && interactive_ && InterruptExitCode() == kCtrlC) {
      ClearInterrupt();
      fmt::print(stderr, "stopped; {} was not attached\n", file);
      return OkStatus();
    }
    if (!prompt.ok()) return Complain(prompt.status());
    PrintNotes(*prompt);
    pending_ = std::move(with);
    if (interactive_) fmt::print(stderr, "{} goes with the next message\n", file);
    return OkStatus();
  }

  // A person is told and goes on; a script ends with the first message that was not answered.
  Status Complain(const Status& status) {
    if (!interactive_) return status;
    fmt::print(stderr, "gemma3n: {}\n", status.message());
    return OkStatus();
  }

  void ShowStats() const {
    if (last_) PrintStats(*last_, engine_.info().load_seconds);
    fmt::print(stderr, "context  {} of {} tokens used, {} turns\n", session_.tokens().size(),
               session_.context(), conversation_.turns());
  }

  // Errors: only those that end the conversation.
  Status Answer(const std::string& text) {
    if (const Status utf8 = CheckUtf8(text, "message"); !utf8.ok()) return Complain(utf8);
    Progress progress("reading");
    const Message user = UserMessage(pending_, text);
    const auto prompt = conversation_.PromptWith(user, ReadingWith(progress));
    if (!prompt.ok()) return Complain(prompt.status());
    Status written;
    const auto on_token = [&](const TokenEvent& event) {
      progress.Clear();
      written = WriteStdout(event.text);
      return written.ok() && !Interrupted();
    };
    const auto on_prefill = [&](int64_t done, int64_t total) {
      progress.Count(done, total);
      return !Interrupted();
    };
    const auto result = session_.Generate(*prompt, options_.generation, on_token, on_prefill);
    progress.Clear();
    G3N_RETURN_IF_ERROR(written);
    return Finish(user, *prompt, result);
  }

  Status Finish(const Message& user, const Prompt& prompt, const Result<GenerationResult>& result) {
    const bool stopped = Interrupted();
    if (stopped && (!interactive_ || InterruptExitCode() != kCtrlC))
      return Status(StatusCode::kCancelled, "interrupted");
    if (stopped) ClearInterrupt();
    if (!result.ok() && stopped) {
      fmt::print(stderr, "stopped before the answer began; the message was not kept\n");
      return OkStatus();
    }
    if (!result.ok()) {
      const bool full = result.status().code() == StatusCode::kOutOfRange;
      return Complain(Status(result.status().code(),
                             result.status().message() + (full ? "; /reset begins anew" : "")));
    }
    G3N_RETURN_IF_ERROR(WriteStdout("\n"));
    if (stopped) fmt::print(stderr, "(stopped)\n");
    if (result->reason == StopReason::kContextFull)
      fmt::print(stderr, "(the context is full; /reset begins anew)\n");
    conversation_.Add(user, prompt, *result);
    pending_.clear();
    last_ = *result;
    if (options_.stats) ShowStats();
    return OkStatus();
  }

  const Engine& engine_;
  Session& session_;
  LineReader& reader_;
  const ChatOptions& options_;
  const bool interactive_;
  Conversation conversation_;
  std::vector<Part> pending_;  // media for the next message
  std::optional<GenerationResult> last_;
};

Status Run(ChatOptions options) {
  if (!options.system.empty()) {
    G3N_ASSIGN_OR_RETURN(options.system, ReadTextArgument(options.system, "--system"));
  }
  G3N_ASSIGN_OR_RETURN(const auto engine, LoadEngine(options.model));
  G3N_ASSIGN_OR_RETURN(const auto session, OpenSession(*engine, options.model));
  const bool interactive = StdinIsTerminal();
  std::unique_ptr<LineReader> reader = interactive ? nullptr : LineReader::Pipe();
  if (interactive) {
    G3N_ASSIGN_OR_RETURN(reader,
                         LineReader::Terminal(options.no_history ? "" : DefaultHistoryFile()));
    fmt::print(stderr, "{}, {} tokens of context. /help lists commands, Ctrl-D leaves.\n",
               options.model.engine.model, session->context());
  }
  const FinishingScope finishing;
  return Chat(*engine, *session, *reader, options, interactive).Loop();
}

}  // namespace

Command MakeChatCommand(CLI::App& root) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App* app = root.add_subcommand("chat", "Talk with the model");
  app->add_option("--system", options->system, "Instructions that come before the conversation")
      ->type_name("TEXT|@FILE")
      ->group("Conversation");
  app->add_flag("--no-history", options->no_history, "Do not keep what is typed for the next time")
      ->group("Conversation");
  app->add_flag("--stats", options->stats, "Times, speeds and memory on stderr after each answer")
      ->group("Conversation");
  AddMediaReading(*app, options->media);
  AddGenerationOptions(*app, options->generation);
  AddModelOptions(*app, options->model);
  AddTowerOptions(*app, options->model);
  AddChatTemplateOption(*app, options->model);
  app->footer(std::string("While it runs:\n") + kHelp +
              "Without a terminal each line of standard input is one message, and only answers go "
              "to stdout.\n"
              "Examples:\n"
              "  gemma3n chat --model gemma-3n-E4B-it\n"
              "  gemma3n chat --model model.gguf --system @persona.txt --temperature 0.7");
  return {app, [options] { return Run(*options); }};
}

}  // namespace gemma3n::cli
