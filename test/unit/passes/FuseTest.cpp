//===- FuseTest.cpp - forming kernels and packing keep the meaning -----------===//

#include "ir/Interpreter.h"
#include "ir/KilnOps.h"
#include "passes/Pipeline.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <gtest/gtest.h>
#include <random>

using namespace kiln;
using namespace kiln::ir;

namespace {
Tensor randomTensor(DType type, llvm::ArrayRef<int64_t> shape, std::mt19937 &random) {
  Tensor t(type, shape);
  std::uniform_real_distribution<double> real(-2, 2);
  for (double &v : t.floats)
    v = roundTo(type, real(random));
  return t;
}

/// Interprets a function before and after passes.
class FuseTest : public ::testing::Test {
protected:
  static void SetUpTestSuite() { registerPasses(); }
  FuseTest() : diagnostics(&context, [this](mlir::Diagnostic &d) { errors += d.str() + "\n"; }) {
    context.loadDialect<KilnDialect, mlir::func::FuncDialect>();
  }

  /// Parses, and gives every weight random bytes.
  mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << errors;
    WeightStore &store = context.getLoadedDialect<KilnDialect>()->getWeights();
    for (auto weight : module->getOps<WeightOp>()) {
      llvm::SmallVector<int64_t> shape(
          mlir::cast<mlir::RankedTensorType>(weight.getType()).getShape());
      Tensor value = randomTensor(*dtypeOf(weight.getType()), shape, random);
      std::vector<uint8_t> bytes(value.numElements() * byteSize(value.type));
      value.toBytes(bytes.data());
      weight.setHash(store.addOwned(value.type, shape, std::move(bytes)));
    }
    return module;
  }

  void run(mlir::ModuleOp module, llvm::StringRef passes) {
    mlir::PassManager manager(&context);
    ASSERT_TRUE(llvm::succeeded(mlir::parsePassPipeline(passes, manager)));
    ASSERT_TRUE(llvm::succeeded(manager.run(module))) << errors;
  }

  llvm::SmallVector<Tensor> interpretFirst(mlir::ModuleOp module, llvm::ArrayRef<Tensor> inputs) {
    auto results = interpret(*module.getOps<mlir::func::FuncOp>().begin(), inputs);
    EXPECT_TRUE(llvm::succeeded(results)) << errors;
    return llvm::succeeded(results) ? *results : llvm::SmallVector<Tensor>();
  }

  /// Runs the passes on the text; the results must stay. Gives the module for further questions.
  mlir::OwningOpRef<mlir::ModuleOp> check(const std::string &text, llvm::StringRef passes) {
    auto module = parse(text);
    std::vector<Tensor> inputs;
    auto function = *module->getOps<mlir::func::FuncOp>().begin();
    for (mlir::Type type : function.getArgumentTypes()) {
      llvm::SmallVector<int64_t> shape;
      for (const DimExpr &dim : dimsOf(type))
        shape.push_back(dim.constantValue().value_or(3));
      inputs.push_back(randomTensor(*dtypeOf(type), shape, random));
    }
    auto before = interpretFirst(*module, inputs);
    run(*module, passes);
    auto after = interpretFirst(*module, inputs);
    EXPECT_EQ(before.size(), after.size());
    for (size_t i = 0; i < std::min(before.size(), after.size()); ++i)
      for (int64_t j = 0; j < before[i].numElements(); ++j)
        EXPECT_NEAR(before[i].asDouble(j), after[i].asDouble(j), 1e-5);
    return module;
  }

  static int kernelsOf(mlir::ModuleOp module) {
    return static_cast<int>(
        std::distance(module.getOps<KernelOp>().begin(), module.getOps<KernelOp>().end()));
  }

  mlir::MLIRContext context;
  std::string errors;
  mlir::ScopedDiagnosticHandler diagnostics;
  std::mt19937 random{11};
};

