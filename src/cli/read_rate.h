// What the machine can read, as the measure of decoding: it reads the weights once a token.
#pragma once

#include <cstddef>
#include <span>

namespace gemma3n::cli {

// Bytes per second of `threads` threads that read these bytes at once, each in four runs; the best
// of a few passes after one that brings the pages in. 0 for less than a megabyte.
double ReadRate(std::span<const std::byte> bytes, int threads);

}  // namespace gemma3n::cli
