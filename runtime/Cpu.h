//===- Cpu.h - what the processor can do and how much of it we may use -----===//
#ifndef KILN_RUNTIME_CPU_H
#define KILN_RUNTIME_CPU_H

#include <stdint.h>

namespace kiln::rt {

/// KILN_CPU_* bits that processor and operating system support.
uint64_t cpuFeatures();

/// Processors this process may run on.
struct CpuSet {
  static constexpr int maxCpus = 1024;
  uint64_t bits[maxCpus / 64];

  int count() const;
  /// The number of the n-th processor in the set; -1 if there are fewer.
  int nth(int n) const;
};

/// The calling thread's affinity. If it cannot be read: processor 0.
CpuSet affinity();

/// Binds the calling thread to one processor; a refusal is no error.
void pinTo(int cpu);

/// Threads that affinity and the cgroup's quota of processor time allow; at least 1.
int allowedThreads();

/// What one cpu.max file ("150000 100000", "max 100000") allows, rounded up; 0: no limit.
int parseCpuMax(const char *text);

} // namespace kiln::rt

#endif // KILN_RUNTIME_CPU_H
