// The whole server: the model behind its queue, the APIs, and HTTP in front.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "gemma3n/engine.h"
#include "gemma3n/scheduler.h"
#include "server/api/media_access.h"
#include "server/http/http_options.h"

namespace gemma3n::server {

struct ServerOptions {
  HttpOptions http;
  std::string api_key_file;  // empty: everybody may ask
  SchedulerOptions scheduler;
  MediaAccessOptions media;
  std::string model_name;      // the name it is served by; empty: the file's or the folder's
  ModelSize size;              // what that name alone stands for
  bool any_model = false;      // requests may name any model
  double request_seconds = 0;  // most time for an answer; 0: no limit
};

class Server {
 public:
  // Listens and answers from now on. Errors: as HttpServer::Start's, ApiKeys::Load's and
  // Scheduler::Create's.
  static Result<std::unique_ptr<Server>> Start(std::shared_ptr<const Engine> engine,
                                               const ServerOptions& options);
  ~Server();

  // "http://127.0.0.1:8080"
  const std::string& address() const;
  // True when whoever reaches the address may ask.
  bool open_to_others() const;

  // Takes no more requests, and returns when those that are being answered are done, or after
  // `seconds`, when the rest is cancelled.
  void Drain(double seconds);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gemma3n::server
