// /api/tags, /api/show, /api/ps, /api/version: what is served.
#include <filesystem>
#include <utility>

#include "formats/json.h"
#include "gemma3n/version.h"
#include "runtime/content_hash.h"
#include "server/api/ollama.h"
#include "server/api/ollama_answer.h"
#include "server/api/ollama_request.h"
#include "server/api/request_json.h"
#include "server/api/utc_time.h"

namespace gemma3n::server {
namespace {

namespace fs = std::filesystem;

// The release whose API this is; clients ask before they use what is newer.
constexpr char kApiVersion[] = "0.13.0";

// Bytes of the file or of all files of the folder.
int64_t SizeOnDisk(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const auto size = fs::file_size(path, error);
    return error ? 0 : static_cast<int64_t>(size);
  }
  int64_t sum = 0;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (!entry.is_regular_file(error)) continue;
    const auto size = entry.file_size(error);
    if (!error) sum += static_cast<int64_t>(size);
  }
  return sum;
}

// Ollama names a model's content by 64 hexadecimal digits; hashing gigabytes for it would take
// longer than loading them, so that path, size and shape stand for it.
std::string Digest(const ModelInfo& info, int64_t size) {
  std::string digits;
  for (const char* half : {"ollama digest 1", "ollama digest 2"}) {
    const ContentHash hash = ContentHasher(half)
                                 .Add(std::string_view(info.path))
                                 .Add(size)
                                 .Add(info.layers)
                                 .Add(info.vocab_size)
                                 .Finish();
    digits += fmt::format("{:016x}{:016x}", hash[0], hash[1]);
  }
  return digits;
}

Json Details(const ModelInfo& info) {
  return {{"parent_model", ""},   {"format", info.format == "hub" ? "safetensors" : info.format},
          {"family", "gemma3n"},  {"families", {"gemma3n"}},
          {"parameter_size", ""}, {"quantization_level", ""}};
}

Json ModelJson(const ApiContext& context) {
  const ModelInfo& info = context.engine->info();
  const int64_t size = SizeOnDisk(info.path);
  return {{"name", context.model_name},
          {"model", context.model_name},
          {"modified_at", UtcTime(context.created)},
          {"size", size},
          {"digest", Digest(info, size)},
          {"details", Details(info)}};
}

void Respond(Exchange& exchange, const Json& body) {
  exchange.Respond(200, "application/json; charset=utf-8", DumpOrderedJson(body));
}

}  // namespace

void HandleOllamaTags(const ApiContext& context, const std::shared_ptr<Exchange>& exchange) {
  Respond(*exchange, {{"models", Json::array({ModelJson(context)})}});
}

void HandleOllamaPs(const ApiContext& context, const std::shared_ptr<Exchange>& exchange) {
  Json model = ModelJson(context);
  model.erase("modified_at");
  model["expires_at"] = "9999-12-31T23:59:59Z";  // it stays
  model["size_vram"] = 0;
  model["context_length"] = context.tokens;
  Respond(*exchange, {{"models", Json::array({std::move(model)})}});
}

void HandleOllamaVersion(const ApiContext&, const std::shared_ptr<Exchange>& exchange) {
  Respond(*exchange, {{"version", kApiVersion}, {"gemma3n", GEMMA3N_VERSION}});
}

void HandleOllamaShow(const ApiContext& context, const std::shared_ptr<Exchange>& exchange) {
  RequestBody body(exchange->request().body);
  const Fields& fields = body.fields();
  std::string model;
  fields.String("name", &model);  // its older spelling
  fields.String("model", &model);
  if (model.empty()) fields.Unexpected("model", "a model's name");
  if (body.error()) return RespondOllamaError(*exchange, 400, body.error()->status.message());
  if (const auto size = SizeOfModel(context, OllamaModelName(model)); !size.ok()) {
    return RespondOllamaError(*exchange, 404, size.status().message());
  }
  const ModelInfo& info = context.engine->info();
  Json capabilities = {"completion", "tools"};
  if (info.sees) capabilities.push_back("vision");
  if (info.hears) capabilities.push_back("audio");
  Respond(*exchange, {{"modelfile", "FROM " + context.model_name + "\n"},
                      {"parameters", ""},
                      {"template", "{{ .Prompt }}"},
                      {"details", Details(info)},
                      {"model_info",
                       {{"general.architecture", "gemma3n"},
                        {"gemma3n.block_count", info.layers},
                        {"gemma3n.context_length", context.tokens},
                        {"gemma3n.embedding_length", info.hidden_size},
                        {"gemma3n.vocab_size", info.vocab_size}}},
                      {"capabilities", std::move(capabilities)},
                      {"modified_at", UtcTime(context.created)}});
}

}  // namespace gemma3n::server
