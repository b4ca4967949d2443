// Which dtype each tensor of a GGUF file gets.
#pragma once

#include <string>

#include "convert/convert.h"
#include "tensor/dtype.h"

namespace gemma3n {

struct TypeChoice {
  DType dtype = DType::kF32;
  bool fell_back = false;  // the row's width is no multiple of the wanted type's block
};

// gguf_name: "blk.3.ffn_down.weight"; dims: its rank; cols: its row's width; stored: its dtype in
// the source; layer: -1 outside layers.
TypeChoice ChooseType(GgufType type, const std::string& gguf_name, size_t dims, int64_t cols,
                      DType stored, int64_t layer, int64_t num_layers);

// llama.cpp's general.file_type number.
uint32_t FileTypeNumber(GgufType type);

}  // namespace gemma3n
