// Shorthand around gemma3n::Status and gemma3n::Result for the library's own files.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "gemma3n/status.h"

namespace gemma3n {

// Text for a message in one line: names in it come from untrusted files. Control characters and
// bytes that are no UTF-8 become "\\x1b", and the middle of very long text is left out.
std::string OneLine(std::string text);

// Error(StatusCode::kCorruptFile, "{}: header of {} bytes, expected at most {}", path, n, max)
template <typename... Args>
Status Error(StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Status(code, OneLine(fmt::format(format, std::forward<Args>(args)...)));
}

}  // namespace gemma3n

#define G3N_CONCAT_INNER(a, b) a##b
#define G3N_CONCAT(a, b) G3N_CONCAT_INNER(a, b)

// Returns from the enclosing function when the expression is a failure.
#define G3N_RETURN_IF_ERROR(expr)              \
  do {                                         \
    ::gemma3n::Status g3n_status_ = (expr);    \
    if (!g3n_status_.ok()) return g3n_status_; \
  } while (false)

// G3N_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
#define G3N_ASSIGN_OR_RETURN(lhs, expr) \
  G3N_ASSIGN_OR_RETURN_(G3N_CONCAT(g3n_result_, __LINE__), lhs, expr)
#define G3N_ASSIGN_OR_RETURN_(tmp, lhs, expr) \
  auto tmp = (expr);                          \
  if (!tmp.ok()) return tmp.status();         \
  lhs = std::move(tmp).value()
