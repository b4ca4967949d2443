// Sound to clips: decoded, and split at quiet places where it is longer than the model's 30 s.
#pragma once

#include "base/result.h"
#include "gemma3n/content.h"
#include "runtime/medium_plan.h"

namespace gemma3n::internal {

// Items of kind kClip with their samples, in order. window: seconds, 1 to 30.
// Errors: those of DecodeAudio; kInvalidArgument for another window; kCorruptFile without any
// sample.
Result<MediumPlan> PlanSound(const MediaSource& source, double window);

}  // namespace gemma3n::internal
