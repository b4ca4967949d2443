// The JSON of the APIs' requests: any body has one answer, and one that is refused says why in its
// API's form. The input's first byte chooses the API; the model is played by three tokens.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "formats/json.h"
#include "gemma3n/engine.h"
#include "require.h"
#include "server/api/anthropic.h"
#include "server/api/ollama.h"
#include "server/api/openai.h"

namespace {

using gemma3n::fuzz::Require;
using namespace gemma3n;
using namespace gemma3n::server;

class RecordingExchange : public Exchange {
 public:
  explicit RecordingExchange(HttpRequest request) : request_(std::move(request)) {}
  const HttpRequest& request() const override { return request_; }
  void Respond(int http_status, std::string, std::string text, Headers) override {
    Require(status == 0, "one answer");
    status = http_status;
    body = std::move(text);
    finished = whole = true;
  }
  void Begin(int http_status, std::string, Headers) override {
    Require(status == 0, "one answer");
    status = http_status;
  }
  void Write(std::string piece) override {
    Require(status != 0 && !finished, "pieces come between the begin and the end");
    Require(!piece.empty(), "a piece holds something");
  }
  void Finish() override {
    Require(status != 0 && !finished, "an answer ends once");
    finished = true;
  }
  void OnGone(std::function<void()>) override {}
  void OnBehind(std::function<void(bool)>) override {}

  int status = 0;
  std::string body;
  bool finished = false, whole = false;

 private:
  HttpRequest request_;
};

// Answers each request with a few tokens, of a character that they share.
class PlayedGenerator : public Generator {
 public:
  void Run(Generation g, std::shared_ptr<Exchange>, std::shared_ptr<Sink> sink) override {
    Require(g.n >= 1 && g.n <= 1024, "a number of answers within limits");
    Require(g.options.top_logprobs >= -1 && g.options.top_logprobs <= 100, "few alternatives");
    sink->OnStart(3);
    const std::vector<TokenLogprob> top = {{300, -0.5f}, {301, -1.5f}};
    for (int i = 0; i < g.n; ++i) {
      for (const char* text : {"a", "", "\xc3\xa9"}) sink->OnToken(i, {300, text, -0.5f, top});
      AnswerEnd end;
      end.outcome.result.text = "a\xc3\xa9";
      end.outcome.result.tokens = {300, 300, 300};
      end.outcome.result.logprobs = {{300, -0.5f}, {300, -0.5f}, {300, -0.5f}};
      if (g.prompt_logprobs) end.outcome.prompt = {{2, 0, {}}, {300, -1, top}, {301, -2, top}};
      sink->OnEnd(i, std::move(end));
    }
    sink->OnFinish({3, 0, 3});
  }
  Result<Prompt> ReadPrompt(Generation) override { return Prompt{{2, 300, 301}}; }
};

// The tiny model of this repository: the fuzzers run in its root, the unit tests know where it is.
#ifdef GEMMA3N_SOURCE_DIR
constexpr const char* kModel = GEMMA3N_SOURCE_DIR "/models/tiny";
#else
constexpr const char* kModel = "models/tiny";
#endif

struct Apis {
  Apis() {
    EngineOptions options;
    options.model = kModel;
    options.threads = 1;
    auto engine = Engine::Load(options);
    Require(engine.ok(), "models/tiny is there");
    context.engine = *engine;
    context.generator = &generator;
    context.media = &media;
    context.model_name = "tiny";
    context.any_model = true;
    AddOpenAiRoutes(router, context);
    AddAnthropicRoutes(router, context);
    AddOllamaRoutes(router, context);
  }
  PlayedGenerator generator;
  MediaAccess media{MediaAccessOptions{}};
  ApiContext context;
  Router router;
};

constexpr const char* kPaths[] = {"/v1/chat/completions",
                                  "/v1/completions",
                                  "/v1/responses",
                                  "/tokenize",
                                  "/detokenize",
                                  "/v1/messages",
                                  "/v1/messages/count_tokens",
                                  "/api/chat",
                                  "/api/generate",
                                  "/api/show"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const Apis apis;
  HttpRequest request;
  request.method = "POST";
  request.path = kPaths[data[0] % std::size(kPaths)];
  request.headers["content-type"] = "application/json";
  request.body.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto exchange = std::make_shared<RecordingExchange>(std::move(request));
  const Router::Match match = apis.router.Find("POST", exchange->request().path);
  Require(match.handler != nullptr, "the path has a handler");
  (*match.handler)(exchange);
  Require(exchange->finished, "a request has an answer");
  Require(exchange->status == 200 || (exchange->status >= 400 && exchange->status < 500),
          "it is the request that is wrong");
  if (!exchange->whole) return 0;
  const auto json = ParseJson(exchange->body, "the answer");
  Require(json.ok() && json->is_object(), "an answer is a JSON object");
  const bool error = json->contains("error") && !json->at("error").is_null();
  Require(error == (exchange->status != 200), "an error says so");
  return 0;
}
