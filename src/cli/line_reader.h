// Lines from a person (with editing and history) or from a pipe.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace gemma3n::cli {

class LineReader {
 public:
  enum class Event { kLine, kEnd, kInterrupted };

  virtual ~LineReader() = default;
  // The next line without its newline. kEnd: end of input or Ctrl-D; kInterrupted: Ctrl-C.
  virtual Event Read(const std::string& prompt, std::string& line) = 0;

  // On a terminal: line editing, and history kept in `history_file` (empty: not kept). Errors: kIo.
  static Result<std::unique_ptr<LineReader>> Terminal(const std::string& history_file);
  static std::unique_ptr<LineReader> Pipe();
};

// $XDG_STATE_HOME/gemma3n/history, its folder made if need be; empty when there is no home to keep
// it in.
std::string DefaultHistoryFile();

}  // namespace gemma3n::cli
