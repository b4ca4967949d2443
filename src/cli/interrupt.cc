#include "cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace gemma3n::cli {
namespace {

// What a signal handler can reach: lock-free flags of the process.
std::atomic<int> g_signal{0};
std::atomic<bool> g_finishing{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void OnSignal(int number) {
  if (!g_finishing.load() || g_signal.exchange(number) != 0) ::_exit(128 + number);
}

}  // namespace

void InstallInterruptHandlers() {
  struct sigaction action {};
  action.sa_handler = OnSignal;  // no SA_RESTART: a read at the prompt returns
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction old {};
    // A program started in the background with signals ignored (nohup) keeps that.
    if (::sigaction(number, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) continue;
    ::sigaction(number, &action, nullptr);
  }
  // A reader that closed the pipe ends us quietly, as it does other programs.
  ::signal(SIGPIPE, SIG_DFL);
}

void AllowFinishing(bool allow) { g_finishing = allow; }
bool Interrupted() { return g_signal != 0; }
void ClearInterrupt() { g_signal = 0; }
int InterruptExitCode() { return 128 + (g_signal != 0 ? g_signal.load() : SIGINT); }

}  // namespace gemma3n::cli
