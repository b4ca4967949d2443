#include <memory>
#include <utility>

#include "chat/special_text.h"
#include "chat/tools.h"
#include "server/api/generation.h"
#include "server/api/generation_run.h"

namespace gemma3n::server {
namespace {

FunctionChoice FunctionChoiceOf(const ToolChoice& choice) {
  return {.required =
              choice.kind == ToolChoice::Kind::kRequired || choice.kind == ToolChoice::Kind::kNamed,
          .name = choice.kind == ToolChoice::Kind::kNamed ? choice.name : "",
          .parallel = choice.parallel};
}

// Tools that are not to be called are none; a call that is demanded is what the answer must be.
Status ApplyToolChoice(Generation* g) {
  if (g->tool_choice.kind == ToolChoice::Kind::kNone) g->tools.clear();
  const FunctionChoice choice = FunctionChoiceOf(g->tool_choice);
  if (g->tools.empty() && choice.required) {
    return Error(StatusCode::kInvalidArgument,
                 "tool_choice: expected tools to choose from, found none");
  }
  if (g->tools.empty()) return OkStatus();
  G3N_ASSIGN_OR_RETURN(g->messages, AddFunctions(std::move(g->messages), g->tools, choice));
  if (!choice.required) return OkStatus();
  G3N_ASSIGN_OR_RETURN(g->options.json_schema, FunctionCallSchema(g->tools, choice));
  return OkStatus();
}

// As templates want it: a system message first or none, then user and assistant in turn. Nothing
// that a client wrote is a special token.
std::vector<Message> Orderly(const SpecialTextFinder& specials, std::vector<Message> messages) {
  bool begun = false;
  for (Message& message : messages) {
    begun = begun || message.role != "system";
    if (begun && message.role == "system") message.role = "user";
  }
  messages = JoinTurns(std::move(messages));
  for (Message& message : messages) {
    for (Part& part : message.parts) part.text = specials.Escape(part.text);
  }
  return messages;
}

class EngineGenerator : public Generator {
 public:
  EngineGenerator(std::shared_ptr<const Engine> engine, Scheduler& scheduler,
                  const GeneratorOptions& options)
      : engine_(std::move(engine)),
        scheduler_(scheduler),
        options_(options),
        specials_(SpecialTextFinder::Gemma3n()) {}

  void Run(Generation generation, std::shared_ptr<Exchange> exchange,
           std::shared_ptr<Sink> sink) override {
    const auto run =
        std::make_shared<GenerationRun>(engine_, scheduler_, options_, std::move(sink));
    // Weak: the exchange must not keep alive what keeps the exchange alive.
    const std::weak_ptr<GenerationRun> weak = run;
    exchange->OnGone([weak] {
      if (const auto locked = weak.lock()) locked->Gone();
    });
    exchange->OnBehind([weak](bool behind) {
      if (const auto locked = weak.lock()) locked->Behind(behind);
    });
    const std::string client = exchange->request().client;
    exchange.reset();  // the sink has it
    generation.media.on_progress = [&run](int64_t) { return !run->gone(); };
    Result<Prompt> prompt = Read(generation);
    generation.media.on_progress = {};
    if (!prompt.ok()) return run->Refuse(HttpStatusOf(prompt.status()), prompt.status());
    run->Start(std::move(generation), std::move(prompt).value(), client);
  }

  Result<Prompt> ReadPrompt(Generation generation) override { return Read(generation); }

 private:
  Result<Prompt> Read(Generation& g) const {
    if (g.media.room == 0) g.media.room = options_.context;
    if (g.tokens) return Prompt(*g.tokens);
    if (!g.text) {
      G3N_RETURN_IF_ERROR(ApplyToolChoice(&g));
      auto prompt = engine_->ChatPrompt(Orderly(specials_, std::move(g.messages)), g.media);
      if (g.answer_start.empty() || !prompt.ok()) return prompt;
      return Continued(*std::move(prompt), specials_.Escape(g.answer_start));
    }
    G3N_ASSIGN_OR_RETURN(const std::vector<int32_t> bos, engine_->Tokenize("", /*add_bos=*/true));
    const bool add_bos = !g.text->starts_with(engine_->Detokenize(bos, /*skip_special=*/false));
    return engine_->TextPrompt(*g.text, g.text_media, add_bos, g.media);
  }

  // Tokenized as a whole: a newline merges with what comes after it.
  Result<Prompt> Continued(Prompt prompt, std::string_view words) const {
    prompt.text += words;
    G3N_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                         engine_->Tokenize(prompt.text, /*add_bos=*/false, /*expand_media=*/true));
    if (ids.front() != prompt.tokens.front()) ids.insert(ids.begin(), prompt.tokens.front());
    prompt.tokens = std::move(ids);
    return prompt;
  }

  std::shared_ptr<const Engine> engine_;
  Scheduler& scheduler_;
  GeneratorOptions options_;
  SpecialTextFinder specials_;
};

}  // namespace

std::unique_ptr<Generator> MakeGenerator(std::shared_ptr<const Engine> engine, Scheduler& scheduler,
                                         const GeneratorOptions& options) {
  return std::make_unique<EngineGenerator>(std::move(engine), scheduler, options);
}

}  // namespace gemma3n::server
