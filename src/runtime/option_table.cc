#include "gemma3n/option_table.h"

#include <limits>

namespace gemma3n {
namespace {

constexpr double kMaxInt = std::numeric_limits<int>::max();
constexpr double kMaxInt64 = 9007199254740992.0;  // 2^53: exact in a double
constexpr double kMaxFloat = std::numeric_limits<float>::max();

using G = GenerationOptions;

const GenerationOptionSpec kTable[] = {
    {"max_tokens", "--max-tokens", "N",
     "Longest answer in tokens; without it, until the context is full", -1, kMaxInt64,
     &G::max_tokens},
    {"temperature", "--temperature", "T",
     "Divides the logits; higher is more surprising, 0 always takes the most probable token "
     "(default: the checkpoint's, else 1)",
     0, kMaxFloat, &G::temperature},
    {"top_k", "--top-k", "K",
     "Choose among the K most probable tokens; 0 is off (default: the checkpoint's, else 64)", 0,
     kMaxInt, &G::top_k},
    {"top_p", "--top-p", "P",
     "Choose among the fewest tokens whose probabilities reach P; 1 is off "
     "(default: the checkpoint's, else 0.95)",
     0, 1, &G::top_p},
    {"min_p", "--min-p", "P",
     "Drop tokens less probable than P times the most probable one; 0 is off (default 0)", 0, 1,
     &G::min_p},
    {"repetition_penalty", "--repetition-penalty", "R",
     "Makes tokens of the prompt and the answer less likely; 1 is off (default 1)", 0, kMaxFloat,
     &G::repetition_penalty},
    {"presence_penalty", "--presence-penalty", "X",
     "Subtracted once from the logit of each token already in the answer; 0 is off (default 0)",
     -kMaxFloat, kMaxFloat, &G::presence_penalty},
    {"frequency_penalty", "--frequency-penalty", "X",
     "Subtracted from a token's logit for each time it is in the answer; 0 is off (default 0)",
     -kMaxFloat, kMaxFloat, &G::frequency_penalty},
    {"logit_bias", "--logit-bias", "ID=X", "Adds X to the logit of token ID; may be repeated",
     -kMaxFloat, kMaxFloat, &G::logit_bias},
    {"seed", "--seed", "S",
     "The same seed, prompt and options give the same answer (default: a fresh one each time)", 0,
     kMaxInt64, &G::seed},
    {"stop", "--stop", "TEXT", "End the answer before this text; may be repeated", 0, 0, &G::stop},
    {"stop_tokens", "--stop-token", "ID",
     "End the answer at this token, besides the checkpoint's own end tokens; may be repeated", 0,
     kMaxInt, &G::stop_tokens},
    {"ignore_end_tokens", "--ignore-end-tokens", "",
     "Go on after the checkpoint's end tokens (for measurements)", 0, 0, &G::ignore_end_tokens},
    {"draft_tokens", "--draft-tokens", "N",
     "Guess up to N tokens from the text so far and check them in one pass, which changes no answer; "
     "0 is off (default 3)",
     0, 7, &G::draft_tokens},
    {"json_schema", "--json-schema", "TEXT",
     "The answer is one JSON value that this JSON Schema allows; {} allows any (@FILE: a file's "
     "content)",
     0, 0, &G::json_schema},
    {"top_logprobs", "--logprobs", "N",
     "Report each token's log-probability and the N most probable alternatives", -1, 100,
     &G::top_logprobs},
};

}  // namespace

std::span<const GenerationOptionSpec> GenerationOptionTable() { return kTable; }

}  // namespace gemma3n
