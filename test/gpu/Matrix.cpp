//===- Matrix.cpp - instructions of tensor cores, by definition -----------===//

#include "test/gpu/Matrix.h"

#include "codegen/spec/Numbers.h"
#include "test/gpu/Block.h"
#include "test/gpu/Shared.h"

#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <vector>

using namespace kiln;
using namespace kiln::test;

static constexpr int warpThreads = 32, copyBytes = 16;

namespace {
struct Copy {
  void *to;
  const void *from;
  bool isDone;
};
/// The groups of copies of a thread that are not done, the open one last.
struct Pending {
  std::deque<std::vector<Copy>> groups{1};
};
/// What a lane brings to an instruction of its warp.
struct Lane {
  void *result, *arguments;
};
} // namespace

static std::map<uint32_t, Pending> threads;
static Pending &pending() { return threads[threadNumber()]; }

void test::forgetCopies() { threads.clear(); }

void test::copyLater(void *to, const void *from) {
  static std::mt19937 random{7};
  if (reinterpret_cast<uintptr_t>(to) % copyBytes || reinterpret_cast<uintptr_t>(from) % copyBytes)
    return failThread("a copy of 16 bytes that is not aligned");
  beginCopyToShared(to, copyBytes);
  bool isDone = random() % 2;
  if (isDone)
    memcpy(to, from, copyBytes);
  pending().groups.back().push_back({to, from, isDone});
}

void test::commitCopies() { pending().groups.emplace_back(); }

void test::waitForCopies(uint32_t groups) {
  Pending &mine = pending();
  for (; mine.groups.size() > groups + 1; mine.groups.pop_front())
    for (const Copy &copy : mine.groups.front()) {
      endCopyToShared(copy.to, copyBytes);
      if (!copy.isDone)
        memcpy(copy.to, copy.from, copyBytes);
    }
}

/// Matrix m's row r of 8 elements of 16 bits lies where lane 8 m + r says. Lane l gets of each
/// matrix the elements 2 (l % 4) and the next of row l / 4; `isTurned`: of the transpose.
template <bool isTurned> static void loadAll(void *const *lanes) {
  const uint16_t *rows[warpThreads];
  for (int lane = 0; lane < warpThreads; ++lane) {
    memcpy(&rows[lane], static_cast<Lane *>(lanes[lane])->arguments, sizeof(rows[lane]));
    if (reinterpret_cast<uintptr_t>(rows[lane]) % copyBytes)
      return failBlock("a row of ldmatrix that is not aligned");
    if (!readSharedTogether(rows[lane], copyBytes))
      return;
  }
  for (int lane = 0; lane < warpThreads; ++lane) {
    auto *result = static_cast<uint16_t *>(static_cast<Lane *>(lanes[lane])->result);
    for (int matrix = 0; matrix < 4; ++matrix)
      for (int i = 0; i < 2; ++i) {
        int row = lane / 4, column = lane % 4 * 2 + i;
        if (isTurned)
          std::swap(row, column);
        result[matrix * 2 + i] = rows[matrix * 8 + row][column];
      }
  }
}

void test::loadMatrices(void *result, void *arguments) {
  Lane lane{result, arguments};
  togetherInWarp(loadAll<false>, &lane);
}

void test::loadMatricesTurned(void *result, void *arguments) {
  Lane lane{result, arguments};
  togetherInWarp(loadAll<true>, &lane);
}

void test::widenEighths(void *result, void *arguments) {
  for (int i : {0, 1}) {
    spec::Number number = spec::loadNumber(static_cast<uint8_t *>(arguments) + i, DType::F8E4M3);
    spec::storeNumber(static_cast<uint8_t *>(result) + 2 * i, DType::F16, number);
  }
}

