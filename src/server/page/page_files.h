// The files of web/, as cmake/EmbedFiles.cmake put them into the program.
#pragma once

#include <span>
#include <string_view>

namespace gemma3n::server {

struct PageFile {
  std::string_view name;  // "app.js"
  std::string_view type;  // "text/javascript; charset=utf-8"
  std::string_view etag;  // with its quotes; of the content
  std::string_view body;
};

std::span<const PageFile> PageFiles();

}  // namespace gemma3n::server
