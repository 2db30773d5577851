//===- SemanticsTest.cpp - passes keep the meaning ------------------------===//
//
// Modules are interpreted before and after passes on random weights and inputs.
//
//===----------------------------------------------------------------------===//

#include "ir/Interpreter.h"
#include "ir/KilnOps.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <gtest/gtest.h>

#include <random>

using namespace mlir;
using namespace kiln;
using namespace kiln::ir;

namespace {
const char *const weights = R"(
kiln.weight @w1 : tensor<8x3x3x3xf32>
kiln.weight @w2 : tensor<8x4x3x3xf32>
kiln.weight @v8 : tensor<8xf32>
kiln.weight @m8 : tensor<8xf32>
kiln.weight @fc : tensor<10x72xf32>
)";

class Semantics : public testing::Test {
protected:
  Semantics() {
    static const bool registered = (passes::registerKilnPasses(), true);
    (void)registered;
    context.loadDialect<KilnDialect, func::FuncDialect>();
  }

  /// Positive numbers, so that variances and logarithms make sense.
  Tensor random(Type type) {
    SmallVector<int64_t> shape;
    for (const DimExpr &dim : dimsOf(type))
      shape.push_back(dim.constantValue().value_or(3));
    Tensor t(*dtypeOf(type), shape);
    std::uniform_real_distribution<double> numbers(0.1, 1.0);
    for (double &v : t.floats)
      v = roundTo(t.type, numbers(generator));
    return t;
  }

  /// Parses one function over `weights`, runs the passes and compares; returns the module after.
  OwningOpRef<ModuleOp> check(const std::string &function, StringRef pipeline) {
    auto module = parseSourceString<ModuleOp>(weights + function, &context);
    if (!module) {
      ADD_FAILURE() << "the module does not parse";
      return module;
    }
    for (auto weight : module->getOps<WeightOp>()) {
      Tensor value = random(weight.getType());
      std::vector<uint8_t> bytes(value.numElements() * byteSize(value.type));
      value.toBytes(bytes.data());
      std::string hash = context.getLoadedDialect<KilnDialect>()->getWeights().addOwned(
          value.type, value.shape, std::move(bytes));
      weight.setHash(hash);
    }
    SmallVector<Tensor> arguments;
    for (Type type : entry(*module).getArgumentTypes())
      arguments.push_back(random(type));
    auto before = interpret(entry(*module), arguments);
    PassManager manager(&context);
    EXPECT_TRUE(succeeded(parsePassPipeline(pipeline, manager)) && succeeded(manager.run(*module)));
    auto after = interpret(entry(*module), arguments);
    EXPECT_TRUE(succeeded(before) && succeeded(after));
    if (succeeded(before) && succeeded(after))
      compare(*before, *after);
    return module;
  }

  static func::FuncOp entry(ModuleOp module) { return *module.getOps<func::FuncOp>().begin(); }

  static void compare(ArrayRef<Tensor> before, ArrayRef<Tensor> after) {
    ASSERT_EQ(before.size(), after.size());
    for (auto [x, y] : llvm::zip(before, after)) {
      ASSERT_EQ(x.shape, y.shape);
      EXPECT_EQ(x.ints, y.ints);
      double worst = 0;
      for (auto [a, b] : llvm::zip_equal(x.floats, y.floats))
        worst = std::max(worst, std::abs(a - b) / (1e-3 + std::abs(a)));
      EXPECT_LT(worst, 1e-5);
    }
  }

  /// Number of ops of a name in the entry.
  static int64_t count(ModuleOp module, StringRef name) {
    int64_t n = 0;
    module.walk([&](Operation *op) { n += op->getName().stripDialect() == name; });
    return n;
  }

  MLIRContext context;
  std::mt19937 generator{1};
};

const char *const convolution = "{stride = array<i64: 1, 1>, padding = #kiln.dims<[1, 1, 1, 1]>, "
                                "dilation = array<i64: 1, 1>, groups = ";

