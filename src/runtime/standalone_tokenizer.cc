#include "runtime/standalone_tokenizer.h"

#include <utility>

#include "base/file.h"
#include "model/checkpoint.h"
#include "runtime/guard.h"
#include "runtime/tokenizer_source.h"

namespace gemma3n {
namespace {

bool IsCheckpoint(const std::string& path) {
  if (path.ends_with(".gguf")) return true;
  return FileExists(path + "/config.json") && (FileExists(path + "/model.safetensors") ||
                                               FileExists(path + "/model.safetensors.index.json"));
}

}  // namespace

Result<StandaloneTokenizer> OpenStandaloneTokenizer(const std::string& path) {
  return Guard([&]() -> Result<StandaloneTokenizer> {
    if (IsCheckpoint(path)) {
      G3N_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(path));
      G3N_ASSIGN_OR_RETURN(Tokenizer tokenizer, OpenTokenizer("", checkpoint));
      return StandaloneTokenizer{std::move(tokenizer), checkpoint.config().bos};
    }
    G3N_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::Open(path));
    const TokenId bos = tokenizer.bos().value_or(2);
    return StandaloneTokenizer{std::move(tokenizer), bos};
  });
}

}  // namespace gemma3n
