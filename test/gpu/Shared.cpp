//===- Shared.cpp - who touches shared memory between barriers ------------===//

#include "test/gpu/Shared.h"

#include "test/gpu/Block.h"

#include <algorithm>
#include <array>

using namespace kiln::test;

/// Who touches memory. Beside threads: a warp or warpgroup as one, the copies of an mbarrier, and
/// readers that are too many to know each.
static constexpr uint32_t mostThreads = 1024, warpThreads = 32;
static constexpr uint32_t firstWarp = mostThreads, firstWarpgroup = firstWarp + 32;
static constexpr uint32_t several = firstWarpgroup + 8, firstBarrier = several + 1;
static constexpr uint32_t numActors = firstBarrier + mostBarriers;

namespace {
/// Of one byte.
struct Touched {
  uint32_t writeClock = 0, readClocks[2] = {}; ///< 0: never
  uint32_t fences = 0;                         ///< of the writer until then
  uint16_t writer = 0, readers[2] = {};
  uint8_t copies = 0, products = 0; ///< that are under way
  bool isBarrier = false;           ///< of an mbarrier
};
struct Variable {
  uintptr_t first = 0, bytes = 0;
  std::vector<Touched> touched;
};
} // namespace

static std::vector<Variable> variables;
static bool readsUnwritten = false;
static std::array<uint32_t, mostThreads> fences;
/// The time of each, and until when a barrier of the block has ordered it in front of all.
static std::array<uint32_t, numActors> now, met;
/// Until when each lies in front of a thread or warpgroup besides; empty if none does.
static std::array<Clocks, firstBarrier> known;

void kiln::test::placeShared(std::vector<std::pair<void *, uint64_t>> places) {
  variables.clear();
  for (auto [at, bytes] : places)
    variables.push_back({reinterpret_cast<uintptr_t>(at), bytes, {}});
}

void kiln::test::beginShared() {
  now.fill(1);
  met.fill(0);
  for (Clocks &clocks : known)
    clocks.clear();
  readsUnwritten = false;
  fences.fill(0);
  for (Variable &variable : variables)
    variable.touched.assign(variable.bytes, {});
}

void kiln::test::orderShared() {
  for (uint32_t actor = 0; actor < firstBarrier; ++actor)
    met[actor] = now[actor]++;
  for (const Clocks &clocks : known) // copies are there for all if anybody has waited for them
    for (uint32_t actor = firstBarrier; actor < clocks.size(); ++actor)
      met[actor] = std::max(met[actor], clocks[actor]);
}

const char *kiln::test::endShared() {
  return readsUnwritten ? "a read of shared memory that nobody wrote" : "";
}

/// What is known of bytes, or null if they are not all in one variable.
static Touched *find(const void *at, uint64_t bytes) {
  uintptr_t first = reinterpret_cast<uintptr_t>(at);
  for (Variable &variable : variables)
    if (first >= variable.first && first - variable.first <= variable.bytes &&
        bytes <= variable.bytes - (first - variable.first))
      return variable.touched.data() + (first - variable.first);
  return nullptr;
}

/// Whether what somebody did at a time lies in front of what another does now.
static bool isBefore(uint32_t actor, uint32_t clock, uint32_t who) {
  return actor == who || clock <= met[actor] || (!known[who].empty() && clock <= known[who][actor]);
}

/// What is wrong with a touch of a byte, or null.
static const char *conflict(const Touched &byte, uint32_t who, bool isWrite) {
  if (byte.copies)
    return "a race in shared memory: a copy is under way";
  if (isWrite && byte.products)
    return "a race in shared memory: a product is under way";
  if (!isBefore(byte.writer, byte.writeClock, who))
    return isWrite ? "a race in shared memory: two writes" : "a race in shared memory: a read";
  for (int i : {0, 1})
    if (isWrite && !isBefore(byte.readers[i], byte.readClocks[i], who))
      return "a race in shared memory: a write";
  return nullptr;
}

