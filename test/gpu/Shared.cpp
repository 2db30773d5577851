//===- Shared.cpp - who touches shared memory between barriers ------------===//

#include "test/gpu/Shared.h"

#include "test/gpu/Block.h"

#include <array>

using namespace kiln::test;

/// Readers that are no single thread: a warp or warpgroup as one, and several.
static constexpr uint32_t firstWarp = 1 << 16, firstWarpgroup = 2 << 16, several = ~0u;
static constexpr uint32_t warpThreads = 32;

namespace {
/// Of one byte. What is of an earlier epoch than the running one lies behind a barrier.
struct Touched {
  uint32_t writeEpoch = 0, readEpoch = 0; ///< 0: never
  uint32_t writer = 0, reader = 0;
  uint32_t copies = 0, products = 0; ///< that are under way
  uint32_t fences = 0;               ///< of the writer until then
};
struct Variable {
  uintptr_t first = 0, bytes = 0;
  std::vector<Touched> touched;
};
} // namespace

static std::vector<Variable> variables;
static uint32_t epoch = 1;
static bool readsUnwritten = false;
static std::array<uint32_t, 1024> fences; ///< by thread, of which a block has no more

void kiln::test::placeShared(std::vector<std::pair<void *, uint64_t>> places) {
  variables.clear();
  for (auto [at, bytes] : places)
    variables.push_back({reinterpret_cast<uintptr_t>(at), bytes, {}});
}

void kiln::test::beginShared() {
  epoch = 1;
  readsUnwritten = false;
  fences.fill(0);
  for (Variable &variable : variables)
    variable.touched.assign(variable.bytes, {});
}

void kiln::test::orderShared() { ++epoch; }

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

/// Notes the touch; what is wrong with it, or null.
static const char *touch(const void *at, uint64_t bytes, uint32_t who, bool isWrite) {
  Touched *touched = find(at, bytes);
  if (!touched)
    return "outside shared memory";
  for (uint64_t i = 0; i < bytes; ++i) {
    Touched &byte = touched[i];
    if (byte.copies)
      return "a race in shared memory: a copy is under way";
    if (isWrite && byte.products)
      return "a race in shared memory: a product is under way";
    readsUnwritten |= !isWrite && !byte.writeEpoch;
    if (byte.writeEpoch == epoch && byte.writer != who)
      return isWrite ? "a race in shared memory: two writes" : "a race in shared memory: a read";
    if (isWrite && byte.readEpoch == epoch && byte.reader != who)
      return "a race in shared memory: a write";
    if (isWrite) {
      byte.writeEpoch = epoch;
      byte.writer = who;
      byte.fences = fences[who];
    } else {
      byte.reader = byte.readEpoch == epoch && byte.reader != who ? several : who;
      byte.readEpoch = epoch;
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

const void *kiln::test::findShared(uint32_t lowBits) {
  static constexpr uintptr_t mask = 0x3ffff;
  for (const Variable &variable : variables) {
    uintptr_t inside = (lowBits - variable.first) & mask;
    if (inside < variable.bytes && variable.touched[inside].writeEpoch)
      return reinterpret_cast<const void *>(variable.first + inside);
  }
  return nullptr;
}

bool kiln::test::beginProductOfShared(const void *at, uint64_t bytes, uint32_t warpgroup) {
  const char *wrong = touch(at, bytes, firstWarpgroup + warpgroup, false);
  Touched *touched = find(at, bytes);
  for (uint64_t i = 0; !wrong && i < bytes; ++i) {
    if (touched[i].fences == fences[touched[i].writer])
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
