// Text that a user hands over: on the command line, in a file, or through a pipe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gemma3n::cli {

// The text itself; "@FILE" is a file's content, "-" standard input's, "@@..." a text that begins
// with one "@". Errors: kNotFound, kIo; kInvalidArgument when it is empty or not UTF-8 (with the
// offset), naming `what`.
Result<std::string> ReadTextArgument(const std::string& argument, const std::string& what);

// A file's whole content, "-" being standard input. Errors: kNotFound, kIo.
Result<std::string> ReadFileOrStdin(const std::string& path);

// Errors: kInvalidArgument with the offset of the first byte that is not UTF-8.
Status CheckUtf8(std::string_view text, const std::string& what);

// One JSON array of token ids. Errors: kInvalidArgument, naming `what` and the element.
Result<std::vector<int32_t>> ParseTokenArray(std::string_view json, const std::string& what);

// Refuses to replace what is there but is no regular file (a device, a directory). Errors:
// kInvalidArgument.
Status CheckOutputPath(const std::string& path);

}  // namespace gemma3n::cli