static void noteWrite(Touched &byte, uint32_t writer, uint32_t clock) {
  byte.writer = static_cast<uint16_t>(writer);
  byte.writeClock = clock;
  byte.readClocks[0] = byte.readClocks[1] = 0; // which lie in front of it
}

/// Readers that lie in front of this one need not be known any more.
static void noteRead(Touched &byte, uint32_t who) {
  int place = -1;
  for (int i : {1, 0})
    if (isBefore(byte.readers[i], byte.readClocks[i], who)) {
      byte.readClocks[i] = 0;
      place = i;
    }
  uint32_t reader = place < 0 ? several : who;
  place = std::max(place, 0);
  byte.readers[place] = static_cast<uint16_t>(reader);
  byte.readClocks[place] = now[reader];
}

/// Notes the touch; what is wrong with it, or null.
static const char *touch(const void *at, uint64_t bytes, uint32_t who, bool isWrite) {
  Touched *touched = find(at, bytes);
  if (!touched)
    return "outside shared memory";
  for (uint64_t i = 0; i < bytes; ++i) {
    Touched &byte = touched[i];
    if (byte.isBarrier)
      return "a plain touch of an mbarrier";
    if (const char *wrong = conflict(byte, who, isWrite))
      return wrong;
    readsUnwritten |= !isWrite && !byte.writeClock;
    if (isWrite) {
      noteWrite(byte, who, now[who]);
      byte.fences = fences[who];
    } else {
      noteRead(byte, who);
    }
  }
  return nullptr;
}

void kiln::test::readShared(const void *at, uint64_t bytes) {
  if (const char *wrong = touch(at, bytes, threadNumber(), false))
    failThread(wrong);
}

void kiln::test::writeShared(const void *at, uint64_t bytes) {
  if (const char *wrong = touch(at, bytes, threadNumber(), true))
    failThread(wrong);
}

bool kiln::test::readSharedTogether(const void *at, uint64_t bytes) {
  const char *wrong = touch(at, bytes, firstWarp + threadNumber() / warpThreads, false);
  if (wrong)
    failBlock(wrong);
  return !wrong;
}

void kiln::test::beginCopyToShared(const void *at, uint64_t bytes) {
  writeShared(at, bytes);
  Touched *touched = find(at, bytes);
  for (uint64_t i = 0; i < bytes; ++i)
    ++touched[i].copies;
}

void kiln::test::endCopyToShared(const void *at, uint64_t bytes) {
  Touched *touched = find(at, bytes);
  for (uint64_t i = 0; i < bytes; ++i)
    --touched[i].copies;
  writeShared(at, bytes); // which was done at any time until now
}

void kiln::test::fenceShared() { ++fences[threadNumber()]; }

/// Whether somebody wrote plainly, and no fence of his has followed.
static bool isHidden(const Touched &byte) {
  return byte.writeClock && byte.writer < mostThreads && byte.fences == fences[byte.writer];
}

const void *kiln::test::findShared(uint32_t lowBits) {
  static constexpr uintptr_t mask = 0x3ffff;
  for (const Variable &variable : variables) {
    uintptr_t inside = (lowBits - variable.first) & mask;
    if (inside < variable.bytes && variable.touched[inside].writeClock)
      return reinterpret_cast<const void *>(variable.first + inside);
  }
  return nullptr;
}

void kiln::test::beginProductsOfShared(uint32_t warpgroup) {
  Clocks &mine = known[firstWarpgroup + warpgroup];
  uint32_t first = warpgroup * warpgroupThreads;
  mine = known[first];
  for (uint32_t i = first; i < first + warpgroupThreads && !mine.empty(); ++i)
    if (known[i].empty())
      mine.clear();
    else
      std::transform(mine.begin(), mine.end(), known[i].begin(), mine.begin(),
                     [](uint32_t a, uint32_t b) { return std::min(a, b); });
}