/// Convolution, norm, activation, grouped convolution, squeeze and excitation, pool, product.
std::string network() {
  std::string image = "tensor<?x8x6x6xf32, #kiln.dims<[N, 8, 6, 6]>>",
              input = "tensor<?x3x6x6xf32, #kiln.dims<[N, 3, 6, 6]>>",
              one = "tensor<?x8x1x1xf32, #kiln.dims<[N, 8, 1, 1]>>",
              small = "tensor<?x8x3x3xf32, #kiln.dims<[N, 8, 3, 3]>>",
              flat = "tensor<?x72xf32, #kiln.dims<[N, 72]>>",
              out = "tensor<?x10xf32, #kiln.dims<[N, 10]>>";
  return "func.func @f(%x: " + input + ") -> (" + out + ", " + one +
         ") attributes {kiln.dims = {N = array<i64: 1, 8>}} {\n"
         "%w1 = kiln.get @w1 : tensor<8x3x3x3xf32>\n%w2 = kiln.get @w2 : tensor<8x4x3x3xf32>\n"
         "%m = kiln.get @m8 : tensor<8xf32>\n%v = kiln.get @v8 : tensor<8xf32>\n%fc = kiln.get @fc "
         ": tensor<10x72xf32>\n"
         "%c = kiln.conv2d %x, %w1 " +
         convolution + "1 : i64} : (" + input + ", tensor<8x3x3x3xf32>) -> " + image +
         "\n"
         "%n = kiln.batch_norm %c, %m, %v weight %v bias %m {eps = 1.0e-5 : f64} : (" +
         image + ", tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> " + image +
         "\n"
         "%r = kiln.silu %n : (" +
         image + ") -> " + image +
         "\n"
         "%d = kiln.conv2d %r, %w2, %m " +
         convolution + "2 : i64} : (" + image + ", tensor<8x4x3x3xf32>, tensor<8xf32>) -> " +
         image +
         "\n"
         "%q = kiln.mean %d {axis = array<i64: 2, 3>, keepdims = true} : (" +
         image + ") -> " + one +
         "\n"
         "%g = kiln.sigmoid %q : (" +
         one + ") -> " + one +
         "\n"
         "%e = kiln.expand %g {shape = #kiln.dims<[N, 8, 6, 6]>} : (" +
         one + ") -> " + image +
         "\n"
         "%s = kiln.mul %d, %e : (" +
         image + ", " + image + ") -> " + image +
         "\n"
         "%a = kiln.add %s, %r : (" +
         image + ", " + image + ") -> " + image +
         "\n"
         "%p = kiln.adaptive_avg_pool2d %a {output_size = array<i64: 3, 3>} : (" +
         image + ") -> " + small +
         "\n"
         "%f = kiln.flatten %p {start_axis = 1 : i64, end_axis = 3 : i64} : (" +
         small + ") -> " + flat +
         "\n"
         "%h = kiln.relu %f : (" +
         flat + ") -> " + flat +
         "\n"
         "%t = kiln.transpose %fc : (tensor<10x72xf32>) -> tensor<72x10xf32>\n"
         "%y = kiln.matmul %h, %t : (" +
         flat + ", tensor<72x10xf32>) -> " + out +
         "\n"
         "return %y, %g : " +
         out + ", " + one + "\n}";
}

TEST_F(Semantics, NetworkWithoutOptimisation) {
  auto module = check(network(), "kiln-decompose,kiln-fold-weights");
  EXPECT_EQ(count(*module, "batch_norm"), 0);
  EXPECT_EQ(count(*module, "rsqrt"), 0);
}

TEST_F(Semantics, NetworkInChannelsLast) {
  auto module = check(network(), "kiln-simplify,kiln-layout,kiln-simplify");
  EXPECT_EQ(count(*module, "permute"), 1) << "the entry's only";
  EXPECT_EQ(count(*module, "weight"), 5);
}