/// m16n8k16. With g = lane / 4 and t = lane % 4, element i of a lane's part is
///   A, 8 elements: row g + 8 if (i / 2) % 2, column 2 t + i % 2 + 8 if i >= 4
///   B, 4 elements: row 2 t + i % 2 + 8 if i >= 2, column g
///   C, D, 4 elements: row g + 8 if i >= 2, column 2 t + i % 2
template <DType type> static void multiplyAll(void *const *lanes) {
  static constexpr int rows = 16, columns = 8, steps = 16, ofA = 8, ofB = 4, ofC = 4;
  double a[rows][steps], b[steps][columns];
  float c[rows][columns];
  for (int lane = 0; lane < warpThreads; ++lane) {
    auto *bytes = static_cast<uint8_t *>(static_cast<Lane *>(lanes[lane])->arguments);
    int g = lane / 4, t = lane % 4 * 2;
    for (int i = 0; i < ofA; ++i)
      a[g + i / 2 % 2 * 8][t + i % 2 + i / 4 * 8] = spec::loadNumber(bytes + 2 * i, type).f;
    for (int i = 0; i < ofB; ++i)
      b[t + i % 2 + i / 2 * 8][g] = spec::loadNumber(bytes + 2 * (ofA + i), type).f;
    for (int i = 0; i < ofC; ++i)
      memcpy(&c[g + i / 2 * 8][t + i % 2], bytes + 2 * (ofA + ofB) + 4 * i, 4);
  }
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column) {
      double sum = c[row][column];
      for (int step = 0; step < steps; ++step)
        sum += a[row][step] * b[step][column];
      c[row][column] = static_cast<float>(sum);
    }
  for (int lane = 0; lane < warpThreads; ++lane)
    for (int i = 0; i < ofC; ++i)
      static_cast<float *>(static_cast<Lane *>(lanes[lane])->result)[i] =
          c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
}

void test::multiplyF16(void *result, void *arguments) {
  Lane lane{result, arguments};
  togetherInWarp(multiplyAll<DType::F16>, &lane);
}

void test::multiplyBF16(void *result, void *arguments) {
  Lane lane{result, arguments};
  togetherInWarp(multiplyAll<DType::BF16>, &lane);
}

/// m16n8k32 of bytes. With g = lane / 4 and t = lane % 4, element i of a lane's part is
///   A, 16 elements: row g + 8 if (i / 4) % 2, column 4 t + i % 4 + 16 if i >= 8
///   B, 8 elements: row 4 t + i % 4 + 16 if i >= 4, column g
///   C, D, 4 elements: row g + 8 if i >= 2, column 2 t + i % 2
/// Sums wrap, as the instruction's do without .satfinite.
template <typename First, typename Second> static void multiplyBytes(void *const *lanes) {
  static constexpr int rows = 16, columns = 8, steps = 32, ofA = 16, ofB = 8, ofC = 4;
  First a[rows][steps];
  Second b[steps][columns];
  for (int lane = 0; lane < warpThreads; ++lane) {
    auto *bytes = static_cast<uint8_t *>(static_cast<Lane *>(lanes[lane])->arguments);
    int g = lane / 4, t = lane % 4 * 4;
    for (int i = 0; i < ofA; ++i)
      a[g + i / 4 % 2 * 8][t + i % 4 + i / 8 * 16] = static_cast<First>(bytes[i]);
    for (int i = 0; i < ofB; ++i)
      b[t + i % 4 + i / 4 * 16][g] = static_cast<Second>(bytes[ofA + i]);
  }
  for (int lane = 0; lane < warpThreads; ++lane) {
    auto *mine = static_cast<Lane *>(lanes[lane]);
    for (int i = 0; i < ofC; ++i) {
      int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      uint32_t sum;
      memcpy(&sum, static_cast<uint8_t *>(mine->arguments) + ofA + ofB + 4 * i, 4);
      for (int step = 0; step < steps; ++step)
        sum += static_cast<uint32_t>(int{a[row][step]} * int{b[step][column]});
      static_cast<uint32_t *>(mine->result)[i] = sum;
    }
  }
}

void test::multiplyI8(void *result, void *arguments) {
  Lane lane{result, arguments};
  togetherInWarp(multiplyBytes<int8_t, int8_t>, &lane);
}

void test::multiplyI8U8(void *result, void *arguments) {
  Lane lane{result, arguments};
  togetherInWarp(multiplyBytes<int8_t, uint8_t>, &lane);
}

void test::multiplyU8I8(void *result, void *arguments) {
  Lane lane{result, arguments};
  togetherInWarp(multiplyBytes<uint8_t, int8_t>, &lane);
}

void test::multiplyU8(void *result, void *arguments) {
  Lane lane{result, arguments};
  togetherInWarp(multiplyBytes<uint8_t, uint8_t>, &lane);
}
