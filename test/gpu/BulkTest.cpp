//===- BulkTest.cpp - what stands for mbarriers and copies of tensors -----===//

#include "test/gpu/Bulk.h"
#include "test/gpu/Block.h"
#include "test/gpu/Shared.h"
#include "test/unit/llvm/Harness.h"

#include <cstring>
#include <random>

using namespace kiln::test;

static constexpr uint32_t warp = 32, numThreads = 2 * warp;
static constexpr int unswizzled = 0, lines128 = 3;

/// Shared memory of a block: boxes, and mbarriers behind them.
alignas(1024) static uint8_t boxes[8 << 10];
alignas(8) static uint64_t bars[4];

static std::string run(const std::function<void()> &body) {
  placeShared({{boxes, sizeof(boxes)}, {bars, sizeof(bars)}});
  memset(boxes, 0xff, sizeof(boxes));
  return runBlock(0, 1, numThreads, body);
}

namespace {
/// Bytes [planes, rows, pitch], of which a map's tensor has `columns`.
struct Tensor {
  uint64_t columns = 200, rows = 21, planes = 3, pitch = 208;
  std::vector<uint8_t> bytes = std::vector<uint8_t>(planes * rows * pitch + 32);
  uint8_t *data() { return bytes.data() + (-reinterpret_cast<uintptr_t>(bytes.data()) & 31); }
};
/// A call of the driver, right but for what a test changes.
struct Form {
  uint64_t extents[5], strides[4];
  uint32_t box[5], steps[5] = {1, 1, 1, 1, 1};
  TensorForm form;
  Form(Tensor &tensor, uint32_t rank, int swizzle, std::vector<uint32_t> of)
      : extents{tensor.columns, tensor.rows, tensor.planes},
        strides{tensor.pitch, tensor.pitch * tensor.rows} {
    std::copy(of.begin(), of.end(), box);
    form.rank = rank;
    form.swizzle = swizzle;
  }
  std::string encode(TensorMap *map, const void *address) {
    form.address = address;
    form.extents = extents;
    form.strides = strides;
    form.box = box;
    form.steps = steps;
    return kiln::test::encode(map, form);
  }
};
} // namespace

static void copy(void *to, void *barrier, const TensorMap *map, int x, int y, int z = 0) {
  if (map->rank == 2)
    copyTensor2(to, barrier, map, x, y, 0, 0, false, false, 0);
  else
    copyTensor3(to, barrier, map, x, y, z, 0, 0, false, false, 0);
}

/// Boxes inside, across each end, and outside; what is outside is zeros, and counts as bytes.
TEST(GPUBulk, BoxesAreCopied) {
  std::mt19937 random(1);
  Tensor tensor;
  for (uint8_t &byte : tensor.bytes)
    byte = static_cast<uint8_t>(random() % 255 + 1);
  for (int swizzle : {unswizzled, lines128})
    for (uint32_t rank : {2u, 3u})
      for (int round = 0; round < 40; ++round) {
        uint32_t width = swizzle ? 128 : 48, height = 12, depth = rank == 3 ? 2 : 1;
        TensorMap map;
        ASSERT_EQ(Form(tensor, rank, swizzle, {width, height, depth}).encode(&map, tensor.data()),
                  "");
        int x = int(random() % 420) - 150, y = int(random() % 40) - 15;
        int z = rank == 3 ? int(random() % 6) - 2 : 0;
        auto expected = [&](int64_t column, int64_t row, int64_t plane) -> uint8_t {
          bool isInside = column >= 0 && column < int64_t(tensor.columns) && row >= 0 &&
                          row < int64_t(tensor.rows) && plane >= 0 &&
                          plane < int64_t(tensor.planes);
          return isInside ? tensor.data()[(plane * 21 + row) * 208 + column] : 0;
        };
        std::string text = run([&] {
          if (threadNumber() == 0) {
            beginBarrier(bars, 1);
            fenceShared();
          }
          waitForBlock(0);
          if (threadNumber() == 40) {
            arriveExpecting(bars, width * height * depth);
            copy(boxes, bars, &map, x, y, z);
          }
          while (!tryWait(bars, 0))
            ;
          for (uint32_t i = threadNumber(); i < width * height * depth; i += numThreads) {
            uint32_t line = i / width, column = i % width;
            uint32_t piece = swizzle ? column / 16 ^ line % 8 : column / 16;
            const uint8_t *at = boxes + line * width + piece * 16 + column % 16;
            readShared(at, 1);
            if (*at != expected(x + column, y + line % height, z + line / height))
              failThread("another byte");
          }
        });
        EXPECT_EQ(text, "") << swizzle << " " << rank << ": " << x << ", " << y << ", " << z;
      }
}

