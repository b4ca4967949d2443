// gemma3n serve: the model behind HTTP, for the clients of other servers.
#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "cli/command.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "server/server.h"

namespace gemma3n::cli {
namespace {

struct ServeOptions {
  ModelOptions model;
  server::ServerOptions server;
  double drain_seconds = 30;
};

// "64K", "1.5G", "1048576": bytes.
CLI::Validator ByteCount() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        constexpr double kMost = 1e15;
        double unit = 1;
        std::string digits = text;
        const size_t suffix =
            digits.empty() ? std::string::npos : std::string("KMGT").find(digits.back());
        if (suffix != std::string::npos) {
          for (size_t i = 0; i <= suffix; ++i) unit *= 1024;
          digits.pop_back();
        }
        size_t end = 0;
        double value = -1;
        try {
          value = std::stod(digits, &end) * unit;
        } catch (const std::exception&) {
          end = std::string::npos;
        }
        if (end != digits.size() || !(value >= 0 && value <= kMost)) {
          return fmt::format("expected bytes such as 65536, 64K or 1G, found \"{}\"", text);
        }
        text = fmt::format("{:.0f}", value);
        return "";
      },
      "");
}

void AddListening(CLI::App& app, ServeOptions& options) {
  const char* group = "Listening";
  server::HttpOptions& http = options.server.http;
  auto* host =
      app.add_option("--host", http.host,
                     "Address to listen on (default 127.0.0.1: this machine only; 0.0.0.0: "
                     "everybody, so give --api-key-file)")
          ->type_name("ADDRESS")
          ->group(group);
  auto* port = app.add_option("--port", http.port, "Port (default 8080; 0: any that is free)")
                   ->type_name("N")
                   ->check(NumberBetween(0, 65535, true))
                   ->group(group);
  app.add_option("--unix-socket", http.unix_socket, "Listen on this socket instead")
      ->type_name("PATH")
      ->excludes(host)
      ->excludes(port)
      ->group(group);
  app.add_option("--drain-seconds", options.drain_seconds,
                 "Time that running answers have left after SIGTERM or Ctrl-C (default 30)")
      ->type_name("S")
      ->check(NumberBetween(0, 86400, false))
      ->group(group);
  app.add_flag("--log", http.log, "A line on stderr for each request, without its words")
      ->group(group);
}

void AddAccess(CLI::App& app, ServeOptions& options) {
  const char* group = "Who may ask, and for what";
  server::HttpOptions& http = options.server.http;
  app.add_option("--api-key-file", options.server.api_key_file,
                 "A file with one key a line, \"name: key\" or the key alone; clients send it as "
                 "Authorization: Bearer or x-api-key (default: no key is needed)")
      ->type_name("FILE")
      ->group(group);
  app.add_option(
         "--cors-origin", http.cors_origins,
         "Web pages of this origin may ask, e.g. https://example.org; * for all (repeatable)")
      ->type_name("ORIGIN")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--allowed-host", http.allowed_hosts,
                 "Another name of this server in requests' Host headers (repeatable)")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option(
         "--trusted-proxy", http.trusted_proxies,
         "A proxy of yours by its address (unix: one on --unix-socket), whose X-Forwarded-For "
         "names the client (repeatable)")
      ->type_name("ADDRESS")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--media-folder", options.server.media.folders,
                 "Requests may name files below this folder (repeatable; default: none)")
      ->type_name("DIR")
      ->allow_extra_args(false)
      ->check(CLI::Validator(CLI::ExistingDirectory).description(""))
      ->group(group);
  auto* remote = app.add_flag("--allow-remote-media", options.server.media.remote,
                              "Fetch http and https media that requests name, from public hosts")
                     ->group(group);
  app.add_option("--remote-host", options.server.media.remote_hosts,
                 "Only from this host, *.example.org for all below it (repeatable)")
      ->type_name("HOST")
      ->allow_extra_args(false)
      ->needs(remote)
      ->group(group);
  app.add_option("--served-name", options.server.model_name,
                 "The model's name in the APIs (default: the file's or folder's)")
      ->type_name("NAME")
      ->group(group);
  app.add_flag("--any-model-name", options.server.any_model,
               "Answer requests for models of other names, too")
      ->group(group);
}

