// Loops of one instruction each, in registers alone, and reads of memory: what bounds the kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace gemma3n::bench {

struct PeakLoop {
  const char* name;
  const char* kind;  // float32, bf16 or int8: what is multiplied
  double macs;       // of one run
  void (*run)();
};

constexpr int64_t kPeakLoops = 1 << 20;

#define G3N_REPEAT12(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11)

#if defined(__x86_64__)
// `op` on twelve independent registers; 15 holds zeros.
#define G3N_VECTOR_LOOP(op)                                                                     \
  int64_t n = kPeakLoops;                                                                       \
  asm volatile("vxorps %%xmm15, %%xmm15, %%xmm15\n" G3N_REPEAT12(G3N_ZERO) "1:\n" G3N_REPEAT12( \
                   op) "dec %0\n jnz 1b\n vzeroupper\n"                                         \
               : "+r"(n)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
                 "xmm8", "xmm9", "xmm10", "xmm11", "xmm15")
#define G3N_ZERO(i) "vxorps %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n"
#define G3N_FMA256(i) "vfmadd231ps %%ymm15, %%ymm15, %%ymm" #i "\n"
#define G3N_FMA512(i) "vfmadd231ps %%zmm15, %%zmm15, %%zmm" #i "\n"
#define G3N_BF16(i) "vdpbf16ps %%zmm15, %%zmm15, %%zmm" #i "\n"
#define G3N_MADD256(i) "vpmaddubsw %%ymm15, %%ymm15, %%ymm" #i "\n"
#define G3N_VNNI256(i) "%{vex%} vpdpbusd %%ymm15, %%ymm15, %%ymm" #i "\n"
#define G3N_VNNI512(i) "vpdpbusd %%zmm15, %%zmm15, %%zmm" #i "\n"
inline void LoopFma256() { G3N_VECTOR_LOOP(G3N_FMA256); }
inline void LoopFma512() { G3N_VECTOR_LOOP(G3N_FMA512); }
inline void LoopBFloat16() { G3N_VECTOR_LOOP(G3N_BF16); }
inline void LoopMadd256() { G3N_VECTOR_LOOP(G3N_MADD256); }
inline void LoopVnni256() { G3N_VECTOR_LOOP(G3N_VNNI256); }
inline void LoopVnni512() { G3N_VECTOR_LOOP(G3N_VNNI512); }

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

#define G3N_TILE_LOOP(op)                                                    \
  static const TileConfig config;                                            \
  int64_t n = kPeakLoops / 16;                                               \
  asm volatile("ldtilecfg %1\n 1:\n" op " %%tmm6, %%tmm4, %%tmm0\n" op       \
               " %%tmm7, %%tmm4, %%tmm1\n" op " %%tmm6, %%tmm5, %%tmm2\n" op \
               " %%tmm7, %%tmm5, %%tmm3\n"                                   \
               "dec %0\n jnz 1b\n tilerelease\n"                             \
               : "+r"(n)                                                     \
               : "m"(config)                                                 \
               : "cc", "memory")
inline void LoopTileBFloat16() { G3N_TILE_LOOP("tdpbf16ps"); }
inline void LoopTileInt8() { G3N_TILE_LOOP("tdpbssd"); }
#elif defined(__aarch64__)
#define G3N_VECTOR_LOOP(op)                                                                        \
  int64_t n = kPeakLoops;                                                                          \
  asm volatile("movi v15.4s, #0\n" G3N_REPEAT12(G3N_ZERO) "1:\n" G3N_REPEAT12(                     \
                   op) "subs %0, %0, #1\n b.ne 1b\n"                                               \
               : "+r"(n)::"cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", \
                 "v11", "v15")
#define G3N_ZERO(i) "movi v" #i ".4s, #0\n"
#define G3N_FMLA(i) "fmla v" #i ".4s, v15.4s, v15.4s\n"
#define G3N_SDOT(i) ".arch_extension dotprod\n sdot v" #i ".4s, v15.16b, v15.16b\n"
#define G3N_SMMLA(i) ".arch_extension i8mm\n smmla v" #i ".4s, v15.16b, v15.16b\n"
inline void LoopFmla() { G3N_VECTOR_LOOP(G3N_FMLA); }
inline void LoopSdot() { G3N_VECTOR_LOOP(G3N_SDOT); }
inline void LoopSmmla() { G3N_VECTOR_LOOP(G3N_SMMLA); }
#endif

// The loops that this processor can run, or those up to the kernels that GEMMA3N_KERNELS forces.
inline std::vector<PeakLoop> PeakLoops() {
  std::vector<PeakLoop> loops;
  [[maybe_unused]] const auto add = [&](const char* name, const char* kind, double macs,
                                        void (*run)()) {
    loops.push_back({name, kind, macs * kPeakLoops, run});
  };
#if defined(__x86_64__)
  const auto chosen = ChooseKernels();
  for (const KernelTable* table : AvailableKernels()) {  // asks the system for AMX, too
    const std::string name = table->name;
    if (name == "avx2") {
      add("float32 FMA, 256 bits", "float32", 12 * 8, LoopFma256);
      add("int8 vpmaddubsw, 256 bits", "int8", 12 * 32, LoopMadd256);
    }
    if (name == "avxvnni") add("int8 VNNI, 256 bits", "int8", 12 * 32, LoopVnni256);
    if (name == "avx512") add("float32 FMA, 512 bits", "float32", 12 * 16, LoopFma512);
    if (name == "avx512vnni") add("int8 VNNI, 512 bits", "int8", 12 * 64, LoopVnni512);
    if (name == "avx512bf16") add("AVX512_BF16", "bf16", 12 * 32, LoopBFloat16);
    if (name == "amx") {
      add("AMX bfloat16", "bf16", 4 * 8192 / 16, LoopTileBFloat16);
      add("AMX int8", "int8", 4 * 16384 / 16, LoopTileInt8);
    }
    if (chosen.ok() && table == *chosen) break;
  }
#elif defined(__aarch64__)
  add("float32 FMLA", "float32", 12 * 4, LoopFmla);
  if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) add("int8 SDOT", "int8", 12 * 16, LoopSdot);
  if (getauxval(AT_HWCAP2) & HWCAP2_I8MM) add("int8 SMMLA", "int8", 12 * 32, LoopSmmla);
#endif
  return loops;
}

// Reads one value of each cache line of memory[0, size): `streams` places side by side.
inline uint64_t ReadLines(const uint64_t* memory, size_t size, size_t streams) {
  constexpr size_t kLine = 8, kAhead = 2048 / sizeof(uint64_t);
  const size_t part = size / streams / (4 * kLine) * (4 * kLine);
  uint64_t a = 0, b = 0, c = 0, d = 0;
  for (size_t i = 0; i < part; i += 4 * kLine) {
    for (size_t s = 0; s < streams; ++s) {
      const uint64_t* p = memory + s * part + i;
      for (size_t line = 0; line < 4; ++line) __builtin_prefetch(p + kAhead + line * kLine);
      a += p[0], b += p[kLine], c += p[2 * kLine], d += p[3 * kLine];
    }
  }
  return a + b + c + d;
}

}  // namespace gemma3n::bench
