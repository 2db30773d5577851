//===- VerifyTest.cpp - what kilnc --verify finds -------------------------===//

#include "tools/kilnc/Verify.h"

#include "ir/KilnDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace kiln;

namespace {

/// A library made by hand that computes 2 * x, and what modules say that it should compute.
struct VerifyTest : testing::Test {
  VerifyTest() {
    context.loadDialect<ir::KilnDialect, mlir::func::FuncDialect>();
    path = testing::TempDir() + "kiln-verify-" + std::to_string(getpid()) + ".so";
  }
  ~VerifyTest() override { std::remove(path.c_str()); }

  void build(const std::string &define) {
    std::string command = "cc -shared -fPIC " + define + " -I" KILN_RUNTIME_SOURCES " " +
                          KILN_TEST_SOURCES "/double.c -o " + path;
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

  /// What is wrong with the library if its entry point should compute op(x, x).
  std::string problem(const std::string &op) {
    std::string type = "tensor<?x4xf32, #kiln.dims<[N, 4]>>";
    auto module = mlir::parseSourceString<mlir::ModuleOp>(
        "func.func @f(%x: " + type + " {kiln.name = \"x\"}) -> " + type +
            " attributes {kiln.dims = {N = array<i64: 1, 5>}} { %y = kiln." + op + " %x, %x : (" +
            type + ", " + type + ") -> " + type + " return %y : " + type + " }",
        &context);
    EXPECT_TRUE(module);
    std::unique_ptr<CheckEach> calls = CheckEach::start(*module);
    EXPECT_TRUE(calls && !calls->getCalls().empty());
    return llvm::toString(verifyLibrary(path, *calls, *module));
  }

  mlir::MLIRContext context;
  std::string path;
};

TEST_F(VerifyTest, AcceptsWhatAgrees) {
  build("");
  EXPECT_EQ(problem("add"), "");
}

TEST_F(VerifyTest, NamesTheElementThatDiffers) {
  build("");
  std::string text = problem("mul");
  EXPECT_TRUE(llvm::StringRef(text).starts_with("result 0 of 'f' differs at element 0: expected "))
      << text;
  EXPECT_TRUE(llvm::StringRef(text).ends_with(" (arguments of shape [3, 4])")) << text;
}

TEST_F(VerifyTest, SurvivesALibraryThatCrashes) {
  build("-DKILN_TEST_CRASH");
  EXPECT_EQ(problem("add"), "the library ends the process by signal 4");
}

} // namespace
