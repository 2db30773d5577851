//===- Cpu.cpp - what the processor can do and how much of it we may use --===//
#include "runtime/Cpu.h"

#include "runtime/Abi.h"
#include "runtime/Libc.h"
#include "runtime/Status.h"

namespace kiln::rt {

#if defined(__x86_64__)

namespace {
struct CpuId {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};
} // namespace

static CpuId cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  CpuId id;
  asm volatile("cpuid"
               : "=a"(id.eax), "=b"(id.ebx), "=c"(id.ecx), "=d"(id.edx)
               : "a"(leaf), "c"(subleaf));
  return id;
}

/// The register states that the operating system saves (XCR0).
static uint64_t savedStates() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

uint64_t cpuFeatures() {
  uint64_t features = 0;
  auto put = [&](uint32_t word, int bit, uint64_t feature) {
    if (word >> bit & 1)
      features |= feature;
  };
  uint32_t highest = cpuid(0).eax;
  CpuId one = cpuid(1);
  bool savesAny = one.ecx >> 27 & 1;
  uint64_t saved = savesAny ? savedStates() : 0;
  bool avx = (saved & 0x6) == 0x6, avx512 = (saved & 0xe6) == 0xe6,
       amx = (saved & 0x60000) == 0x60000;
  put(one.ecx, 20, KILN_CPU_SSE42);
  put(one.ecx, 23, KILN_CPU_POPCNT);
  put(one.ecx, 22, KILN_CPU_MOVBE);
  if (cpuid(0x80000000).eax >= 0x80000001) {
    CpuId extended = cpuid(0x80000001);
    put(extended.ecx, 5, KILN_CPU_LZCNT);
    put(extended.ecx, 6, KILN_CPU_SSE4A);
  }
  if (avx) {
    put(one.ecx, 28, KILN_CPU_AVX);
    put(one.ecx, 12, KILN_CPU_FMA);
    put(one.ecx, 29, KILN_CPU_F16C);
  }
  if (highest < 7)
    return features;
  CpuId seven = cpuid(7), sevenOne = seven.eax >= 1 ? cpuid(7, 1) : CpuId();
  put(seven.ebx, 3, KILN_CPU_BMI);
  put(seven.ebx, 8, KILN_CPU_BMI2);
  put(seven.ebx, 19, KILN_CPU_ADX);
  put(seven.ebx, 29, KILN_CPU_SHA);
  put(seven.ecx, 8, KILN_CPU_GFNI);
  if (avx) {
    put(seven.ebx, 5, KILN_CPU_AVX2);
    put(seven.ecx, 9, KILN_CPU_VAES);
    put(seven.ecx, 10, KILN_CPU_VPCLMULQDQ);
    put(sevenOne.eax, 4, KILN_CPU_AVXVNNI);
  }
  if (avx512) {
    put(seven.ebx, 16, KILN_CPU_AVX512F);
    put(seven.ebx, 30, KILN_CPU_AVX512BW);
    put(seven.ebx, 28, KILN_CPU_AVX512CD);
    put(seven.ebx, 17, KILN_CPU_AVX512DQ);
    put(seven.ebx, 31, KILN_CPU_AVX512VL);
    put(seven.ebx, 21, KILN_CPU_AVX512IFMA);
    put(seven.ecx, 1, KILN_CPU_AVX512VBMI);
    put(seven.ecx, 6, KILN_CPU_AVX512VBMI2);
    put(seven.ecx, 11, KILN_CPU_AVX512VNNI);
    put(seven.ecx, 12, KILN_CPU_AVX512BITALG);
    put(seven.ecx, 14, KILN_CPU_AVX512VPOPCNTDQ);
    put(seven.edx, 23, KILN_CPU_AVX512FP16);
    put(sevenOne.eax, 5, KILN_CPU_AVX512BF16);
  }
  if (amx) {
    put(seven.edx, 25, KILN_CPU_AMXINT8);
    put(seven.edx, 22, KILN_CPU_AMXBF16);
  }
  return features;
}

#else

uint64_t cpuFeatures() { return 0; }

