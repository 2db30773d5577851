//===- Bulk.cpp - mbarriers and copies of tensors, by definition ----------===//

#include "test/gpu/Bulk.h"

#include "test/gpu/Block.h"
#include "test/gpu/Shared.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <random>
#include <vector>

using namespace kiln::test;

static constexpr int64_t mostCount = (1 << 20) - 1; ///< of arrivals and of bytes
static constexpr uint64_t madeHere = 0x6b696c6e6d617073;
/// Swizzles, by the driver's numbers.
static constexpr int unswizzled = 0, lines128 = 3;
static constexpr uint64_t lineBytes = 128, patternBytes = 8 * lineBytes;

namespace {
struct Barrier {
  uint32_t number = 0, phase = 0;
  int64_t expected = 0, pending = 0, bytes = 0;
  Clocks arrived;      ///< what lies in front of the phase's end
  Clocks complete;     ///< the same of the last phase that has ended
  uint32_t copies = 0; ///< that are under way
};
struct BulkCopy {
  uint8_t *to;
  void *barrier;
  TensorMap map;
  std::array<int64_t, TensorMap::mostRank> at;
};
} // namespace

static std::map<const void *, Barrier> barriers;
static uint32_t numBarriers;
static std::vector<BulkCopy> underWay;
static std::mt19937 chance{3};

void kiln::test::forgetBulkCopies() {
  barriers.clear();
  numBarriers = 0;
  underWay.clear();
}

bool kiln::test::isCopyUnderWay() { return !underWay.empty(); }

/// The mbarrier that the running thread may use; ends the thread if there is none.
static Barrier &use(void *at, bool isByCopies = false) {
  useBarrierInShared(at, isByCopies);
  return barriers.find(at)->second;
}

void kiln::test::beginBarrier(void *at, uint32_t count) {
  if (reinterpret_cast<uintptr_t>(at) % barrierBytes)
    return failThread("an mbarrier that is not aligned");
  if (count == 0 || count > mostCount)
    return failThread("an mbarrier of no arrivals, or too many");
  beginBarrierInShared(at);
  if (numBarriers == mostBarriers)
    return failThread("more mbarriers than the emulator knows");
  Barrier made;
  made.number = numBarriers++;
  made.expected = made.pending = count;
  barriers[at] = made;
}

void kiln::test::endBarrier(void *at) {
  if (use(at).copies)
    return failThread("an mbarrier ends before its copies");
  barriers.erase(at);
  endBarrierInShared(at);
}

/// Ends the phase if all have arrived and all bytes are there.
static void settle(Barrier &barrier) {
  if (barrier.pending || barrier.bytes)
    return;
  completePhaseOfShared(barrier.arrived, barrier.number, barrier.phase);
  barrier.complete = barrier.arrived;
  barrier.pending = barrier.expected;
  ++barrier.phase;
}

static void take(Barrier &barrier, int64_t count) {
  if (count == 0 || count > barrier.pending)
    return failThread("more arrive at an mbarrier than it expects");
  releaseShared(barrier.arrived);
  barrier.pending -= count;
  settle(barrier);
}

uint64_t kiln::test::arrive(void *at, uint32_t count) {
  Barrier &barrier = use(at);
  uint64_t state = barrier.phase;
  take(barrier, count);
  return state;
}

uint64_t kiln::test::arriveExpecting(void *at, uint32_t bytes) {
  Barrier &barrier = use(at);
  uint64_t state = barrier.phase;
  barrier.bytes += bytes;
  if (barrier.bytes > mostCount)
    failThread("an mbarrier expects more bytes than it counts");
  take(barrier, 1);
  return state;
}

bool kiln::test::isPhaseComplete(const void *at, uint32_t parity) {
  auto found = barriers.find(at);
  return found != barriers.end() && found->second.phase % 2 != parity;
}

bool kiln::test::tryWait(void *at, uint32_t parity) {
  if (parity > 1)
    return failThread("a parity other than 0 and 1"), false;
  use(at);
  bool isEarly = chance() % 4 == 0; // it may give up at any time
  if (!isPhaseComplete(at, parity)) {
    waitForPhase(at, parity);
    if (isEarly)
      return false;
  }
  acquireShared(use(at).complete);
  return true;
}

