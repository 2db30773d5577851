//===- RuntimeTest.cpp - parts of the runtime by themselves ---------------===//
#include "runtime/Arena.h"
#include "runtime/Cpu.h"
#include "runtime/Status.h"
#include "runtime/ThreadPool.h"

#include "gtest/gtest.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <vector>

using namespace kiln::rt;

namespace {

/// A pool with its memory; more threads than processors are wanted here, to meet late ones.
struct Pool {
  explicit Pool(int threads)
      : bytes((ThreadPool::memoryBytes(threads) + 63) / 64 * 64),
        memory(std::aligned_alloc(64, bytes)) {
    std::memset(memory, 0, bytes);
    started = pool.start(threads, false, memory);
  }
  ~Pool() {
    pool.stop();
    std::free(memory);
  }
  size_t bytes;
  void *memory;
  ThreadPool pool;
  bool started = false;
};

int32_t countTask(kiln_ctx *, int32_t index, void *closure) {
  static_cast<std::atomic<int> *>(closure)[index] += 1;
  return 0;
}

TEST(ThreadPool, RunsEachTaskOnce) {
  for (int threads : {1, 2, 3, 8}) {
    Pool pool(threads);
    ASSERT_TRUE(pool.started);
    EXPECT_EQ(pool.pool.size(), threads);
    for (int count = 0; count < 300; ++count) {
      std::vector<std::atomic<int>> counts(count + 1);
      EXPECT_EQ(pool.pool.run(nullptr, countTask, count, counts.data()), KILN_OK);
      for (int i = 0; i < count; ++i)
        ASSERT_EQ(counts[i], 1) << i << " of " << count << " on " << threads;
      ASSERT_EQ(counts[count], 0);
    }
  }
}

TEST(ThreadPool, GivesTheStatusOfTheLowestFailure) {
  auto task = [](kiln_ctx *, int32_t index, void *) -> int32_t { return index >= 7 ? index : 0; };
  for (int threads : {1, 4}) {
    Pool pool(threads);
    for (int round = 0; round < 200; ++round)
      ASSERT_EQ(pool.pool.run(nullptr, task, 100, nullptr), 7);
    EXPECT_EQ(pool.pool.run(nullptr, task, 7, nullptr), KILN_OK);
  }
}

TEST(ThreadPool, RunsRegionsWithinTasks) {
  struct Nest {
    ThreadPool *pool;
    std::atomic<int> counts[10];
  };
  Pool pool(3);
  Nest nest{&pool.pool, {}};
  auto outer = [](kiln_ctx *ctx, int32_t, void *closure) -> int32_t {
    auto *nest = static_cast<Nest *>(closure);
    return nest->pool->run(ctx, countTask, 10, nest->counts);
  };
  EXPECT_EQ(pool.pool.run(nullptr, outer, 50, &nest), KILN_OK);
  for (auto &count : nest.counts)
    EXPECT_EQ(count, 50);
}

TEST(Arena, GrowsAndStays) {
  Allocator allocator;
  Arena arena;
  ASSERT_TRUE(arena.reserve(allocator, 100));
  uint8_t *base = arena.base();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(base) % 64, 0u);
  EXPECT_GE(arena.size(), 100u);
  ASSERT_TRUE(arena.reserve(allocator, 50));
  EXPECT_EQ(arena.base(), base);
  ASSERT_TRUE(arena.reserve(allocator, 3 << 20));
  EXPECT_GE(arena.size(), size_t(3) << 20);
  EXPECT_FALSE(arena.reserve(allocator, size_t(1) << 60));
  EXPECT_GE(arena.size(), size_t(3) << 20);
  arena.release(allocator);
  EXPECT_EQ(arena.base(), nullptr);
}

TEST(TextWriter, CutsOffAndTerminates) {
  char text[8];
  TextWriter(text, sizeof(text)) << "ab" << int64_t(-123456);
  EXPECT_STREQ(text, "ab-1234");
  char wide[64];
  TextWriter(wide, sizeof(wide)) << INT64_MIN << " " << int64_t(0);
  EXPECT_STREQ(wide, "-9223372036854775808 0");
  TextWriter(nullptr, 10) << "x";
}

TEST(Cpu, ReadsQuotas) {
  EXPECT_EQ(parseCpuMax("max 100000\n"), 0);
  EXPECT_EQ(parseCpuMax("150000 100000\n"), 2);
  EXPECT_EQ(parseCpuMax("50000 100000\n"), 1);
  EXPECT_EQ(parseCpuMax(""), 0);
}

TEST(Cpu, CountsProcessors) {
  CpuSet set = {};
  set.bits[0] = 0b1010;
  set.bits[1] = 1;
  EXPECT_EQ(set.count(), 3);
  EXPECT_EQ(set.nth(1), 3);
  EXPECT_EQ(set.nth(2), 64);
  EXPECT_EQ(set.nth(3), -1);
  EXPECT_GE(allowedThreads(), 1);
  EXPECT_LE(allowedThreads(), affinity().count());
}

} // namespace
