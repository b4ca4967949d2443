// Files for tests of readers and writers: a directory that goes away, and hand-made bytes.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace gemma3n::testing {

class TempDir {
 public:
  TempDir() {
    // In memory where the system has that: some tests write thousands of files.
    const std::string shared = "/dev/shm";
    const bool in_memory = ::access(shared.c_str(), W_OK) == 0;
    const std::string base = in_memory ? shared : std::filesystem::temp_directory_path().string();
    std::string name = base + "/gemma3n-test-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string Write(const std::string& name, std::string_view bytes) const {
    const std::string path = path_ + "/" + name;
    std::ofstream(path, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path;
  }
  size_t Count() const {
    size_t n = 0;
    for (auto it = std::filesystem::directory_iterator(path_);
         it != std::filesystem::directory_iterator(); ++it)
      ++n;
    return n;
  }

 private:
  std::string path_;
};

inline std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

template <typename T>
std::string Bytes(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

// A safetensors file of this header and this much data.
inline std::string Safetensors(const std::string& header, size_t data_bytes) {
  return Bytes<uint64_t>(header.size()) + header + std::string(data_bytes, '\1');
}

// GGUF pieces, encoded by hand: an independent statement of the format.
inline std::string GgufString(std::string_view text) {
  return Bytes<uint64_t>(text.size()) + std::string(text);
}
inline std::string GgufPair(std::string_view key, uint32_t kind, const std::string& value) {
  return GgufString(key) + Bytes(kind) + value;
}
inline std::string GgufTensor(std::string_view name, std::initializer_list<uint64_t> dims,
                              uint32_t type, uint64_t offset) {
  std::string out = GgufString(name) + Bytes<uint32_t>(static_cast<uint32_t>(dims.size()));
  for (uint64_t d : dims) out += Bytes(d);
  return out + Bytes(type) + Bytes(offset);
}
inline std::string GgufFileBytes(uint32_t version, uint64_t tensors, uint64_t pairs,
                                 const std::string& body, size_t data_bytes,
                                 size_t alignment = 32) {
  std::string out = "GGUF" + Bytes(version) + Bytes(tensors) + Bytes(pairs) + body;
  out.append((alignment - out.size() % alignment) % alignment, '\0');
  return out + std::string(data_bytes, '\2');
}

}  // namespace gemma3n::testing
