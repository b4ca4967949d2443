#include "model/audio/audio_tower.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "model/audio/conformer.h"
#include "model/audio/subsampling.h"

namespace gemma3n {
namespace {

// Rows that go through the blocks together, unless one clip has more: 30 seconds. More would only
// take memory.
constexpr int64_t kGroupRows = 750;

AudioClip Heard(const AudioClip& clip) {
  return clip.first(std::min<size_t>(clip.size(), LogMel::kMaxSamples));
}

// Frames of every clip of a request, padding included.
int64_t RequestFrames(std::span<const AudioClip> clips, int64_t longest) {
  for (const AudioClip& clip : clips) longest = std::max<int64_t>(longest, clip.size());
  return LogMel::Frames(LogMel::PaddedSamples(std::min<int64_t>(longest, LogMel::kMaxSamples)));
}

}  // namespace

AudioTower::AudioTower(const Checkpoint& checkpoint)
    : config_(checkpoint.config().audio),
      soft_tokens_(checkpoint.config().tokens.audio_soft_tokens),
      log_mel_(config_.feature_size) {}

Result<AudioTower> AudioTower::Bind(const Checkpoint& checkpoint, Arithmetic arithmetic,
                                    const Ops& ops) {
  const MultimodalTokens& ids = checkpoint.config().tokens;
  AudioTower tower(checkpoint);
  const float eps = tower.config_.rms_norm_eps;
  G3N_ASSIGN_OR_RETURN(tower.weights_, BindAudioWeights(checkpoint, arithmetic, ops));
  G3N_ASSIGN_OR_RETURN(tower.embedder_,
                       SoftEmbedder::Bind(checkpoint, "embed_audio.", eps, ops.kernels()));
  if (tower.embedder_.in_features() != tower.config_.hidden_size) {
    return Error(StatusCode::kCorruptFile,
                 "{}: embed_audio.embedding_projection.weight: expected {} columns, found {}",
                 checkpoint.path(), tower.config_.hidden_size, tower.embedder_.in_features());
  }
  G3N_ASSIGN_OR_RETURN(const HardEmbeddings hard,
                       ComputeHardEmbeddings(checkpoint, "embed_audio.", ids.audio_vocab_offset,
                                             ids.audio_vocab_size, eps, ops));
  if (hard.count == 0) {
    return Error(StatusCode::kNotFound,
                 "{}: tensor embed_audio.embedding.weight: not in the checkpoint",
                 checkpoint.path());
  }
  const auto last = hard.rows.end() - tower.out_features();
  tower.padding_.assign(last, hard.rows.end());
  return tower;
}

std::vector<int64_t> AudioTower::ValidTokens(std::span<const AudioClip> clips,
                                             int64_t longest) const {
  const int64_t frames = RequestFrames(clips, longest);
  std::vector<int64_t> tokens;
  for (const AudioClip& clip : clips) {
    const int64_t valid = LogMel::ValidFrames(static_cast<int64_t>(Heard(clip).size()), frames);
    // A row is valid when its first frame is, a token when its first row is.
    const int64_t rows = SubsampledRows(valid);
    tokens.push_back((rows + config_.reduction_factor - 1) / config_.reduction_factor);
  }
  return tokens;
}

// Rows that a clip's tokens are made from.
int64_t AudioTower::RowsFor(int64_t tokens) const {
  return tokens == 0 ? 0 : (tokens - 1) * config_.reduction_factor + 1;
}

// Peak of EncodeGroup: the rows themselves, and beside them a clip's subsampling or the widest
// stage of a block.
size_t AudioTower::ArenaBytes(int64_t rows, int64_t threads) const {
  constexpr int64_t kSlack = 1 << 12;  // floats lost to alignment
  const int64_t d = config_.hidden_size, f = config_.feature_size;
  const int64_t c0 = config_.sscp_channels[0], c1 = config_.sscp_channels[1];
  const int64_t first = 2 * rows + 1, frames = 2 * first + 1;  // at most
  const int64_t subsampling = frames * f + first * ((f + 1) / 2 + 2) * c0 + 4 * first +
                              rows * ((f + 3) / 4) * c1 + 4 * rows +
                              threads * ((f + 3) / 4) * 9 * c0;
  const int64_t block = 5 * rows * d + threads * config_.context_left;
  return sizeof(float) * static_cast<size_t>(rows * d + std::max(subsampling, block) + kSlack);
}

Status AudioTower::EncodeGroup(const Group& group, int64_t frames, const View& soft, const Ops& ops,
                               Arena& arena, const Probe& probe) const {
  Arena::Scope scope(arena);
  AudioContext ctx{{config_, ops, arena, probe}};
  View x = ctx.Tensor(group.rows, config_.hidden_size);
  std::vector<int64_t> clip_begin, all(group.rows), kept;
  std::iota(all.begin(), all.end(), 0);
  for (size_t i = 0; i < group.clips.size(); ++i) {
    const int64_t rows = RowsFor(group.tokens[i]);
    const auto begin = static_cast<int64_t>(clip_begin.size());
    clip_begin.insert(clip_begin.end(), rows, begin);
    for (int64_t j = 0; j < group.tokens[i]; ++j)
      kept.push_back(begin + j * config_.reduction_factor);
    Arena::Scope clip_scope(arena);
    const View mel = ctx.Tensor(FramesForRows(rows, frames), config_.feature_size);
    log_mel_.Compute(Heard(group.clips[i]), mel, ops);
    ctx.Tap("log_mel", mel);
    G3N_RETURN_IF_ERROR(Subsample(weights_.subsampling, mel, frames, x.Rows(begin, rows), ctx));
  }
  ctx.clip_begin = clip_begin;
  for (size_t i = 0; i < weights_.blocks.size(); ++i) {
    ctx.layer = static_cast<int>(i);
    const bool last = i + 1 == weights_.blocks.size();
    G3N_ASSIGN_OR_RETURN(x, ConformerBlock(weights_.blocks[i], x, last ? kept : all, ctx));
  }
  ctx.layer = -1;
  int64_t token = 0;
  for (size_t i = 0; i < group.clips.size(); ++i) {
    const View out = soft.Rows(static_cast<int64_t>(i) * soft_tokens_, group.tokens[i]);
    G3N_RETURN_IF_ERROR(embedder_.Embed(x.Rows(token, group.tokens[i]), out, ops, arena));
    token += group.tokens[i];
  }
  return OkStatus();
}

Status AudioTower::Encode(std::span<const AudioClip> clips, const View& soft, const Ops& ops,
                          int64_t longest, const Probe& probe) const {
  const auto count = static_cast<int64_t>(clips.size());
  G3N_RETURN_IF_ERROR(ExpectShape(soft, count * soft_tokens_, out_features(), "audio soft tokens"));
  const std::vector<int64_t> tokens = ValidTokens(clips, longest);
  int64_t most_rows = kGroupRows;
  for (int64_t i = 0; i < count; ++i) {
    if (tokens[i] > soft_tokens_) {
      return Error(StatusCode::kInvalidArgument,
                   "audio clip {}: {} soft tokens, expected at most {}", i, tokens[i],
                   soft_tokens_);
    }
    most_rows = std::max(most_rows, RowsFor(tokens[i]));
    for (int64_t j = tokens[i]; j < soft_tokens_; ++j) {
      std::copy(padding_.begin(), padding_.end(), soft.row(i * soft_tokens_ + j));
    }
  }
  G3N_ASSIGN_OR_RETURN(Arena arena, Arena::Create(ArenaBytes(most_rows, ops.pool().threads())));
  for (int64_t begin = 0, end = 0; begin < count; begin = end) {
    int64_t rows = 0;
    while (end < count && (end == begin || rows + RowsFor(tokens[end]) <= kGroupRows))
      rows += RowsFor(tokens[end++]);
    const Group group = {clips.subspan(begin, end - begin),
                         std::span(tokens).subspan(begin, end - begin), rows};
    if (rows == 0) continue;
    G3N_RETURN_IF_ERROR(EncodeGroup(
        group, RequestFrames(clips, longest),
        soft.Rows(begin * soft_tokens_, group.clips.size() * soft_tokens_), ops, arena, probe));
  }
  return OkStatus();
}

}  // namespace gemma3n
