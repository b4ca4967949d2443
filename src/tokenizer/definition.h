// What a tokenizer file says, before tables are built from it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {

// Whose rules a file follows where the two differ (runs of more than 31 spaces, malformed byte runs
// in decoding).
enum class TokenizerRules { kSentencePiece, kHuggingFace };

struct TokenizerDefinition {
  TokenizerRules rules = TokenizerRules::kSentencePiece;
  Vocabulary vocabulary;
  std::vector<AddedToken>
      added;  // kHuggingFace: all of them; kSentencePiece: those that the model file has not
  HugeVector<Merge> merges;  // kHuggingFace only; rank = place in the list
  std::string bos = "<bos>", eos = "<eos>", unknown = "<unk>";
};

// tokenizer.model: a protobuf ModelProto of google/sentencepiece. Errors: kCorruptFile (malformed
// protobuf, empty piece), kUnsupported (not BPE with byte fallback, or a normaliser that Gemma's
// does not have).
Result<TokenizerDefinition> ReadSentencePieceModel(std::string_view bytes, const std::string& name);

// tokenizer.json of Hugging Face's tokenizers; `slack` says how many bytes after the text can be
// read (with some, it need not be copied). Errors: kCorruptFile (malformed JSON, merges of unknown
// pieces, ids that contradict each other), kUnsupported (another pipeline than Gemma's).
Result<TokenizerDefinition> ReadTokenizerJson(std::string_view json, size_t slack,
                                              const std::string& name);

// What tokenizer_config.json adds to the files above: names of the start and end tokens, and the
// added tokens, for hub directories without tokenizer.json. Absent fields leave `definition` as it
// is.
Status ReadTokenizerConfig(std::string_view json, const std::string& name, bool with_added_tokens,
                           TokenizerDefinition* definition);

}  // namespace gemma3n
