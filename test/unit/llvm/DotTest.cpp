//===- DotTest.cpp - products of bytes with weights in groups of four -----===//

#include "test/unit/llvm/Harness.h"

#include <algorithm>
#include <cstring>
#include <sstream>

using namespace kiln;
using namespace kiln::test;

static constexpr DType U8 = DType::U8, I8 = DType::I8, I32 = DType::I32;

static ExprPtr product(ExprPtr x, ExprPtr w) {
  return apply(Op::Mul, {cast(std::move(x), I32), cast(std::move(w), I32)});
}

/// C[m, n] = sum_k A[m, k] * W[n, k], W in groups along k.
static KernelSpec linear(DimExpr m, int64_t n, DimExpr k, std::vector<Symbol> symbols = {},
                         DType x = U8, DType w = I8) {
  KernelSpec spec;
  spec.symbols = std::move(symbols);
  spec.operands = {operand("a", x, {m, k}), panel("w", w, {n, k}, 4), output("c", I32, {m, n})};
  spec.stages = {reducing("c", I32, {m, n}, {k}, Combiner::Add, constant(int64_t(0), I32),
                          product(readAt("a", x, {0, 2}), readAt("w", w, {1, 2})))};
  return spec;
}

/// The machine itself and those without an instruction for groups.
static std::vector<codegen::TargetFacts> targets() {
  std::vector<codegen::TargetFacts> result = {hostFacts(), {}};
  if (hostFacts().vectorBytes == 64) {
    result.emplace_back().cpu = "x86-64-v4";
    result.back().vectorBytes = 64;
    result.back().vectorRegisters = 32;
  }
  return result;
}

/// Shorter vectors too.
static std::vector<codegen::TargetFacts> allTargets() {
  std::vector<codegen::TargetFacts> result = targets();
  result.emplace_back().cpu = "x86-64";
  result.back().vectorBytes = 16;
  result.push_back(hostFacts());
  result.back().vectorBytes = hostFacts().vectorBytes / 2;
  return result;
}

TEST(LLVMDot, RaggedDepths) {
  for (const codegen::TargetFacts &facts : allTargets())
    for (int64_t k : {0, 1, 3, 4, 5, 63, 64, 65})
      expectEqual(linear(9, 50, k), {}, 0, facts);
}

TEST(LLVMDot, Slices) {
  for (codegen::TargetFacts facts : allTargets())
    for (int64_t k : {64, 65, 300, 332}) {
      facts.cacheBytes = 1 << 12;
      expectEqual(linear(29, 50, k), {}, 0, facts);
    }
}

TEST(LLVMDot, RaggedColumns) {
  for (int64_t n : {1, 2, 7, 15, 17, 33, 64, 130})
    for (int64_t m : {1, 5, 8, 13})
      expectEqual(linear(m, n, 10), {}, 0);
}

TEST(LLVMDot, BytesOfAnySign) {
  for (const codegen::TargetFacts &facts : targets())
    for (DType x : {U8, I8})
      for (DType w : {U8, I8})
        expectEqual(linear(5, 40, 22, {}, x, w), {}, 0, facts);
}

TEST(LLVMDot, OpenExtents) {
  KernelSpec rows = linear(DimExpr::symbol("M"), 40, 21, {{"M", 0, std::nullopt}});
  for (int64_t m : {0, 1, 3, 8, 13, 70})
    expectEqual(rows, {m}, 0);
  KernelSpec deep = linear(3, 20, DimExpr::symbol("K"), {{"K", 0, 100}});
  for (int64_t k : {0, 1, 4, 6, 63, 64, 65})
    expectEqual(deep, {k}, 0);
}

/// Every pair of a byte and an s8 stands somewhere; rows of the largest products of one sign would
/// saturate 16 bits.
TEST(LLVMDot, AllValues) {
  constexpr int64_t size = 256;
  for (const codegen::TargetFacts &facts : allTargets())
    for (auto [x, depth] : {std::pair(U8, int64_t(1)), {U8, 4}, {U8, 64}, {I8, 64}}) {
      KernelSpec spec = linear(size, size, depth, {}, x);
      KernelFunction kernel = compile(spec, facts);
      ASSERT_TRUE(kernel);
      std::vector<uint8_t> a(size * depth), w(size * std::max<int64_t>(depth, 4));
      std::vector<int32_t> c(size * size);
      int64_t quads = (depth + 3) / 4;
      for (int64_t i = 0; i < size; ++i)
        for (int64_t k = 0; k < depth; ++k) {
          a[i * depth + k] = static_cast<uint8_t>(i);
          w[((i / 16 * quads + k / 4) * 16 + i % 16) * 4 + k % 4] = static_cast<uint8_t>(i - 128);
        }
      void *buffers[] = {a.data(), w.data(), c.data()};
      ASSERT_EQ(kernel(&context, buffers, nullptr), 0);
      int64_t wrong = 0;
      for (int64_t m = 0; m < size; ++m)
        for (int64_t n = 0; n < size; ++n)
          wrong += c[m * size + n] != (x == I8 && m > 127 ? m - 256 : m) * (n - 128) * depth;
      EXPECT_EQ(wrong, 0) << facts.cpu << " " << depth;
    }
}

