#include "cli/line_reader.h"

#include <histedit.h>
#include <langinfo.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <filesystem>
#include <string_view>

#include "cli/interrupt.h"

namespace gemma3n::cli {
namespace {

constexpr int kHistoryLines = 1000;

// libedit (BSD licence) reads characters in the locale's encoding: UTF-8 wherever the system has
// it.
void UseUtf8Locale() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

class TerminalReader : public LineReader {
 public:
  explicit TerminalReader(std::string history_file) : history_file_(std::move(history_file)) {
    UseUtf8Locale();
    history_ = ::history_init();
    edit_ = ::el_init("gemma3n", stdin, stderr, stderr);  // stdout holds answers only
    if (edit_ == nullptr || history_ == nullptr) return;
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, kHistoryLines);
    ::history(history_, &event, H_SETUNIQUE, 1);
    if (!history_file_.empty()) ::history(history_, &event, H_LOAD, history_file_.c_str());
    ::el_set(edit_, EL_CLIENTDATA, this);
    ::el_set(edit_, EL_PROMPT, &TerminalReader::Prompt);
    ::el_set(edit_, EL_GETCFN, &TerminalReader::GetCharacter);
    ::el_set(edit_, EL_EDITOR, "emacs");
    ::el_set(edit_, EL_HIST, &::history, history_);
    ::el_set(edit_, EL_SIGNAL, 0);  // Ctrl-C is ours
    ::el_set(edit_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    ::el_set(edit_, EL_BIND, "\\e[3~", "ed-delete-next-char", nullptr);
    ::el_set(edit_, EL_BIND, "\\e[1~", "ed-move-to-beg", nullptr);
    ::el_set(edit_, EL_BIND, "\\e[4~", "ed-move-to-end", nullptr);
    ::el_set(edit_, EL_BIND, "\\e[1;5C", "em-next-word", nullptr);
    ::el_set(edit_, EL_BIND, "\\e[1;5D", "ed-prev-word", nullptr);
    ::el_source(edit_, nullptr);  // the user's ~/.editrc
  }
  ~TerminalReader() override {
    if (edit_ != nullptr) ::el_end(edit_);
    if (history_ != nullptr) ::history_end(history_);
  }
  bool ok() const { return edit_ != nullptr && history_ != nullptr; }

  Event Read(const std::string& prompt, std::string& line) override {
    prompt_ = prompt;
    int length = 0;
    const char* text = ::el_gets(edit_, &length);
    if (Interrupted()) {
      std::fputs("^C\n", stderr);
      ::el_set(edit_, EL_UNBUFFERED, 0);
      ::el_reset(edit_);
      return Event::kInterrupted;
    }
    if (text == nullptr || length <= 0) {
      std::fputs("\n", stderr);
      return Event::kEnd;
    }
    line.assign(text, static_cast<size_t>(length));
    if (line.ends_with('\n')) line.pop_back();
    Remember(line);
    return Event::kLine;
  }

 private:
  static char* Prompt(EditLine* edit) {
    void* self = nullptr;
    ::el_get(edit, EL_CLIENTDATA, &self);
    return static_cast<TerminalReader*>(self)->prompt_.data();
  }

  // One character: 1, 0 at the end, -1 on failure or interruption. A signal that comes before the
  // wait begins ends it all the same, which a plain read would sleep through.
  static int GetCharacter(EditLine*, wchar_t* out) {
    std::mbstate_t state{};
    for (;;) {
      if (!WaitForInput()) return -1;
      char byte = 0;
      const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
      if (n < 0 && errno == EINTR && !Interrupted()) continue;
      if (n <= 0) return static_cast<int>(n);
      const size_t used = std::mbrtowc(out, &byte, 1, &state);
      if (used == static_cast<size_t>(-2)) continue;  // a longer character
      if (used != static_cast<size_t>(-1)) return 1;
      state = {};  // no character of this encoding: left out
    }
  }

  // False when the user interrupted it.
  static bool WaitForInput() {
    sigset_t ours, before;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &ours, &before);
    int ready = 0;
    while (!Interrupted() && ready == 0) {
      fd_set input;
      FD_ZERO(&input);
      FD_SET(STDIN_FILENO, &input);
      ready = ::pselect(STDIN_FILENO + 1, &input, nullptr, nullptr, nullptr, &before);
      if (ready < 0 && errno == EINTR) ready = 0;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (Interrupted()) errno = EINTR;
    return !Interrupted();
  }

  void Remember(const std::string& line) {
    if (line.find_first_not_of(" \t") == std::string::npos) return;
    HistEvent event;
    ::history(history_, &event, H_ENTER, line.c_str());
    if (history_file_.empty()) return;
    // Written at once (a closed terminal kills us), and readable by its owner only.
    const mode_t old = ::umask(0077);
    ::history(history_, &event, H_SAVE, history_file_.c_str());
    ::umask(old);
  }

  std::string history_file_, prompt_;
  EditLine* edit_ = nullptr;
  History* history_ = nullptr;
};

class PipeReader : public LineReader {
 public:
  Event Read(const std::string&, std::string& line) override {
    for (;;) {
      const size_t end = pending_.find('\n');
      if (end != std::string::npos) {
        line = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        if (line.ends_with('\r')) line.pop_back();
        return Event::kLine;
      }
      char buffer[4096];
      const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof(buffer));
      if (n < 0 && Interrupted()) return Event::kInterrupted;
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        if (pending_.empty()) return Event::kEnd;
        pending_.push_back('\n');  // the last line may lack its end
        continue;
      }
      pending_.append(buffer, static_cast<size_t>(n));
    }
  }

 private:
  std::string pending_;
};

}  // namespace

Result<std::unique_ptr<LineReader>> LineReader::Terminal(const std::string& history_file) {
  auto reader = std::make_unique<TerminalReader>(history_file);
  if (!reader->ok()) return Error(StatusCode::kIo, "cannot prepare the terminal for line editing");
  return std::unique_ptr<LineReader>(std::move(reader));
}

std::unique_ptr<LineReader> LineReader::Pipe() { return std::make_unique<PipeReader>(); }

std::string DefaultHistoryFile() {
  std::string folder;
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
    folder = state;
  } else if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    folder = std::string(home) + "/.local/state";
  } else {
    return {};
  }
  folder += "/gemma3n";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? std::string() : folder + "/history";
}

}  // namespace gemma3n::cli
