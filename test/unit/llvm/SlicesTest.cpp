//===- SlicesTest.cpp - long reductions in slices -------------------------===//

#include "test/unit/llvm/Harness.h"

#include <cmath>

using namespace kiln;
using namespace kiln::test;

/// A machine whose second cache holds so little that most weights are taken in slices.
static codegen::TargetFacts withoutCache(int64_t bytes) {
  codegen::TargetFacts facts = hostFacts();
  facts.cacheBytes = bytes;
  return facts;
}

TEST(LLVMSlices, Products) {
  for (int64_t bytes : {1 << 10, 1 << 14, 1 << 15})
    for (auto [m, n, k] : {std::tuple(9, 130, 61),
                           {64, 96, 97},
                           {13, 48, 128},
                           {2, 1, 300},
                           {1, 64, 300},
                           {700, 20, 45},
                           {5, 64, 0}})
      expectEqual(linearRelu(m, n, k), {}, 1e-5, withoutCache(bytes));
}

TEST(LLVMSlices, OpenRows) {
  for (std::optional<int64_t> most : {std::optional<int64_t>(), {40}, {1000}}) {
    KernelSpec spec = linearRelu(DimExpr::symbol("M"), 80, 119, {{"M", 0, most}});
    for (int64_t m : {0, 1, 29, 265})
      if (!most || m <= *most)
        expectEqual(spec, {m}, 1e-5, withoutCache(1 << 14));
  }
}

TEST(LLVMSlices, Convolutions) {
  for (int64_t bytes : {1 << 11, 1 << 15})
    for (ConvolutionShape w : {ConvolutionShape{7, 7, 24, 48, 3, 1, 1, 1, 1},
                               {9, 8, 60, 48, 1, 2, 0, 1, 1},
                               {11, 13, 12, 7, 5, 1, 2, 1, 1},
                               {12, 9, 28, 32, 3, 1, 2, 2, 2},
                               {14, 40, 25, 64, 3, 1, 1, 1, 1}})
      expectEqual(convolution(w), {}, 1e-5, withoutCache(bytes));
}

/// Slices keep the order of each sum, whatever the threads.
TEST(LLVMSlices, GiveEqualBits) {
  KernelSpec spec = linearRelu(301, 90, 219);
  auto bitcode = [&](int64_t bytes) {
    return llvm::cantFail(codegen::generateLLVM(spec, withoutCache(bytes), "k", 2)).bitcode;
  };
  EXPECT_NE(bitcode(1 << 30), bitcode(1 << 14));
  std::vector<float> a(301 * 219), w(96 * 219), bias(90), results[3];
  for (std::vector<float> *values : {&a, &w, &bias})
    for (size_t i = 0; i < values->size(); ++i)
      (*values)[i] = std::sin(static_cast<float>(i));
  for (int i = 0; i < 3; ++i) {
    threads = i == 2 ? 2 : 1;
    results[i].resize(301 * 90);
    void *buffers[] = {a.data(), w.data(), bias.data(), results[i].data()};
    KernelFunction kernel = compile(spec, withoutCache(i == 0 ? 1 << 30 : 1 << 14));
    ASSERT_EQ(kernel(&context, buffers, nullptr), 0);
  }
  threads = 1;
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[1], results[2]);
}

/// Odd rounds of a loop go through a weight of some size backwards, and give the same.
TEST(LLVMSlices, RoundsForthAndBack) {
  for (DimExpr m : {DimExpr(1), DimExpr(3), DimExpr::symbol("M")}) {
    std::vector<Symbol> symbols = {{"M", 0, 4}};
    KernelSpec spec = linearRelu(m, 301, 50, m.constantValue() ? std::vector<Symbol>() : symbols);
    for (context.round = 0; context.round < 3; ++context.round)
      for (threads = 1; threads <= 2; ++threads)
        expectEqual(spec, m.constantValue() ? std::vector<int64_t>() : std::vector<int64_t>{4},
                    1e-5, withoutCache(1 << 15));
  }
  context.round = 0;
  threads = 1;
}

/// A result that caches do not hold: tasks take all columns of some rows at a time, and fetch what
/// the end of a tile reads and writes.
TEST(LLVMSlices, FarResults) {
  for (auto [m, n, k] : {std::tuple(700, 70, 40), {391, 16, 64}, {1025, 130, 33}}) {
    KernelSpec spec = linearRelu(m, n, k);
    int64_t bytes = 2 * k * (n + 15) / 16 * 16 * 4; // the weight is half
    auto bitcode = [&](int64_t cache) {
      return llvm::cantFail(codegen::generateLLVM(spec, withoutCache(cache), "k", 2)).bitcode;
    };
    EXPECT_NE(bitcode(bytes), bitcode(1 << 30));
    for (threads = 1; threads <= 2; ++threads)
      expectEqual(spec, {}, 1e-5, withoutCache(bytes));
  }
  threads = 1;
  KernelSpec open = linearRelu(DimExpr::symbol("M"), 80, 40, {{"M", 0, 1000}});
  for (int64_t m : {0, 29, 1000})
    expectEqual(open, {m}, 1e-5, withoutCache(1 << 15));
  for (ConvolutionShape w :
       {ConvolutionShape{20, 37, 24, 48, 3, 1, 1, 1, 1}, {28, 31, 64, 40, 1, 1, 0, 1, 1}})
    expectEqual(convolution(w), {}, 1e-5, withoutCache(1 << 16));
}
