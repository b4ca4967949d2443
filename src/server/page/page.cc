#include "server/page/page.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/page/page_files.h"

namespace gemma3n::server {
namespace {

// Nothing but the page's own files runs, nothing is fetched from elsewhere, no other site frames
// it.
constexpr char kPolicy[] =
    "default-src 'self'; img-src 'self' blob: data:; media-src blob: data:; connect-src 'self'; "
    "object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

Headers PageHeaders(std::string_view etag) {
  return {{"ETag", std::string(etag)},
          {"Cache-Control", "no-cache"},  // ask each time: 304 where nothing changed
          {"Content-Security-Policy", kPolicy},
          {"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "no-referrer"},
          {"Permissions-Policy", "microphone=(self), camera=(), geolocation=()"},
          {"Cross-Origin-Opener-Policy", "same-origin"}};
}

// If-None-Match is "*" or a list of tags, each perhaps made weak (W/) by a proxy that compresses.
bool Has(std::string_view if_none_match, std::string_view etag) {
  return if_none_match == "*" || if_none_match.find(etag) != std::string_view::npos;
}

void Serve(Exchange& exchange, const PageFile& file) {
  if (Has(exchange.request().Header("if-none-match"), file.etag)) {
    exchange.Respond(304, std::string(file.type), "", PageHeaders(file.etag));
  } else {
    exchange.Respond(200, std::string(file.type), std::string(file.body), PageHeaders(file.etag));
  }
}

}  // namespace

void AddPageRoutes(Router& router, const PageConfig& config) {
  for (const PageFile& file : PageFiles()) {
    const std::string path = file.name == "index.html" ? "/" : "/page/" + std::string(file.name);
    router.Add("GET", path, ErrorStyle::kOpenAi,
               [&file](std::shared_ptr<Exchange> exchange) { Serve(*exchange, file); },
               {.open = true, .quick = true});
  }
  const nlohmann::json json = {{"model", config.model},
                               {"context", config.context},
                               {"max_body_bytes", config.max_body_bytes},
                               {"sees", config.sees},
                               {"hears", config.hears}};
  router.Add("GET", "/page/config.json", ErrorStyle::kOpenAi,
             [text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)](
                 std::shared_ptr<Exchange> exchange) {
               exchange->Respond(
                   200, "application/json", text,
                   {{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
             },
             {.open = true, .quick = true});
}

}  // namespace gemma3n::server
