//===- Block.cpp - the threads of one block as fibres ---------------------===//

#include "test/gpu/Block.h"

#include "test/gpu/Bulk.h"
#include "test/gpu/Matrix.h"
#include "test/gpu/Shared.h"
#include "test/gpu/Warpgroup.h"

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include <ucontext.h>

using namespace kiln::test;

static constexpr uint32_t warpThreads = 32;
static constexpr size_t stackBytes = 64 << 10;

namespace {
enum class Wait : uint8_t { Nothing, Block, Warp, Warpgroup, Phase, End };

struct Fibre {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  Wait wait = Wait::Nothing;
  uint32_t barrier = 0;         ///< of Wait::Block
  uint32_t value = 0, from = 0; ///< of Wait::Warp: what it gives, the lane it takes from
  uint32_t result = 0;
  WarpWork work = nullptr; ///< of Wait::Warp, in place of an exchange, and Wait::Warpgroup
  void *brought = nullptr;
  const void *phaseOf = nullptr; ///< of Wait::Phase: an mbarrier
  uint32_t parity = 0;
};

/// All blocks of a process run one after another; their fibres are used again.
struct Scheduler {
  std::vector<Fibre> fibres;
  ucontext_t main;
  uint32_t threads = 0, current = 0, block = 0, blocks = 0;
  const std::function<void()> *body = nullptr;
  std::string message;
  std::mt19937 random{5};

  std::string run();
  void runWarp(uint32_t first);
  bool releaseBlock();
  bool releaseWarpgroups();
  bool releasePhases();
  bool meet(uint32_t first, uint32_t count);
  bool isAny(Wait what) const;
  void wait(Wait what);
};
} // namespace

static Scheduler scheduler;

static void enterFibre() {
  (*scheduler.body)();
  scheduler.wait(Wait::End);
}

static void prepare(Fibre &fibre) {
  if (!fibre.stack)
    fibre.stack = std::unique_ptr<char[]>(new char[stackBytes]);
  fibre.wait = Wait::Nothing;
  fibre.work = nullptr;
  getcontext(&fibre.context);
  fibre.context.uc_stack.ss_sp = fibre.stack.get();
  fibre.context.uc_stack.ss_size = stackBytes;
  fibre.context.uc_link = nullptr;
  makecontext(&fibre.context, enterFibre, 0);
}

void Scheduler::wait(Wait what) {
  Fibre &fibre = fibres[current];
  fibre.wait = what;
  swapcontext(&fibre.context, &main);
}

/// Runs a warp until its threads have ended, wait for the block, or wait for what never comes.
void Scheduler::runWarp(uint32_t first) {
  bool isExchange;
  do {
    for (current = first; current < first + warpThreads; ++current)
      if (fibres[current].wait == Wait::Nothing)
        swapcontext(&main, &fibres[current].context);
    isExchange = message.empty();
    for (uint32_t i = first; i < first + warpThreads; ++i)
      isExchange &= fibres[i].wait == Wait::Warp;
    if (isExchange && !meet(first, warpThreads))
      return;
    for (uint32_t i = first; isExchange && i < first + warpThreads; ++i) {
      fibres[i].result = fibres[first + fibres[i].from].value;
      fibres[i].wait = Wait::Nothing;
    }
  } while (isExchange);
}

/// Does the work that all threads of a warp or warpgroup wait for, if it is any.
bool Scheduler::meet(uint32_t first, uint32_t count) {
  WarpWork work = fibres[first].work;
  void *lanes[warpgroupThreads];
  for (uint32_t i = 0; i < count; ++i) {
    if (fibres[first + i].work != work) {
      message = "threads of a warp do different things";
      return false;
    }
    lanes[i] = fibres[first + i].brought;
    fibres[first + i].work = nullptr;
  }
  current = first;
  if (work)
    work(lanes);
  return true;
}

/// Whether any warpgroup had come together.
bool Scheduler::releaseWarpgroups() {
  bool isAny = false;
  for (uint32_t first = 0; first + warpgroupThreads <= threads; first += warpgroupThreads) {
    bool isThere = true;
    for (uint32_t i = first; i < first + warpgroupThreads; ++i)
      isThere &= fibres[i].wait == Wait::Warpgroup;
    if (!isThere)
      continue;
    isAny |= meet(first, warpgroupThreads);
    for (uint32_t i = first; i < first + warpgroupThreads; ++i)
      fibres[i].wait = Wait::Nothing;
  }
  return isAny && message.empty();
}

/// Whether any thread waits for such a thing.
bool Scheduler::isAny(Wait what) const {
  return std::any_of(fibres.begin(), fibres.end(),
                     [&](const Fibre &fibre) { return fibre.wait == what; });
}

