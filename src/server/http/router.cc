#include "server/http/router.h"

#include <algorithm>
#include <utility>

namespace gemma3n::server {
namespace {

// The API that a path without a route was meant for.
ErrorStyle StyleOf(std::string_view path) {
  if (path.starts_with("/api/")) return ErrorStyle::kOllama;
  if (path.starts_with("/v1/messages")) return ErrorStyle::kAnthropic;
  return ErrorStyle::kOpenAi;
}

}  // namespace

void Router::Add(std::string method, std::string path, ErrorStyle style, Handler handler,
                 RouteTraits traits) {
  auto route =
      std::find_if(routes_.begin(), routes_.end(), [&](const Route& r) { return r.path == path; });
  if (route == routes_.end()) {
    Route fresh;
    fresh.below = path.ends_with("/*");
    fresh.path = std::move(path);
    fresh.style = style;
    route = routes_.insert(routes_.end(), std::move(fresh));
  }
  route->methods[std::move(method)] = {std::move(handler), traits};
}

const Router::Route* Router::FindRoute(std::string_view path) const {
  const Route* best = nullptr;
  for (const Route& route : routes_) {
    if (!route.below) {
      if (route.path == path) return &route;
      continue;
    }
    const std::string_view folder = std::string_view(route.path).substr(0, route.path.size() - 1);
    const bool longer = best == nullptr || best->path.size() < route.path.size();
    if (longer && path.starts_with(folder)) best = &route;
  }
  return best;
}

Router::Match Router::Find(std::string_view method, std::string_view path) const {
  Match match;
  const Route* route = FindRoute(path);
  if (route == nullptr) {
    match.style = StyleOf(path);
    return match;
  }
  match.style = route->style;
  match.route = route->path;
  for (const auto& [name, entry] : route->methods) match.allowed.push_back(name);
  auto found = route->methods.find(method);
  if (found == route->methods.end() && method == "HEAD") found = route->methods.find("GET");
  if (found != route->methods.end()) {
    match.handler = &found->second.handler;
    match.traits = found->second.traits;
  }
  return match;
}

}  // namespace gemma3n::server