TEST_F(Semantics, MovesThroughEveryKindOfOp) {
  std::string image = "tensor<2x8x6x5xf32>";
  for (bool products : {false, true}) {
    std::string text =
        "func.func @f(%x: tensor<2x3x6x5xf32>, %z: " + image +
        ") -> (tensor<2x16x5x3xf32>, tensor<8x5xf32>, tensor<2x6x5xi64>, " + image +
        ") {\n"
        "%w1 = kiln.get @w1 : tensor<8x3x3x3xf32>\n%m = kiln.get @m8 : tensor<8xf32>\n"
        "%c = kiln.conv2d %x, %w1 " +
        convolution + "1 : i64} : (tensor<2x3x6x5xf32>, tensor<8x3x3x3xf32>) -> " + image +
        "\n"
        "%k = kiln.softmax %c {axis = 1 : i64} : (" +
        image + ") -> " + image +
        "\n"
        "%u = kiln." +
        (products ? "mul" : "sub") + " %k, %z : (" + image + ", " + image + ") -> " + image +
        "\n"
        "%p = kiln.pad %k {padding = #kiln.dims<[0, 0, 0, 0, 2, 1, 0, 1]>, value = 1.5 : f64} : (" +
        image +
        ") -> tensor<2x8x9x6xf32>\n"
        "%s = kiln.slice %p {starts = #kiln.dims<[0, 0, 8, 0]>, sizes = #kiln.dims<[2, 8, 5, 3]>, "
        "steps = array<i64: 1, 1, -2, 2>} : (tensor<2x8x9x6xf32>) -> tensor<2x8x5x3xf32>\n"
        "%b = kiln.reshape %m {shape = #kiln.dims<[8, 1, 1]>} : (tensor<8xf32>) -> "
        "tensor<8x1x1xf32>\n"
        "%e = kiln.broadcast_to %b {shape = #kiln.dims<[2, 8, 5, 3]>} : (tensor<8x1x1xf32>) -> "
        "tensor<2x8x5x3xf32>\n"
        "%l = kiln.maximum %s, %e : (tensor<2x8x5x3xf32>, tensor<2x8x5x3xf32>) -> "
        "tensor<2x8x5x3xf32>\n"
        "%o = kiln.concat %l, %s {axis = 1 : i64} : (tensor<2x8x5x3xf32>, tensor<2x8x5x3xf32>) -> "
        "tensor<2x16x5x3xf32>\n"
        "%j = kiln.max %c {axis = array<i64: 0, 2>, keepdims = false} : (" +
        image +
        ") -> tensor<8x5xf32>\n"
        "%i = kiln.argmax %c {axis = 1 : i64, keepdims = false} : (" +
        image +
        ") -> tensor<2x6x5xi64>\n"
        "return %o, %j, %i, %u : tensor<2x16x5x3xf32>, tensor<8x5xf32>, tensor<2x6x5xi64>, " +
        image + "\n}";
    auto module = check(text, "kiln-decompose,kiln-layout");
    EXPECT_EQ(count(*module, "permute"), 4) << "the entry and three results; one result needs none";
  }
}

TEST_F(Semantics, Definitions) {
  auto module = check(
      R"(func.func @f(%x: tensor<2x3x7x5xf32>) -> (tensor<2x5xf32>, tensor<2x3x1x5xf32>, tensor<2x3x4x3xf32>, tensor<2x7xf32>) {
    %a = kiln.var %x {axis = array<i64: 1, 2>, keepdims = false} : (tensor<2x3x7x5xf32>) -> tensor<2x5xf32>
    %b = kiln.logsumexp %x {axis = array<i64: 2>, keepdims = true} : (tensor<2x3x7x5xf32>) -> tensor<2x3x1x5xf32>
    %c = kiln.adaptive_avg_pool2d %x {output_size = array<i64: 4, 3>} : (tensor<2x3x7x5xf32>) -> tensor<2x3x4x3xf32>
    %d = kiln.mean %x {axis = array<i64: 1, 3>, keepdims = false} : (tensor<2x3x7x5xf32>) -> tensor<2x7xf32>
    return %a, %b, %c, %d : tensor<2x5xf32>, tensor<2x3x1x5xf32>, tensor<2x3x4x3xf32>, tensor<2x7xf32>
  })",
      "kiln-simplify");
  for (const char *name : {"var", "logsumexp", "adaptive_avg_pool2d", "mean"})
    EXPECT_EQ(count(*module, name), 0) << name;
}
} // namespace