namespace {
/// Ways to get a pipeline wrong.
enum class Fault {
  None,
  NoFenceOfBarriers,
  NoBlockBarrier,
  NoWaitForFull,
  NoWaitForEmpty,
  WrongParity,
  MoreBytes,
  FewerBytes,
  NoArrival,
  MoreArrivals,
  NoArrivalOfOne,
  NoFenceOfWrites,
  PlainRead,
  OffPattern,
  CopyLeft,
};
} // namespace

/// A thread copies, a warp reads, in turns of two stages; before and behind that threads write the
/// stages plainly.
static std::string pipeline(Fault fault) {
  constexpr uint32_t stages = 2, rounds = 5, stageBytes = 1024;
  Tensor tensor;
  TensorMap map;
  EXPECT_EQ(Form(tensor, 2, lines128, {128, 8}).encode(&map, tensor.data()), "");
  uint64_t *full = bars, *empty = bars + stages;
  auto wait = [](uint64_t *barrier, uint32_t parity) {
    while (!tryWait(barrier, parity))
      ;
  };
  auto is = [&](Fault other) { return fault == other; };
  auto produce = [&] {
    for (uint32_t round = 0; round < rounds + is(Fault::CopyLeft); ++round) {
      uint32_t stage = round % stages;
      if (!is(Fault::NoWaitForEmpty))
        wait(empty + stage, round / stages % 2 ^ !is(Fault::WrongParity));
      uint32_t bytes = stageBytes + 16 * is(Fault::MoreBytes) - 16 * is(Fault::FewerBytes);
      if (is(Fault::NoArrival) && round == 3)
        return;
      arriveExpecting(full + stage, bytes);
      copy(boxes + stage * stageBytes + 128 * is(Fault::OffPattern), full + stage, &map, 0, 8);
    }
  };
  auto consume = [&] {
    for (uint32_t round = 0; round < rounds; ++round) {
      uint32_t stage = round % stages;
      if (!is(Fault::NoWaitForFull))
        wait(full + stage, round / stages % 2);
      readShared(boxes + stage * stageBytes + threadNumber() * 16, 16);
      if (is(Fault::NoArrivalOfOne) && threadNumber() == 7)
        continue;
      arrive(empty + stage, is(Fault::MoreArrivals) ? warp + 1 : 1);
    }
  };
  return run([&] {
    writeShared(boxes + threadNumber() * 32, 32);
    if (!is(Fault::NoFenceOfWrites))
      fenceShared();
    if (threadNumber() == 0) {
      for (uint32_t i = 0; i < 2 * stages; ++i)
        beginBarrier(bars + i, i < stages ? 1 : warp);
      if (!is(Fault::NoFenceOfBarriers))
        fenceShared();
    }
    if (!is(Fault::NoBlockBarrier))
      waitForBlock(0);
    if (is(Fault::PlainRead) && threadNumber() == 9)
      readShared(bars, 8);
    if (threadNumber() == warp)
      produce();
    else if (threadNumber() < warp)
      consume();
    waitForBlock(0);
    if (threadNumber() == 0)
      for (uint32_t i = 0; i < 2 * stages && !is(Fault::CopyLeft); ++i)
        endBarrier(bars + i);
    writeShared(boxes + threadNumber() * 32, 32);
  });
}

TEST(GPUBulk, FaultsAreNoticed) {
  const char *never = "a wait for a phase that never completes";
  std::pair<Fault, const char *> cases[] = {
      {Fault::None, ""},
      {Fault::NoFenceOfBarriers, "an mbarrier that no fence has shown to copies"},
      {Fault::NoBlockBarrier, "mbarrier"},
      {Fault::NoWaitForFull, " "}, // a race, or phases that come too early
      {Fault::NoWaitForEmpty, " "},
      {Fault::WrongParity, never},
      {Fault::MoreBytes, never},
      {Fault::FewerBytes, never},
      {Fault::NoArrival, never},
      {Fault::MoreArrivals, "more arrive at an mbarrier than it expects"},
      {Fault::NoArrivalOfOne, never},
      {Fault::NoFenceOfWrites, "a copy over what no fence has shown it"},
      {Fault::PlainRead, "a plain touch of an mbarrier"},
      {Fault::OffPattern, "a copy of a box to where its pattern does not begin"},
      {Fault::CopyLeft, "a race in shared memory"},
  };
  for (auto [fault, text] : cases)
    for (int time = 0; time < 8; ++time) { // copies are done at other times each time
      std::string said = pipeline(fault);
      EXPECT_TRUE(*text ? said.find(text) != std::string::npos : said.empty())
          << int(fault) << ": " << said;
    }
}

