// Where a checkpoint's tokenizer comes from.
#pragma once

#include <string>

#include "base/result.h"
#include "model/checkpoint.h"
#include "tokenizer/tokenizer.h"

namespace gemma3n {

// The tokenizer at `path` (file or directory) if not empty, else the checkpoint's own:
// tokenizer.json or tokenizer.model of a hub directory, the pieces of a GGUF. The multimodal
// placeholders are added where the file does not know them.
Result<Tokenizer> OpenTokenizer(const std::string& path, const Checkpoint& checkpoint);
// ... at these ids, where another file says more of them than the checkpoint.
Result<Tokenizer> OpenTokenizer(const std::string& path, const Checkpoint& checkpoint,
                                const MultimodalTokens& tokens);

}  // namespace gemma3n