const char *network = R"(
kiln.weight @w1 : tensor<20x3x3x4xf32>
kiln.weight @w2 : tensor<20x3x3x1xf32>
kiln.weight @w3 : tensor<20x5xf32>
kiln.weight @w4 : tensor<7x5xf32>
kiln.weight @b : tensor<5xf32>
func.func @f(%x: tensor<?x6x6x4xf32, #kiln.dims<[N, 6, 6, 4]>>) -> (tensor<?x7xf32, #kiln.dims<[N, 7]>>, tensor<?x6x6x4xf32, #kiln.dims<[N, 6, 6, 4]>>) attributes {kiln.dims = {N = array<i64: 0, 64>}} {
  %w1 = kiln.get @w1 : tensor<20x3x3x4xf32>
  %w2 = kiln.get @w2 : tensor<20x3x3x1xf32>
  %w3 = kiln.get @w3 : tensor<20x5xf32>
  %w4 = kiln.get @w4 : tensor<7x5xf32>
  %b = kiln.get @b : tensor<5xf32>
  %s = kiln.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
  %p = kiln.pad %x {padding = #kiln.dims<[0, 0, 1, 1, 1, 1, 0, 0]>, value = 0.0 : f64} : (tensor<?x6x6x4xf32, #kiln.dims<[N, 6, 6, 4]>>) -> tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>
  %c1 = kiln.conv2d %p, %w1 {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64, channels_last} : (tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>, tensor<20x3x3x4xf32>) -> tensor<?x6x6x20xf32, #kiln.dims<[N, 6, 6, 20]>>
  %g = kiln.sigmoid %c1 : (tensor<?x6x6x20xf32, #kiln.dims<[N, 6, 6, 20]>>) -> tensor<?x6x6x20xf32, #kiln.dims<[N, 6, 6, 20]>>
  %h = kiln.mul %c1, %g : (tensor<?x6x6x20xf32, #kiln.dims<[N, 6, 6, 20]>>, tensor<?x6x6x20xf32, #kiln.dims<[N, 6, 6, 20]>>) -> tensor<?x6x6x20xf32, #kiln.dims<[N, 6, 6, 20]>>
  %c2 = kiln.conv2d %h, %w2 {stride = array<i64: 1, 1>, padding = #kiln.dims<[1, 1, 1, 1]>, dilation = array<i64: 1, 1>, groups = 20 : i64, channels_last} : (tensor<?x6x6x20xf32, #kiln.dims<[N, 6, 6, 20]>>, tensor<20x3x3x1xf32>) -> tensor<?x6x6x20xf32, #kiln.dims<[N, 6, 6, 20]>>
  %m = kiln.max %c2 {axis = array<i64: 1, 2>, keepdims = false} : (tensor<?x6x6x20xf32, #kiln.dims<[N, 6, 6, 20]>>) -> tensor<?x20xf32, #kiln.dims<[N, 20]>>
  %l = kiln.matmul %m, %w3 : (tensor<?x20xf32, #kiln.dims<[N, 20]>>, tensor<20x5xf32>) -> tensor<?x5xf32, #kiln.dims<[N, 5]>>
  %bb = kiln.broadcast_to %b {shape = #kiln.dims<[N, 5]>} : (tensor<5xf32>) -> tensor<?x5xf32, #kiln.dims<[N, 5]>>
  %a = kiln.add %l, %bb : (tensor<?x5xf32, #kiln.dims<[N, 5]>>, tensor<?x5xf32, #kiln.dims<[N, 5]>>) -> tensor<?x5xf32, #kiln.dims<[N, 5]>>
  %sb = kiln.broadcast_to %s {shape = #kiln.dims<[N, 5]>} : (tensor<5xf32>) -> tensor<?x5xf32, #kiln.dims<[N, 5]>>
  %d = kiln.mul %a, %sb : (tensor<?x5xf32, #kiln.dims<[N, 5]>>, tensor<?x5xf32, #kiln.dims<[N, 5]>>) -> tensor<?x5xf32, #kiln.dims<[N, 5]>>
  %y = kiln.matmul %d, %w4 {transpose_b} : (tensor<?x5xf32, #kiln.dims<[N, 5]>>, tensor<7x5xf32>) -> tensor<?x7xf32, #kiln.dims<[N, 7]>>
  return %y, %x : tensor<?x7xf32, #kiln.dims<[N, 7]>>, tensor<?x6x6x4xf32, #kiln.dims<[N, 6, 6, 4]>>
})";
} // namespace

TEST_F(FuseTest, NetworkKeepsItsMeaning) {
  EXPECT_EQ(kernelsOf(*check(network, "kiln-outline")), 10);
  EXPECT_EQ(kernelsOf(*check(network, "kiln-fuse")), 5);
  EXPECT_EQ(kernelsOf(*check(network, "kiln-fuse,kiln-choose,kiln-pack")), 5);
}

TEST_F(FuseTest, WeightsArePacked) {
  auto module = check(network, "kiln-fuse,kiln-choose,kiln-pack");
  std::map<std::string, std::string> types;
  for (auto weight : module->getOps<WeightOp>())
    types[weight.getSymName().str()] = typeText(weight.getType());
  EXPECT_EQ(types["w1.packed"], "f32[2, 3, 3, 4, 16]");
  EXPECT_EQ(types["w2.columns"], "f32[3, 3, 1, 20]");
  EXPECT_EQ(types["w3.packed"], "f32[1, 20, 16]");
  EXPECT_EQ(types["w4.packed"], "f32[1, 5, 16]");
  EXPECT_EQ(types.count("w1"), 0u);
}

TEST_F(FuseTest, EqualKernelsAreOne) {
  auto module = check(R"(
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = kiln.exp %x : (tensor<4xf32>) -> tensor<4xf32>
  %r = kiln.reshape %a {shape = #kiln.dims<[2, 2]>} : (tensor<4xf32>) -> tensor<2x2xf32>
  %p = kiln.permute %r {axes = array<i64: 1, 0>} : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %c = kiln.abs %p : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %r2 = kiln.reshape %c {shape = #kiln.dims<[4]>} : (tensor<2x2xf32>) -> tensor<4xf32>
  %z = kiln.full {shape = #kiln.dims<[4]>, value = 0.5 : f64, dtype = f32} : () -> tensor<4xf32>
  %q = kiln.mul %r2, %z : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %rq = kiln.reshape %q {shape = #kiln.dims<[2, 2]>} : (tensor<4xf32>) -> tensor<2x2xf32>
  %p2 = kiln.permute %rq {axes = array<i64: 1, 0>} : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %c2 = kiln.abs %p2 : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %r3 = kiln.reshape %c2 {shape = #kiln.dims<[4]>} : (tensor<2x2xf32>) -> tensor<4xf32>
  %o = kiln.exp %r3 : (tensor<4xf32>) -> tensor<4xf32>
  return %o : tensor<4xf32>
})",
                      "kiln-fuse");
  // The two transposes are equal; the exponentials differ in what is known of their memory.
  EXPECT_EQ(kernelsOf(*module), 4);
}

TEST_F(FuseTest, ReturnedConstantsAndBroadcastsHaveKernels) {
  auto module = check(R"(
func.func @f(%x: tensor<3xf32>) -> (tensor<2x3xf32>, tensor<4xf32>, tensor<3xf32>) {
  %b = kiln.broadcast_to %x {shape = #kiln.dims<[2, 3]>} : (tensor<3xf32>) -> tensor<2x3xf32>
  %z = kiln.full {shape = #kiln.dims<[4]>, value = 0.5 : f64, dtype = f32} : () -> tensor<4xf32>
  return %b, %z, %x : tensor<2x3xf32>, tensor<4xf32>, tensor<3xf32>
})",
                      "kiln-fuse");
  EXPECT_EQ(kernelsOf(*module), 2);
}

TEST_F(FuseTest, ValueReadTwiceEndsItsKernel) {
  auto module = check(R"(
func.func @f(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2xf32>) {
  %e = kiln.exp %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %a = kiln.abs %e : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = kiln.sum %e {axis = array<i64: 1>, keepdims = false} : (tensor<2x3xf32>) -> tensor<2xf32>
  return %a, %s : tensor<2x3xf32>, tensor<2xf32>
})",
                      "kiln-fuse");
  EXPECT_EQ(kernelsOf(*module), 3);
}
