// The page at /: a chat in the browser, made of the files of web/ and nothing from elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "server/http/router.h"

namespace gemma3n::server {

// What the page tells its user before a request would be refused.
struct PageConfig {
  std::string model;           // its name, for the title
  int64_t context = 0;         // tokens of prompt and answer together; 0: unknown
  int64_t max_body_bytes = 0;  // of a request; 0: unknown
  bool sees = true, hears = true;
};

// GET / is the page, /page/* its files, /page/config.json the config. None of it is a secret: these
// routes need no API key (the page asks for one when an API answers 401).
void AddPageRoutes(Router& router, const PageConfig& config = {});

}  // namespace gemma3n::server
