//===- Warpgroup.cpp - wgmma, by definition -------------------------------===//

#include "test/gpu/Warpgroup.h"

#include "codegen/spec/Numbers.h"
#include "test/gpu/Block.h"
#include "test/gpu/Shared.h"

#include <cmath>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

using namespace kiln;
using namespace kiln::test;

static constexpr int rows = 64, columns = 64, steps = 16, ofSums = rows * columns / 128;
/// Products of a call: 64 steps, which are 128 bytes.
static constexpr int productsOfCall = 4;

namespace {
/// What a thread brings, and its arguments as they are packed.
struct Brought {
  void *result, *arguments;
};
struct Arguments {
  float sums[ofSums];
  uint64_t descriptors[productsOfCall][2];
};
/// A call's products that nobody has waited for.
struct UnderWay {
  float sums[rows][columns];
  std::vector<std::pair<const uint8_t *, uint64_t>> reads;
};
} // namespace

static std::map<uint32_t, UnderWay> underWay; ///< by warpgroup

void test::forgetProducts() { underWay.clear(); }

/// Sum i of a thread. With warp w, g = lane / 4 and t = lane % 4:
///   row 16 w + g + 8 if (i / 2) % 2, column 8 (i / 4) + 2 t + i % 2
static std::pair<int, int> placeOf(int thread, int i) {
  int lane = thread % 32;
  return {thread / 32 * 16 + lane / 4 + i / 2 % 2 * 8, i / 4 * 8 + lane % 4 * 2 + i % 2};
}

/// A matrix in shared memory, of halves.
namespace {
class Matrix {
public:
  /// `isAcross`: neighbours are of a step, not of a row or column.
  Matrix(uint64_t descriptor, bool isAcross);
  bool isFine() const { return base; }
  /// Where an element lies. Lines of 128 bytes lie one behind the other, 8 of them a pattern, in
  /// which bits 4 to 6 of the address change by bits 7 to 9.
  const uint8_t *at(int line, int step) const;

private:
  uint64_t field(int first, int bits) const {
    return descriptor >> first & ((uint64_t(1) << bits) - 1);
  }
  uint64_t descriptor;
  bool isAcross;
  const uint8_t *base = nullptr;
};
} // namespace

Matrix::Matrix(uint64_t descriptor, bool isAcross) : descriptor(descriptor), isAcross(isAcross) {
  constexpr uint64_t swizzled = 1;
  bool isKnown = field(62, 2) == swizzled && !field(46, 16) && !field(30, 2) && !field(14, 2);
  if (isKnown)
    base = static_cast<const uint8_t *>(findShared(static_cast<uint32_t>(field(0, 14) << 4)));
  if (!base)
    failBlock(isKnown ? "a matrix outside shared memory" : "a matrix descriptor of another form");
}

const uint8_t *Matrix::at(int line, int step) const {
  uint64_t leading = field(16, 14) << 4, stride = field(32, 14) << 4;
  int outer = isAcross ? step : line, inner = isAcross ? line : step;
  constexpr int inLine = 64, ofPattern = 8, halfBytes = 2, lineBytes = 128;
  uintptr_t place = reinterpret_cast<uintptr_t>(base) + outer / ofPattern * stride +
                    outer % ofPattern * lineBytes + inner / inLine * leading +
                    inner % inLine * halfBytes;
  return reinterpret_cast<const uint8_t *>(place ^ (place >> 7 & 7) << 4);
}

/// Reads the elements of `lines` rows or columns and of 16 steps. False if they may not be read.
template <DType type>
static bool load(const Matrix &matrix, double (*values)[steps], int lines, bool isAcross,
                 uint32_t warpgroup) {
  constexpr int piece = 8, pieceBytes = 16; // neighbours in each form
  for (int line = 0; line < lines; ++line)
    for (int step = 0; step < steps; ++step) {
      const uint8_t *at = matrix.at(line, step);
      if ((isAcross ? line : step) % piece == 0) {
        if (!beginProductOfShared(at, pieceBytes, warpgroup))
          return false;
        underWay[warpgroup].reads.push_back({at, pieceBytes});
      }
      values[line][step] = spec::loadNumber(at, type).f;
    }
  return true;
}

template <DType type, bool isAcross> static void startAll(void *const *threads) {
  uint32_t warpgroup = threadNumber() / warpgroupThreads;
  if (underWay.count(warpgroup))
    return failBlock("products begin before those under way were waited for");
  UnderWay &mine = underWay[warpgroup];
  auto argumentsOf = [&](uint32_t thread) {
    Arguments arguments;
    memcpy(&arguments, static_cast<Brought *>(threads[thread])->arguments, sizeof(arguments));
    return arguments;
  };
  const Arguments shared = argumentsOf(0);
  for (uint32_t thread = 0; thread < warpgroupThreads; ++thread) {
    Arguments own = argumentsOf(thread);
    if (memcmp(own.descriptors, shared.descriptors, sizeof(own.descriptors)))
      return failBlock("threads of a warpgroup have different matrices");
    for (int i = 0; i < ofSums; ++i) {
      auto [row, column] = placeOf(thread, i);
      mine.sums[row][column] = own.sums[i];
      static_cast<float *>(static_cast<Brought *>(threads[thread])->result)[i] = NAN;
    }
  }
  static double a[rows][steps], b[columns][steps];
  for (const uint64_t (&factors)[2] : shared.descriptors) {
    Matrix left(factors[0], false), right(factors[1], isAcross);
    if (!left.isFine() || !right.isFine() || !load<type>(left, a, rows, false, warpgroup) ||
        !load<type>(right, b, columns, isAcross, warpgroup))
      return;
    for (int row = 0; row < rows; ++row)
      for (int column = 0; column < columns; ++column) {
        double sum = mine.sums[row][column];
        for (int step = 0; step < steps; ++step)
          sum += a[row][step] * b[column][step];
        mine.sums[row][column] = static_cast<float>(sum);
      }
  }
}

static void waitForAll(void *const *threads) {
  uint32_t warpgroup = threadNumber() / warpgroupThreads;
  auto found = underWay.find(warpgroup);
  if (found == underWay.end())
    return failBlock("no products are under way");
  for (auto [at, bytes] : found->second.reads)
    endProductOfShared(at, bytes, warpgroup);
  for (uint32_t thread = 0; thread < warpgroupThreads; ++thread)
    for (int i = 0; i < ofSums; ++i) {
      auto [row, column] = placeOf(thread, i);
      static_cast<float *>(static_cast<Brought *>(threads[thread])->result)[i] =
          found->second.sums[row][column];
    }
  underWay.erase(found);
}

void test::startF16(void *result, void *arguments) {
  Brought mine{result, arguments};
  togetherInWarpgroup(startAll<DType::F16, false>, &mine);
}

void test::startF16Across(void *result, void *arguments) {
  Brought mine{result, arguments};
  togetherInWarpgroup(startAll<DType::F16, true>, &mine);
}

void test::startBF16(void *result, void *arguments) {
  Brought mine{result, arguments};
  togetherInWarpgroup(startAll<DType::BF16, false>, &mine);
}

void test::startBF16Across(void *result, void *arguments) {
  Brought mine{result, arguments};
  togetherInWarpgroup(startAll<DType::BF16, true>, &mine);
}

void test::waitForProducts(void *result, void *arguments) {
  Brought mine{result, arguments};
  togetherInWarpgroup(waitForAll, &mine);
}
