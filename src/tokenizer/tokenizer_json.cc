// tokenizer.json and tokenizer_config.json, as Hugging Face's libraries write them. A
// tokenizer.json of 33 MB counts in the time to the first token, so simdjson reads it; all of it is
// validated before any of it is used.
#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "tokenizer/definition.h"
#include "tokenizer/utf8.h"

namespace gemma3n {
namespace {

using simdjson::dom::element;
// A value, or why there is none; [] on it goes on to the next level or keeps the failure.
using Json = simdjson::simdjson_result<element>;

Status Corrupt(const std::string& name, const std::string& what) {
  return Error(StatusCode::kCorruptFile, "{}: {}", name, what);
}

Status Refuse(const std::string& name, std::string_view field, std::string_view found,
              std::string_view expected) {
  return Error(StatusCode::kUnsupported, "{}: {} is {}, expected {} as in Gemma's tokenizer.json",
               name, field, found, expected);
}

bool IsNull(const Json& value) {
  return value.error() == simdjson::NO_SUCH_FIELD || value.is_null();
}

std::string_view StringOr(const Json& value, std::string_view otherwise) {
  std::string_view text;
  return value.get(text) == simdjson::SUCCESS ? text : otherwise;
}

bool BoolOr(const Json& value, bool otherwise) {
  bool flag = false;
  return value.get(flag) == simdjson::SUCCESS ? flag : otherwise;
}

// How messages name a component: its type, "missing", or "of no known form".
std::string_view TypeOf(const Json& component) {
  if (IsNull(component)) return "missing";
  return StringOr(component["type"], "of no known form");
}

// The only member of a Sequence of one; anything else as it is.
Json Unwrap(const Json& component, const char* members) {
  simdjson::dom::array list;
  if (TypeOf(component) != "Sequence" || component[members].get(list) != simdjson::SUCCESS ||
      list.size() != 1) {
    return component;
  }
  return list.at(0);
}

bool IsReplace(const Json& component, std::string_view from, std::string_view to) {
  return TypeOf(component) == "Replace" && StringOr(component["pattern"]["String"], "") == from &&
         StringOr(component["content"], "?") == to;
}

// Cuts at plain spaces, of which the normaliser leaves none: does nothing.
bool IsSplitAtSpaces(const Json& component) {
  const auto pattern = component["pattern"];
  const bool spaces =
      StringOr(pattern["String"], "") == " " || StringOr(pattern["Regex"], "") == " ";
  return TypeOf(component) == "Split" && spaces && !BoolOr(component["invert"], true);
}

bool IsGemmaDecoder(const Json& decoder) {
  simdjson::dom::array steps;
  return TypeOf(decoder) == "Sequence" && decoder["decoders"].get(steps) == simdjson::SUCCESS &&
         steps.size() == 3 && IsReplace(steps.at(0), kSpaceMarkUtf8, " ") &&
         TypeOf(steps.at(1)) == "ByteFallback" && TypeOf(steps.at(2)) == "Fuse";
}

Status CheckModel(const Json& model, const std::string& name) {
  if (TypeOf(model) != "BPE") return Refuse(name, "the model", TypeOf(model), "BPE");
  if (!BoolOr(model["byte_fallback"], false))
    return Refuse(name, "model.byte_fallback", "not set", "true");
  if (BoolOr(model["ignore_merges"], false))
    return Refuse(name, "model.ignore_merges", "true", "false");
  double dropout = 0;
  if (model["dropout"].get(dropout) == simdjson::SUCCESS && dropout != 0) {
    return Refuse(name, "model.dropout", "not zero", "none");
  }
  for (const char* field : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const std::string_view value = StringOr(model[field], "");
    if (!value.empty()) return Refuse(name, fmt::format("model.{}", field), value, "none");
  }
  return OkStatus();
}

Status CheckPipeline(const element& root, const std::string& name) {
  const Json normalizer = Unwrap(root["normalizer"], "normalizers");
  if (!IsReplace(normalizer, " ", kSpaceMarkUtf8)) {
    return Refuse(name, "the normalizer", TypeOf(normalizer), "a Replace of a space by U+2581");
  }
  const Json pre_tokenizer = Unwrap(root["pre_tokenizer"], "pretokenizers");
  if (!IsNull(pre_tokenizer) && !IsSplitAtSpaces(pre_tokenizer)) {
    return Refuse(name, "the pre_tokenizer", TypeOf(pre_tokenizer), "none or a Split at spaces");
  }
  if (!IsGemmaDecoder(root["decoder"])) {
    return Refuse(name, "the decoder", TypeOf(root["decoder"]),
                  "a Sequence of Replace (U+2581 by a space), ByteFallback and Fuse");
  }
  return CheckModel(root["model"], name);
}

// model.vocab: {"text": id, ...}
Result<Vocabulary> ReadVocabulary(const Json& vocab, const std::string& name) {
  simdjson::dom::object entries;
  if (vocab.get(entries) != simdjson::SUCCESS)
    return Corrupt(name, "model.vocab is missing or no object");
  // Ids may have holes, but not so many that a small file asks for much memory.
  const uint64_t limit = uint64_t{entries.size()} * 4 + 65536;
  std::vector<Tokenizer::Piece> pieces;
  pieces.reserve(entries.size() + 1024);  // some ids may be left out
  for (const auto& [text, value] : entries) {
    uint64_t id = 0;
    if (value.get(id) != simdjson::SUCCESS || id >= limit) {
      return Corrupt(name,
                     fmt::format("model.vocab has no id from 0 to {} for \"{}\"", limit - 1, text));
    }
    if (id == pieces.size()) {
      pieces.emplace_back();
    } else if (id > pieces.size()) {
      pieces.resize(id + 1, {"", 0, PieceType::kUnused});
    }
    if (!pieces[id].text.empty() && pieces[id].text != text) {
      return Corrupt(name, fmt::format("model.vocab gives id {} to both \"{}\" and \"{}\"", id,
                                       pieces[id].text, text));
    }
    pieces[id].text = text;
    pieces[id].type = ByteOfPiece(text) < 0 ? PieceType::kNormal : PieceType::kByte;
  }
  return Vocabulary::Build(std::move(pieces), name);
}

Status ReadAddedToken(const element& entry, uint64_t id, const std::string& name,
                      std::vector<AddedToken>* added) {
  AddedToken token;
  token.id = static_cast<TokenId>(id);
  token.text = StringOr(entry["content"], "");
  if (token.text.empty()) return OkStatus();  // Hugging Face's library passes over them too
  token.special = BoolOr(entry["special"], false);
  token.lstrip = BoolOr(entry["lstrip"], false);
  token.rstrip = BoolOr(entry["rstrip"], false);
  token.normalized = BoolOr(entry["normalized"], !token.special);
  if (BoolOr(entry["single_word"], false)) {
    return Error(StatusCode::kUnsupported,
                 "{}: added token \"{}\" is to match whole words only (single_word), which "
                 "is not supported",
                 name, token.text);
  }
  added->push_back(std::move(token));
  return OkStatus();
}

// added_tokens: [{"id": ..., "content": ..., flags}, ...]
Status ReadAddedTokens(const Json& list, const std::string& name, std::vector<AddedToken>* added) {
  if (IsNull(list)) return OkStatus();
  simdjson::dom::array entries;
  if (list.get(entries) != simdjson::SUCCESS) return Corrupt(name, "added_tokens is no array");
  for (const element entry : entries) {
    uint64_t id = 0;
    if (entry["id"].get(id) != simdjson::SUCCESS || id > INT32_MAX) {
      return Corrupt(name, fmt::format("an added token (\"{}\") has no valid id",
                                       StringOr(entry["content"], "")));
    }
    G3N_RETURN_IF_ERROR(ReadAddedToken(entry, id, name, added));
  }
  return OkStatus();
}

// One entry of model.merges: "left right", or ["left", "right"].
bool ReadPair(element entry, std::string_view* left, std::string_view* right) {
  simdjson::dom::array pair;
  if (entry.get(pair) == simdjson::SUCCESS) {
    return pair.size() == 2 && pair.at(0).get(*left) == simdjson::SUCCESS &&
           pair.at(1).get(*right) == simdjson::SUCCESS;
  }
  std::string_view text;
  if (entry.get(text) != simdjson::SUCCESS) return false;
  const size_t space = text.find(' ');
  if (space == text.npos || text.find(' ', space + 1) != text.npos) return false;
  *left = text.substr(0, space);
  *right = text.substr(space + 1);
  return true;
}

// Pairs of texts on their way to merges of ids: looked up many at a time.
class MergeBatch {
 public:
  MergeBatch(const Vocabulary& vocabulary, const std::string& name, HugeVector<Merge>* merges)
      : vocabulary_(vocabulary), name_(name), merges_(merges) {}

