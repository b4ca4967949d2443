#include "media/ffmpeg.h"

#include <mutex>

namespace gemma3n {
namespace {

// Stands beside FFmpeg's own process-wide level, and only counts who wants it quiet.
struct LogState {
  std::mutex mutex;
  int users = 0, level = 0;
};

LogState& SharedLogState() {
  static LogState state;
  return state;
}

}  // namespace

std::string FfmpegError(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof(text));
  return text;
}

QuietLog::QuietLog() {
  LogState& state = SharedLogState();
  const std::lock_guard lock(state.mutex);
  if (state.users++ > 0) return;
  state.level = av_log_get_level();
  av_log_set_level(AV_LOG_QUIET);
}

QuietLog::~QuietLog() {
  LogState& state = SharedLogState();
  const std::lock_guard lock(state.mutex);
  if (--state.users == 0) av_log_set_level(state.level);
}

}  // namespace gemma3n
