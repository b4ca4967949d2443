// Bytes of a connection to one request: a state machine without a socket (over Boost.Beast's
// parser), whose limits hold before memory is taken.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http/exchange.h"

namespace gemma3n::server {

struct ReadLimits {
  int64_t header_bytes = 0, body_bytes = 0;
};

class RequestReader {
 public:
  explicit RequestReader(const ReadLimits& limits);
  ~RequestReader();

  enum class Event {
    kMore,    // more bytes are wanted
    kHeader,  // the header is whole: look at it, then feed on
    kDone,    // so is the body
    kFailed,  // see error
  };
  // Reads from the front of `bytes` and says in `used` how many of them are done with; those that
  // are not have to come again, with more behind them.
  Event Feed(std::string_view bytes, size_t& used);

  // After kHeader. The body comes with kDone.
  HttpRequest& request() { return request_; }
  bool http10() const;
  bool keep_alive() const;
  bool has_body() const;
  bool expects_continue() const;

  bool started() const { return started_; }     // some byte of the request was read
  bool header_done() const { return header_; }  // kHeader was reported
  int64_t body_bytes() const;                   // read so far

  struct Error {
    int status = 0;
    std::string message;
  };
  const Error& error() const { return error_; }

 private:
  struct Parser;
  Event Fail(int status, std::string message);
  Event FinishHeader();
  Event Finish();
  Status NameRequest();
  Event Explain(const std::string& what, int code);

  const ReadLimits limits_;
  std::unique_ptr<Parser> parser_;
  HttpRequest request_;
  bool started_ = false, header_ = false;
  Error error_;
};

}  // namespace gemma3n::server
