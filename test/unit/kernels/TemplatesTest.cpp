//===- TemplatesTest.cpp - templates against the reference ----------------===//
//
// Every template on shapes with tails, single rows, primes and borders.
//
//===----------------------------------------------------------------------===//

#include "test/unit/kernels/Harness.h"
#include "test/unit/kernels/Specs.h"

#include "gtest/gtest.h"

#include <sstream>

using namespace kiln;
using namespace kiln::test;

TEST(Templates, LinearOfRaggedShapes) {
  for (int64_t m : {1, 2, 5, 8, 17})
    for (int64_t n : {1, 7, 16, 33, 80, 100})
      EXPECT_EQ(compare(linear(m, n, 13)), "") << m << " x " << n;
}

TEST(Templates, LinearOfSymbolicRows) {
  KernelSpec spec = linear(DimExpr::symbol("M"), 50, 24);
  for (int64_t m : {1, 2, 3, 7, 8, 12, 29})
    EXPECT_EQ(compare(spec, {m}), "") << m;
}

TEST(Templates, ConvolutionWithBorders) {
  EXPECT_EQ(compare(convolution({1, 7, 7, 32, 32, 3, 1, true})), "");
  EXPECT_EQ(compare(convolution({2, 9, 11, 5, 24, 3, 2, true})), "");
  EXPECT_EQ(compare(convolution({1, 15, 15, 3, 20, 7, 2, true})), "");
}

TEST(Templates, ConvolutionWithoutBorders) {
  EXPECT_EQ(compare(convolution({1, 8, 30, 16, 64, 3, 1, false})), "");
  EXPECT_EQ(compare(convolution({2, 5, 5, 17, 48, 1, 1, false})), "");
  EXPECT_EQ(compare(convolution({1, 1, 1, 4, 3, 1, 1, false})), "");
}

TEST(Templates, Depthwise) {
  EXPECT_EQ(compare(depthwise({1, 9, 9, 32, 32, 3, 1, true})), "");
  EXPECT_EQ(compare(depthwise({2, 8, 13, 21, 21, 3, 2, true})), "");
  EXPECT_EQ(compare(depthwise({1, 9, 6, 7, 7, 5, 1, false})), "");
}

TEST(Templates, Pool) {
  EXPECT_EQ(compare(pool({1, 9, 9, 19, 19, 3, 2, true}, true)), "");
  EXPECT_EQ(compare(pool({1, 8, 8, 32, 32, 2, 2, false}, true)), "");
  EXPECT_EQ(compare(pool({1, 7, 7, 32, 32, 3, 1, true}, false)), "");
}

TEST(Templates, Matmul) {
  EXPECT_EQ(compare(matmul(3, 9, 40, 11)), "");
  EXPECT_EQ(compare(matmul(1, 1, 5, 64)), "");
  KernelSpec spec = matmul(2, DimExpr::symbol("M"), 33, 8);
  EXPECT_EQ(compare(spec, {13}), "");
}

/// b is [batch, n, k]: its columns are strided.
TEST(Templates, MatmulOfATransposedOperand) {
  KernelSpec spec = matmul(2, 9, 40, 12);
  std::swap(spec.operands[1].strides[1], spec.operands[1].strides[2]);
  spec.operands[1].strides[2] = 12;
  EXPECT_EQ(compare(spec), "");
}

TEST(Templates, MatmulOfSymbolicColumns) {
  KernelSpec spec;
  DimExpr t = DimExpr::symbol("T");
  spec = matmul(2, t, 1, 8);
  spec.operands[1] = dense("b", {2, 8, t}, spec::Operand::Use::Input);
  spec.operands[2] = dense("y", {2, t, t}, spec::Operand::Use::Output);
  spec.stages[0].domain = {2, t, t};
  for (int64_t length : {1, 15, 16, 37, 70})
    EXPECT_EQ(compare(spec, {length}), "") << length;
}

TEST(Templates, Softmax) {
  for (int64_t columns : {1, 3, 10, 16, 65, 128, 200})
    EXPECT_EQ(compare(softmax(5, columns)), "") << columns;
}

TEST(Templates, ArgMax) {
  for (int64_t columns : {1, 3, 17, 130})
    EXPECT_EQ(compare(argmax(4, columns)), "") << columns;
}

TEST(Templates, PointwiseOfEveryFunction) {
  for (DType type : {DType::F32, DType::F64}) {
    for (spec::Op op : {spec::Op::Exp, spec::Op::Tanh, spec::Op::Erf, spec::Op::Log,
                        spec::Op::Floor, spec::Op::Round, spec::Op::Neg})
      EXPECT_EQ(compare(unary(op, 37, type), {}, 0), "") << spec::text(op);
    for (spec::Op op : {spec::Op::Sin, spec::Op::Cos})
      EXPECT_EQ(compare(unary(op, 37, type), {}, 0), "sines and cosines are LLVM's");
  }
}

/// Names of Halide carry counters of the process: what was generated before must not show.
TEST(Templates, TextDependsOnTheSpecAlone) {
  std::string first = moduleText(linear(17, 50, 13));
  EXPECT_NE(first.find("define i32 @kernel(ptr"), std::string::npos);
  moduleText(softmax(5, 10));
  EXPECT_EQ(moduleText(linear(17, 50, 13)), first);
}

TEST(Templates, AcceptWhatTheyCannotDoOnlyWithAMessage) {
  KernelSpec spec = linear(4, 16, 8);
  spec.schedule.templateName = "nonsense";
  EXPECT_EQ(compare(spec), "unknown template 'nonsense'");
  spec.schedule.templateName = "pointwise";
  EXPECT_EQ(compare(spec), "stage 'acc' has a reduction");
}

/// The accumulators of a tile stay in registers: only vector code between the loads of an inner
/// loop.
TEST(Templates, TilesDoNotSpill) {
  Compiled kernel = compile(linear(128, 96, 64), /*wantsAssembly=*/true);
  ASSERT_TRUE(kernel.run) << kernel.error;
  size_t multiplies = 0, spills = 0;
  std::istringstream lines(kernel.assembly);
  for (std::string line; std::getline(lines, line);) {
    multiplies += line.find("vfmadd") != std::string::npos;
    spills += line.find("Spill") != std::string::npos && line.find("mm") != std::string::npos;
  }
  EXPECT_GE(multiplies, 12u);
  EXPECT_EQ(spills, 0u);
}

/// The output may be the memory of the input.
TEST(Templates, PointwiseRunsInPlace) {
  KernelSpec spec = unary(spec::Op::Neg, 37);
  spec.operands[1].mayAlias = "x";
  Compiled kernel = compile(spec);
  ASSERT_TRUE(kernel.run) << kernel.error;
  std::vector<float> x(37);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(i) + 1;
  void *buffers[] = {x.data(), x.data()};
  ASSERT_EQ(kernel.run(nullptr, buffers, nullptr), 0);
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(x[i], -(static_cast<float>(i) + 1));
}

/// A stage that stores a part of an operand, as a piece of a concatenation does.
TEST(Templates, PointwiseStoresByAMap) {
  KernelSpec spec = unary(spec::Op::Neg, 5);
  spec.operands[1].shape = {16};
  spec.stages[0].store = {spec::index(0, 2, 3)};
  EXPECT_EQ(compare(spec), "");
}