  Status Add(std::string_view left, std::string_view right) {
    texts_.insert(texts_.end(), {left, right, std::string_view()});
    return texts_.size() < 3 * 128 ? OkStatus() : Flush();
  }

  Status Flush() {
    joined_.clear();
    for (size_t i = 0; i < texts_.size(); i += 3) joined_.append(texts_[i]).append(texts_[i + 1]);
    size_t at = 0;
    for (size_t i = 0; i < texts_.size(); i += 3) {
      texts_[i + 2] = std::string_view(joined_).substr(at, texts_[i].size() + texts_[i + 1].size());
      at += texts_[i + 2].size();
    }
    ids_.resize(texts_.size());
    vocabulary_.FindAll(texts_, ids_.data());
    for (size_t i = 0; i < texts_.size(); i += 3) {
      const auto rank = static_cast<uint32_t>(merges_->size());
      for (size_t k = i; k < i + 3; ++k) {
        if (ids_[k] >= 0) continue;
        return Corrupt(
            name_,
            fmt::format("model.merges[{}] joins \"{}\" and \"{}\", but model.vocab has no \"{}\"",
                        rank, texts_[i], texts_[i + 1], texts_[k]));
      }
      merges_->push_back({ids_[i], ids_[i + 1], rank, ids_[i + 2]});
    }
    texts_.clear();
    return OkStatus();
  }

