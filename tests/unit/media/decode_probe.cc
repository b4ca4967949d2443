// decode_probe SIZE... < PATHS        one path or data: URL a line
//   Of each: a line of JSON, {"width", "height"} or {"error"}, then the RGB bytes of the picture
//   and of it resized to each SIZE x SIZE.
// decode_probe time SIZE... < PATHS
//   Of each: a line of JSON with the processor's milliseconds of decoding and of each resize, the
//   least of five.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "media/decode_image.h"
#include "media/resize.h"

namespace {

using nlohmann::json;

template <typename Work>
double LeastMilliseconds(const Work& work) {
  double least = 1e30;
  for (int i = 0; i < 5; ++i) {
    const std::clock_t start = std::clock();
    work();
    least = std::min(least, 1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return least;
}

void Write(const gemma3n::Image& image) {
  std::cout.write(reinterpret_cast<const char*>(image.rgb.data()),
                  static_cast<std::streamsize>(image.rgb.size()));
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool time = !arguments.empty() && arguments[0] == "time";
  if (time) arguments.erase(arguments.begin());
  if (arguments.empty()) return std::fprintf(stderr, "usage: decode_probe [time] SIZE...\n"), 2;
  std::vector<int64_t> sizes;
  for (const auto& argument : arguments) sizes.push_back(std::atoll(argument.c_str()));
  std::ios::sync_with_stdio(false);
  for (std::string path; std::getline(std::cin, path);) {
    const auto image = gemma3n::LoadImage(path);
    if (!image.ok()) {
      std::cout << json{{"error", image.status().message()}}.dump() << "\n";
      continue;
    }
    json line = {{"width", image->width}, {"height", image->height}};
    if (!time) {
      std::cout << line.dump() << "\n";
      Write(*image);
      for (const int64_t size : sizes) Write(gemma3n::ResizeBilinear(*image, size, size));
      continue;
    }
    line["decode"] = LeastMilliseconds([&] { (void)gemma3n::LoadImage(path).ok(); });
    for (const int64_t size : sizes) {
      line[std::to_string(size)] =
          LeastMilliseconds([&] { (void)gemma3n::ResizeBilinear(*image, size, size); });
    }
    std::cout << line.dump() << "\n";
  }
  return 0;
}
