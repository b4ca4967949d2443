#include "server/server.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <thread>
#include <utility>

#include "server/api/anthropic.h"
#include "server/api/audio.h"
#include "server/api/context.h"
#include "server/api/generation.h"
#include "server/api/ollama.h"
#include "server/api/openai.h"
#include "server/http/auth.h"
#include "server/http/gate.h"
#include "server/http/listener.h"
#include "server/http/router.h"
#include "server/measured_generator.h"
#include "server/metrics.h"
#include "server/page/page.h"

namespace gemma3n::server {
namespace {

using Clock = std::chrono::steady_clock;

// After the last answer was made, for it to be sent.
constexpr std::chrono::seconds kFlush{2};

constexpr int kTranscriptionsAtOnce = 4;
constexpr size_t kMostTranscriptionsWaiting = 64;

// "models/tiny/" is "tiny", "e4b-q4_0.gguf" is "e4b-q4_0".
std::string NameOfModel(const std::string& path) {
  std::filesystem::path p = std::filesystem::path(path).lexically_normal();
  if (!p.has_filename()) p = p.parent_path();
  const std::string name = (p.extension() == ".gguf" ? p.stem() : p.filename()).string();
  return name.empty() || name == "." ? "gemma-3n" : name;
}

Result<GateOptions> MakeGateOptions(const ServerOptions& options) {
  GateOptions gate;
  if (!options.api_key_file.empty()) {
    G3N_ASSIGN_OR_RETURN(gate.keys, ApiKeys::Load(options.api_key_file));
  }
  const bool on_loopback = ListensOnLoopback(options.http) && options.http.unix_socket.empty();
  if ((on_loopback && gate.keys.empty()) || !options.http.allowed_hosts.empty()) {
    gate.hosts = LoopbackHosts(options.http.allowed_hosts);
  }
  gate.cors_origins = options.http.cors_origins;
  return gate;
}

}  // namespace

// In the order in which one needs the other: destroyed from the last to the first.
struct Server::Impl {
  Impl(std::shared_ptr<const Engine> e, ServerOptions o, GateOptions gate_options)
      : engine(std::move(e)),
        options(std::move(o)),
        open_to_others(gate_options.keys.empty() && !ListensOnLoopback(options.http)),
        media(options.media),
        gate(router, std::move(gate_options)) {}
  ~Impl();

  Status Prepare();
  void AddOwnRoutes();
  void AddApis();

  const std::shared_ptr<const Engine> engine;
  const ServerOptions options;
  const bool open_to_others;
  const MediaAccess media;
  Metrics metrics;
  Router router;
  Gate gate;
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<Generator> generator;
  TranscriptionPool transcriptions{kTranscriptionsAtOnce, kMostTranscriptionsWaiting};
};

// Handlers use the scheduler, and its callbacks the connections.
Server::Impl::~Impl() {
  if (http) http->StopWorkers();
  transcriptions.Stop();
  scheduler.reset();
}

Status Server::Impl::Prepare() {
  G3N_ASSIGN_OR_RETURN(scheduler, Scheduler::Create(engine, options.scheduler));
  generator = std::make_unique<MeasuredGenerator>(
      MakeGenerator(
          engine, *scheduler,
          {.timeout_seconds = options.request_seconds, .context = options.scheduler.context}),
      metrics);
  AddOwnRoutes();
  AddApis();
  G3N_ASSIGN_OR_RETURN(http, HttpServer::Start(options.http, gate, metrics));
  return OkStatus();
}

void Server::Impl::AddApis() {
  ApiContext context;
  context.engine = engine;
  context.scheduler = scheduler.get();
  context.generator = generator.get();
  context.media = &media;
  context.tokens =
      options.scheduler.context > 0 ? options.scheduler.context : engine->info().context;
  context.model_name = options.model_name;
  context.size = options.size;
  context.created = std::time(nullptr);
  context.any_model = options.any_model;
  AddOpenAiRoutes(router, context);
  AddAudioRoutes(router, context, transcriptions);
  AddAnthropicRoutes(router, context);
  AddOllamaRoutes(router, context);

  const ModelInfo& info = engine->info();
  AddPageRoutes(router, {options.model_name, context.tokens, options.http.max_body_bytes, info.sees,
                         info.hears});
}

void Server::Impl::AddOwnRoutes() {
  router.Add("GET", "/health", ErrorStyle::kOpenAi,
             [this](const std::shared_ptr<Exchange>& exchange) {
               const bool draining = gate.closed();
               exchange->Respond(draining ? 503 : 200, "application/json",
                                 draining ? R"({"status":"draining"})" : R"({"status":"ok"})");
             },
             {.open = true, .quick = true});
  router.Add("GET", "/metrics", ErrorStyle::kOpenAi,
             [this](const std::shared_ptr<Exchange>& exchange) {
               exchange->Respond(200, "text/plain; version=0.0.4; charset=utf-8",
                                 metrics.Text(scheduler->stats()));
             },
             {.quick = true});
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Start(std::shared_ptr<const Engine> engine,
                                              const ServerOptions& given) {
  ServerOptions options = given;
  if (options.model_name.empty()) options.model_name = NameOfModel(engine->info().path);
  options.http.max_connections = MakeRoomForConnections(options.http.max_connections);
  G3N_ASSIGN_OR_RETURN(GateOptions gate, MakeGateOptions(options));
  auto impl = std::make_unique<Impl>(std::move(engine), std::move(options), std::move(gate));
  G3N_RETURN_IF_ERROR(impl->Prepare());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

const std::string& Server::address() const { return impl_->http->address(); }
bool Server::open_to_others() const { return impl_->open_to_others; }

void Server::Drain(double seconds) {
  impl_->gate.CloseForNew();
  impl_->http->StopListening();
  const auto answered_by = [&](Clock::time_point deadline) {
    while (impl_->metrics.exchanges > 0 && Clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  };
  answered_by(Clock::now() +
              std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)));
  impl_->scheduler->Drain(0);
  answered_by(Clock::now() + kFlush);
}

}  // namespace gemma3n::server