/// Who has not waited for an mbarrier himself is behind its copies by a barrier of the block,
/// behind one who has.
TEST(GPUBulk, WaitsAreHandedOn) {
  Tensor tensor;
  TensorMap map;
  ASSERT_EQ(Form(tensor, 2, lines128, {128, 8}).encode(&map, tensor.data()), "");
  for (bool waits : {true, false})
    for (int time = 0; time < 8; ++time) {
      std::string text = run([&] {
        if (threadNumber() == 0) {
          beginBarrier(bars, 1);
          fenceShared();
          arriveExpecting(bars, 1024);
          copy(boxes, bars, &map, 0, 0);
          while (waits && !tryWait(bars, 0))
            ;
        }
        waitForBlock(0);
        readShared(boxes + threadNumber() * 16, 16);
      });
      EXPECT_EQ(text.find("a race in shared memory") != std::string::npos, !waits) << text;
    }
}

/// Each restriction that the driver's manual names.
TEST(GPUBulk, MapsAreChecked) {
  Tensor tensor;
  alignas(64) uint8_t room[256];
  auto *map = reinterpret_cast<TensorMap *>(room);
  using Change = std::function<void(Form &)>;
  auto said = [&](const Change &change, uint64_t off = 0, uint64_t mapOff = 0) {
    Form form(tensor, 3, lines128, {128, 8, 1});
    change(form);
    return form.encode(reinterpret_cast<TensorMap *>(room + mapOff), tensor.data() + off);
  };
  EXPECT_EQ(said([](Form &) {}), "");
  EXPECT_EQ(map->rank, 3);
  EXPECT_NE(said([](Form &) {}, 8), "");
  EXPECT_NE(said([](Form &) {}, 0, 32), "");
  const std::pair<const char *, Change> wrong[] = {
      {"no such type", [](Form &f) { f.form.type = 13; }},
      {"the rank", [](Form &f) { f.form.rank = 0; }},
      {"the rank", [](Form &f) { f.form.rank = 6; }},
      {"the rank", [](Form &f) { f.form.rank = 2, f.form.interleave = 1; }},
      {"no such", [](Form &f) { f.form.swizzle = 4; }},
      {"no such", [](Form &f) { f.form.promotion = 4; }},
      {"integers", [](Form &f) { f.form.fill = 1; }},
      {"an extent", [](Form &f) { f.extents[1] = 0; }},
      {"an extent", [](Form &f) { f.extents[2] = (uint64_t{1} << 32) + 1; }},
      {"a stride is no multiple", [](Form &f) { f.strides[0] = 216; }},
      {"a stride is no multiple", [](Form &f) { f.strides[1] = uint64_t{1} << 40; }},
      {"a stride is less", [](Form &f) { f.strides[0] = 192; }},
      {"a stride is less", [](Form &f) { f.strides[1] += 16; }},
      {"a stride is less", [](Form &f) { f.strides[1] = 208; }},
      {"a box's extent", [](Form &f) { f.box[2] = 0; }},
      {"a box's extent", [](Form &f) { f.box[1] = 257; }},
      {"a step", [](Form &f) { f.steps[1] = 0; }},
      {"a step", [](Form &f) { f.steps[0] = 9; }},
      {"a box's lines are no", [](Form &f) { f.box[0] = 120; }},
      {"a box's lines are longer", [](Form &f) { f.box[0] = 144; }},
      {"an interleave",
       [](Form &f) { f.form.interleave = 2, f.strides[0] = 224, f.strides[1] = 224 * 21; }},
  };
  for (const auto &[text, change] : wrong)
    EXPECT_NE(said(change).find(text), std::string::npos) << text << ": " << said(change);
}
