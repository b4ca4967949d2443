// The tiny sound tower of tests/golden/fixtures/audio (tools/golden/make_audio_fixtures.py): its
// weights written to a checkpoint, and what transformers answers.
#pragma once

#include <nlohmann/json.hpp>

#include "formats/safetensors.h"
#include "model/audio/audio_tower.h"
#include "tests/golden/golden_model.h"
#include "tests/golden/shared_values.h"
#include "tests/unit/formats/test_files.h"

namespace gemma3n::golden {

// What two correct float32 implementations may differ by.
inline constexpr float kAudioTolerance = 1e-5f;

// Some rows of a [., n] result.
struct SomeRows {
  std::vector<int64_t> rows;
  Values values;
};

struct ExpectedClip {
  std::string kind;
  int64_t samples = 0, tokens = 0;
  SomeRows soft;
};

struct AudioExpected {
  std::map<std::string, SomeRows> log_mel;  // by kind of sound
  std::map<std::string, SomeRows> stages;   // of one clip
  std::map<int, std::map<int, ExpectedClip>> requests;
};

inline void Fill(const std::string& key, Values values, SomeRows* out) {
  if (key == "rows") out->rows.assign(values.data.begin(), values.data.end());
  if (key == "values") out->values = std::move(values);
}

inline AudioExpected ReadAudioExpected() {
  const SafetensorsFile file =
      Take(SafetensorsFile::Open(FixtureDirectory("audio") + "/expected.safetensors"));
  AudioExpected expected;
  for (const auto& [name, tensor] : file.tensors()) {
    Values values = ReadValues(tensor);
    const size_t first = name.find('/'), last = name.rfind('/');
    const std::string group = name.substr(0, first), key = name.substr(last + 1);
    const std::string what = name.substr(first + 1, last - first - 1);
    if (group == "log_mel") {
      Fill(key, std::move(values), &expected.log_mel[what]);
    } else if (group == "stage") {
      Fill(key, std::move(values), &expected.stages[what]);
    } else {
      ExpectedClip& clip = expected.requests[std::stoi(group.substr(7))][std::stoi(what.substr(4))];
      if (key == "kind") clip.kind = kSoundKinds[static_cast<int>(values.data[0])];
      if (key == "samples") clip.samples = static_cast<int64_t>(values.data[0]);
      if (key == "tokens") clip.tokens = static_cast<int64_t>(values.data[0]);
      Fill(key, std::move(values), &clip.soft);
    }
  }
  return expected;
}

// The fixture's weights in a directory that goes away, but for `without`.
class AudioCheckpoint {
 public:
  explicit AudioCheckpoint(const std::string& without = "") {
    const std::string source = FixtureDirectory("audio");
    directory_.Write("config.json", testing::ReadAll(source + "/config.json"));
    const auto tensors = nlohmann::json::parse(testing::ReadAll(source + "/tensors.json"));
    std::vector<SafetensorsWriter::Entry> entries;
    for (const auto& [name, tensor] : tensors.items()) {
      if (name != without)
        entries.push_back({name, DType::kF32, tensor["shape"].get<std::vector<int64_t>>()});
    }
    auto writer = Take(SafetensorsWriter::Create(directory_ / "model.safetensors", entries));
    for (const auto& entry : entries) {
      int64_t n = 1;
      for (const int64_t d : entry.shape) n *= d;
      const auto& tensor = tensors[entry.name];
      const auto values = SharedTensor(entry.name, n, tensor["scale"].get<double>(),
                                       tensor["offset"].get<double>());
      Check(writer.Append(values.data(), values.size() * sizeof(float)));
    }
    Check(writer.Commit());
  }
  const std::string& path() const { return directory_.path(); }

 private:
  testing::TempDir directory_;
};

// Soft tokens of a request, [clips * soft_tokens][D].
inline std::vector<float> EncodeSounds(const AudioTower& tower,
                                       const std::vector<std::vector<float>>& sounds,
                                       const Ops& ops, const Probe& probe = {}) {
  const std::vector<AudioClip> clips(sounds.begin(), sounds.end());
  const auto rows = static_cast<int64_t>(clips.size()) * tower.soft_tokens();
  std::vector<float> soft(static_cast<size_t>(rows * tower.out_features()), NAN);
  Check(tower.Encode(clips, View(soft.data(), rows, tower.out_features()), ops, 0, probe));
  return soft;
}

}  // namespace gemma3n::golden
