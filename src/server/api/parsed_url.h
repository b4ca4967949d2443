// URLs in the parts that libcurl's parser finds, the one that fetching uses too: two parsers that
// disagree about a host are a way around a check.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace gemma3n::server {

class ParsedUrl {
 public:
  // Errors: kInvalidArgument.
  static Result<ParsedUrl> Parse(const std::string& text);

  // Empty where it is absent; decoded: without percent-encoding (empty when that spells control
  // characters).
  std::string Part(CURLUPart part, bool decoded = false) const;

  CURLU* handle() const { return url_.get(); }

 private:
  struct Delete {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
  };
  std::unique_ptr<CURLU, Delete> url_;
};

}  // namespace gemma3n::server