#endif

int CpuSet::count() const {
  int total = 0;
  for (uint64_t word : bits)
    for (; word; word &= word - 1)
      ++total;
  return total;
}

int CpuSet::nth(int n) const {
  for (int cpu = 0; cpu < maxCpus; ++cpu)
    if (bits[cpu / 64] >> (cpu % 64) & 1)
      if (n-- == 0)
        return cpu;
  return -1;
}

CpuSet affinity() {
  CpuSet set = {};
  if (syscall(libc::sysSchedGetAffinity, 0, sizeof(set.bits), set.bits) <= 0)
    set.bits[0] = 1;
  return set;
}

void pinTo(int cpu) {
  if (cpu < 0)
    return;
  CpuSet set = {};
  set.bits[cpu / 64] = uint64_t(1) << (cpu % 64);
  syscall(libc::sysSchedSetAffinity, 0, sizeof(set.bits), set.bits);
}

/// Reads a small file whole and terminates it. False if it cannot be read.
static bool readFile(const char *path, char *text, size_t size) {
  int file = open(path, libc::openReadOnly | libc::openCloseOnExec);
  if (file < 0)
    return false;
  long length = read(file, text, size - 1);
  close(file);
  text[length > 0 ? length : 0] = 0;
  return length > 0;
}

/// A decimal number at `text`, which is moved behind it and the blanks that follow; -1 if none.
static int64_t parseNumber(const char *&text) {
  if (*text < '0' || *text > '9')
    return -1;
  int64_t value = 0;
  for (; *text >= '0' && *text <= '9' && value < int64_t(1) << 50; ++text)
    value = value * 10 + (*text - '0');
  while (*text == ' ')
    ++text;
  return value;
}

/// Processors worth of time, rounded up; 0: no limit.
static int quotaToThreads(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0)
    return 0;
  int64_t threads = (quota + period - 1) / period;
  return threads < CpuSet::maxCpus ? int(threads) : 0;
}

int parseCpuMax(const char *text) {
  int64_t quota = parseNumber(text);
  int64_t period = parseNumber(text);
  return quotaToThreads(quota, period);
}

/// The least that cpu.max allows in the process's own cgroup and those around it; 0: no limit.
static int unifiedQuota() {
  char groups[1024];
  if (!readFile("/proc/self/cgroup", groups, sizeof(groups)))
    return 0;
  const char *at = groups;
  while (*at && !(at[0] == '0' && at[1] == ':' && at[2] == ':')) {
    while (*at && *at != '\n')
      ++at;
    at += *at == '\n';
  }
  char path[1024];
  size_t length = 0;
  for (at += *at ? 3 : 0; *at && *at != '\n' && length + 1 < sizeof(path); ++at)
    path[length++] = *at;
  int least = 0;
  for (;;) {
    path[length] = 0;
    char name[1200], text[64];
    TextWriter(name, sizeof(name)) << "/sys/fs/cgroup" << path << "/cpu.max";
    int here = readFile(name, text, sizeof(text)) ? parseCpuMax(text) : 0;
    if (here && (!least || here < least))
      least = here;
    if (!length)
      return least;
    while (length && path[--length] != '/')
      ;
  }
}

/// The same for the older form of cgroups, as containers see it; 0: no limit.
static int legacyQuota() {
  char quotaText[64], periodText[64];
  if (!readFile("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quotaText, sizeof(quotaText)) ||
      !readFile("/sys/fs/cgroup/cpu/cpu.cfs_period_us", periodText, sizeof(periodText)))
    return 0;
  const char *quota = quotaText, *period = periodText;
  int64_t quotaMicros = parseNumber(quota), periodMicros = parseNumber(period);
  return quotaToThreads(quotaMicros, periodMicros);
}

int allowedThreads() {
  int threads = affinity().count();
  const int quotas[] = {unifiedQuota(), legacyQuota()};
  for (int quota : quotas)
    if (quota && quota < threads)
      threads = quota;
  return threads > 0 ? threads : 1;
}

} // namespace kiln::rt