/// The sum itself wraps: its start is the largest number.
TEST(LLVMDot, SumsWrap) {
  KernelSpec spec = linear(4, 32, 36);
  spec.stages[0].init = constant(int64_t(INT32_MAX), I32);
  for (const codegen::TargetFacts &facts : targets())
    expectEqual(spec, {}, 0, facts);
}

/// Scaled and shifted to bytes behind the product, which reads bytes made before it.
TEST(LLVMDot, BetweenStages) {
  for (int64_t k : {7, 32}) {
    KernelSpec spec = linear(9, 40, k);
    spec.operands.back() = output("y", U8, {9, 40});
    spec.operands.push_back(operand("scale", DType::F32, {40}));
    Stage acc = spec.stages[0];
    acc.name = "acc";
    // The first: (a xor 85), computed where it is read.
    ExprPtr a = readAt("a", U8, {0, 1});
    Stage before = pointwise("x", U8, {9, k}, apply(Op::Xor, {a, constant(int64_t(85), U8)}));
    acc.body = product(readAt("w", I8, {1, 2}), readAt("x", U8, {0, 2}));
    ExprPtr scaled = apply(
        Op::Mul, {cast(readAt("acc", I32, {0, 1}), DType::F32), readAt("scale", DType::F32, {1})});
    ExprPtr whole = cast(apply(Op::Round, {scaled}), I32);
    ExprPtr low = apply(Op::Max, {whole, constant(int64_t(0), I32)});
    ExprPtr body = cast(apply(Op::Min, {low, constant(int64_t(255), I32)}), U8);
    spec.stages = {before, acc, pointwise("y", U8, {9, 40}, body)};
    std::rotate(spec.operands.begin() + 2, spec.operands.begin() + 3, spec.operands.end());
    for (const codegen::TargetFacts &facts : targets())
      expectEqual(spec, {}, 0, facts);
  }
}

/// Not neighbours in memory: the first factor is stored with its columns first.
TEST(LLVMDot, StridedActivations) {
  KernelSpec spec = linear(11, 24, 13);
  spec.operands[0] = operand("a", U8, {13, 11});
  spec.stages[0].body = product(readAt("a", U8, {2, 0}), readAt("w", I8, {1, 2}));
  for (const codegen::TargetFacts &facts : targets())
    expectEqual(spec, {}, 0, facts);
}

struct Window {
  int64_t size, channels, outputs, kernel, stride, pad, groups;
};

/// Channels last; what lies outside is a zero point.
static KernelSpec conv(const Window &w, DimExpr size, std::vector<Symbol> symbols = {}) {
  DimExpr out = DimExpr::floorDiv(size + DimExpr(2 * w.pad - w.kernel), w.stride) + 1;
  int64_t c = w.channels / w.groups, o = w.outputs / w.groups;
  KernelSpec spec;
  spec.symbols = std::move(symbols);
  spec.operands = {operand("x", U8, {size, size, w.channels}),
                   panel("w", I8, {w.outputs, w.kernel, w.kernel, c}, 4),
                   output("y", I32, {out, out, w.outputs})};
  auto spatial = [&](int at, int tap) {
    Index result = index(at, w.stride, -w.pad);
    result.terms.push_back({tap, 1});
    return result;
  };
  Index channel = index(2, c), feature = index(2, o);
  channel.terms.push_back({6, 1});
  feature.terms.push_back({3, 1});
  std::optional<double> outside = w.pad ? std::optional(131.0) : std::nullopt;
  ExprPtr x = read("x", {spatial(0, 4), spatial(1, 5), channel}, U8, outside);
  ExprPtr k = read("w", {feature, index(4), index(5), index(6)}, I8);
  spec.stages = {reducing("y", I32, {out, out, w.groups, o}, {w.kernel, w.kernel, c}, Combiner::Add,
                          constant(int64_t(0), I32), product(x, k))};
  spec.stages[0].store = {index(0), index(1), feature};
  return spec;
}

