//===- ThreadPool.h - threads of an instance --------------------*- C++ -*-===//
#ifndef KILN_RUNTIME_THREADPOOL_H
#define KILN_RUNTIME_THREADPOOL_H

#include "runtime/Abi.h"

namespace kiln::rt {

/// Runs regions of tasks on a fixed set of threads, the caller among them. Tasks are divided
/// statically, so that a thread meets the same data each time; one that is done helps the others,
/// so that a thread the system woke late delays nobody. Threads that wait spin for a short bounded
/// time and then sleep.
class ThreadPool {
public:
  static constexpr int maxThreads = 256;

  /// Bytes of memory that start() needs for this many threads.
  static size_t memoryBytes(int threads);

  /// Starts threads - 1 threads. `memory` is zeroed, 64-byte aligned and outlives the pool. False
  /// if the system refuses a thread; those started are then stopped.
  bool start(int threads, bool pin, void *memory);

  /// Stops and joins the threads. Does nothing twice.
  void stop();

  int size() const { return threads; }

  /// Runs task(ctx, i, closure) for all i in [0, count); KILN_OK or the status of the failing task
  /// with the lowest index.
  int32_t run(kiln_ctx *ctx, kiln_task *task, int32_t count, void *closure);

private:
  /// The tasks of one thread that nobody has taken yet.
  struct alignas(64) Share {
    int32_t next, end;
  };
  struct alignas(64) Worker {
    ThreadPool *pool;
    unsigned long thread;
    int index, cpu;
  };
  static void *threadMain(void *worker);
  void work(int index);
  void takeTasks(int index);
  void reportFailure(int32_t task, int32_t status);
  bool enter();
  void leave();

  int threads = 1;
  bool running = false; ///< written by the caller only, outside of regions
  Share *shares = nullptr;
  Worker *workers = nullptr;

  kiln_ctx *ctx = nullptr;
  kiln_task *task = nullptr;
  void *closure = nullptr;
  int64_t failure = 0; ///< task index << 32 | status of the lowest failure; noFailure if none

  /// Bit 0: a region is open; the rest: twice the number of workers inside.
  alignas(64) int32_t gate = 0;
  int32_t callerSleeps = 0;
  alignas(64) int32_t generation = 0; ///< counts regions; sleepers wait for its change
  int32_t sleepers = 0;
  int32_t stopping = 0;
};

} // namespace kiln::rt

#endif // KILN_RUNTIME_THREADPOOL_H
