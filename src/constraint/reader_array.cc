#include <algorithm>

#include "constraint/json_text.h"
#include "constraint/reader.h"

namespace gemma3n {

using Phase = Frame::Phase;

bool Reader::StepWhiteSpace(Frame current, uint8_t byte, Front& front) {
  current.c = WhiteSpace::Next(current.c, byte, current.depth);
  if (current.c == WhiteSpace::kDead) return false;
  Add(current, front);
  return true;
}

// The next value's node; kNone when there may be no more.
int32_t Reader::ItemNode(const Frame& current) const {
  const Program::Node& array = node(current);
  if (current.a >= array.most) return Program::kNone;
  return current.a < std::ssize(array.parts) ? array.parts[Index(current.a)] : array.rest;
}

void Reader::StepArray(Frame current, uint8_t byte, Front& front) {
  const Program::Node& array = node(current);
  const auto enter_item = [&] {
    if (!Fits(ItemNode(current), current.depth)) return;
    // Where there is no upper limit, values past all that differ need not be counted.
    const int32_t differ = std::max(array.least, static_cast<int32_t>(array.parts.size()));
    Frame after = current;
    after.phase = Phase::kAfterItem;
    after.c = 0;
    if (array.most != Program::kNoLimit || after.a < differ) ++after.a;
    Enter(ItemNode(current), Intern(after), front);
  };
  const bool may_close = current.a >= array.least;
  switch (current.phase) {
    case Phase::kArrayOpen:
      if (byte != '[') return;
      current.phase = Phase::kFirstItem;
      Add(current, front);
      return enter_item();
    case Phase::kFirstItem:
    case Phase::kNextItem:
      if (StepWhiteSpace(current, byte, front)) return enter_item();
      if (byte == ']' && current.phase == Phase::kFirstItem && may_close)
        Return(current.parent, front);
      return;
    case Phase::kAfterItem:
      if (may_close) {
        if (StepWhiteSpace(current, byte, front)) return;
        if (byte == ']') return Return(current.parent, front);
      }
      if (byte != ',' || current.c != WhiteSpace::kNothing) return;
      if (!Fits(ItemNode(current), current.depth)) return;
      current.phase = Phase::kNextItem;
      Add(current, front);
      return enter_item();
    default:
      return;
  }
}

}  // namespace gemma3n
