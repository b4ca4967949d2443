// From files to a Tokenizer.
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "tokenizer/tokenizer_impl.h"
#include "tokenizer/utf8.h"

namespace gemma3n {
namespace {

// The id under which an added token goes into the vocabulary. A text that is there already keeps
// its id, whatever the token says: Hugging Face's library does so too.
Result<TokenId> PlaceAddedToken(const AddedToken& token, TokenId limit, bool may_rename,
                                const std::string& name, Vocabulary* vocabulary) {
  const PieceType type = token.special ? PieceType::kControl : PieceType::kUserDefined;
  const TokenId known = vocabulary->Find(token.text);
  if (known >= 0) {
    if ((*vocabulary)[known].type != PieceType::kByte) vocabulary->SetType(known, type);
    return known;
  }
  if (token.id >= limit) {
    return Error(StatusCode::kCorruptFile,
                 "{}: added token \"{}\" has id {}, expected one below {}", name, token.text,
                 token.id, limit);
  }
  if (!may_rename && token.id < vocabulary->size() && !(*vocabulary)[token.id].text.empty()) {
    return Error(StatusCode::kUnsupported,
                 "{}: added token \"{}\" has id {}, which is already that of \"{}\"", name,
                 token.text, token.id, (*vocabulary)[token.id].text);
  }
  vocabulary->Rename(token.id, token.text, type);
  return token.id;
}

// Ids of added tokens may lie beyond the vocabulary, but not so far that a small file asks for much
// memory.
TokenId IdLimit(const TokenizerDefinition& d) {
  const uint64_t limit = (uint64_t{d.vocabulary.pieces().size()} + d.added.size()) * 4 + 65536;
  return static_cast<TokenId>(std::min<uint64_t>(limit, INT32_MAX));
}

// Scores as SentencePiece would have them: 0, -1, -2, ... in the order in which merges first make
// the pieces, then the characters. What llama.cpp needs from a vocabulary that came without scores.
void ScoreByMerges(const HugeVector<Merge>& merges, Vocabulary* vocabulary) {
  std::vector<bool> scored(vocabulary->pieces().size());
  float next = 0;
  const auto score = [&](TokenId id) {
    if (scored[id] || (*vocabulary)[id].type != PieceType::kNormal) return;
    scored[id] = true;
    vocabulary->SetScore(id, next);
    next -= 1;
  };
  for (const Merge& merge : merges) score(merge.result);
  for (TokenId id = 0; id < vocabulary->size(); ++id) score(id);
}

std::optional<TokenId> FirstOf(const Vocabulary& vocabulary,
                               std::initializer_list<std::string_view> texts) {
  for (const std::string_view text : texts) {
    if (const TokenId id = vocabulary.Find(text); id >= 0) return id;
  }
  return std::nullopt;
}

// A failure to read an optional file is a failure; that it is not there is none.
Status ReadConfigBeside(const std::string& directory, TokenizerDefinition* definition) {
  const std::string path = directory + "/tokenizer_config.json";
  if (!FileExists(path)) return OkStatus();
  G3N_ASSIGN_OR_RETURN(const std::string json, ReadFile(path));
  const bool with_added_tokens = definition->rules == TokenizerRules::kSentencePiece;
  return ReadTokenizerConfig(json, path, with_added_tokens, definition);
}

// Readable bytes after the end of a mapped file: what is left of its last page.
size_t PageSlack(std::string_view mapped) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return (page - mapped.size() % page) % page;
}

Result<TokenizerDefinition> ReadDefinition(const std::string& path) {
  G3N_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  const size_t first = file.text().find_first_not_of(" \t\r\n");
  const bool json = first != std::string_view::npos && file.text()[first] == '{';
  if (json || path.ends_with(".json"))
    return ReadTokenizerJson(file.text(), PageSlack(file.text()), path);
  return ReadSentencePieceModel(file.text(), path);
}

}  // namespace

