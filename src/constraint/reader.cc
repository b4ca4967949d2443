#include "constraint/reader.h"

#include <algorithm>
#include <utility>

#include "constraint/json_text.h"

namespace gemma3n {
namespace {

using Phase = Frame::Phase;

size_t Mix(size_t hash, size_t value) {
  hash ^= value + 0x9E3779B97F4A7C15u + (hash << 6) + (hash >> 2);
  return hash * 0xFF51AFD7ED558CCDu;
}

}  // namespace

size_t Reader::FrameHash::operator()(const Frame& frame) const {
  size_t hash = 0;
  for (const int32_t value :
       {frame.parent, frame.node, static_cast<int32_t>(frame.phase), frame.a, frame.b, frame.c})
    hash = Mix(hash, static_cast<size_t>(value));
  return hash;
}

size_t Reader::StateHash::operator()(const StateKey& key) const {
  size_t hash = key.complete;
  for (const int32_t reading : key.readings) hash = Mix(hash, static_cast<size_t>(reading));
  return hash;
}

Reader::Reader(const Program& program) : program_(program) {
  Front front;
  Enter(program.root, -1, front);
  start_ = StateOf(std::move(front.readings), front.complete);
}

int32_t Reader::Intern(const Frame& frame) {
  const auto [it, added] = frame_ids_.emplace(frame, static_cast<int32_t>(frames_.size()));
  if (added) {
    frames_.push_back(frame);
    bytes_ += 3 * sizeof(Frame) + 32;
  }
  return it->second;
}

Reader::State Reader::StateOf(std::vector<int32_t> readings, bool complete) {
  std::sort(readings.begin(), readings.end());
  readings.erase(std::unique(readings.begin(), readings.end()), readings.end());
  if (readings.empty() && !complete) return kDead;
  const size_t size = readings.size();
  const auto [it, added] = state_ids_.emplace(StateKey{std::move(readings), complete},
                                              static_cast<State>(states_.size()));
  if (added) {
    states_.push_back({it->first.readings, complete, nullptr});
    bytes_ += 2 * size * sizeof(int32_t) + sizeof(Entry) + sizeof(StateKey) + 64;
  }
  return it->second;
}

Reader::State Reader::Next(State state, uint8_t byte) {
  if (states_[Index(state)].next == nullptr) {
    states_[Index(state)].next = std::make_unique<Row>();
    states_[Index(state)].next->fill(kUnknown);
    bytes_ += sizeof(Row);
  }
  if (const State known = (*states_[Index(state)].next)[byte]; known != kUnknown) return known;
  Front front;
  const size_t count = states_[Index(state)].readings.size();
  for (size_t i = 0; i < count; ++i) {
    const Frame current = frame(states_[Index(state)].readings[i]);
    Step(current, byte, front);
  }
  const State next = StateOf(std::move(front.readings), front.complete);
  (*states_[Index(state)].next)[byte] = next;
  return next;
}

bool Reader::Fits(int32_t node, int32_t depth) const {
  return node != Program::kNone && program_.nodes[Index(node)].depth + depth <= Program::kMaxDepth;
}

void Reader::Add(const Frame& frame, Front& front) {
  if (front.readings.size() < kMaxReadings) front.readings.push_back(Intern(frame));
}

void Reader::Enter(int32_t id, int32_t parent, Front& front) {
  const int32_t depth = parent < 0 ? 0 : frame(parent).depth;
  const Program::Node& value = program_.nodes[Index(id)];
  if (!Fits(id, depth)) return;
  switch (value.kind) {
    case Program::Node::Kind::kChoice:
      for (const int32_t part : value.parts) Enter(part, parent, front);
      return;
    case Program::Node::Kind::kText:
      return Add({parent, id, Phase::kText, 0, 0, 0, depth}, front);
    case Program::Node::Kind::kString:
      return Add({parent, id, Phase::kStringOpen, 0, 0, 0, depth}, front);
    case Program::Node::Kind::kObject:
      return Add({parent, id, Phase::kObjectOpen, 0, 0, 0, depth + 1}, front);
    case Program::Node::Kind::kArray:
      return Add({parent, id, Phase::kArrayOpen, 0, 0, 0, depth + 1}, front);
  }
}

void Reader::Return(int32_t parent, Front& front) {
  if (parent < 0)
    front.complete = true;
  else if (front.readings.size() < kMaxReadings)
    front.readings.push_back(parent);
}

void Reader::Step(const Frame& current, uint8_t byte, Front& front) {
  switch (current.phase) {
    case Phase::kText: {
      const Dfa& dfa = program_.dfas[Index(node(current).dfa)];
      Frame next = current;
      next.a = dfa.Next(current.a, byte);
      if (next.a == Dfa::kDead) return;
      if (dfa.GoesOn(next.a)) Add(next, front);
      if (dfa.Accepts(next.a)) Return(current.parent, front);
      return;
    }
    case Phase::kStringOpen:
    case Phase::kString:
      return StepString(current, byte, front);
    case Phase::kArrayOpen:
    case Phase::kFirstItem:
    case Phase::kNextItem:
    case Phase::kAfterItem:
      return StepArray(current, byte, front);
    default:
      return StepObject(current, byte, front);
  }
}

void Reader::StepString(Frame current, uint8_t byte, Front& front) {
  const Program::Node& value = node(current);
  if (current.phase == Phase::kStringOpen) {
    if (byte != '"') return;
    current.phase = Phase::kString;
    return Add(current, front);
  }
  if (current.a == StringText::kBody) {
    if (byte == '"') {
      if (current.b >= value.least) Return(current.parent, front);
      return;
    }
    if (current.b >= value.most) return;
  }
  current.a = StringText::Next(current.a, byte);
  if (current.a == StringText::kDead) return;
  // Where there is no upper limit, characters past the lower one need not be counted.
  const bool counted = value.most != Program::kNoLimit || current.b < value.least;
  if (current.a == StringText::kBody && counted) ++current.b;
  Add(current, front);
}

Reader::Copy Reader::Export(State state) const {
  Copy copy;
  copy.complete = Complete(state);
  for (const int32_t reading : Readings(state)) {
    std::vector<Frame> stack;
    for (int32_t id = reading; id >= 0; id = frame(id).parent) stack.push_back(frame(id));
    std::reverse(stack.begin(), stack.end());
    copy.stacks.push_back(std::move(stack));
  }
  return copy;
}

Reader::State Reader::Import(const Copy& copy) {
  std::vector<int32_t> readings;
  for (const std::vector<Frame>& stack : copy.stacks) {
    int32_t parent = -1;
    for (Frame frame : stack) {
      frame.parent = parent;
      parent = Intern(frame);
    }
    readings.push_back(parent);
  }
  return StateOf(std::move(readings), copy.complete);
}

}  // namespace gemma3n
