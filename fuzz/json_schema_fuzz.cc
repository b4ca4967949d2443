// JSON Schemas: any bytes give an error or an automaton. Bytes behind a line of "---" choose a way
// through it: what was allowed can be brought to an end, and is JSON then.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "constraint/program.h"
#include "constraint/reader.h"
#include "formats/json.h"

namespace {

using gemma3n::Reader;

// Some byte that may come in the state, the choice-th of them.
int Allowed(Reader& reader, Reader::State state, unsigned choice) {
  int bytes[256], count = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (reader.Next(state, static_cast<uint8_t>(byte)) != Reader::kDead) bytes[count++] = byte;
  }
  return count == 0 ? -1 : bytes[choice % static_cast<unsigned>(count)];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find("\n---\n");
  const auto program = gemma3n::CompileSchema(input.substr(0, cut));
  if (!program.ok()) {
    if (program.status().message().empty()) std::abort();
    return 0;
  }
  Reader reader(*program);
  Reader::State state = reader.start();
  std::string text;
  const std::string_view way = cut == std::string_view::npos ? "" : input.substr(cut + 5);
  for (size_t i = 0; i < 500 && !reader.Final(state); ++i) {
    const auto choice = i < way.size() ? static_cast<uint8_t>(way[i]) : 0;
    const int byte = Allowed(reader, state, choice);
    if (byte < 0) {
      if (!reader.Complete(state)) std::abort();
      break;
    }
    text += static_cast<char>(byte);
    state = reader.Next(state, static_cast<uint8_t>(byte));
    if (reader.Complete(state) && !gemma3n::ParseJson(text, "walk", 65).ok()) std::abort();
  }
  return 0;
}
