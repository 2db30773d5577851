//===- ImportTest.cpp - what imported models compute ----------------------===//
//
// Models given as text run in the interpreter; results are compared with numbers worked out by the
// language's definition.
//
//===----------------------------------------------------------------------===//
#include "frontend/Import.h"
#include "frontend/emit/Primitives.h"
#include "ir/Interpreter.h"
#include "ir/KilnDialect.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace kiln;
using kiln::ir::Tensor;

namespace {

class ImportTest : public testing::Test {
protected:
  mlir::MLIRContext context;
  std::string errors;

  /// The module of a model text, or null with its messages in `errors`.
  mlir::OwningOpRef<mlir::ModuleOp> import(const std::string &text, ImportOptions options = {}) {
    llvm::SmallString<128> path;
    int fd;
    EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("import", "kiln", fd, path));
    llvm::raw_fd_ostream(fd, /*shouldClose=*/true) << text;
    llvm::SourceMgr sources;
    Diagnostics diags(sources);
    options.stdDir = KILN_STD_DIR;
    auto module = importModel(context, diags, path, options);
    errors.clear();
    llvm::raw_string_ostream os(errors);
    diags.print(os);
    llvm::sys::fs::remove(path);
    return module;
  }

  /// Values of the first result of an entry point `f` with this signature and body.
  std::vector<double> run(const std::string &signature, const std::string &body,
                          llvm::ArrayRef<Tensor> arguments, ImportOptions options = {}) {
    auto module =
        import("model T(n: int = 2) { fn f" + signature + " {\n" + body + "\n} }", options);
    EXPECT_TRUE(module) << errors;
    if (!module)
      return {};
    auto function = module->lookupSymbol<mlir::FunctionOpInterface>("f");
    auto results = ir::interpret(function, arguments);
    if (failed(results))
      return {};
    std::vector<double> values;
    for (int64_t i = 0; i < (*results)[0].numElements(); ++i)
      values.push_back((*results)[0].asDouble(i));
    return values;
  }
};

Tensor iota(llvm::ArrayRef<int64_t> shape, DType type = DType::F32) {
  Tensor tensor(type, shape);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    if (tensor.isFloat())
      tensor.floats[i] = static_cast<double>(i);
    else
      tensor.ints[i] = i;
  return tensor;
}

using Values = std::vector<double>;

TEST_F(ImportTest, SignaturesNameAttributesOfTheirOps) {
  context.loadDialect<ir::KilnDialect>();
  PrimitiveTable table(context);
  ASSERT_GT(table.names().size(), 60u);
  for (llvm::StringRef name : table.names()) {
    const Primitive &primitive = *table.find(name);
    EXPECT_EQ(primitive.op.stripDialect(), name);
    for (const Primitive::Slot &slot : primitive.slots) {
      if (slot.isOperand())
        continue;
      bool found = llvm::any_of(primitive.op.getAttributeNames(), [&](mlir::StringAttr known) {
        return known.getValue() == slot.name;
      });
      EXPECT_TRUE(found) << primitive.signature << " has no attribute " << slot.name;
    }
  }
}

TEST_F(ImportTest, SlicesAsNumPy) {
  Tensor x = iota({4, 3});
  EXPECT_EQ(run("(x: f32[4, 3]) -> f32[3]", "return x[-1]", x), (Values{9, 10, 11}));
  EXPECT_EQ(run("(x: f32[4, 3]) -> f32[4]", "return x[..., 1]", x), (Values{1, 4, 7, 10}));
  EXPECT_EQ(run("(x: f32[4, 3]) -> f32[2, 1]", "return x[1:3, 2:9]", x), (Values{5, 8}));
  EXPECT_EQ(run("(x: f32[4, 3]) -> f32[4]", "return x[::-1, 0]", x), (Values{9, 6, 3, 0}));
  EXPECT_EQ(run("(x: f32[4, 3]) -> f32[2]", "return x[::2, 0]", x), (Values{0, 6}));
  EXPECT_EQ(run("(x: f32[4, 3]) -> f32[2]", "return x[3:0:-2, 0]", x), (Values{9, 3}));
  EXPECT_EQ(run("(x: f32[4, 3]) -> f32[2]", "return x[-3:-1, -1]", x), (Values{5, 8}));
  EXPECT_EQ(run("(x: f32[4, 3]) -> f32[0, 3]", "return x[3:1]", x), Values());
  EXPECT_EQ(run("[N](x: f32[N, 3]) -> f32[3]", "return x[N - 1]", x), (Values{9, 10, 11}));
  EXPECT_EQ(run("[N](x: f32[N, 3]) -> f32[_]", "return x[N // 2:, 0]", x), (Values{6, 9}));
}

