#include "runtime/prompt_rows.h"

#include "runtime/soft_tokens.h"

namespace gemma3n::internal {
namespace {

// Hands out the rows of one kind of medium in order.
class SoftRows {
 public:
  SoftRows(const char* kind, const std::vector<std::shared_ptr<const SoftTokens>>& media)
      : kind_(kind), media_(media) {
    for (const auto& medium : media) expected_ += medium->count;
  }

  // Before the first Next: every row is as long as this model's.
  Status CheckWidth(int64_t hidden) const {
    for (const auto& medium : media_) {
      if (static_cast<int64_t>(medium->rows.size()) == medium->count * hidden) continue;
      return Error(
          StatusCode::kInvalidArgument,
          "the prompt's {} soft tokens have {} values each, expected this model's {}: they "
          "were made by another",
          kind_, static_cast<int64_t>(medium->rows.size()) / medium->count, hidden);
    }
    return OkStatus();
  }

  void Next(int64_t hidden, PromptRow* row) {
    ++found_;
    if (medium_ == media_.size()) return;  // Check will say so
    const SoftTokens& medium = *media_[medium_];
    row->embedding = medium.rows.data() + at_ * hidden;
    // The top bit keeps it apart from ids; hashes are uniform, so their mix with the place is too.
    row->identity = (medium.hash[0] + static_cast<uint64_t>(at_) * medium.hash[1]) | 1ull << 63;
    if (++at_ < medium.count) return;
    at_ = 0;
    ++medium_;
  }

  Status Check() const {
    if (found_ == expected_) return OkStatus();
    return Error(StatusCode::kInvalidArgument,
                 "the prompt has {} {} soft tokens, expected {} for its {} {}", found_, kind_,
                 expected_, media_.size(), kind_);
  }

 private:
  const char* kind_;
  const std::vector<std::shared_ptr<const SoftTokens>>& media_;
  size_t medium_ = 0;
  int64_t at_ = 0, expected_ = 0, found_ = 0;
};

}  // namespace

Result<std::vector<PromptRow>> PromptRows(const Prompt& prompt, const EngineImpl& engine,
                                          int64_t context) {
  const auto& ids = prompt.tokens;
  if (ids.empty()) {
    return Error(StatusCode::kInvalidArgument, "the prompt is empty: expected at least one token");
  }
  if (static_cast<int64_t>(ids.size()) > context) {
    return Error(StatusCode::kOutOfRange, "the prompt has {} tokens, more than the context of {}",
                 ids.size(), context);
  }
  const TextConfig& text = engine.config().text;
  const MultimodalTokens& tokens = engine.config().tokens;
  SoftRows images("image", prompt.images), audios("audio", prompt.audios);
  G3N_RETURN_IF_ERROR(images.CheckWidth(text.hidden_size));
  G3N_RETURN_IF_ERROR(audios.CheckWidth(text.hidden_size));
  std::vector<PromptRow> rows(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    const int32_t id = ids[i];
    bool known = id >= 0 && id < text.vocab_size;
    for (const HardEmbeddings& hard : engine.hard) {
      known = known || hard.Find(id, text.hidden_size) != nullptr;
    }
    if (!known) {
      return Error(StatusCode::kInvalidArgument,
                   "prompt token {} has id {}, outside the vocabulary of {}", i, id,
                   text.vocab_size);
    }
    rows[i].token = id;
    rows[i].identity = static_cast<uint64_t>(id);
    // Ids alone (no media at all) are taken as they are: the placeholders' own hard embeddings.
    if (!prompt.images.empty() && id == tokens.image) images.Next(text.hidden_size, &rows[i]);
    if (!prompt.audios.empty() && id == tokens.audio) audios.Next(text.hidden_size, &rows[i]);
  }
  if (!prompt.images.empty()) G3N_RETURN_IF_ERROR(images.Check());
  if (!prompt.audios.empty()) G3N_RETURN_IF_ERROR(audios.Check());
  return rows;
}

}  // namespace gemma3n::internal
