// gemma3n bench: speed and memory, as medians over repeats.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <span>

#include "base/file.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/read_rate.h"
#include "cli/terminal.h"
#include "gemma3n/version.h"

namespace gemma3n::cli {
namespace {

struct BenchOptions {
  ModelOptions model;
  std::vector<int64_t> prompt_tokens = {512};  // one after the other in one session
  int64_t gen_tokens = 64, repeats = 3, warmup = 1, warmup_tokens = 0;
  uint64_t seed = 1;
  bool json = false;
};

// Of one length of the prompt, over the repeats.
struct Figures {
  std::vector<double> prefill_rate, prefill_seconds, first_token_seconds, decode_seconds;
};

double Rate(int64_t tokens, double seconds) {
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

// Makes the prompt `count` tokens long, with ordinary words at random: special tokens would end or
// bend the run. Without a tokenizer, any ids past the first few, which are special.
Status Lengthen(const Engine& engine, int64_t count, std::mt19937_64& random,
                std::vector<int32_t>& ids) {
  const bool words = engine.info().has_tokenizer;
  if (words && ids.empty()) {
    G3N_ASSIGN_OR_RETURN(ids, engine.Tokenize("", true));
  }
  const auto vocab = static_cast<uint64_t>(engine.info().vocab_size);
  constexpr uint64_t kSpecial = 4;
  for (int refused = 0; static_cast<int64_t>(ids.size()) < count;) {
    const int32_t id[] = {static_cast<int32_t>(kSpecial + random() % (vocab - kSpecial))};
    // A vocabulary of nothing but special tokens must not hang here.
    if (words && engine.Detokenize(id).empty() && ++refused < 1000000) continue;
    ids.push_back(id[0]);
  }
  ids.resize(static_cast<size_t>(count));
  return {};
}

GenerationOptions Greedy(int64_t tokens) {
  GenerationOptions options;
  options.temperature = 0.f;
  options.max_tokens = tokens;
  options.ignore_end_tokens = true;
  options.draft_tokens = 0;  // a model of random weights repeats itself
  return options;
}

// One run through `lengths`; the answer to a length is part of the next one's prompt, which the
// session therefore only computes the rest of.
Status MeasureRun(const Engine& engine, Session& session, const BenchOptions& options,
                  std::span<const int64_t> lengths, uint64_t seed, std::vector<Figures>& figures) {
  const auto stop_on_interrupt = [](const TokenEvent&) { return !Interrupted(); };
  const auto stop_prefill = [](int64_t, int64_t) { return !Interrupted(); };
  std::mt19937_64 random(seed);
  std::vector<int32_t> prompt;
  double prefill_seconds = 0;
  int64_t prefilled = 0;
  session.Reset();
  for (size_t i = 0; i < lengths.size(); ++i) {
    G3N_RETURN_IF_ERROR(Lengthen(engine, lengths[i], random, prompt));
    G3N_ASSIGN_OR_RETURN(const auto result, session.Generate(prompt, Greedy(options.gen_tokens),
                                                             stop_on_interrupt, stop_prefill));
    if (Interrupted()) return Status(StatusCode::kCancelled, "interrupted");
    if (result.stats.generated_tokens != options.gen_tokens) {
      return Error(
          StatusCode::kOutOfRange,
          "bench: expected {} tokens of answer, found {} ({}); a larger --context may help",
          options.gen_tokens, result.stats.generated_tokens, StopReasonName(result.reason));
    }
    const double before = prefill_seconds;
    prefill_seconds += result.stats.prefill_seconds;
    prefilled += result.stats.prompt_tokens - result.stats.cached_tokens;
    figures[i].prefill_seconds.push_back(prefill_seconds);
    figures[i].prefill_rate.push_back(Rate(prefilled, prefill_seconds));
    figures[i].first_token_seconds.push_back(before + result.stats.first_token_seconds);
    figures[i].decode_seconds.push_back(result.stats.decode_seconds);
    prompt.assign(session.tokens().begin(), session.tokens().end());
  }
  return {};
}

Result<std::vector<Figures>> Measure(const Engine& engine, Session& session,
                                     const BenchOptions& options) {
  std::vector<Figures> figures(options.prompt_tokens.size()), ignored(figures.size());
  Progress progress("measuring");
  const int64_t total = options.warmup + options.repeats, short_one[] = {options.warmup_tokens};
  for (int64_t i = 0; i < total; ++i) {
    progress.Count(i, total);
    const bool warming = i < options.warmup;
    const bool shorter = warming && options.warmup_tokens > 0;
    G3N_RETURN_IF_ERROR(MeasureRun(
        engine, session, options, shorter ? std::span(short_one) : std::span(options.prompt_tokens),
        options.seed + static_cast<uint64_t>(i), warming ? ignored : figures));
  }
  return figures;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Bytes per second that this machine reads of the model's own file, by 1 thread and by the
// engine's: less than 1 GiB would say more of a cache. Empty where the model is a directory.
std::vector<double> ReadRates(const ModelInfo& info) {
  constexpr size_t kMost = size_t{3} << 29;
  const auto file = MappedFile::Open(info.path);
  if (!file.ok()) return {};
  const auto bytes = file->bytes().first(std::min(kMost, file->bytes().size()));
  return {ReadRate(bytes, 1), ReadRate(bytes, info.threads)};
}

using Json = nlohmann::ordered_json;

Json Medians(const Figures& figures, int64_t prompt_tokens, int64_t gen_tokens) {
  Json json = {{"prompt_tokens", prompt_tokens},
               {"prefill_seconds", Median(figures.prefill_seconds)},
               {"prefill_tokens_per_second", Median(figures.prefill_rate)},
               {"time_to_first_token_seconds", Median(figures.first_token_seconds)},
               {"decode_tokens_per_second", nullptr}};
  if (gen_tokens > 1) {  // the first token belongs to the prompt
    json["decode_tokens_per_second"] = Rate(gen_tokens - 1, Median(figures.decode_seconds));
  }
  return json;
}

std::string JsonReport(const ModelInfo& info, const std::vector<Figures>& figures,
                       const BenchOptions& options) {
  Json json = {{"version", GEMMA3N_VERSION}, {"model", info.path},
               {"format", info.format},      {"kernels", info.kernels},
               {"threads", info.threads},    {"gen_tokens", options.gen_tokens},
               {"repeats", options.repeats}, {"load_seconds", info.load_seconds}};
  Json lengths = Json::array();
  for (size_t i = 0; i < figures.size(); ++i) {
    lengths.push_back(Medians(figures[i], options.prompt_tokens[i], options.gen_tokens));
  }
  if (figures.size() == 1) {
    json.update(lengths[0]);
  } else {
    json["lengths"] = std::move(lengths);
  }
  json["peak_resident_bytes"] = PeakResidentBytes();
  json["decode_weight_bytes"] = info.decode_weight_bytes;
  const auto rates = ReadRates(info);
  json["read_bytes_per_second"] = rates.empty() ? Json() : Json(rates.back());
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// Decoding beside the machine's reading alone.
std::string ReadingReport(const ModelInfo& info, const std::vector<Figures>& figures,
                          const BenchOptions& options) {
  const double gigabytes = 1e-9 * static_cast<double>(info.decode_weight_bytes);
  std::string text = fmt::format("weights      {:.2f} GB a decoded token", gigabytes);
  const auto rates = ReadRates(info);
  if (rates.empty() || rates.back() <= 0 || options.gen_tokens < 2) return text + "\n";
  text +=
      fmt::format("; this machine reads {:.1f} GB/s with 1 thread, {:.1f} with {}\nreading     ",
                  1e-9 * rates[0], 1e-9 * rates[1], info.threads);
  for (const Figures& f : figures) {
    const double rate = gigabytes * Rate(options.gen_tokens - 1, Median(f.decode_seconds));
    text += fmt::format(" {:.1f} GB/s ({:.0f} %)", rate, 1e11 * rate / rates[1]);
  }
  return text + "\n";
}

Status Report(const Engine& engine, const std::vector<Figures>& figures,
              const BenchOptions& options) {
  const ModelInfo& info = engine.info();
  if (options.json) return WriteStdout(JsonReport(info, figures, options));
  std::string text =
      fmt::format("model        {} ({}, kernels {}, {} threads)\nload         {:.2f} s\n",
                  info.path, info.format, info.kernels, info.threads, info.load_seconds);
  for (size_t i = 0; i < figures.size(); ++i) {
    const Figures& f = figures[i];
    text += fmt::format(
        "prefill      {:.1f} tokens/s  ({} tokens in {:.3f} s)\n"
        "first token  {:.3f} s\n"
        "decode       {:.1f} tokens/s  ({} tokens)\n",
        Median(f.prefill_rate), options.prompt_tokens[i], Median(f.prefill_seconds),
        Median(f.first_token_seconds), Rate(options.gen_tokens - 1, Median(f.decode_seconds)),
        options.gen_tokens);
  }
  text += fmt::format(
      "memory       {} at most\n"
      "medians of {} after {} to warm up\n",
      HumanBytes(PeakResidentBytes()), options.repeats, options.warmup);
  return WriteStdout(text + ReadingReport(info, figures, options));
}

Status CheckAscending(const std::vector<int64_t>& lengths, int64_t gen_tokens) {
  for (size_t i = 1; i < lengths.size(); ++i) {
    if (lengths[i] < lengths[i - 1] + gen_tokens) {
      return Error(StatusCode::kInvalidArgument,
                   "--prompt-tokens: expected lengths that leave room for {} tokens of answer "
                   "between them, found {} after {}",
                   gen_tokens, lengths[i], lengths[i - 1]);
    }
  }
  return {};
}

Status Run(const BenchOptions& options) {
  G3N_RETURN_IF_ERROR(CheckAscending(options.prompt_tokens, options.gen_tokens));
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
  app->add_option("--prompt-tokens", options->prompt_tokens,
                  "Tokens of the prompt (random words); of several lengths, each goes on from the "
                  "last one's answer, and seconds and speed count from the start")
      ->type_name("N[,N...]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(NumberBetween(1, 1 << 24, true))
      ->default_str("512")
      ->group("Measurement");
  number("--gen-tokens", options->gen_tokens, "Tokens of the answer", 1);
  number("--repeats", options->repeats, "Measured runs", 1);
  number("--warmup", options->warmup, "Runs before them that do not count", 0);
  number("--warmup-tokens", options->warmup_tokens,
         "Tokens of their prompts; 0 is as in the measured runs", 0);
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