TEST_F(ImportTest, DefaultsKnowTheDimensionsOfTheArguments) {
  const char *model = "fn add[N](x: f32[N], y: f32[N] = ones([N])) -> f32[N] { return x + y }\n"
                      "fn late[N](x: f32[2] = zeros([N]), y: f32[N] = ones([2])) -> f32[N] {\n"
                      "  return x + y }\n"
                      "fn scaled[N](x: f32[N], by: int = N) -> f32[N] { return x * by }\n"
                      "model T { fn f[N](x: f32[N]) -> f32[N] {\n"
                      "  return add(x) + scaled(late(y = ones([2])))[0] } }";
  auto module = import(model);
  ASSERT_TRUE(module) << errors;
  auto results = ir::interpret(module->lookupSymbol<mlir::FunctionOpInterface>("f"), iota({3}));
  ASSERT_TRUE(succeeded(results));
  EXPECT_EQ((*results)[0].floats, (Values{3, 4, 5})); // x + 1 + 1 * 2
  EXPECT_FALSE(import("fn g[N](y: f32[N] = ones([N])) -> f32[N] { return y }\n"
                      "model T { fn f(x: f32[2]) -> f32[2] { return x + g() } }"));
  EXPECT_NE(errors.find("the dimension 'N' does not follow from the arguments"), std::string::npos)
      << errors;
}

TEST_F(ImportTest, NamedConstantsAreFloatsUnlessDeclared) {
  Tensor x = iota({2});
  EXPECT_EQ(run("(x: f32[2]) -> f32[2]", "return maximum(x, 0.5) * -inf", x),
            (Values{-HUGE_VAL, -HUGE_VAL}));
  EXPECT_EQ(run("(x: f64[2]) -> f64[2]", "return x * pi", iota({2}, DType::F64)),
            (Values{0, M_PI}));
  EXPECT_EQ(run("(x: f32[2]) -> bool[2]", "return isnan(x + nan)", x), (Values{1, 1}));
  EXPECT_EQ(run("(x: f32[2]) -> f32[2]", "pi = 3\nreturn x * pi", x), (Values{0, 3}));
}

TEST_F(ImportTest, LiteralsTakeTheOtherType) {
  EXPECT_EQ(run("(x: i64[3]) -> i64[3]", "return (7 - x) // 2 * n", iota({3}, DType::I64)),
            (Values{6, 6, 4}));
  EXPECT_EQ(
      run("(x: i64[3]) -> i64[3]", "return (x - 2) // 2 + (x - 2) % 2", iota({3}, DType::I64)),
      (Values{-1, 0, 0}));
  EXPECT_EQ(run("(x: f32[3]) -> f32[3]", "return x / 2 + 1 ** 3", iota({3})), (Values{1, 1.5, 2}));
  EXPECT_EQ(run("[N](x: f32[N]) -> f32[N]", "return x * N", iota({3})), (Values{0, 3, 6}));
  EXPECT_EQ(run("[N](x: f32[N]) -> i64", "return N * N - 1", iota({3})), (Values{8}));
  EXPECT_EQ(run("(x: f32[3]) -> f32[3]", "return where(x > 0 and not (x >= 2), 5, x)", iota({3})),
            (Values{0, 5, 2}));
  EXPECT_EQ(run("(x: f32[3]) -> f32[3]", "return 2 ** x", iota({3})), (Values{1, 2, 4}));
  EXPECT_EQ(run("(x: f32[3]) -> i32[3]", "return (x * 1.5) as i32", iota({3})), (Values{0, 1, 3}));
}

TEST_F(ImportTest, MatmulAsNumPy) {
  Tensor m = iota({2, 3}), v = iota({3}), b = iota({2, 2, 3});
  EXPECT_EQ(run("(m: f32[2, 3], v: f32[3]) -> f32[2]", "return m @ v", {m, v}), (Values{5, 14}));
  EXPECT_EQ(run("(m: f32[2, 3], v: f32[3]) -> f32", "return v @ v", {m, v}), (Values{5}));
  EXPECT_EQ(run("(m: f32[2, 3], v: f32[3]) -> f32[2]", "return v @ transpose(m)", {m, v}),
            (Values{5, 14}));
  EXPECT_EQ(
      run("(b: f32[2, 2, 3], m: f32[2, 3]) -> f32[2, 2, 2]", "return m @ transpose(b)", {b, m}),
      (Values{5, 14, 14, 50, 23, 32, 86, 122}));
  EXPECT_EQ(run("(b: f32[2, 2, 3], v: f32[3]) -> f32[2, 2]", "return b @ v", {b, v}),
            (Values{5, 14, 23, 32}));
}

