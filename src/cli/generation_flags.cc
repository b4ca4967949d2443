#include "cli/generation_flags.h"

#include <charconv>
#include <type_traits>

#include "cli/help.h"
#include "cli/terminal.h"
#include "cli/text_input.h"
#include "gemma3n/option_table.h"

namespace gemma3n::cli {
namespace {

// "123=-1.5" into the map. Returns what is wrong, empty when nothing is.
std::string ParseBias(const std::string& text, std::map<int32_t, float>& biases) {
  const char* end = text.data() + text.size();
  int32_t id = 0;
  float value = 0;
  const auto first = std::from_chars(text.data(), end, id);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '=') {
    const auto second = std::from_chars(first.ptr + 1, end, value);
    if (second.ec == std::errc() && second.ptr == end && id >= 0) {
      biases[id] = value;
      return {};
    }
  }
  return "expected ID=NUMBER, found \"" + text + "\"";
}

CLI::Option* AddBias(CLI::App& app, const char* flag, std::map<int32_t, float>& biases) {
  const auto parse = [&biases](const std::vector<std::string>& values) {
    for (const std::string& value : values) {
      if (const std::string wrong = ParseBias(value, biases); !wrong.empty()) {
        throw CLI::ValidationError("--logit-bias", wrong);
      }
    }
    return true;
  };
  return app.add_option(flag, parse)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

// A text, or "@FILE".
CLI::Option* AddText(CLI::App& app, const char* flag, std::optional<std::string>& text) {
  const auto parse = [&text, flag](const std::vector<std::string>& values) {
    const auto read = ReadTextArgument(values.back(), flag);
    if (!read.ok()) throw CLI::ValidationError(flag, read.status().message());
    text = *read;
    return true;
  };
  return app.add_option(flag, parse)->expected(1);
}

template <typename Field>
constexpr bool IsWhole =
    std::is_integral_v<Field> || std::is_same_v<Field, std::optional<int>> ||
    std::is_same_v<Field, std::optional<uint64_t>> || std::is_same_v<Field, std::vector<int32_t>>;

// One flag; the type of the field decides how its value is read.
template <typename Field>
CLI::Option* AddOption(CLI::App& app, const GenerationOptionSpec& spec, Field& field) {
  if constexpr (std::is_same_v<Field, bool>) {
    return app.add_flag(spec.flag, field);
  } else if constexpr (std::is_same_v<Field, std::optional<std::string>>) {
    return AddText(app, spec.flag, field);
  } else if constexpr (std::is_same_v<Field, std::map<int32_t, float>>) {
    return AddBias(app, spec.flag, field);
  } else if constexpr (std::is_same_v<Field, std::vector<std::string>>) {
    return app.add_option(spec.flag, field)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  } else if constexpr (std::is_same_v<Field, std::vector<int32_t>>) {
    return app.add_option(spec.flag, field)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->check(NumberBetween(spec.min, spec.max, IsWhole<Field>));
  } else {
    return app.add_option(spec.flag, field)
        ->check(NumberBetween(spec.min, spec.max, IsWhole<Field>));
  }
}

}  // namespace

void AddGenerationOptions(CLI::App& app, GenerationOptions& options) {
  for (const GenerationOptionSpec& spec : GenerationOptionTable()) {
    std::visit(
        [&](auto member) {
          CLI::Option* option = AddOption(app, spec, options.*member);
          option->description(spec.help)->group("Answer");
          if (*spec.value_name != '\0') option->type_name(spec.value_name);
        },
        spec.field);
  }
}

void PrintStats(const GenerationResult& result, double load_seconds) {
  const GenerationStats& s = result.stats;
  const auto rate = [](double tokens, double seconds) {
    return seconds > 0 && tokens > 0 ? fmt::format("{:.1f} tokens/s", tokens / seconds)
                                     : std::string("-");
  };
  const int64_t computed = s.prompt_tokens - s.cached_tokens;
  fmt::print(stderr, "prompt   {} tokens, {} of them cached, {:.3f} s ({})\n", s.prompt_tokens,
             s.cached_tokens, s.prefill_seconds,
             rate(static_cast<double>(computed), s.prefill_seconds));
  fmt::print(stderr, "answer   {} tokens, first after {:.3f} s, the rest at {}; ended by {}\n",
             s.generated_tokens, s.first_token_seconds,
             rate(static_cast<double>(s.generated_tokens - 1), s.decode_seconds),
             StopReasonName(result.reason));
  if (s.drafted_tokens > 0) {
    fmt::print(stderr, "guessed  {} tokens ahead, {} of them right\n", s.drafted_tokens,
               s.accepted_tokens);
  }
  fmt::print(stderr, "machine  loaded in {:.2f} s, {} of memory at most\n", load_seconds,
             HumanBytes(PeakResidentBytes()));
}

}  // namespace gemma3n::cli
