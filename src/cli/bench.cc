// gemma3n bench: speed and memory, as medians over repeats.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "cli/command.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "gemma3n/version.h"

namespace gemma3n::cli {
namespace {

struct BenchOptions {
  ModelOptions model;
  int64_t prompt_tokens = 512, gen_tokens = 64, repeats = 3, warmup = 1;
  uint64_t seed = 1;
  bool json = false;
};

struct Figures {
  std::vector<double> prefill_seconds, first_token_seconds, decode_seconds;
};

// Ordinary words at random: special tokens would end or bend the run. Without a tokenizer, any ids
// past the first few, which are special.
Result<std::vector<int32_t>> RandomPrompt(const Engine& engine, int64_t count, uint64_t seed) {
  const bool words = engine.info().has_tokenizer;
  std::vector<int32_t> ids;
  if (words) {
    G3N_ASSIGN_OR_RETURN(ids, engine.Tokenize("", true));
  }
  std::mt19937_64 random(seed);
  const auto vocab = static_cast<uint64_t>(engine.info().vocab_size);
  constexpr uint64_t kSpecial = 4;
  for (int refused = 0; static_cast<int64_t>(ids.size()) < count;) {
    const int32_t id[] = {static_cast<int32_t>(kSpecial + random() % (vocab - kSpecial))};
    // A vocabulary of nothing but special tokens must not hang here.
    if (words && engine.Detokenize(id).empty() && ++refused < 1000000) continue;
    ids.push_back(id[0]);
  }
  ids.resize(static_cast<size_t>(count));
  return ids;
}

GenerationOptions Greedy(int64_t tokens) {
  GenerationOptions options;
  options.temperature = 0.f;
  options.max_tokens = tokens;
  options.ignore_end_tokens = true;
  return options;
}

Result<Figures> Measure(const Engine& engine, Session& session, const BenchOptions& options) {
  const auto stop_on_interrupt = [](const TokenEvent&) { return !Interrupted(); };
  const auto stop_prefill = [](int64_t, int64_t) { return !Interrupted(); };
  Figures figures;
  Progress progress("measuring");
  const int64_t total = options.warmup + options.repeats;
  for (int64_t i = 0; i < total; ++i) {
    progress.Count(i, total);
    session.Reset();
    G3N_ASSIGN_OR_RETURN(const auto prompt, RandomPrompt(engine, options.prompt_tokens,
                                                         options.seed + static_cast<uint64_t>(i)));
    G3N_ASSIGN_OR_RETURN(const auto result, session.Generate(prompt, Greedy(options.gen_tokens),
                                                             stop_on_interrupt, stop_prefill));
    if (Interrupted()) return Status(StatusCode::kCancelled, "interrupted");
    if (result.stats.generated_tokens != options.gen_tokens) {
      return Error(
          StatusCode::kOutOfRange,
          "bench: expected {} tokens of answer, found {} ({}); a larger --context may help",
          options.gen_tokens, result.stats.generated_tokens, StopReasonName(result.reason));
    }
    if (i < options.warmup) continue;
    figures.prefill_seconds.push_back(result.stats.prefill_seconds);
    figures.first_token_seconds.push_back(result.stats.first_token_seconds);
    figures.decode_seconds.push_back(result.stats.decode_seconds);
  }
  return figures;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double Rate(int64_t tokens, double seconds) {
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

Status Report(const Engine& engine, const Figures& figures, const BenchOptions& options) {
  const ModelInfo& info = engine.info();
  const double prefill = Median(figures.prefill_seconds),
               first = Median(figures.first_token_seconds);
  const double decode = Median(figures.decode_seconds);
  const double prefill_rate = Rate(options.prompt_tokens, prefill);
  const double decode_rate =
      Rate(options.gen_tokens - 1, decode);  // the first token belongs to the prompt
  const uint64_t peak = PeakResidentBytes();
  if (options.json) {
    nlohmann::ordered_json json = {{"version", GEMMA3N_VERSION},
                                   {"model", info.path},
                                   {"format", info.format},
                                   {"kernels", info.kernels},
                                   {"threads", info.threads},
                                   {"prompt_tokens", options.prompt_tokens},
                                   {"gen_tokens", options.gen_tokens},
                                   {"repeats", options.repeats},
                                   {"load_seconds", info.load_seconds},
                                   {"prefill_seconds", prefill},
                                   {"prefill_tokens_per_second", prefill_rate},
                                   {"time_to_first_token_seconds", first},
                                   {"decode_tokens_per_second", decode_rate},
                                   {"peak_resident_bytes", peak}};
    if (options.gen_tokens < 2) json["decode_tokens_per_second"] = nullptr;
    return WriteStdout(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return WriteStdout(
      fmt::format("model        {} ({}, kernels {}, {} threads)\n"
                  "load         {:.2f} s\n"
                  "prefill      {:.1f} tokens/s  ({} tokens in {:.3f} s)\n"
                  "first token  {:.3f} s\n"
                  "decode       {:.1f} tokens/s  ({} tokens)\n"
                  "memory       {} at most\n"
                  "medians of {} after {} to warm up\n",
                  info.path, info.format, info.kernels, info.threads, info.load_seconds,
                  prefill_rate, options.prompt_tokens, prefill, first, decode_rate,
                  options.gen_tokens, HumanBytes(peak), options.repeats, options.warmup));
}

Status Run(const BenchOptions& options) {
  G3N_ASSIGN_OR_RETURN(const auto engine, LoadEngine(options.model));
  G3N_ASSIGN_OR_RETURN(const auto session, OpenSession(*engine, options.model));
  const FinishingScope finishing;
  const auto figures = Measure(*engine, *session, options);
  if (Interrupted()) return Status(StatusCode::kCancelled, "interrupted");
  if (!figures.ok()) return figures.status();
  return Report(*engine, *figures, options);
}

}  // namespace

Command MakeBenchCommand(CLI::App& root) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* app = root.add_subcommand("bench", "Measure speed and memory");
  const auto number = [&](const char* flag, int64_t& field, const char* help, int64_t low) {
    app->add_option(flag, field, help)
        ->type_name("N")
        ->check(NumberBetween(static_cast<double>(low), 1 << 24, true))
        ->capture_default_str()
        ->group("Measurement");
  };
  number("--prompt-tokens", options->prompt_tokens, "Tokens of the prompt (random words)", 1);
  number("--gen-tokens", options->gen_tokens, "Tokens of the answer", 1);
  number("--repeats", options->repeats, "Measured runs", 1);
  number("--warmup", options->warmup, "Runs before them that do not count", 0);
  app->add_option("--seed", options->seed, "Seed of the random prompts")
      ->type_name("S")
      ->capture_default_str()
      ->group("Measurement");
  app->add_flag("--json", options->json, "The figures as one JSON object")->group("Output");
  AddModelOptions(*app, options->model);
  app->footer(
      "Memory counts the pages of the model's files that were read, too.\n"
      "Example:\n"
      "  gemma3n bench --model model.gguf --prompt-tokens 1024 --gen-tokens 128 --json");
  return {app, [options] { return Run(*options); }};
}

}  // namespace gemma3n::cli
