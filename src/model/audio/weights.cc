#include "model/audio/weights.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "model/binder.h"

namespace gemma3n {
namespace {

constexpr int64_t kTaps = 3;  // of either convolution, in time and in frequency

// Binds the parts of the tower with the arithmetic and the threads that all matrices share.
class AudioBinder {
 public:
  AudioBinder(const Checkpoint& checkpoint, Arithmetic arithmetic, const Ops& ops)
      : config_(checkpoint.config().audio),
        binder_(checkpoint, ops.kernels()),
        arithmetic_(arithmetic),
        ops_(ops) {}

  void Subsampling(SubsamplingWeights& w) {
    const std::string p = "audio_tower.subsample_conv_projection.";
    const int64_t c0 = config_.sscp_channels[0], c1 = config_.sscp_channels[1];
    const int64_t f1 = Halved(config_.feature_size), f2 = Halved(f1);
    std::vector<float> conv;
    binder_.Bind(conv, p + "conv_0.conv.weight", {c0, 1, kTaps, kTaps});
    w.conv0 = Transposed(conv, c0, kTaps * kTaps);  // [C0, 9] -> [9, C0]
    binder_.Bind(w.norm0, p + "conv_0.norm.weight", {c0});
    binder_.Bind(conv, p + "conv_1.conv.weight", {c1, c0, kTaps, kTaps});
    for (int64_t c = 0; c < c1 && ok(); ++c) {  // [C0, 9] -> [9, C0] for each output
      const std::vector<float> one(conv.begin() + c * c0 * kTaps * kTaps,
                                   conv.begin() + (c + 1) * c0 * kTaps * kTaps);
      const std::vector<float> turned = Transposed(one, c0, kTaps * kTaps);
      w.conv1.insert(w.conv1.end(), turned.begin(), turned.end());
    }
    binder_.Bind(w.norm1, p + "conv_1.norm.weight", {c1});
    Bind(w.projection, p + "input_proj_linear.weight", config_.hidden_size, f2 * c1);
  }

  void Block(ConformerWeights& w, int64_t i) {
    const std::string p = "audio_tower.conformer." + std::to_string(i) + ".";
    FeedForward(w.feed_forward_start, p + "ffw_layer_start.");
    Attention(w.attention, p + "attention.");
    LightConv(w.light_conv, p + "lconv1d.");
    FeedForward(w.feed_forward_end, p + "ffw_layer_end.");
    binder_.Bind(w.norm, p + "norm.weight", {config_.hidden_size});
  }

  bool ok() const { return binder_.status().ok(); }
  Status status() const { return binder_.status(); }

 private:
  static int64_t Halved(int64_t n) { return (n - 1) / 2 + 1; }

  // The matrices that widen a normed row bear int8: its values are of one size. With all of them in
  // int8 the soft tokens would be 0.996 (cosine) from float32's, so the others take bfloat16.
  void BindWidening(PackedLinear& out, const std::string& name, int64_t rows, int64_t cols) {
    binder_.Bind(out, name, rows, cols, arithmetic_, ops_);
  }
  void Bind(PackedLinear& out, const std::string& name, int64_t rows, int64_t cols) {
    const bool int8 = arithmetic_ == Arithmetic::kInt8;
    binder_.Bind(out, name, rows, cols, int8 ? Arithmetic::kBFloat16 : arithmetic_, ops_);
  }

  // [rows, cols] -> [cols, rows]
  static std::vector<float> Transposed(const std::vector<float>& x, int64_t rows, int64_t cols) {
    std::vector<float> y(x.size());
    for (int64_t r = 0; !x.empty() && r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) y[c * rows + r] = x[r * cols + c];
    }
    return y;
  }

  void FeedForward(ConformerFeedForwardWeights& w, const std::string& p) {
    const int64_t d = config_.hidden_size;
    binder_.Bind(w.pre_norm, p + "pre_layer_norm.weight", {d});
    BindWidening(w.expand, p + "ffw_layer_1.weight", 4 * d, d);
    Bind(w.contract, p + "ffw_layer_2.weight", d, 4 * d);
    binder_.Bind(w.post_norm, p + "post_layer_norm.weight", {d});
  }

