// Objects: properties in the schema's order, then others.
#include <algorithm>

#include "constraint/json_text.h"
#include "constraint/reader.h"

namespace gemma3n {

using Phase = Frame::Phase;

namespace {
// The place of a name that went apart from all others with a backslash.
constexpr int32_t kEscaped = -2;
}  // namespace

// Whether a property may come next whose name goes through `place`: up to the next required one.
bool Reader::SomeProperty(const Frame& current, int32_t place) const {
  const Program::Node& object = node(current);
  const std::vector<int32_t>& through = object.names.Through(place);
  const int32_t last = object.next_required[Index(current.a)];
  for (auto it = std::lower_bound(through.begin(), through.end(), current.a);
       it != through.end() && *it <= last; ++it) {
    if (Fits(object.properties[Index(*it)].value, current.depth)) return true;
  }
  return false;
}

bool Reader::MayClose(const Frame& current) const {
  const Program::Node& object = node(current);
  return object.next_required[Index(current.a)] == std::ssize(object.properties);
}

bool Reader::OthersMayFollow(const Frame& current) const {
  return MayClose(current) && Fits(node(current).rest, current.depth);
}

void Reader::StepObject(Frame current, uint8_t byte, Front& front) {
  switch (current.phase) {
    case Phase::kObjectOpen:
      if (byte != '{') return;
      current.phase = Phase::kFirstName;
      return Add(current, front);
    case Phase::kFirstName:
    case Phase::kNextName:
      if (StepWhiteSpace(current, byte, front)) return;
      if (byte == '"') return BeginName(current, front);
      if (byte == '}' && current.phase == Phase::kFirstName && MayClose(current))
        Return(current.parent, front);
      return;
    case Phase::kName:
      return StepName(current, byte, front);
    case Phase::kOtherName:
      return StepOtherName(current, byte, front);
    case Phase::kColon: {
      if (byte != ':') return;
      current.phase = Phase::kValue;
      Add(current, front);
      Frame after = current;
      after.phase = Phase::kAfterValue;
      after.b = 0;
      return Enter(current.b, Intern(after), front);
    }
    case Phase::kValue: {
      if (!StepWhiteSpace(current, byte, front)) return;
      Frame after = current;
      after.phase = Phase::kAfterValue;
      after.b = after.c = 0;
      return Enter(current.b, Intern(after), front);
    }
    case Phase::kAfterValue:
      if (MayClose(current)) {
        if (StepWhiteSpace(current, byte, front)) return;
        if (byte == '}') return Return(current.parent, front);
      }
      if (byte != ',' || current.c != WhiteSpace::kNothing) return;
      if (!SomeProperty(current, 0) && !OthersMayFollow(current)) return;
      current.phase = Phase::kNextName;
      return Add(current, front);
    default:
      return;
  }
}

void Reader::BeginName(Frame current, Front& front) {
  current.c = 0;
  current.b = 0;
  if (SomeProperty(current, 0)) {
    current.phase = Phase::kName;
    Add(current, front);
  }
  if (!OthersMayFollow(current)) return;
  current.phase = Phase::kOtherName;
  current.a = StringText::kBody;
  current.b = node(current).names.empty() ? NameTrie::kNone : 0;
  Add(current, front);
}

void Reader::StepName(Frame current, uint8_t byte, Front& front) {
  const Program::Node& object = node(current);
  current.b = object.names.Child(current.b, byte);
  if (current.b == NameTrie::kNone || !SomeProperty(current, current.b)) return;
  if (const int32_t property = object.names.Property(current.b); property != NameTrie::kNone) {
    current.phase = Phase::kColon;
    current.a = property + 1;
    current.b = object.properties[Index(property)].value;
  }
  Add(current, front);
}

// A name that is none of the schema's. As long as it is spelled like the beginning of one, escapes
// that could spell its next character in another way are not taken.
void Reader::StepOtherName(Frame current, uint8_t byte, Front& front) {
  const Program::Node& object = node(current);
  if (current.b != NameTrie::kNone) {
    if (current.a == StringText::kEscape && (byte == 'u' || byte == '/')) return;
    const int32_t child =
        current.b == kEscaped ? NameTrie::kNone : object.names.Child(current.b, byte);
    const bool escape = current.a == StringText::kBody && byte == '\\';
    current.b = child == NameTrie::kNone && escape ? kEscaped : child;
    if (byte == '"' && current.a == StringText::kBody && child != NameTrie::kNone) return;
  }
  if (byte == '"' && current.a == StringText::kBody) {
    current.phase = Phase::kColon;
    current.a = static_cast<int32_t>(object.properties.size());
    current.b = object.rest;
    return Add(current, front);
  }
  current.a = StringText::Next(current.a, byte);
  if (current.a != StringText::kDead) Add(current, front);
}

}  // namespace gemma3n