TEST(LLVMDot, Convolution) {
  for (Window w : {Window{7, 16, 32, 1, 1, 0, 1},
                   {7, 5, 20, 1, 2, 0, 1},
                   {9, 16, 48, 3, 1, 1, 1},
                   {10, 3, 17, 3, 2, 1, 1},
                   {11, 20, 64, 3, 1, 1, 1},
                   {8, 6, 16, 5, 1, 2, 1},
                   {6, 16, 32, 3, 1, 1, 2},
                   {6, 18, 21, 3, 2, 1, 3}})
    for (const codegen::TargetFacts &facts : targets())
      expectEqual(conv(w, w.size), {}, 0, facts);
}

TEST(LLVMDot, ConvolutionOfOpenSize) {
  KernelSpec spec = conv({0, 12, 24, 3, 2, 1, 1}, DimExpr::symbol("S"), {{"S", 1, 40}});
  for (int64_t size : {1, 2, 7, 20})
    expectEqual(spec, {size}, 0);
}

/// Each processor's best instruction, and accumulators that stay in registers.
TEST(LLVMDot, Instructions) {
  KernelSpec spec = linear(64, 256, 256);
  struct Row {
    const char *cpu;
    int bytes, registers;
    const char *takes, *leaves, *wide;
  };
  for (Row row : {Row{"sapphirerapids", 64, 32, "vpdpbusd\t%zmm", "vpmaddwd", "zmm"},
                  {"alderlake", 32, 16, "vpdpbusd\t%ymm", "vpmaddwd", "ymm"},
                  {"x86-64-v4", 64, 32, "vpmaddwd\t%zmm", "vpdpbusd", "zmm"},
                  {"x86-64-v3", 32, 16, "vpmaddwd\t%ymm", "vpdpbusd", "ymm"}}) {
    codegen::TargetFacts facts;
    facts.cpu = row.cpu;
    facts.vectorBytes = row.bytes;
    facts.vectorRegisters = row.registers;
    std::istringstream lines(assembly(spec, facts));
    size_t products = 0, others = 0, spills = 0;
    for (std::string line; std::getline(lines, line);) {
      products += line.find(row.takes) != line.npos;
      others += line.find(row.leaves) != line.npos || line.find("vpmulld") != line.npos;
      spills += line.find("Spill") != line.npos && line.find(row.wide) != line.npos;
    }
    EXPECT_GE(products, 8u) << row.cpu;
    EXPECT_EQ(others, 0u) << row.cpu;
    EXPECT_EQ(spills, 0u) << row.cpu;
  }
}

/// Weights are fetched ahead where few tiles use what was read.
TEST(LLVMDot, FetchesWeights) {
  codegen::TargetFacts facts;
  facts.cpu = "sapphirerapids";
  facts.vectorBytes = 64;
  facts.vectorRegisters = 32;
  auto fetches = [&](const KernelSpec &spec) {
    std::istringstream lines(assembly(spec, facts));
    size_t count = 0;
    for (std::string line; std::getline(lines, line);)
      count += line.find("prefetcht1") != line.npos;
    return count;
  };
  EXPECT_GE(fetches(linear(4, 512, 512)), 2u);  // each of two vectors of a tile, once read
  EXPECT_GE(fetches(linear(64, 512, 512)), 1u); // the piece behind, by all tiles together
  EXPECT_GE(fetches(linear(DimExpr::symbol("M"), 512, 512, {{"M", 1, 4096}})), 1u);
  EXPECT_EQ(fetches(linear(4096, 512, 512)), 0u);
}

TEST(LLVMDot, AnyNumberOfThreads) {
  KernelSpec spec = linear(70, 150, 40);
  for (int number : {1, 2}) {
    threads = number;
    expectEqual(spec, {}, 0);
    expectEqual(conv({12, 16, 32, 3, 1, 1, 1}, 12), {}, 0);
  }
  threads = 1;
}

/// Panels of groups that no instruction takes are only a layout.
TEST(LLVMDot, OtherFactorsReadGroups) {
  KernelSpec spec;
  DType type = DType::F32;
  spec.operands = {operand("a", type, {5, 11}), panel("w", I8, {20, 11}, 4),
                   output("c", type, {5, 20})};
  ExprPtr w = cast(readAt("w", I8, {1, 2}), type);
  spec.stages = {reducing("c", type, {5, 20}, {11}, Combiner::Add, constant(0.0, type),
                          relaxed(apply(Op::Mul, {readAt("a", type, {0, 2}), w})))};
  expectEqual(spec);
  for (int64_t group : {2, 8}) {
    KernelSpec other = linear(5, 20, 11);
    other.operands[1].panel->group = group;
    expectEqual(other, {}, 0);
  }
}
