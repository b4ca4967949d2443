// What a caller can choose: loading, a session's size, generation.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gemma3n {

// How the text model multiplies.
enum class Precision {
  kAuto,     // the fastest way that keeps the stored weights' accuracy: activations are rounded for dot products
  kFloat32,  // exact: products and sums in float32
};

// How the picture and sound towers multiply. The text model's precision does not depend on it.
enum class MediaPrecision {
  kAuto,      // bfloat16 for pictures, int8 for sound where the processor has dot products for both, else float32
  kFloat32,   // exact
  kBFloat16,
  kInt8,
};

// A nested (Matryoshka) model inside the loaded one: MLP widths by prefix, and layers left out with their per-layer
// embeddings. Costs no memory: the weights are the loaded ones. MatFormer (arXiv:2310.07707) and google/gemma3n-slicing-configs.
struct ModelSize {
  std::vector<int64_t> mlp_widths;  // empty: as stored; one value: every layer; else one per kept layer
  std::vector<int> skip_layers;     // indices into the loaded checkpoint's layers, ascending

  bool full() const { return mlp_widths.empty() && skip_layers.empty(); }
};

struct EngineOptions {
  std::string model;                // hub directory, .gguf file
  std::string tokenizer;            // empty: the model's own; else a tokenizer.json, tokenizer.model or directory
  std::string chat_template;        // empty: the model's own, else built in; "builtin"; or a file with a Jinja template
  std::string mmproj;               // GGUF: the file with the picture and sound towers; empty: a hub directory's own, or none
  Precision precision = Precision::kAuto;
  MediaPrecision media_precision = MediaPrecision::kAuto;
  int64_t media_cache_bytes = int64_t{256} << 20;  // soft tokens kept for media that come again (2 MiB a picture in E4B)
  int threads = 0;                  // 0: every physical core
  int64_t prefill_chunk = 512;      // prompt tokens per forward pass, 1 .. 4096
  bool huge_pages = true;           // move weights that the file system keeps in small pages to huge ones, a little after each pass, where memory allows: faster decoding
  bool prefill_skip = true;         // leave out layers whose output no one reads (exact); false for comparison
  // Called while loading with a fraction 0..1; may be empty.
  std::function<void(double)> on_progress;
};

// How the media of a prompt are read.
struct MediaOptions {
  int64_t image_size = 0;           // pixels a side, 256, 512 or 768; 0: the checkpoint's own
  int64_t video_size = 0;           // the same for the frames of videos; 0: as image_size
  double video_fps = 1;             // frames a second, thinned evenly where the prompt would not fit
  double audio_window = 30;         // seconds, 1 to 30: longer sound is split at quiet places into clips of at most that
  int64_t room = 0;                 // most tokens that the prompt may take; 0: the model's context
  // Called between pictures, frames and clips with how many are done; false cancels (kCancelled).
  std::function<bool(int64_t done)> on_progress;
};

// How a session keeps the keys and values of its tokens: with the context, what they take grows, and decoding reads them all.
enum class KvType {
  kAuto,     // float16; float32 in an engine of Precision::kFloat32
  kFloat32,  // exact
  kFloat16,  // half the memory and time of float32
  kInt8,     // blocks of 32 with a scale (Q8_0): about half of float16; heads must be a multiple of 32 wide
};

struct SessionOptions {
  int64_t context = 0;              // tokens of prompt and answer together; 0: the model's own (32768)
  KvType kv_type = KvType::kAuto;
  ModelSize size;
};

// How the next token is chosen. Unset optionals take the checkpoint's generation_config.json, else the value in brackets.
struct GenerationOptions {
  std::optional<float> temperature;        // [1] 0 is greedy
  std::optional<int> top_k;                // [64] 0: off
  std::optional<float> top_p;              // [0.95] 1: off; smallest set of most probable tokens that reaches it
  float min_p = 0;                         // 0: off; drop tokens below min_p times the most probable one
  float repetition_penalty = 1;            // 1: off; HF's: divides positive, multiplies negative logits of seen tokens
  float presence_penalty = 0;              // OpenAI's: subtracted once from each token already generated
  float frequency_penalty = 0;             // OpenAI's: subtracted per occurrence in the generated text
  std::map<int32_t, float> logit_bias;     // added to logits by token id
  std::optional<uint64_t> seed;            // unset: from the system's entropy
  int64_t max_tokens = -1;                 // -1: until the context is full
  std::vector<std::string> stop;           // the answer ends before the first of these
  std::vector<int32_t> stop_tokens;        // besides the model's own end tokens
  bool ignore_end_tokens = false;          // benchmarks: go on after <eos> and <end_of_turn>
  int draft_tokens = 3;                    // most tokens guessed from the text so far and checked in one pass, 0 .. 7; the answer is the same without (0)
  std::optional<std::string> json_schema;  // the answer is one JSON value that this JSON Schema allows ("{}": any); unset: free text
  int top_logprobs = -1;                   // -1: no logprobs; 0: of the chosen token; n: and of the n most probable
};

}  // namespace gemma3n
