//===- BuildTest.cpp - ops built without a model text ---------------------===//
//
// Uses the builder as an importer or a pass does: on values of a function, with no syntax around.
// Shapes and results are those of NumPy.
//
//===----------------------------------------------------------------------===//
#include "ir/Interpreter.h"
#include "ir/KilnDialect.h"
#include "ir/Requirements.h"
#include "ir/build/TensorBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

using namespace kiln;
using namespace kiln::ir;

namespace {

const DimExpr n = DimExpr::symbol("N"), m = DimExpr::symbol("M");

class BuildTest : public testing::Test {
protected:
  mlir::MLIRContext context;
  mlir::OpBuilder builder{&context};
  DimScope scope{{{"N", {0, 8}}, {"M", {0, 8}}}};
  std::vector<std::pair<BuildError, std::string>> errors;
  mlir::OwningOpRef<mlir::func::FuncOp> function;

  void SetUp() override { context.loadDialect<KilnDialect, mlir::func::FuncDialect>(); }

  TensorBuilder here() {
    return {builder, builder.getUnknownLoc(), scope,
            [this](BuildError kind, const std::string &text) { errors.push_back({kind, text}); }};
  }
  /// The arguments of a fresh function, f32 of these shapes.
  llvm::SmallVector<mlir::Value> arguments(llvm::ArrayRef<Dims> shapes) {
    llvm::SmallVector<mlir::Type> types;
    for (const Dims &shape : shapes)
      types.push_back(tensorType(&context, DType::F32, shape));
    builder.clearInsertionPoint();
    function = mlir::func::FuncOp::create(builder, builder.getUnknownLoc(), "f",
                                          builder.getFunctionType(types, {}));
    builder.setInsertionPointToStart(function->addEntryBlock());
    return llvm::to_vector_of<mlir::Value>(function->getArguments());
  }
  std::string shapeOf(mlir::Value value) { return value ? typeText(value.getType()) : "nothing"; }
  std::string product(const Dims &a, const Dims &b) {
    auto args = arguments({a, b});
    return shapeOf(here().matmul(args[0], args[1]));
  }
};

TEST_F(BuildTest, MatmulTakesVectorsAndBroadcastsBatches) {
  EXPECT_EQ(product({3}, {3}), "f32");
  EXPECT_EQ(product({3}, {3, n}), "f32[N]");
  EXPECT_EQ(product({n, 3}, {3}), "f32[N]");
  EXPECT_EQ(product({7, n, 3}, {3, 5}), "f32[7, N, 5]");
  EXPECT_EQ(product({7, 1, n, 3}, {6, 3, 5}), "f32[7, 6, N, 5]");
  EXPECT_EQ(product({2, 3}, {2, 3, 5}), "f32[2, 2, 5]");
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(product({2, 3}, {4, 5}), "nothing");
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].first, BuildError::Shape);
  EXPECT_EQ(errors[0].second, "the inner extents of [2, 3] @ [4, 5]: expected 3, got 4");
}

TEST_F(BuildTest, ExtentsThatMayDifferAreRequiredOfTheFunction) {
  auto args = arguments({{n, 1}, {m, 3}});
  EXPECT_EQ(shapeOf(here().elementwise("add", args)), "f32[N, 3]");
  scope.attachTo(*function);
  auto required = declaredRequirements(*function);
  ASSERT_EQ(required.size(), 1u);
  EXPECT_EQ(required[0].getRequirement().text(),
            "the shapes [N, 1] and [M, 3] do not match: expected N, got M");
  EXPECT_TRUE(errors.empty());
}

TEST_F(BuildTest, NumbersTakeTheTypeOfTheTensorBesideThem) {
  auto args = arguments({{n}});
  mlir::Value half = here().cast(args[0], DType::F16);
  EXPECT_EQ(commonType({Number(int64_t(1)), half}), DType::F16);
  EXPECT_EQ(commonType({DimExpr(n), Number(0.5)}), DType::F32);
  EXPECT_EQ(commonType({DimExpr(n), Number(int64_t(1))}), std::nullopt);
  EXPECT_EQ(shapeOf(here().tensor(Number(int64_t(2048)), DType::F16)), "f16");
  EXPECT_EQ(shapeOf(here().tensor(Number(true))), "bool");
  EXPECT_EQ(shapeOf(here().tensor(n, DType::F32)), "f32");
  EXPECT_TRUE(errors.empty());
  EXPECT_FALSE(here().tensor(Number(int64_t(2049)), DType::F16)); // f16 has 11 bits
  EXPECT_FALSE(here().tensor(Number(0.5), DType::I32));
  EXPECT_FALSE(here().tensor(n, DType::I32));
  EXPECT_EQ(errors.size(), 3u);
}

TEST_F(BuildTest, SlicesClipNumbersAndRequireWhatIsComputed) {
  auto args = arguments({{n, 6}});
  auto rows = here().sliceBetween(0, *here().sliceBound(3, n, 1), 1, true);
  auto columns = here().index(-1, 6);
  ASSERT_TRUE(rows && columns);
  EXPECT_EQ(shapeOf(here().slice(args[0], {*rows, *columns})), "f32[min(3, N)]");
  EXPECT_TRUE(scope.requirements().list().empty());
  EXPECT_TRUE(here().sliceBound(m, n, 1));
  ASSERT_EQ(scope.requirements().list().size(), 1u);
  EXPECT_EQ(scope.requirements().list()[0].text(),
            "the bound 'M' of a slice: expected at most N, got M");
  EXPECT_FALSE(here().index(6, 6));
  EXPECT_FALSE(here().equalPart(7, 2));
  EXPECT_EQ(errors.size(), 2u);
}

TEST_F(BuildTest, OpsThatRefuseTheirOperandsLeaveNothing) {
  auto args = arguments({{2, 3}});
  EXPECT_FALSE(here().create("logical_not", args));
  EXPECT_TRUE(function->front().empty());
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].first, BuildError::Op);
}

TEST(BuildRulesTest, PaddingAndAxes) {
  EXPECT_EQ(evenPadding({1}, 2), (Dims{1, 1, 1, 1}));
  EXPECT_EQ(evenPadding({1, n, 3}, 3), (Dims{1, 1, n, n, 3, 3}));
  EXPECT_EQ(evenPadding({1, 2}, 3), std::nullopt);
  // ONNX SAME_UPPER: 224 by a kernel of 3 and stride 2 gives 112 rounds, a total of 1.
  EXPECT_EQ(samePadding({1, 3, 224}, {3}, {2}, {1}), (Dims{0, 1}));
  EXPECT_EQ(samePadding({1, 3, n, 9}, {3, 3}, {1, 1}, {1, 2}), (Dims{1, 1, 2, 2}));
  EXPECT_EQ(samePadding({1, 3, 6}, {1}, {2}, {1}), (Dims{0, 0})); // no less than nothing
  EXPECT_EQ(samePadding({1, 3, 224}, {3, 3}, {2, 2}, {1, 1}), std::nullopt);
  EXPECT_EQ(normalizedAxes({-1, 0, 5}, 3), (llvm::SmallVector<int64_t>{2, 0, 5}));
  Dims shape = {2, -1, 5};
  fillOpenExtent(shape, {n, 10});
  EXPECT_EQ(shape, (Dims{2, n, 5}));
  EXPECT_TRUE(fitsMemory(DType::F32, {n, int64_t(1) << 37}));
  EXPECT_FALSE(fitsMemory(DType::F32, {n, int64_t(1) << 38}));
}

} // namespace