TEST_F(ImportTest, CompileTimeValuesAndArguments) {
  const char *body = "y = x\nfor i, k in [[1, 2], [3, 4]] { if i + n == 3 { y = y + k } else { y = "
                     "y * k } }\nreturn y";
  EXPECT_EQ(run("(x: f32[2]) -> f32[2]", body, iota({2})), (Values{8, 12}));
  ImportOptions options;
  options.sets = {{"n", "2 ** 2 - 3"}};
  EXPECT_EQ(run("(x: f32[2]) -> f32[2]", "return x * n + len([k for k in range(9, 0, -2)])",
                iota({2}), options),
            (Values{5, 6}));
  EXPECT_EQ(
      run("(x: f32[2]) -> f32[2]", "return x + max(n, 3, 1) - min([4, 5][0], 2.5)", iota({2})),
      (Values{0.5, 1.5}));
}

TEST_F(ImportTest, SamePaddingRoundsUp) {
  Tensor x = iota({1, 1, 5, 5});
  const char *body = "return max_pool2d(x, 2, 2, \"same\")";
  EXPECT_EQ(run("(x: f32[1, 1, 5, 5]) -> f32[1, 1, 3, 3]", body, x),
            (Values{6, 8, 9, 16, 18, 19, 21, 23, 24}));
  EXPECT_EQ(run("[H](x: f32[1, 1, H, 5]) -> f32[1, 1, _, 3]", body, x),
            (Values{6, 8, 9, 16, 18, 19, 21, 23, 24}));
}

TEST_F(ImportTest, EntryChecksCompareExtents) {
  auto module = import("model T() { fn f[N, M](x: f32[N], y: f32[M]) -> f32[N] { return x + y } }");
  ASSERT_TRUE(module) << errors;
  auto function = module->lookupSymbol<mlir::FunctionOpInterface>("f");
  auto sum = ir::interpret(function, {iota({3}), iota({3})});
  ASSERT_TRUE(succeeded(sum));
  EXPECT_EQ((*sum)[0].floats, (Values{0, 2, 4}));
  mlir::ScopedDiagnosticHandler quiet(&context, [](mlir::Diagnostic &) { return mlir::success(); });
  EXPECT_TRUE(failed(ir::interpret(function, {iota({3}), iota({1})})));
}

TEST(DimExpr, TextReadsBackAsTheSame) {
  DimExpr h = DimExpr::symbol("H"), w = DimExpr::symbol("W");
  DimExpr quotient = DimExpr::floorDiv(-h, 2);
  for (const DimExpr &expr :
       {-quotient, w - quotient, -quotient * w, DimExpr::mod(-h, 3), DimExpr(-2) * quotient})
    EXPECT_EQ(DimExpr::parse(expr.str()), expr) << expr.str();
}

TEST_F(ImportTest, ChoosesModels) {
  const char *two = "model A(k: int) { fn f(x: f32[k]) -> f32[k] { return x } }\n"
                    "model Big() { fn f(x: f32[1]) -> f32[1] { return x } }";
  EXPECT_FALSE(import(two));
  EXPECT_NE(errors.find("has 2 models; choose one by '--model'"), std::string::npos) << errors;
  ImportOptions options;
  options.modelName = "Bog";
  EXPECT_FALSE(import(two, options));
  EXPECT_NE(errors.find("did you mean 'Big'"), std::string::npos) << errors;
  options.modelName = "A";
  EXPECT_FALSE(import(two, options));
  EXPECT_NE(errors.find("the argument 'k' of the model 'A' has no default"), std::string::npos)
      << errors;
  options.sets = {{"l", "3"}, {"k", "\"x\""}};
  EXPECT_FALSE(import(two, options));
  EXPECT_NE(errors.find("has no argument 'l'"), std::string::npos) << errors;
  options.sets = {{"k", "3"}};
  EXPECT_TRUE(import(two, options)) << errors;
}

} // namespace