Result<Tokenizer> Tokenizer::Impl::Build(TokenizerDefinition d, const std::string& name) {
  const bool hugging_face = d.rules == TokenizerRules::kHuggingFace;
  const TokenId limit = IdLimit(d);
  for (AddedToken& token : d.added) {
    G3N_ASSIGN_OR_RETURN(token.id,
                         PlaceAddedToken(token, limit, !hugging_face, name, &d.vocabulary));
  }
  const TokenId unknown = d.vocabulary.Find(d.unknown);
  if (unknown >= 0 && d.vocabulary[unknown].type == PieceType::kControl) {
    d.vocabulary.SetType(unknown, PieceType::kUnknown);
  }
  if (hugging_face) ScoreByMerges(d.merges, &d.vocabulary);
  const auto make_bpe = [&]() -> Result<LazyBpe> {
    if (!hugging_face) return LazyBpe::FromScores(d.vocabulary, name);
    G3N_ASSIGN_OR_RETURN(Bpe bpe, Bpe::FromMerges(d.vocabulary, std::move(d.merges), name));
    return LazyBpe(std::move(bpe));
  };
  G3N_ASSIGN_OR_RETURN(LazyBpe bpe, make_bpe());
  auto impl = std::make_unique<Impl>(d.rules, std::move(d.vocabulary), std::move(bpe));
  if (hugging_face) {
    impl->AddListed(d.added);
  } else {
    impl->AddByType(d.added);
  }
  impl->bos = FirstOf(impl->vocabulary, {d.bos, "<bos>"});
  impl->eos = FirstOf(impl->vocabulary, {d.eos, "<eos>"});
  return Tokenizer(std::move(impl));
}

// tokenizer.json: the added tokens are those that it lists.
void Tokenizer::Impl::AddListed(const std::vector<AddedToken>& added) {
  for (const AddedToken& token : added) {
    if (!token.normalized) {
      before.Add(token, token.text);
      continue;
    }
    std::string pattern;
    AppendNormalized(token.text, &pattern);
    after.Add(token, pattern);
  }
}

// Other files: special pieces are matched in the text as it is, then user-defined ones in the
// normalised text, as by SentencePiece; what tokenizer_config.json adds is matched in the text as
// it is, with its flags.
void Tokenizer::Impl::AddByType(const std::vector<AddedToken>& added) {
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    if (!Knows(id)) continue;
    const std::string& text = vocabulary[id].text;
    if (IsSpecial(id)) before.Add({id, text, true}, text);
    if (vocabulary[id].type == PieceType::kUserDefined) after.Add({id, text}, text);
  }
  for (const AddedToken& token : added) {
    const bool matched =
        vocabulary[token.id].type == PieceType::kUserDefined && !token.lstrip && !token.rstrip;
    if (!matched) before.Add(token, token.text);
  }
}

Result<Tokenizer> Tokenizer::Open(const std::string& path) {
  if (!IsDirectory(path)) {
    G3N_ASSIGN_OR_RETURN(TokenizerDefinition d, ReadDefinition(path));
    return Impl::Build(std::move(d), path);
  }
  for (const char* file : {"/tokenizer.json", "/tokenizer.model"}) {
    const std::string inside = path + file;
    if (!FileExists(inside)) continue;
    G3N_ASSIGN_OR_RETURN(TokenizerDefinition d, ReadDefinition(inside));
    G3N_RETURN_IF_ERROR(ReadConfigBeside(path, &d));
    return Impl::Build(std::move(d), inside);
  }
  return Error(StatusCode::kNotFound,
               "{}: neither tokenizer.json nor tokenizer.model in this directory", path);
}

Result<Tokenizer> Tokenizer::FromTokenizerJson(std::string_view json, const std::string& name) {
  G3N_ASSIGN_OR_RETURN(TokenizerDefinition d, ReadTokenizerJson(json, 0, name));
  return Impl::Build(std::move(d), name);
}

Result<Tokenizer> Tokenizer::FromSentencePiece(std::string_view model, const std::string& name) {
  G3N_ASSIGN_OR_RETURN(TokenizerDefinition d, ReadSentencePieceModel(model, name));
  return Impl::Build(std::move(d), name);
}

Result<Tokenizer> Tokenizer::FromGgufPieces(std::vector<Piece> pieces, const std::string& name) {
  if (pieces.empty()) return Error(StatusCode::kCorruptFile, "{}: no tokens in its metadata", name);
  for (Piece& piece : pieces) {
    if (piece.type != PieceType::kUserDefined || piece.text.find(' ') == piece.text.npos) continue;
    std::string text;
    AppendNormalized(piece.text, &text);  // llama.cpp's converter wrote spaces for U+2581
    piece.text = std::move(text);
  }
  TokenizerDefinition d;
  G3N_ASSIGN_OR_RETURN(d.vocabulary, Vocabulary::Build(std::move(pieces), name));
  return Impl::Build(std::move(d), name);
}

}  // namespace gemma3n