/// Bytes that a box has in shared memory, where all of it lies, whatever of it is in the tensor.
static uint64_t boxBytes(const TensorMap &map) {
  uint64_t bytes = map.size;
  for (int i = 0; i < map.rank; ++i)
    bytes *= map.box[i];
  return bytes;
}

/// Where an element of a tensor lies; null beyond its ends.
static const uint8_t *find(const BulkCopy &copy, const std::array<uint32_t, 5> &inBox) {
  const uint8_t *from = copy.map.address;
  for (int i = 0; i < copy.map.rank; ++i) {
    int64_t at = copy.at[i] + int64_t{inBox[i]} * copy.map.steps[i];
    if (at < 0 || static_cast<uint64_t>(at) >= copy.map.extents[i])
      return nullptr;
    from += static_cast<uint64_t>(at) * (i ? copy.map.strides[i - 1] : copy.map.size);
  }
  return from;
}

/// Element by element, the innermost dimension first. Swizzled lines of 128 bytes: bits 4 to 6 of
/// the address change by bits 7 to 9.
static void move(const BulkCopy &copy) {
  std::array<uint32_t, 5> inBox{};
  auto to = reinterpret_cast<uintptr_t>(copy.to);
  for (uint64_t done = 0, bytes = boxBytes(copy.map); done < bytes; done += copy.map.size) {
    uintptr_t place = to + done;
    if (copy.map.swizzle == lines128)
      place ^= (place >> 7 & 7) << 4;
    if (const uint8_t *from = find(copy, inBox))
      memcpy(reinterpret_cast<void *>(place), from, copy.map.size);
    else
      memset(reinterpret_cast<void *>(place), 0, copy.map.size);
    for (int i = 0; i < copy.map.rank && ++inBox[i] == copy.map.box[i]; ++i)
      inBox[i] = 0;
  }
}

static void finish(const BulkCopy &copy) {
  move(copy);
  Barrier &barrier = barriers.find(copy.barrier)->second;
  endBulkCopyToShared(copy.to, boxBytes(copy.map), barrier.number, barrier.phase);
  --barrier.copies;
  barrier.bytes -= static_cast<int64_t>(boxBytes(copy.map));
  settle(barrier);
}

bool kiln::test::finishBulkCopy() {
  if (underWay.empty())
    return false;
  std::swap(underWay[chance() % underWay.size()], underWay.back());
  BulkCopy copy = underWay.back();
  underWay.pop_back();
  finish(copy);
  return true;
}

static void begin(const BulkCopy &copy) {
  if (copy.map.mark != madeHere)
    return failThread("a tensor map that the driver did not make");
  uint64_t aligned = copy.map.swizzle == lines128 ? patternBytes : lineBytes;
  if (reinterpret_cast<uintptr_t>(copy.to) % aligned)
    return failThread("a copy of a box to where its pattern does not begin");
  Barrier &barrier = use(copy.barrier, true);
  beginBulkCopyToShared(copy.to, boxBytes(copy.map));
  ++barrier.copies;
  if (chance() % 2)
    finish(copy);
  else
    underWay.push_back(copy);
}

static void checkFlags(bool hasMask, bool hasHint, uint32_t group) {
  if (hasMask || hasHint || group)
    failThread("a copy for several blocks, or with a hint");
}

static BulkCopy made(void *to, void *barrier, const TensorMap *map, uint8_t rank) {
  BulkCopy copy{static_cast<uint8_t *>(to), barrier, {}, {}};
  memcpy(&copy.map, map, sizeof(TensorMap));
  if (reinterpret_cast<uintptr_t>(map) % alignof(TensorMap))
    failThread("a tensor map that is not aligned");
  if (copy.map.rank != rank)
    failThread("a tensor map of another rank");
  return copy;
}

void kiln::test::copyTensor2(void *to, void *barrier, const TensorMap *map, int32_t x, int32_t y,
                             uint16_t, uint64_t, bool hasMask, bool hasHint, uint32_t group) {
  checkFlags(hasMask, hasHint, group);
  BulkCopy copy = made(to, barrier, map, 2);
  copy.at = {x, y};
  begin(copy);
}

void kiln::test::copyTensor3(void *to, void *barrier, const TensorMap *map, int32_t x, int32_t y,
                             int32_t z, uint16_t, uint64_t, bool hasMask, bool hasHint,
                             uint32_t group) {
  checkFlags(hasMask, hasHint, group);
  BulkCopy copy = made(to, barrier, map, 3);
  copy.at = {x, y, z};
  begin(copy);
}

