//===- Libc.h - the part of libc that the runtime uses ----------*- C++ -*-===//
//
// Declared here and not taken from system headers, so that the runtime compiles the same for any
// target without a sysroot. Each function must stand in codegen/link/Libc.def with its version.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_RUNTIME_LIBC_H
#define KILN_RUNTIME_LIBC_H

#include <stddef.h>
#include <stdint.h>

extern "C" {
void *mmap(void *address, size_t bytes, int protection, int flags, int file, long offset);
int munmap(void *address, size_t bytes);
int madvise(void *address, size_t bytes, int advice);
int open(const char *path, int flags, ...);
long read(int file, void *data, size_t bytes);
int close(int file);
long syscall(long number, ...);
int getpid();
void *dlopen(const char *path, int flags);
void *dlsym(void *library, const char *name);
int pthread_create(unsigned long *thread, const void *attributes, void *(*body)(void *),
                   void *argument);
int pthread_join(unsigned long thread, void **result);
int pthread_sigmask(int how, const void *set, void *old);
}

namespace kiln::rt::libc {
inline constexpr int protRead = 1, protWrite = 2, mapPrivate = 2, mapAnonymous = 0x20;
inline constexpr int adviseWillNeed = 3, adviseHugePage = 14;
inline constexpr int openReadOnly = 0, openCloseOnExec = 02000000;
inline constexpr int sigSetMask = 2;
inline constexpr int dlNow = 2;
inline constexpr int futexWaitPrivate = 128, futexWakePrivate = 129;
#if defined(__x86_64__)
inline constexpr long sysFutex = 202, sysSchedSetAffinity = 203, sysSchedGetAffinity = 204;
#elif defined(__aarch64__)
inline constexpr long sysFutex = 98, sysSchedSetAffinity = 122, sysSchedGetAffinity = 123;
#endif

struct Timespec {
  int64_t seconds, nanoseconds;
};
extern "C" int clock_gettime(int clock, Timespec *time);

/// Nanoseconds of the monotonic clock.
inline int64_t now() {
  Timespec time = {0, 0};
  clock_gettime(/*CLOCK_MONOTONIC=*/1, &time);
  return time.seconds * 1000000000 + time.nanoseconds;
}
} // namespace kiln::rt::libc

#endif // KILN_RUNTIME_LIBC_H
