// Follows documents of a schema byte by byte.
//
// A document may be read in several ways at once (which branch of anyOf it is, whether a number
// goes on), each of which is a stack of frames: a value in the making above those that hold it.
// Frames and sets of readings are kept once each and numbered, so that what was computed for one
// document serves the next.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "constraint/program.h"

namespace gemma3n {

// A value in the making. `parent`: the frame that goes on when it is complete.
struct Frame {
  enum class Phase : uint8_t {
    kText,        // a: state of the node's Dfa
    kStringOpen,  // before the quote
    kString,      // a: StringText, b: characters so far
    kObjectOpen,  // before the bracket
    kFirstName,   // a: next property, c: WhiteSpace (c is it in all that follows)
    kNextName,    // behind a comma
    kName,        // a: next property, b: place in the names
    kOtherName,   // a: StringText, b: place in the names, -1 when it is none of them for certain
    kColon,       // a: next property, b: the value's node
    kValue,       // behind the colon
    kAfterValue,  // a: next property
    kArrayOpen,
    kFirstItem,
    kNextItem,  // behind a comma; a: values so far
    kAfterItem  // a: values so far
  };
  int32_t parent = -1;
  int32_t node = -1;
  Phase phase = Phase::kText;
  int32_t a = 0, b = 0, c = 0;
  int32_t depth = 0;  // brackets open, its own among them
  bool operator==(const Frame&) const = default;
};

class Reader {
 public:
  using State = int32_t;
  static constexpr State kDead = -1;
  // More readings of one document than this are not followed: what is allowed stays valid.
  static constexpr size_t kMaxReadings = 1024;

  explicit Reader(const Program& program);
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  State start() const { return start_; }
  // The state behind one more byte, kDead when no document goes on so.
  State Next(State state, uint8_t byte);
  // Whether the document may end here.
  bool Complete(State state) const { return states_[Index(state)].complete; }
  // ... and cannot go on.
  bool Final(State state) const {
    return Complete(state) && states_[Index(state)].readings.empty();
  }

  // Readings: the innermost frames.
  const std::vector<int32_t>& Readings(State state) const { return states_[Index(state)].readings; }
  const Frame& frame(int32_t id) const { return frames_[Index(id)]; }
  const Program& program() const { return program_; }
  // The state of some of a state's readings.
  State StateOf(std::vector<int32_t> readings, bool complete);

  // A state with all that it needs, for another Reader of the same program.
  struct Copy {
    std::vector<std::vector<Frame>> stacks;  // outermost first
    bool complete = false;
  };
  Copy Export(State state) const;
  State Import(const Copy& copy);

  // Memory that frames and states take, about.
  size_t bytes() const { return bytes_; }

 private:
  static constexpr State kUnknown = -2;
  using Row = std::array<State, 256>;
  struct Entry {
    std::vector<int32_t> readings;
    bool complete = false;
    std::unique_ptr<Row> next;  // made with the first step
  };
  struct FrameHash {
    size_t operator()(const Frame& frame) const;
  };
  struct StateKey {
    std::vector<int32_t> readings;
    bool complete;
    bool operator==(const StateKey&) const = default;
  };
  struct StateHash {
    size_t operator()(const StateKey& key) const;
  };
  // The readings behind a byte, in the making.
  struct Front {
    std::vector<int32_t> readings;
    bool complete = false;
  };

  static size_t Index(int32_t id) { return static_cast<size_t>(id); }
  const Program::Node& node(const Frame& frame) const { return program_.nodes[Index(frame.node)]; }
  int32_t Intern(const Frame& frame);
  bool Fits(int32_t node, int32_t depth) const;

  void Add(const Frame& frame, Front& front);
  void Enter(int32_t node, int32_t parent, Front& front);
  // A value is complete: the frame that holds it goes on.
  void Return(int32_t parent, Front& front);

  void Step(const Frame& frame, uint8_t byte, Front& front);
  void StepString(Frame frame, uint8_t byte, Front& front);
  // reader_object.cc
  void StepObject(Frame frame, uint8_t byte, Front& front);
  void StepName(Frame frame, uint8_t byte, Front& front);
  void StepOtherName(Frame frame, uint8_t byte, Front& front);
  void BeginName(Frame frame, Front& front);
  bool SomeProperty(const Frame& frame, int32_t place) const;
  bool OthersMayFollow(const Frame& frame) const;
  bool MayClose(const Frame& frame) const;
  // reader_array.cc
  void StepArray(Frame frame, uint8_t byte, Front& front);
  int32_t ItemNode(const Frame& frame) const;
  bool StepWhiteSpace(Frame frame, uint8_t byte, Front& front);

  const Program& program_;
  std::vector<Frame> frames_;
  std::unordered_map<Frame, int32_t, FrameHash> frame_ids_;
  std::vector<Entry> states_;
  std::unordered_map<StateKey, State, StateHash> state_ids_;
  size_t bytes_ = 0;
  State start_ = kDead;
};

}  // namespace gemma3n
