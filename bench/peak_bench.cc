// What this processor can do at most, on one core: multiply-adds per second of each instruction
// that the kernels use, in registers alone, and bytes read per second. The best of several short
// runs, so that other work on the machine counts little. `peak_bench` prints one line per figure.
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <vector>

#include "kernels/dispatch.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gemma3n {
namespace {

double Now() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

template <class Run>
double Best(double work, const Run& run) {
  double best = 1e30;
  for (int i = 0; i < 40; ++i) {
    const double start = Now();
    run();
    const double seconds = Now() - start;
    if (seconds < best) best = seconds;
  }
  return 1e-9 * work / best;
}

#if defined(__x86_64__)
constexpr int64_t kLoops = 1 << 20;

#define G3N_REPEAT16(x) \
  x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)
#define G3N_ZERO(i) "vpxord %%zmm" #i ", %%zmm" #i ", %%zmm" #i "\n"
#define G3N_LOOP(op)  \
  int64_t n = kLoops; \
  asm volatile(G3N_REPEAT16(G3N_ZERO) "vpxord %%zmm16, %%zmm16, %%zmm16\n"                            \
               "1:\n" G3N_REPEAT16(op) "dec %0\n jnz 1b\n vzeroupper\n" : "+r"(n)::"cc", "memory",    \
               "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",        \
               "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

#define G3N_FMA(i) "vfmadd231ps %%zmm16, %%zmm16, %%zmm" #i "\n"
#define G3N_BF16(i) "vdpbf16ps %%zmm16, %%zmm16, %%zmm" #i "\n"
#define G3N_VNNI(i) "vpdpbusd %%zmm16, %%zmm16, %%zmm" #i "\n"
__attribute__((target("avx512f"))) void LoopFma() { G3N_LOOP(G3N_FMA); }
__attribute__((target("avx512f,avx512bf16"))) void LoopBFloat16() { G3N_LOOP(G3N_BF16); }
__attribute__((target("avx512f,avx512vnni"))) void LoopVnni() { G3N_LOOP(G3N_VNNI); }

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

#define G3N_TILES(op)                                                        \
  static const TileConfig config;                                            \
  int64_t n = kLoops / 16;                                                   \
  asm volatile("ldtilecfg %1\n 1:\n" op " %%tmm6, %%tmm4, %%tmm0\n" op       \
               " %%tmm7, %%tmm4, %%tmm1\n" op " %%tmm6, %%tmm5, %%tmm2\n" op \
               " %%tmm7, %%tmm5, %%tmm3\n"                                   \
               "dec %0\n jnz 1b\n tilerelease\n"                             \
               : "+r"(n)                                                     \
               : "m"(config)                                                 \
               : "cc", "memory")
void LoopTileBFloat16() { G3N_TILES("tdpbf16ps"); }
void LoopTileInt8() { G3N_TILES("tdpbssd"); }
#endif

double ReadBandwidth(int64_t bytes) {
  const std::vector<uint64_t> memory(static_cast<size_t>(bytes / 8), 1);
  volatile uint64_t sink = 0;
  const int64_t passes = bytes < (int64_t{1} << 24) ? (int64_t{1} << 26) / bytes : 1;
  return Best(static_cast<double>(bytes * passes), [&] {
    uint64_t a = 0, b = 0, c = 0, d = 0;
    for (int64_t p = 0; p < passes; ++p) {
      for (size_t i = 0; i + 32 <= memory.size();
           i += 32) {  // one value of each cache line, four lines side by side
        a += memory[i], b += memory[i + 8], c += memory[i + 16], d += memory[i + 24];
      }
    }
    sink = sink + a + b + c + d;
  });
}

}  // namespace
}  // namespace gemma3n

int main() {
  using namespace gemma3n;
#if defined(__x86_64__)
  for (const KernelTable* table : AvailableKernels()) {
    const std::string name = table->name;
    if (name == "avx512")
      std::printf("float32 FMA    %8.1f GMAC/s\n", Best(16.0 * 16 * kLoops, LoopFma));
    if (name == "avx512vnni")
      std::printf("int8 VNNI      %8.1f GMAC/s\n", Best(16.0 * 64 * kLoops, LoopVnni));
    if (name == "avx512bf16")
      std::printf("AVX512_BF16    %8.1f GMAC/s\n", Best(16.0 * 32 * kLoops, LoopBFloat16));
    if (name != "amx") continue;
    std::printf("AMX bfloat16   %8.1f GMAC/s\n",
                Best(4 * 8192.0 * (kLoops / 16), LoopTileBFloat16));
    std::printf("AMX int8       %8.1f GMAC/s\n", Best(4 * 16384.0 * (kLoops / 16), LoopTileInt8));
  }
#endif
  for (int64_t bytes : {int64_t{1} << 15, int64_t{1} << 20, int64_t{1} << 24, int64_t{1} << 28}) {
    std::printf("read %6.1f MB %8.1f GB/s\n", 1e-6 * static_cast<double>(bytes),
                ReadBandwidth(bytes));
  }
  return 0;
}