bool kiln::test::beginProductOfShared(const void *at, uint64_t bytes, uint32_t warpgroup) {
  const char *wrong = touch(at, bytes, firstWarpgroup + warpgroup, false);
  Touched *touched = find(at, bytes);
  for (uint64_t i = 0; !wrong && i < bytes; ++i) {
    if (isHidden(touched[i]))
      wrong = "a product of what no fence has shown it";
    ++touched[i].products;
  }
  if (wrong)
    failBlock(wrong);
  return !wrong;
}

void kiln::test::endProductOfShared(const void *at, uint64_t bytes, uint32_t warpgroup) {
  Touched *touched = find(at, bytes);
  for (uint64_t i = 0; i < bytes; ++i)
    --touched[i].products;
  touch(at, bytes, firstWarpgroup + warpgroup, false); // at any time until now
}

/// What a thread knows, to add to.
static Clocks &knownOf(uint32_t thread) {
  known[thread].resize(numActors);
  return known[thread];
}

void kiln::test::endProductsOfShared(uint32_t warpgroup) {
  uint32_t first = warpgroup * warpgroupThreads, actor = firstWarpgroup + warpgroup;
  for (uint32_t i = first; i < first + warpgroupThreads; ++i)
    knownOf(i)[actor] = now[actor];
  ++now[actor];
}

static void join(Clocks &to, const Clocks &from) {
  to.resize(numActors);
  std::transform(from.begin(), from.end(), to.begin(), to.begin(),
                 [](uint32_t a, uint32_t b) { return std::max(a, b); });
}

void kiln::test::releaseShared(Clocks &to) {
  uint32_t thread = threadNumber();
  join(to, known[thread]);
  to[thread] = now[thread]++;
}

void kiln::test::acquireShared(const Clocks &from) { join(knownOf(threadNumber()), from); }

void kiln::test::beginBarrierInShared(const void *at) {
  writeShared(at, barrierBytes);
  Touched *touched = find(at, barrierBytes);
  for (uint64_t i = 0; i < barrierBytes; ++i)
    touched[i].isBarrier = true;
}

void kiln::test::endBarrierInShared(const void *at) {
  useBarrierInShared(at, false);
  Touched *touched = find(at, barrierBytes);
  for (uint64_t i = 0; i < barrierBytes; ++i)
    touched[i].isBarrier = false;
}

void kiln::test::useBarrierInShared(const void *at, bool isByCopies) {
  Touched *touched = find(at, barrierBytes);
  if (!touched || !touched->isBarrier)
    return failThread("no mbarrier lies there");
  if (!isBefore(touched->writer, touched->writeClock, threadNumber()))
    return failThread("an mbarrier that others may not have begun");
  if (isByCopies && isHidden(*touched))
    return failThread("an mbarrier that no fence has shown to copies");
}

void kiln::test::beginBulkCopyToShared(const void *at, uint64_t bytes) {
  Touched *touched = find(at, bytes);
  if (!touched)
    return failThread("outside shared memory");
  for (uint64_t i = 0; i < bytes; ++i) {
    Touched &byte = touched[i];
    if (byte.isBarrier)
      return failThread("a copy to an mbarrier");
    if (const char *wrong = conflict(byte, threadNumber(), true))
      return failThread(wrong);
    if (isHidden(byte))
      return failThread("a copy over what no fence has shown it");
    ++byte.copies;
  }
}

void kiln::test::endBulkCopyToShared(const void *at, uint64_t bytes, uint32_t barrier,
                                     uint32_t phase) {
  Touched *touched = find(at, bytes);
  for (uint64_t i = 0; i < bytes; ++i) {
    --touched[i].copies;
    noteWrite(touched[i], firstBarrier + barrier, phase + 1);
  }
}

void kiln::test::completePhaseOfShared(Clocks &to, uint32_t barrier, uint32_t phase) {
  to.resize(numActors);
  to[firstBarrier + barrier] = phase + 1;
}