void AddLoad(CLI::App& app, ServeOptions& options) {
  const char* group = "Many at once";
  SchedulerOptions& scheduler = options.server.scheduler;
  app.add_option("--parallel", scheduler.max_running, "Most answers in the making (default 16)")
      ->type_name("N")
      ->check(NumberBetween(1, 1024, true))
      ->group(group);
  app.add_option("--max-waiting", scheduler.max_waiting,
                 "Most requests that wait for a place; more are refused (default 256)")
      ->type_name("N")
      ->check(NumberBetween(0, 1e6, true))
      ->group(group);
  app.add_option("--slice-rows", scheduler.slice_rows,
                 "Prompt tokens read in a step beside running answers (default: a quarter of "
                 "--prefill-chunk)")
      ->type_name("N")
      ->check(NumberBetween(1, 4096, true))
      ->group(group);
  app.add_option("--prefix-cache", scheduler.prefix_cache_bytes,
                 "Memory for prompts that begin alike (default 1G; 0: none)")
      ->type_name("BYTES")
      ->transform(ByteCount())
      ->group(group);
  app.add_option("--request-timeout", options.server.request_seconds,
                 "Most time for one answer (default: no limit)")
      ->type_name("S")
      ->check(NumberBetween(0.1, 1e6, false))
      ->group(group);
}

void AddLimits(CLI::App& app, ServeOptions& options) {
  const char* group = "Limits of HTTP";
  server::HttpOptions& http = options.server.http;
  const auto bytes = [&](const char* name, int64_t& value, const char* help) {
    app.add_option(name, value, help)->type_name("BYTES")->transform(ByteCount())->group(group);
  };
  const auto seconds = [&](const char* name, double& value, const char* help) {
    app.add_option(name, value, help)
        ->type_name("S")
        ->check(NumberBetween(0.01, 1e6, false))
        ->group(group);
  };
  app.add_option("--max-connections", http.max_connections, "Connections at once (default 4096)")
      ->type_name("N")
      ->check(NumberBetween(1, 1e6, true))
      ->group(group);
  bytes("--max-header-bytes", http.max_header_bytes, "Header of one request (default 64K)");
  bytes("--max-body-bytes", http.max_body_bytes, "Body of one request (default 128M)");
  bytes("--max-bodies-bytes", http.max_bodies_bytes,
        "Bodies of all requests together (default 1G)");
  bytes("--max-media-bytes", options.server.media.max_bytes,
        "One picture, sound or video of a request (default 64M)");
  seconds("--header-timeout", http.header_seconds, "For a header to arrive (default 10)");
  seconds("--body-timeout", http.body_seconds,
          "For a body to arrive, and another second for each 16 KiB of it (default 30)");
  seconds("--idle-timeout", http.idle_seconds, "Between requests of a connection (default 75)");
  seconds("--write-timeout", http.write_seconds,
          "A client that takes none of its answer for so long is cut off (default 60)");
}

Status Serve(const ServeOptions& given) {
  ServeOptions options = given;
  G3N_ASSIGN_OR_RETURN(const auto engine, LoadEngine(options.model));
  options.server.scheduler.context = options.model.context;
  options.server.scheduler.kv_type = options.model.kv_type;
  G3N_ASSIGN_OR_RETURN(options.server.size, ChosenSize(*engine, options.model.size));
  ::signal(SIGPIPE, SIG_IGN);  // a client that hangs up is not our end
  G3N_ASSIGN_OR_RETURN(const auto server, server::Server::Start(engine, options.server));
  const FinishingScope finishing;
  if (server->open_to_others()) {
    fmt::print(stderr, "gemma3n: whoever reaches {} may ask: no --api-key-file was given\n",
               server->address());
  }
  G3N_RETURN_IF_ERROR(WriteStdout(fmt::format("listening on {}\n", server->address())));
  while (!Interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  server->Drain(options.drain_seconds);
  return OkStatus();
}

}  // namespace

Command MakeServeCommand(CLI::App& root) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* app = root.add_subcommand(
      "serve", "Answer over HTTP, as OpenAI's, Anthropic's and Ollama's servers do");
  AddListening(*app, *options);
  AddAccess(*app, *options);
  AddLoad(*app, *options);
  AddLimits(*app, *options);
  AddModelOptions(*app, options->model);
  AddTowerOptions(*app, options->model);
  AddChatTemplateOption(*app, options->model);
  app->footer(
      "Examples:\n"
      "  gemma3n serve --model gemma-3n-E4B-it\n"
      "  gemma3n serve --model model.gguf --port 9000 --media-folder pictures\n"
      "  gemma3n serve --model model.gguf --host 0.0.0.0 --api-key-file keys.txt --log");
  return {app, [options] { return Serve(*options); }};
}

}  // namespace gemma3n::cli
