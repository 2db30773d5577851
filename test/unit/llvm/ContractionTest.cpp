//===- ContractionTest.cpp - products, convolutions, pools ----------------===//

#include "test/unit/llvm/Harness.h"

#include <cmath>

using namespace kiln;
using namespace kiln::test;

static constexpr DType F32 = DType::F32;

TEST(LLVMContraction, Linear) {
  for (auto [m, n, k] : {std::tuple(1, 16, 8),
                         {3, 17, 5},
                         {13, 48, 7},
                         {9, 130, 11},
                         {64, 96, 33},
                         {2, 1, 1},
                         {5, 64, 0}})
    expectEqual(linearRelu(m, n, k));
}

TEST(LLVMContraction, LinearOfOpenRows) {
  KernelSpec spec = linearRelu(DimExpr::symbol("M"), 80, 19, {{"M", 0, std::nullopt}});
  for (int64_t m : {0, 1, 2, 5, 7, 11, 16, 29})
    expectEqual(spec, {m});
}

TEST(LLVMContraction, LinearOnNarrowTargets) {
  codegen::TargetFacts avx2;
  expectEqual(linearRelu(7, 40, 9), {}, 1e-5, avx2);
  codegen::TargetFacts sse;
  sse.cpu = "x86-64";
  sse.vectorBytes = 16;
  expectEqual(linearRelu(7, 40, 9), {}, 1e-5, sse);
}

/// Batched product of strided operands; `transposed` reads B along its rows.
static KernelSpec matmul(DimExpr b, DimExpr m, DimExpr n, DimExpr k, bool transposed,
                         std::vector<Symbol> symbols = {}) {
  KernelSpec spec;
  spec.symbols = std::move(symbols);
  spec.operands = {operand("a", F32, {b, m, k}),
                   operand("b", F32, transposed ? Shape{b, n, k} : Shape{b, k, n}),
                   output("c", F32, {b, m, n})};
  ExprPtr right = transposed ? readAt("b", F32, {0, 2, 3}) : readAt("b", F32, {0, 3, 2});
  spec.stages = {reducing("c", F32, {b, m, n}, {k}, Combiner::Add, constant(0.0, F32),
                          relaxed(apply(Op::Mul, {readAt("a", F32, {0, 1, 3}), right})))};
  return spec;
}

TEST(LLVMContraction, Matmul) {
  for (bool transposed : {false, true})
    for (auto [b, m, n, k] :
         {std::tuple(1, 1, 1, 1), {2, 5, 35, 7}, {3, 8, 64, 65}, {2, 3, 5, 100}})
      expectEqual(matmul(b, m, n, k, transposed));
}

TEST(LLVMContraction, MatmulOfOpenExtents) {
  std::vector<Symbol> symbols = {{"M", 0, 100}, {"N", 0, std::nullopt}, {"K", 1, 300}};
  DimExpr m = DimExpr::symbol("M"), n = DimExpr::symbol("N"), k = DimExpr::symbol("K");
  for (bool transposed : {false, true})
    for (auto [m0, n0, k0] : {std::tuple(0, 3, 2), {1, 1, 1}, {7, 33, 13}, {12, 70, 66}, {5, 0, 4}})
      expectEqual(matmul(2, m, n, k, transposed, symbols), {m0, n0, k0});
}

TEST(LLVMContraction, Convolution) {
  for (ConvolutionShape w : {ConvolutionShape{5, 5, 3, 16, 3, 1, 1, 1, 1},
                             {9, 7, 4, 20, 3, 2, 1, 1, 1},
                             {8, 8, 6, 48, 1, 1, 0, 1, 1},
                             {11, 13, 2, 7, 5, 1, 2, 1, 1},
                             {12, 9, 8, 32, 3, 1, 2, 2, 2},
                             {7, 7, 6, 18, 3, 2, 1, 1, 3},
                             {3, 3, 2, 5, 3, 1, 0, 1, 1},
                             {6, 30, 5, 64, 3, 1, 1, 1, 1}})
    expectEqual(convolution(w));
}

