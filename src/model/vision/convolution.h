// Convolutions over neighbourhoods of pixels, a row of outputs at a time. All are "SAME" as
// TensorFlow pads: what is odd goes behind (timm Conv2dSame).
#pragma once

#include "model/vision/stage.h"
#include "model/vision/weights.h"

namespace gemma3n::vision {

// Some rows of a map, from row `first` of `height` on: a convolution sees no more.
struct MapRows {
  const float* data = nullptr;  // [rows, width, channels]
  int64_t first = 0;
  int64_t height = 0, width = 0, channels = 0;

  MapRows(const float* rows, int64_t first_row, int64_t h, int64_t w, int64_t c)
      : data(rows), first(first_row), height(h), width(w), channels(c) {}
  MapRows(const FeatureMap& map)  // NOLINT: a whole map is some rows of it
      : MapRows(map.pixels.data, 0, map.height, map.width, map.channels()) {}
  // Null above and below the map.
  const float* Row(int64_t y) const {
    return y < 0 || y >= height ? nullptr : data + (y - first) * width * channels;
  }
};

// Outputs along a dimension of n pixels.
inline int64_t OutputSize(int64_t n, int64_t stride) { return (n + stride - 1) / stride; }

// Row y of the depthwise convolution.   out: [OutputSize(width), channels]
void DepthwiseRow(const DepthwiseConv& conv, const MapRows& in, int64_t y, float* out,
                  const KernelTable& kernels);

// The depthwise convolution of a whole map and its norm, on all threads.
FeatureMap DepthwiseAndNorm(const DepthwiseConv& conv, const FeatureMap& in,
                            const TowerContext& ctx);

// The neighbourhoods of row y's outputs, each a row for FullConv's matrix.   out:
// [OutputSize(width), 9 channels]
void GatherRow(const MapRows& in, int64_t stride, int64_t y, float* out);

}  // namespace gemma3n::vision
