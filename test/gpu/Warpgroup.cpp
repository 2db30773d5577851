//===- Warpgroup.cpp - wgmma, by definition -------------------------------===//

#include "test/gpu/Warpgroup.h"

#include "codegen/spec/Numbers.h"
#include "test/gpu/Block.h"
#include "test/gpu/Shared.h"

#include <cstring>
#include <map>
#include <utility>
#include <vector>

using namespace kiln;
using namespace kiln::test;

static constexpr int rows = 64, mostColumns = 128;
/// Sums of a thread.
static constexpr int sumsOf(int columns) { return rows * columns / int(warpgroupThreads); }
/// Steps of a product, and products of a call, whose steps are 128 bytes.
static constexpr int stepBytes = 32, mostSteps = 32;
static constexpr int productsOfCall = 4;

namespace {
/// What a thread brings, and its arguments as they are packed.
struct Brought {
  void *result, *arguments;
};
template <typename Sum, int columns> struct Arguments {
  Sum sums[sumsOf(columns)];
  uint64_t descriptors[productsOfCall][2];
};
/// A call's products that nobody has waited for.
struct UnderWay {
  double sums[rows][mostColumns];
  int columns;
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

/// A matrix in shared memory.
namespace {
class Matrix {
public:
  /// `isAcross`: neighbours are of a step, not of a row or column.
  Matrix(uint64_t descriptor, bool isAcross, int size);
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
  int size; ///< bytes of an element
  const uint8_t *base = nullptr;
};
} // namespace

Matrix::Matrix(uint64_t descriptor, bool isAcross, int size)
    : descriptor(descriptor), isAcross(isAcross), size(size) {
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
  constexpr int ofPattern = 8, lineBytes = 128;
  int inLine = lineBytes / size;
  uintptr_t place = reinterpret_cast<uintptr_t>(base) + outer / ofPattern * stride +
                    outer % ofPattern * lineBytes + inner / inLine * leading +
                    inner % inLine * size;
  return reinterpret_cast<const uint8_t *>(place ^ (place >> 7 & 7) << 4);
}

/// Reads the elements of `lines` rows or columns and of a product's steps. False if they may not be
/// read.
template <DType type>
static bool load(const Matrix &matrix, double (*values)[mostSteps], int lines, bool isAcross,
                 uint32_t warpgroup) {
  constexpr int pieceBytes = 16, size = byteSize(type), piece = pieceBytes / size;
  constexpr int steps = stepBytes / size;
  for (int line = 0; line < lines; ++line)
    for (int step = 0; step < steps; ++step) {
      const uint8_t *at = matrix.at(line, step);
      if ((isAcross ? line : step) % piece == 0) {
        if (!beginProductOfShared(at, pieceBytes, warpgroup))
          return false;
        underWay[warpgroup].reads.push_back({at, pieceBytes});
      }
      spec::Number number = spec::loadNumber(at, type);
      values[line][step] = isFloat(type) ? number.f : static_cast<double>(number.i);
    }
  return true;
}

template <DType type, DType second, bool isAcross, int columns>
static void startAll(void *const *threads) {
  using Sum = std::conditional_t<isFloat(type), float, int32_t>;
  constexpr int size = byteSize(type);
  uint32_t warpgroup = threadNumber() / warpgroupThreads;
  if (underWay.count(warpgroup))
    return failBlock("products begin before those under way were waited for");
  UnderWay &mine = underWay[warpgroup];
  mine.columns = columns;
  auto argumentsOf = [&](uint32_t thread) {
    Arguments<Sum, columns> arguments;
    memcpy(&arguments, static_cast<Brought *>(threads[thread])->arguments, sizeof(arguments));
    return arguments;
  };
  const Arguments<Sum, columns> shared = argumentsOf(0);
  for (uint32_t thread = 0; thread < warpgroupThreads; ++thread) {
    Arguments<Sum, columns> own = argumentsOf(thread);
    if (memcmp(own.descriptors, shared.descriptors, sizeof(own.descriptors)))
      return failBlock("threads of a warpgroup have different matrices");
    for (int i = 0; i < sumsOf(columns); ++i) {
      auto [row, column] = placeOf(thread, i);
      mine.sums[row][column] = own.sums[i];
    }
    memset(static_cast<Brought *>(threads[thread])->result, 0xff, sizeof(own.sums)); // NaN, -1
  }
  beginProductsOfShared(warpgroup);
  static double a[rows][mostSteps], b[columns][mostSteps];
  for (const uint64_t (&factors)[2] : shared.descriptors) {
    Matrix left(factors[0], false, size), right(factors[1], isAcross, size);
    if (!left.isFine() || !right.isFine() || !load<type>(left, a, rows, false, warpgroup) ||
        !load<second>(right, b, columns, isAcross, warpgroup))
      return;
    for (int row = 0; row < rows; ++row)
      for (int column = 0; column < columns; ++column) {
        double sum = mine.sums[row][column];
        for (int step = 0; step < stepBytes / size; ++step)
          sum += a[row][step] * b[column][step];
        // Of bytes: in wrapping 32 bits.
        mine.sums[row][column] =
            static_cast<Sum>(std::conditional_t<isFloat(type), float, int64_t>(sum));
      }
  }
}

template <typename Sum, int columns> static void waitForAll(void *const *threads) {
  uint32_t warpgroup = threadNumber() / warpgroupThreads;
  auto found = underWay.find(warpgroup);
  if (found == underWay.end() || found->second.columns != columns)
    return failBlock("no products are under way");
  for (auto [at, bytes] : found->second.reads)
    endProductOfShared(at, bytes, warpgroup);
  endProductsOfShared(warpgroup);
  for (uint32_t thread = 0; thread < warpgroupThreads; ++thread)
    for (int i = 0; i < sumsOf(columns); ++i) {
      auto [row, column] = placeOf(thread, i);
      static_cast<Sum *>(static_cast<Brought *>(threads[thread])->result)[i] =
          static_cast<Sum>(found->second.sums[row][column]);
    }
  underWay.erase(found);
}

template <WarpWork work> static void together(void *result, void *arguments) {
  Brought mine{result, arguments};
  togetherInWarpgroup(work, &mine);
}

/// Those of one shape and type.
template <DType type, DType second, int columns>
static void addCalls(std::vector<WarpgroupCall> &calls) {
  using Sum = std::conditional_t<isFloat(type), float, int32_t>;
  auto factor = [](DType of) -> std::string {
    return of == DType::F16 ? "f16" : of == DType::BF16 ? "bf16" : of == DType::I8 ? "s8" : "u8";
  };
  std::string product = "m64n" + std::to_string(columns) +
                        (isFloat(type) ? "k16.f32." : "k32.s32.") + factor(type) + "." +
                        factor(second);
  calls.push_back(
      {"kiln.wgmma." + product + ".along", together<startAll<type, second, false, columns>>});
  if (isFloat(type))
    calls.push_back(
        {"kiln.wgmma." + product + ".across", together<startAll<type, second, true, columns>>});
  calls.push_back({"kiln.wgmma.wait." + product, together<waitForAll<Sum, columns>>});
}

template <DType type, DType second = type> static void addBoth(std::vector<WarpgroupCall> &calls) {
  addCalls<type, second, 64>(calls);
  addCalls<type, second, 128>(calls);
}

std::vector<WarpgroupCall> test::warpgroupCalls() {
  std::vector<WarpgroupCall> calls;
  addBoth<DType::F16>(calls);
  addBoth<DType::BF16>(calls);
  addBoth<DType::I8>(calls);
  addBoth<DType::U8>(calls);
  addBoth<DType::I8, DType::U8>(calls);
  addBoth<DType::U8, DType::I8>(calls);
  return calls;
}
