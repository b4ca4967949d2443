// Ctrl-C and SIGTERM: at first a wish that long work looks at, the second time (or while loading)
// the end.
#pragma once

namespace gemma3n::cli {

// Installs the handlers. Until AllowFinishing(true) a signal ends the program at once, with exit
// code 128 + signal.
void InstallInterruptHandlers();

// With true the first signal only sets Interrupted(); work that checks it can clean up and answer.
// A second one before ClearInterrupt() ends the program at once.
void AllowFinishing(bool allow);

bool Interrupted();
void ClearInterrupt();
int InterruptExitCode();  // 130 for Ctrl-C, 143 for SIGTERM

// The first signal is left to the work in this scope.
class FinishingScope {
 public:
  FinishingScope() { AllowFinishing(true); }
  ~FinishingScope() { AllowFinishing(false); }
  FinishingScope(const FinishingScope&) = delete;
  FinishingScope& operator=(const FinishingScope&) = delete;
};

}  // namespace gemma3n::cli