 private:
  const Vocabulary& vocabulary_;
  const std::string& name_;
  HugeVector<Merge>* merges_;
  std::vector<std::string_view> texts_;  // left, right, both
  std::vector<TokenId> ids_;
  std::string joined_;
};

Result<HugeVector<Merge>> ReadMerges(const Json& list, const Vocabulary& vocabulary,
                                     const std::string& name) {
  simdjson::dom::array entries;
  if (list.get(entries) != simdjson::SUCCESS)
    return Corrupt(name, "model.merges is missing or no array");
  HugeVector<Merge> merges;
  merges.reserve(entries.size());
  MergeBatch batch(vocabulary, name, &merges);
  size_t count = 0;
  for (const element entry : entries) {
    std::string_view left, right;
    if (!ReadPair(entry, &left, &right))
      return Corrupt(name, fmt::format("model.merges[{}] is no pair of texts", count));
    ++count;
    G3N_RETURN_IF_ERROR(batch.Add(left, right));
  }
  G3N_RETURN_IF_ERROR(batch.Flush());
  return merges;
}

// The text with whole numbers beyond 64 bits, which simdjson refuses, marked as floating ones:
// libraries write "model_max_length": 1000000000000000019884624838656 for "no limit".
std::string WideIntegersAsFloats(std::string_view json) {
  constexpr size_t kDigitsOf64Bits = 19;
  constexpr std::string_view kNumber = "0123456789+-.eE";
  std::string text;
  for (size_t i = 0; i < json.size();) {
    size_t end = i + 1;
    if (json[i] == '"') {
      while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, json.size());
    } else if (json[i] == '-' || (json[i] >= '0' && json[i] <= '9')) {
      end = std::min(json.find_first_not_of(kNumber, i), json.size());
    }
    const std::string_view piece = json.substr(i, end - i);
    text += piece;
    if (json[i] != '"' && piece.size() > kDigitsOf64Bits &&
        piece.find_first_of(".eE") == std::string_view::npos) {
      text += "e0";
    }
    i = end;
  }
  return text;
}

// simdjson reads some bytes past the end: `slack` says how many there are, and if too few, it
// copies the text first.
Result<element> Parse(simdjson::dom::parser& parser, std::string_view json, size_t slack,
                      const std::string& name) {
  element root;
  const bool copy = slack < simdjson::SIMDJSON_PADDING;
  auto error = parser.parse(json.data(), json.size(), copy).get(root);
  if (error == simdjson::NUMBER_ERROR) {
    error = parser.parse(WideIntegersAsFloats(json)).get(root);
  }
  if (error != simdjson::SUCCESS) {
    return Corrupt(name, fmt::format("not valid JSON ({})", simdjson::error_message(error)));
  }
  if (!root.is_object()) return Corrupt(name, "expected a JSON object");
  return root;
}

// "bos_token": "<bos>", or {"content": "<bos>", ...}
void ReadTokenName(const Json& value, std::string* token) {
  *token = StringOr(value, StringOr(value["content"], *token));
}

}  // namespace

Result<TokenizerDefinition> ReadTokenizerJson(std::string_view json, size_t slack,
                                              const std::string& name) {
  simdjson::dom::parser parser;
  G3N_ASSIGN_OR_RETURN(const element root, Parse(parser, json, slack, name));
  G3N_RETURN_IF_ERROR(CheckPipeline(root, name));
  TokenizerDefinition d;
  d.rules = TokenizerRules::kHuggingFace;
  d.unknown = StringOr(root["model"]["unk_token"], "");
  G3N_ASSIGN_OR_RETURN(d.vocabulary, ReadVocabulary(root["model"]["vocab"], name));
  G3N_RETURN_IF_ERROR(ReadAddedTokens(root["added_tokens"], name, &d.added));
  G3N_ASSIGN_OR_RETURN(d.merges, ReadMerges(root["model"]["merges"], d.vocabulary, name));
  return d;
}

Status ReadTokenizerConfig(std::string_view json, const std::string& name, bool with_added_tokens,
                           TokenizerDefinition* definition) {
  simdjson::dom::parser parser;
  G3N_ASSIGN_OR_RETURN(const element root, Parse(parser, json, 0, name));
  ReadTokenName(root["bos_token"], &definition->bos);
  ReadTokenName(root["eos_token"], &definition->eos);
  simdjson::dom::object entries;
  if (!with_added_tokens || root["added_tokens_decoder"].get(entries) != simdjson::SUCCESS)
    return OkStatus();
  for (const auto& [key, entry] : entries) {
    uint32_t id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id > INT32_MAX) {
      return Corrupt(name,
                     fmt::format("added_tokens_decoder has the key \"{}\", expected an id", key));
    }
    G3N_RETURN_IF_ERROR(ReadAddedToken(entry, id, name, &definition->added));
  }
  return OkStatus();
}

}  // namespace gemma3n