/// Depthwise convolution and pools: the channel runs through the lanes.
static KernelSpec window(Combiner combiner, int64_t size, int64_t channels, int64_t taps,
                         int64_t stride, DType type) {
  int64_t out = (size + 2 - taps) / stride + 1;
  KernelSpec spec;
  spec.operands = {operand("x", type, {size, size, channels}),
                   operand("w", type, {taps, taps, channels}),
                   output("y", type, {out, out, channels})};
  auto spatial = [&](int at, int tap) {
    Index result = index(at, stride, -1);
    result.terms.push_back({tap, 1});
    return result;
  };
  bool isMax = combiner == Combiner::Max;
  double outside = isMax ? (isFloat(type) ? -INFINITY : -100) : 0;
  ExprPtr x = read("x", {spatial(0, 3), spatial(1, 4), index(2)}, type, outside);
  ExprPtr body = isMax ? x : relaxed(apply(Op::Mul, {x, readAt("w", type, {3, 4, 2})}));
  spec.stages = {reducing("y", type, {out, out, channels}, {taps, taps}, combiner,
                          constant(outside, type), body)};
  return spec;
}

TEST(LLVMContraction, DepthwiseAndPools) {
  for (auto [size, channels, taps, stride] :
       {std::tuple(6, 32, 3, 1), {9, 17, 3, 2}, {5, 1, 2, 1}, {13, 70, 5, 1}, {30, 16, 3, 1}})
    for (Combiner combiner : {Combiner::Add, Combiner::Max}) {
      expectEqual(window(combiner, size, channels, taps, stride, F32));
      expectEqual(window(combiner, size, channels, taps, stride, DType::I8));
      expectEqual(window(combiner, size, channels, taps, stride, DType::F64));
    }
}

TEST(LLVMContraction, ConvolutionOfOpenSize) {
  DimExpr h = DimExpr::symbol("H"), w = DimExpr::symbol("W");
  DimExpr oh = DimExpr::floorDiv(h - 1, 2) + 1, ow = DimExpr::floorDiv(w - 1, 2) + 1;
  KernelSpec spec;
  spec.symbols = {{"H", 1, std::nullopt}, {"W", 1, 400}};
  spec.operands = {operand("x", F32, {h, w, 5}), panel("w", F32, {24, 3, 3, 5}),
                   output("y", F32, {oh, ow, 24})};
  auto spatial = [&](int out, int tap) {
    Index at = index(out, 2, -1);
    at.terms.push_back({tap, 1});
    return at;
  };
  ExprPtr x = read("x", {spatial(0, 3), spatial(1, 4), index(5)}, F32, 0.0);
  spec.stages = {reducing("y", F32, {oh, ow, 24}, {3, 3, 5}, Combiner::Add, constant(0.5, F32),
                          relaxed(apply(Op::Mul, {x, readAt("w", F32, {2, 3, 4, 5})})))};
  for (auto [h0, w0] : {std::pair<int64_t, int64_t>(1, 1), {2, 3}, {7, 30}, {20, 61}})
    expectEqual(spec, {h0, w0});
}

TEST(LLVMContraction, OtherArchitectures) {
  codegen::TargetFacts arm;
  arm.triple = "aarch64-unknown-linux-gnu";
  arm.cpu = "neoverse-n1";
  arm.vectorBytes = 16;
  arm.vectorRegisters = 32;
  EXPECT_FALSE(
      llvm::cantFail(codegen::generateLLVM(linearRelu(9, 48, 7), arm, "k", 2)).bitcode.empty());
  arm.cpu = "no-such-processor";
  auto refused = codegen::generateLLVM(linearRelu(9, 48, 7), arm, "k", 2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(llvm::toString(refused.takeError()), "unknown processor 'no-such-processor'");
}

TEST(LLVMContraction, EqualSpecsGiveEqualBitcode) {
  auto facts = hostFacts();
  auto first = llvm::cantFail(codegen::generateLLVM(linearRelu(13, 48, 7), facts, "k", 2));
  llvm::cantFail(
      codegen::generateLLVM(convolution({5, 5, 3, 16, 3, 1, 1, 1, 1}), facts, "other", 2));
  auto second = llvm::cantFail(codegen::generateLLVM(linearRelu(13, 48, 7), facts, "k", 2));
  EXPECT_EQ(first.bitcode, second.bitcode);
}
