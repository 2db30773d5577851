//===- ThreadPool.cpp - threads of an instance ----------------------------===//
//
// A region: the caller fills the shares, opens the gate, counts the generation up and wakes all
// sleepers at once. A worker enters by adding to the gate while it is open, takes tasks until none
// is left, and leaves. The caller works too, then closes the gate and waits until nobody is inside:
// then every task is done, since each was taken by somebody who has left. A worker that comes late
// finds the gate closed and touches nothing.
//
//===----------------------------------------------------------------------===//
#include "runtime/ThreadPool.h"

#include "runtime/Cpu.h"
#include "runtime/Libc.h"

namespace kiln::rt {

static constexpr int64_t noFailure = INT64_MAX;
/// Rounds of waiting before a thread sleeps: some 50 microseconds, the cost of a wake-up.
static constexpr int spinRounds = 2000;

static void pause() {
#if defined(__x86_64__)
  asm volatile("pause");
#else
  asm volatile("yield");
#endif
}

static void futexWait(int32_t *word, int32_t seen) {
  syscall(libc::sysFutex, word, libc::futexWaitPrivate, seen, nullptr, nullptr, 0);
}

static void futexWakeAll(int32_t *word) {
  syscall(libc::sysFutex, word, libc::futexWakePrivate, INT32_MAX, nullptr, nullptr, 0);
}

size_t ThreadPool::memoryBytes(int threads) {
  return size_t(threads) * (sizeof(Share) + sizeof(Worker));
}

bool ThreadPool::start(int wanted, bool pin, void *memory) {
  shares = static_cast<Share *>(memory);
  workers = reinterpret_cast<Worker *>(shares + wanted);
  CpuSet cpus = {};
  if (pin)
    cpus = affinity();
  // Signals of the host are the host's: no handler of its ever runs on our threads.
  uint64_t all[16], before[16];
  __builtin_memset(all, 0xff, sizeof(all));
  pthread_sigmask(libc::sigSetMask, all, before);
  bool ok = true;
  for (threads = 1; threads < wanted && ok; threads += ok) {
    Worker &worker = workers[threads];
    worker.pool = this;
    worker.index = threads;
    worker.cpu = pin ? cpus.nth(threads) : -1;
    ok = pthread_create(&worker.thread, nullptr, threadMain, &worker) == 0;
  }
  pthread_sigmask(libc::sigSetMask, before, nullptr);
  if (!ok)
    stop();
  return ok;
}

void ThreadPool::stop() {
  __atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&generation, 1, __ATOMIC_SEQ_CST);
  futexWakeAll(&generation);
  for (; threads > 1; --threads)
    pthread_join(workers[threads - 1].thread, nullptr);
}

void *ThreadPool::threadMain(void *argument) {
  auto *worker = static_cast<Worker *>(argument);
  pinTo(worker->cpu);
  worker->pool->work(worker->index);
  return nullptr;
}

void ThreadPool::work(int index) {
  int32_t seen = 0;
  for (;;) {
    int round = 0;
    int32_t now;
    while ((now = __atomic_load_n(&generation, __ATOMIC_SEQ_CST)) == seen) {
      if (round < spinRounds) {
        ++round;
        pause();
        continue;
      }
      __atomic_fetch_add(&sleepers, 1, __ATOMIC_SEQ_CST);
      futexWait(&generation, seen);
      __atomic_fetch_sub(&sleepers, 1, __ATOMIC_SEQ_CST);
    }
    seen = now;
    if (__atomic_load_n(&stopping, __ATOMIC_SEQ_CST))
      return;
    if (enter()) {
      takeTasks(index);
      leave();
    }
  }
}

bool ThreadPool::enter() {
  int32_t value = __atomic_load_n(&gate, __ATOMIC_SEQ_CST);
  while (value & 1)
    if (__atomic_compare_exchange_n(&gate, &value, value + 2, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST))
      return true;
  return false;
}

void ThreadPool::leave() {
  if (__atomic_sub_fetch(&gate, 2, __ATOMIC_SEQ_CST) == 0 &&
      __atomic_load_n(&callerSleeps, __ATOMIC_SEQ_CST))
    futexWakeAll(&gate);
}

void ThreadPool::takeTasks(int index) {
  for (int turn = 0; turn < threads; ++turn) {
    Share &share = shares[(index + turn) % threads];
    while (__atomic_load_n(&share.next, __ATOMIC_RELAXED) < share.end) {
      int32_t i = __atomic_fetch_add(&share.next, 1, __ATOMIC_RELAXED);
      if (i >= share.end)
        break;
      if (int32_t status = task(ctx, i, closure))
        reportFailure(i, status);
    }
  }
}

void ThreadPool::reportFailure(int32_t index, int32_t status) {
  int64_t mine = int64_t(index) << 32 | uint32_t(status);
  int64_t lowest = __atomic_load_n(&failure, __ATOMIC_RELAXED);
  while (mine < lowest && !__atomic_compare_exchange_n(&failure, &lowest, mine, false,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    ;
}

int32_t ThreadPool::run(kiln_ctx *forCtx, kiln_task *newTask, int32_t count, void *newClosure) {
  if (threads == 1 || count <= 1 || running) {
    int32_t first = KILN_OK;
    for (int32_t i = 0; i < count; ++i)
      if (int32_t status = newTask(forCtx, i, newClosure))
        first = first ? first : status;
    return first;
  }
  running = true;
  ctx = forCtx;
  task = newTask;
  closure = newClosure;
  failure = noFailure;
  for (int t = 0; t < threads; ++t) {
    shares[t].next = int32_t(int64_t(count) * t / threads);
    shares[t].end = int32_t(int64_t(count) * (t + 1) / threads);
  }
  __atomic_store_n(&gate, 1, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&generation, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&sleepers, __ATOMIC_SEQ_CST))
    futexWakeAll(&generation);
  takeTasks(0);
  int32_t inside = __atomic_sub_fetch(&gate, 1, __ATOMIC_SEQ_CST);
  for (int round = 0; inside; inside = __atomic_load_n(&gate, __ATOMIC_SEQ_CST)) {
    if (round < spinRounds) {
      ++round;
      pause();
      continue;
    }
    __atomic_store_n(&callerSleeps, 1, __ATOMIC_SEQ_CST);
    futexWait(&gate, inside);
    __atomic_store_n(&callerSleeps, 0, __ATOMIC_SEQ_CST);
  }
  running = false;
  return failure == noFailure ? int32_t(KILN_OK) : int32_t(uint32_t(failure));
}

} // namespace kiln::rt