  void Attention(ConformerAttentionWeights& w, const std::string& p) {
    const int64_t d = config_.hidden_size, head_dim = d / config_.num_heads;
    binder_.Bind(w.pre_norm, p + "pre_attn_norm.weight", {d});
    Bind(w.q, p + "attn.q_proj.weight", d, d);
    Bind(w.k, p + "attn.k_proj.weight", d, d);
    Bind(w.v, p + "attn.v_proj.weight", d, d);
    Bind(w.post, p + "post.weight", d, d);
    binder_.Bind(w.post_norm, p + "post_norm.weight", {d});
    std::vector<float> per_dim;
    binder_.Bind(per_dim, p + "attn.per_dim_scale", {head_dim});
    const float scale =
        static_cast<float>(1 / std::sqrt(static_cast<double>(head_dim)) / std::log(2.0));
    for (int64_t i = 0; i < d && ok(); ++i) {
      const float x = per_dim[i % head_dim];
      const float softplus = x > 20 ? x : std::log1p(std::exp(x));  // PyTorch's threshold
      w.query_scale.push_back(scale * softplus);
    }
    Matrix projection;
    binder_.Bind(projection, p + "attn.relative_position_embedding.pos_proj.weight", d, d);
    if (ok()) w.position = Positions(projection);
  }

  // pos_proj of the distances' sinusoids: d / 2 sines, then as many cosines.
  std::vector<float> Positions(const Matrix& projection) const {
    const int64_t d = projection.cols, half = d / 2, distances = config_.context_left;
    std::vector<float> signal(distances * d), out(distances * d);
    const double step = std::log(1e4) / static_cast<double>(std::max<int64_t>(half - 1, 1));
    for (int64_t i = 0; i < half; ++i) {
      const float rate = std::exp(static_cast<float>(i) * static_cast<float>(-step));
      for (int64_t distance = 0; distance < distances; ++distance) {
        const float angle = static_cast<float>(distance) * rate;
        signal[distance * d + i] = std::sin(angle);
        signal[distance * d + half + i] = std::cos(angle);
      }
    }
    ops_.Linear(projection, ConstView(signal.data(), distances, d), View(out.data(), distances, d));
    return out;
  }

  void LightConv(LightConvWeights& w, const std::string& p) {
    const int64_t d = config_.hidden_size, kernel = config_.conv_kernel_size;
    binder_.Bind(w.pre_norm, p + "pre_layer_norm.weight", {d});
    BindWidening(w.start, p + "linear_start.weight", 2 * d, d);
    std::vector<float> depthwise;
    binder_.Bind(depthwise, p + "depthwise_conv1d.weight", {d, 1, kernel});
    w.depthwise = Transposed(depthwise, d, kernel);
    binder_.Bind(w.conv_norm, p + "conv_norm.weight", {d});
    Bind(w.end, p + "linear_end.weight", d, d);
  }

  const AudioConfig& config_;
  Binder binder_;
  Arithmetic arithmetic_;
  const Ops& ops_;
};

}  // namespace

Result<AudioWeights> BindAudioWeights(const Checkpoint& checkpoint, Arithmetic arithmetic,
                                      const Ops& ops) {
  const AudioConfig& c = checkpoint.config().audio;
  if (c.hidden_size % c.num_heads != 0 || c.hidden_size % 2 != 0) {
    return Error(StatusCode::kCorruptFile,
                 "{}: audio_config: hidden_size: expected an even multiple of "
                 "conf_num_attention_heads {}, found {}",
                 checkpoint.path(), c.num_heads, c.hidden_size);
  }
  AudioWeights weights;
  AudioBinder binder(checkpoint, arithmetic, ops);
  binder.Subsampling(weights.subsampling);
  weights.blocks.resize(c.num_layers);
  for (int64_t i = 0; i < c.num_layers && binder.ok(); ++i) binder.Block(weights.blocks[i], i);
  G3N_RETURN_IF_ERROR(binder.status());
  return weights;
}

}  // namespace gemma3n