/// Whether any thread waited for a phase that is complete.
bool Scheduler::releasePhases() {
  bool isAny = false;
  for (uint32_t i = 0; i < threads; ++i) {
    Fibre &fibre = fibres[i];
    if (fibre.wait != Wait::Phase || !isPhaseComplete(fibre.phaseOf, fibre.parity))
      continue;
    fibre.wait = Wait::Nothing;
    isAny = true;
  }
  return isAny;
}

bool Scheduler::releaseBlock() {
  for (uint32_t i = 0; i < threads; ++i)
    if (fibres[i].wait != Wait::Block || fibres[i].barrier != fibres[0].barrier)
      return false;
  for (uint32_t i = 0; i < threads; ++i)
    fibres[i].wait = Wait::Nothing;
  orderShared();
  return true;
}

std::string Scheduler::run() {
  message.clear();
  beginShared();
  forgetCopies();
  forgetProducts();
  forgetBulkCopies();
  fibres.resize(threads);
  for (Fibre &fibre : fibres)
    prepare(fibre);
  // Between two barriers warps run in any order, each as far as it gets.
  std::vector<uint32_t> warps;
  for (uint32_t first = 0; first < threads; first += warpThreads)
    warps.push_back(first);
  do {
    std::shuffle(warps.begin(), warps.end(), random);
    for (uint32_t first : warps)
      runWarp(first);
  } while (message.empty() && (releaseWarpgroups() || releasePhases() || releaseBlock() ||
                               (isAny(Wait::Phase) && finishBulkCopy())));
  bool isDone = true;
  for (const Fibre &fibre : fibres)
    isDone &= fibre.wait == Wait::End;
  if (message.empty())
    message = isAny(Wait::Phase) ? "a wait for a phase that never completes"
              : !isDone          ? "threads wait that never meet"
              : isCopyUnderWay() ? "a copy that nobody waits for"
                                 : endShared();
  return message;
}

std::string kiln::test::runBlock(uint32_t block, uint32_t blocks, uint32_t threads,
                                 const std::function<void()> &body) {
  if (threads == 0 || threads % warpThreads != 0)
    return "a block of " + std::to_string(threads) + " threads";
  scheduler.block = block;
  scheduler.blocks = blocks;
  scheduler.threads = threads;
  scheduler.body = &body;
  return scheduler.run();
}

uint32_t kiln::test::threadNumber() { return scheduler.current; }
uint32_t kiln::test::blockNumber() { return scheduler.block; }
uint32_t kiln::test::blockCount() { return scheduler.blocks; }
uint32_t kiln::test::threadCount() { return scheduler.threads; }

void kiln::test::waitForBlock(uint32_t barrier) {
  scheduler.fibres[scheduler.current].barrier = barrier;
  scheduler.wait(Wait::Block);
}

void kiln::test::waitForWarp(uint32_t mask) {
  if (mask != ~0u)
    failThread("a barrier of part of a warp");
  togetherInWarp([](void *const *) {}, nullptr);
}

void kiln::test::waitForPhase(const void *barrier, uint32_t parity) {
  Fibre &fibre = scheduler.fibres[scheduler.current];
  fibre.phaseOf = barrier;
  fibre.parity = parity;
  scheduler.wait(Wait::Phase);
}

void kiln::test::failBlock(const char *text) {
  if (scheduler.message.empty()) // what follows from the first is not told
    scheduler.message = text;
}

void kiln::test::failThread(const char *text) {
  failBlock(text);
  scheduler.wait(Wait::End);
}

void kiln::test::togetherInWarp(WarpWork run, void *mine) {
  Fibre &fibre = scheduler.fibres[scheduler.current];
  fibre.work = run;
  fibre.brought = mine;
  fibre.from = scheduler.current % warpThreads;
  scheduler.wait(Wait::Warp);
}

void kiln::test::togetherInWarpgroup(WarpWork run, void *mine) {
  Fibre &fibre = scheduler.fibres[scheduler.current];
  fibre.work = run;
  fibre.brought = mine;
  scheduler.wait(Wait::Warpgroup);
}

uint32_t kiln::test::shuffleAcross(uint32_t mask, uint32_t value, uint32_t distance,
                                   uint32_t bound) {
  Fibre &fibre = scheduler.fibres[scheduler.current];
  uint32_t from = scheduler.current % warpThreads ^ distance;
  if (mask != ~0u || bound != warpThreads - 1 || from >= warpThreads)
    scheduler.message = "a shuffle of part of a warp";
  fibre.value = value;
  fibre.from = from % warpThreads;
  scheduler.wait(Wait::Warp);
  return fibre.result;
}
