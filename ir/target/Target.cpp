//===- Target.cpp - facts of instruction sets -----------------------------===//

#include "ir/target/Target.h"

using namespace kiln;
using namespace kiln::target;

static constexpr std::string_view x86 = "x86_64-unknown-linux-gnu", nvptx = "nvptx64-nvidia-cuda";

/// A GPU: its vector registers are the lanes' own. How much a block may share is told in KB by
/// NVIDIA's programming guide (technical specifications per compute capability).
static constexpr Target gpu(std::string_view name, int capability, int sharedKB,
                            bool isExact = false) {
  return {name, Kind::CUDA, nvptx,   name.substr(5), "", "", 1, 255, 0, 0, 0,
          0,    capability, isExact, sharedKB * 1024};
}

// Plainest first; host() takes the last that fits.
static constexpr Target targets[] = {
    {"x86-64", Kind::Processor, x86, "x86-64", "", "x86-64-linux-sse41", 4, 16, 30, 12, 4, 2},
    {"x86-64-v3", Kind::Processor, x86, "x86-64-v3", "", "x86-64-linux-sse41-avx-avx2-fma-f16c", 8,
     16, 60, 14, 6, 1},
    {"x86-64-v4", Kind::Processor, x86, "x86-64-v4", "",
     "x86-64-linux-sse41-avx-avx2-fma-f16c-avx512-avx512_skylake", 16, 32, 115, 16, 12, 2},
    {"sapphirerapids", Kind::Processor, x86, "x86-64-v4", "+avx512vnni,+avx512bf16",
     "x86-64-linux-sse41-avx-avx2-fma-f16c-avx512-avx512_skylake-avx512_cannonlake-avx512_zen4", 16,
     32, 230, 16, 12, 2},
    {"zen4", Kind::Processor, x86, "znver4", "",
     "x86-64-linux-sse41-avx-avx2-fma-f16c-avx512-avx512_skylake-avx512_cannonlake-avx512_zen4", 16,
     32, 115, 22, 8, 3},
    gpu("cuda:sm_80", 80, 163),
    gpu("cuda:sm_86", 86, 99),
    gpu("cuda:sm_89", 89, 99),
    gpu("cuda:sm_90", 90, 227),
    gpu("cuda:sm_90a", 90, 227, true),
    gpu("cuda:sm_100a", 100, 227, true),
};

std::span<const Target> target::all() { return targets; }

const Target &target::host() {
  const Target *best = &targets[0];
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v3"))
    best = &targets[1];
  if (__builtin_cpu_supports("x86-64-v4"))
    best = &targets[2];
  if (best == &targets[2] && __builtin_cpu_supports("avx512vnni") &&
      __builtin_cpu_supports("avx512bf16"))
    best = __builtin_cpu_is("intel") ? &targets[3] : &targets[4];
#endif
  return *best;
}

const Target *target::find(std::string_view name) {
  if (name == "native")
    return &host();
  for (const Target &target : targets)
    if (target.name == name)
      return &target;
  return nullptr;
}