/// Bytes of an element by the driver's numbers of types; 0: no type.
static uint8_t sizeOf(int type) {
  constexpr uint8_t sizes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  return type < 0 || type >= int(sizeof(sizes)) ? 0 : sizes[type];
}

static bool isFloat(int type) { return type >= 6; }

/// What is wrong with the tensor, or "".
static std::string checkTensor(const TensorForm &form, uint64_t size) {
  constexpr uint64_t mostExtent = uint64_t{1} << 32, mostStride = uint64_t{1} << 40;
  uint64_t unit = form.interleave == 2 ? 32 : 16;
  if (!form.address || reinterpret_cast<uintptr_t>(form.address) % unit)
    return "the address is not aligned";
  for (uint32_t i = 0; i < form.rank; ++i)
    if (form.extents[i] == 0 || form.extents[i] > mostExtent)
      return "an extent is 0 or more than 2^32";
  for (uint32_t i = 0; i + 1 < form.rank; ++i) {
    uint64_t stride = form.strides[i], inner = i ? form.strides[i - 1] : size;
    if (stride % unit || stride >= mostStride)
      return "a stride is no multiple of " + std::to_string(unit) + ", or 2^40 or more";
    if (stride / inner < form.extents[i] || (i && stride % inner))
      return "a stride is less than what it strides over, or no multiple of the one before";
  }
  return "";
}

/// The same of the box.
static std::string checkBox(const TensorForm &form, uint64_t size) {
  constexpr uint32_t mostBox = 256, mostStep = 8;
  constexpr uint64_t inners[] = {~uint64_t{0}, 32, 64, 128};
  for (uint32_t i = 0; i < form.rank; ++i) {
    if (form.box[i] == 0 || form.box[i] > mostBox)
      return "a box's extent is 0 or more than 256";
    if (form.steps[i] == 0 || form.steps[i] > mostStep)
      return "a step is 0 or more than 8";
  }
  uint64_t inner = form.box[0] * size;
  if (form.interleave == 0 && inner % 16)
    return "a box's lines are no multiple of 16 bytes";
  if (form.interleave == 0 && inner > inners[form.swizzle])
    return "a box's lines are longer than the swizzle's";
  if (form.interleave == 2 && form.swizzle != 1)
    return "an interleave of 32 bytes needs their swizzle";
  return "";
}

std::string kiln::test::encode(TensorMap *map, const TensorForm &form) {
  uint8_t size = sizeOf(form.type);
  if (!map || reinterpret_cast<uintptr_t>(map) % alignof(TensorMap))
    return "the map is not aligned to 64 bytes";
  if (!size)
    return "there is no such type";
  bool isKnown = form.interleave >= 0 && form.interleave <= 2 && form.swizzle >= 0 &&
                 form.swizzle <= 3 && form.promotion >= 0 && form.promotion <= 3 &&
                 form.fill >= 0 && form.fill <= 1;
  if (!isKnown)
    return "there is no such interleave, swizzle, promotion or fill";
  if (form.rank == 0 || form.rank > TensorMap::mostRank || (form.interleave && form.rank < 3))
    return "the rank is none, or too much, or too little for an interleave";
  if (form.fill && !isFloat(form.type))
    return "integers are filled with zeros only";
  if (std::string text = checkTensor(form, size); !text.empty())
    return text;
  if (std::string text = checkBox(form, size); !text.empty())
    return text;
  bool isServed = !form.interleave && !form.fill &&
                  (form.swizzle == unswizzled ||
                   (form.swizzle == lines128 && uint64_t{form.box[0]} * size == lineBytes));
  if (!isServed)
    return "the emulator does not know such a map";
  *map = {};
  map->mark = madeHere;
  map->address = static_cast<const uint8_t *>(form.address);
  map->rank = static_cast<uint8_t>(form.rank);
  map->size = size;
  map->swizzle = static_cast<uint8_t>(form.swizzle);
  std::copy_n(form.extents, form.rank, map->extents);
  std::copy_n(form.strides, form.rank - 1, map->strides);
  std::copy_n(form.box, form.rank, map->box);
  std::copy_n(form.steps, form.rank, map->steps);
  return "";
}
