#include "runtime/towers.h"

#include <utility>

namespace gemma3n::internal {
namespace {

// Rows of a multimodal vocabulary; 0 where the file has none.
int64_t VocabularySize(const Checkpoint& towers, const char* tensor) {
  const auto found = towers.tensors().find(tensor);
  return found == towers.tensors().end() ? 0 : found->second.shape.front();
}

// A vocabulary's first row is the end of its medium, the second its soft token. llama.cpp's
// language model files end before these ids, so that they begin where the file's own vocabulary
// ends.
void PlaceVocabularies(const Checkpoint& towers, const TextConfig& text, MultimodalTokens* t) {
  t->vision_vocab_size = VocabularySize(towers, "embed_vision.embedding.weight");
  t->audio_vocab_size = VocabularySize(towers, "embed_audio.embedding.weight");
  const auto next = static_cast<int32_t>(text.vocab_size);
  if (t->end_image < 0) t->end_image = next;
  if (t->image < 0) t->image = t->end_image + 1;
  if (t->end_audio < 0) t->end_audio = static_cast<int32_t>(t->end_image + t->vision_vocab_size);
  if (t->audio < 0) t->audio = t->end_audio + 1;
  // The beginnings are the text model's own last but one, and 256000 of its 262144.
  constexpr int32_t kReleasedVocab = 262144, kBeginImage = 255999, kBeginAudio = 256000;
  const bool released = text.vocab_size == kReleasedVocab;
  if (t->begin_image < 0) t->begin_image = released ? kBeginImage : next - 2;
  if (t->begin_audio < 0) t->begin_audio = released ? kBeginAudio : next - 1;
  t->vision_vocab_offset = t->end_image;
  t->audio_vocab_offset = t->end_audio;
}

}  // namespace

Result<std::optional<Checkpoint>> OpenMmproj(const EngineOptions& options, const Checkpoint& model,
                                             ModelConfig* config) {
  if (options.mmproj.empty()) return std::optional<Checkpoint>();
  if (!model.is_gguf()) {
    return Error(StatusCode::kInvalidArgument,
                 "{}: a hub directory has its towers itself; expected no second file, found {}",
                 model.path(), options.mmproj);
  }
  G3N_ASSIGN_OR_RETURN(Checkpoint towers, Checkpoint::OpenMmproj(options.mmproj));
  const int64_t width = towers.config().text.hidden_size;
  if (width != config->text.hidden_size) {
    return Error(StatusCode::kInvalidArgument,
                 "{}: expected towers for a model of width {}, found width {}", options.mmproj,
                 config->text.hidden_size, width);
  }
  config->multimodal = true;
  config->vision = towers.config().vision;
  config->audio = towers.config().audio;
  PlaceVocabularies(towers, config->text, &config->tokens);
  return std::optional<Checkpoint>(std::move(towers));
}

}  // namespace gemma3n::internal
