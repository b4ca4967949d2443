// gemma3n perplexity: how well the model foretells a text.
//   exp( -1/n sum_i ln p(token_i | those before it in its window) )
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "cli/text_input.h"

namespace gemma3n::cli {
namespace {

struct PerplexityOptions {
  ModelOptions model;
  std::string file;
  int64_t window = 0, stride = 0;
  bool json = false;
};

// -ln softmax(logits)[token], in double.
double NegativeLogLikelihood(std::span<const float> logits, int32_t token) {
  float highest = logits[0];
  for (const float x : logits) highest = std::max(highest, x);
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - highest);
  return std::log(sum) + highest - logits[static_cast<size_t>(token)];
}

struct Sums {
  double nats = 0;
  int64_t scored = 0, windows = 0;
};

// Scores the text window by window, each with `prefix` (<bos>) in front. A token counts once: in
// the first window that holds it.
Result<Sums> ScoreText(Session& session, std::span<const int32_t> text,
                       std::span<const int32_t> prefix, const PerplexityOptions& options) {
  const int64_t count = static_cast<int64_t>(text.size()),
                front = static_cast<int64_t>(prefix.size());
  const int64_t window = options.window > 0 ? options.window : session.context();
  const int64_t room = window - front;
  if (room < 2)
    return Error(StatusCode::kInvalidArgument, "--window: expected at least {} tokens, found {}",
                 front + 2, window);
  const int64_t stride = options.stride > 0 ? options.stride : room;
  if (stride > room) {
    return Error(StatusCode::kInvalidArgument,
                 "--stride: expected at most {} (the window's own tokens), found {}", room, stride);
  }
  Progress progress("scoring");
  Sums sums;
  for (int64_t begin = 0, seen = 0; seen < count; begin += stride) {
    const int64_t end = std::min(begin + room, count);
    std::vector<int32_t> tokens(prefix.begin(), prefix.end());
    tokens.insert(tokens.end(), text.begin() + begin, text.begin() + end);
    G3N_RETURN_IF_ERROR(session.Score(tokens, [&](int64_t position, std::span<const float> logits) {
      const int64_t next =
          begin + position + 1 - front;  // index in the text of the token foretold here
      if (next >= seen && next < end) {
        sums.nats += NegativeLogLikelihood(logits, text[static_cast<size_t>(next)]);
        ++sums.scored;
      }
      progress.Count(std::max<int64_t>(next, 0), count);
      return !Interrupted();
    }));
    if (Interrupted()) return Status(StatusCode::kCancelled, "interrupted");
    seen = end;
    ++sums.windows;
  }
  return sums;
}

Status Run(const PerplexityOptions& options) {
  G3N_ASSIGN_OR_RETURN(const std::string text, ReadFileOrStdin(options.file));
  const std::string name = options.file == "-" ? "standard input" : options.file;
  G3N_RETURN_IF_ERROR(CheckUtf8(text, name));
  G3N_ASSIGN_OR_RETURN(const auto engine, LoadEngine(options.model));
  G3N_ASSIGN_OR_RETURN(const auto prefix, engine->Tokenize("", true));
  G3N_ASSIGN_OR_RETURN(const auto tokens, engine->Tokenize(text, false));
  if (tokens.size() + prefix.size() < 2) {
    return Error(StatusCode::kInvalidArgument, "{}: expected a text of some tokens, found {}", name,
                 tokens.size());
  }
  G3N_ASSIGN_OR_RETURN(const auto session, OpenSession(*engine, options.model));
  const FinishingScope finishing;
  const auto scored = ScoreText(*session, tokens, prefix, options);
  if (Interrupted()) return Status(StatusCode::kCancelled, "interrupted");
  if (!scored.ok()) return scored.status();
  const double mean = scored->nats / static_cast<double>(scored->scored);
  const double bits_per_byte = scored->nats / std::log(2.0) / static_cast<double>(text.size());
  if (options.json) {
    const nlohmann::ordered_json json = {
        {"perplexity", std::exp(mean)}, {"nats_per_token", mean}, {"bits_per_byte", bits_per_byte},
        {"tokens", scored->scored},     {"bytes", text.size()},   {"windows", scored->windows}};
    return WriteStdout(json.dump() + "\n");
  }
  return WriteStdout(fmt::format(
      "perplexity {:.4f}  ({:.5f} nats per token, {:.4f} bits per byte; {} tokens, {} bytes)\n",
      std::exp(mean), mean, bits_per_byte, scored->scored, text.size()));
}

}  // namespace

Command MakePerplexityCommand(CLI::App& root) {
  auto options = std::make_shared<PerplexityOptions>();
  CLI::App* app = root.add_subcommand("perplexity", "Measure how well the model foretells a text");
  app->add_option("-f,--file", options->file, "The text; - for standard input")
      ->type_name("TEXT")
      ->required()
      ->group("Input");
  app->add_option("--window", options->window,
                  "Tokens read at once, <bos> included (default: the context)")
      ->type_name("N")
      ->check(NumberBetween(1, 1e15, true))
      ->group("Input");
  app->add_option("--stride", options->stride,
                  "Tokens from one window to the next; smaller gives more context to each "
                  "(default: no overlap)")
      ->type_name("N")
      ->check(NumberBetween(1, 1e15, true))
      ->group("Input");
  app->add_flag("--json", options->json, "The figures as one JSON object")->group("Output");
  AddModelOptions(*app, options->model);
  app->footer(
      "Every window begins with <bos>; each token of the text counts once. Lower is better.\n"
      "Example:\n"
      "  gemma3n perplexity --model gemma-3n-E4B-it --file book.txt --window 2048");
  return {app, [options] { return Run(*options); }};
}

}  // namespace gemma3n::cli
