// The sound tower: clips to soft tokens, rows of the decoder's input.
// HF Gemma3nAudioEncoder and Gemma3nModel.get_audio_features; docs/MODEL.md
//   log-mel -> subsampling (4 frames a row) -> conformer blocks -> every 4th row -> soft embedding
// What no soft token is made from is not computed: rows of padding, rows behind the last kept one
// (nothing looks ahead), and in the last block what is computed for a row alone, for three rows of
// four.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernels/ops.h"
#include "kernels/packed_linear.h"
#include "model/audio/log_mel.h"
#include "model/audio/weights.h"
#include "model/checkpoint.h"
#include "model/multimodal_embedder.h"
#include "model/probe.h"

namespace gemma3n {

// Mono samples at 16 kHz in [-1, 1]. Of a clip longer than LogMel::kMaxSamples, the rest is not
// heard.
using AudioClip = std::span<const float>;

class AudioTower {
 public:
  // The checkpoint must outlive the tower. Errors: kNotFound, kCorruptFile, kUnsupported, naming
  // the file and the tensor.
  static Result<AudioTower> Bind(const Checkpoint& checkpoint, Arithmetic arithmetic,
                                 const Ops& ops);

  int64_t soft_tokens() const { return soft_tokens_; }  // positions that a clip takes: 188
  int64_t out_features() const { return embedder_.out_features(); }  // D, the decoder's width

  // The clips of one request, encoded together: all are padded to the longest, and a clip's last
  // tokens hear that. soft: [clips * soft_tokens, D]; a clip's tokens, then the padding embedding.
  // longest: samples of the request's longest clip, where that is not among these.
  // Errors: kInvalidArgument when a clip has more tokens than positions, kResourceExhausted.
  Status Encode(std::span<const AudioClip> clips, const View& soft, const Ops& ops,
                int64_t longest = 0, const Probe& probe = {}) const;

  // How many of each clip's positions hold tokens of its own.
  std::vector<int64_t> ValidTokens(std::span<const AudioClip> clips, int64_t longest = 0) const;

 private:
  // Consecutive clips whose rows go through the blocks together.
  struct Group {
    std::span<const AudioClip> clips;
    std::span<const int64_t> tokens;  // of each clip
    int64_t rows = 0;
  };
  AudioTower(const Checkpoint& checkpoint);
  int64_t RowsFor(int64_t tokens) const;
  size_t ArenaBytes(int64_t rows, int64_t threads) const;
  Status EncodeGroup(const Group& group, int64_t frames, const View& soft, const Ops& ops,
                     Arena& arena, const Probe& probe) const;

  AudioConfig config_;
  int64_t soft_tokens_ = 0;
  LogMel log_mel_;
  AudioWeights weights_;
  SoftEmbedder embedder_;
  std::vector<float> padding_;  // [D], the hard embedding of the vocabulary's last id
};

}  // namespace gemma3n
