//===- LinkTest.cpp - libraries made from a program by hand ---------------===//
#include "test/runtime/HandModel.h"

#include "codegen/spec/KernelSpec.h"

#include "codegen/link/WeightsObject.h"

#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include "gtest/gtest.h"

#include <cstdlib>

using namespace llvm;
using namespace kiln;

namespace {

/// A folder that goes away with the test.
class LinkTest : public ::testing::Test {
protected:
  void SetUp() override {
    SmallString<128> made;
    ASSERT_FALSE(sys::fs::createUniqueDirectory("kiln-link", made));
    folder = made.str().str();
  }
  void TearDown() override { sys::fs::remove_directories(folder); }

  std::string build(const std::string &name, const host::Program &program,
                    std::vector<link::TargetKernels> kernels) {
    link::LibraryInputs inputs;
    inputs.program = &program;
    inputs.targets = std::move(kernels);
    inputs.weights = test::handWeights;
    inputs.outputPath = folder + "/" + name;
    inputs.kind = link::kindOf(name);
    inputs.headerPath = folder + "/hand.h";
    return toString(link::buildLibrary(inputs));
  }
  std::string contents(const std::string &name) {
    auto buffer = MemoryBuffer::getFile(folder + "/" + name);
    return buffer ? (*buffer)->getBuffer().str() : "";
  }
  int shell(const std::string &command) {
    return std::system(("cd " + folder + " && " + command).c_str());
  }

  std::string folder;
  host::Program program = test::handProgram();
};

const std::string compile = "cc -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -pedantic "
                            "-I. " KILN_TEST_SOURCES "/hand.c ";

TEST_F(LinkTest, SharedLibraryIsCalledFromC) {
  ASSERT_EQ(build("libhand.so", program, test::handKernels()), "");
  EXPECT_EQ(shell(compile + "-o hand -L. -lhand -lpthread -Wl,-rpath,. && ./hand"), 0);
}

TEST_F(LinkTest, ArchiveAndObjectAreCalledFromC) {
  ASSERT_EQ(build("libhand.a", program, test::handKernels()), "");
  EXPECT_EQ(shell(compile + "-o hand libhand.a -lpthread && ./hand"), 0);
  ASSERT_EQ(build("hand.o", program, test::handKernels()), "");
  EXPECT_EQ(shell(compile + "-o hand hand.o -lpthread && ./hand"), 0);
}

TEST_F(LinkTest, KernelsGivenTwiceAreRefused) {
  std::vector<link::TargetKernels> kernels = test::handKernels();
  kernels[0].kernels.push_back(kernels[0].kernels[0]);
  EXPECT_EQ(build("libhand.so", program, kernels), "kernel 'scale' is given twice for 'x86-64'");
}

TEST_F(LinkTest, HeaderCompilesAsCxx) {
  ASSERT_EQ(build("libhand.so", program, test::handKernels()), "");
  EXPECT_EQ(shell("c++ -std=c++11 -Wall -Wextra -Werror -pedantic -fsyntax-only -x c++ hand.h"), 0);
  EXPECT_NE(contents("hand.h").find("const float *x /* [N,4] */"), std::string::npos);
}

TEST_F(LinkTest, NeedsOnlyOldLibc) {
  ASSERT_EQ(build("libhand.so", program, test::handKernels()), "");
  ASSERT_EQ(shell("readelf -d -V -W libhand.so > dynamic"), 0);
  std::string text = contents("dynamic");
  EXPECT_NE(text.find("[libc.so.6]"), std::string::npos);
  EXPECT_NE(text.find("GLIBC_2.14"), std::string::npos);
  for (size_t at = 0; (at = text.find("(NEEDED)", at)) != std::string::npos; ++at) {
    StringRef line = StringRef(text).substr(at).split('\n').first;
    EXPECT_TRUE(line.contains("[libc.so.6]") || line.contains("[libpthread.so.0]")) << line.str();
  }
  for (size_t at = 0; (at = text.find("GLIBC_2.", at)) != std::string::npos; ++at) {
    unsigned minor = 0;
    StringRef(text).substr(at + 8).consumeInteger(10, minor);
    EXPECT_LE(minor, 28u);
  }
}

TEST_F(LinkTest, ExportsOnlyTheInterface) {
  ASSERT_EQ(build("libhand.so", program, test::handKernels()), "");
  auto binary = object::ObjectFile::createObjectFile(folder + "/libhand.so");
  ASSERT_TRUE(bool(binary));
  auto *elf = cast<object::ELFObjectFileBase>(binary->getBinary());
  for (const object::ELFSymbolRef symbol : elf->getDynamicSymbolIterators()) {
    StringRef name = cantFail(symbol.getName());
    if (cantFail(symbol.getFlags()) & object::SymbolRef::SF_Undefined)
      continue;
    EXPECT_TRUE(name.starts_with("hand_") || name == "kiln_model_v1") << name.str();
    EXPECT_FALSE(name.contains("weight")) << name.str();
  }
}

TEST_F(LinkTest, EqualInputsGiveEqualBytes) {
  ASSERT_EQ(build("libhand.so", program, test::handKernels()), "");
  std::string first = contents("libhand.so");
  ASSERT_EQ(build("libhand.so", program, test::handKernels()), "");
  EXPECT_FALSE(first.empty());
  EXPECT_TRUE(first == contents("libhand.so"));
  EXPECT_EQ(first.find(folder), std::string::npos);
}

TEST_F(LinkTest, UndefinedFunctionsAreNamed) {
  std::vector<link::TargetKernels> kernels = test::handKernels();
  kernels.resize(1);
  kernels[0].kernels[1].bitcode = test::assemble(R"(
    declare float @expf(float)
    define i32 @count(ptr %c, ptr %b, ptr %d) {
      %v = call float @expf(float 1.0)
      %i = fptosi float %v to i32
      ret i32 %i
    })");
  std::string error = build("libhand.so", program, kernels);
  EXPECT_NE(error.find("undefined in the library and not in Libc.def: 'expf'"), std::string::npos)
      << error;
  EXPECT_FALSE(sys::fs::exists(folder + "/libhand.so"));
}

TEST_F(LinkTest, WrongProgramsAreRefused) {
  program.entries[0].launches[1].buffers[1].index = 5;
  EXPECT_NE(build("libhand.so", program, test::handKernels()).find("a buffer of index 5"),
            std::string::npos);
  program = test::handProgram();
  program.entries[0].arenaBytes = DimExpr::symbol("M");
  EXPECT_NE(build("libhand.so", program, test::handKernels()).find("got 'M'"), std::string::npos);
}

TEST_F(LinkTest, WeightsOfAnotherSizeAreRefused) {
  program.weights[0].bytes = 20;
  EXPECT_NE(build("libhand.so", program, test::handKernels())
                .find("weight 'hand_kiln_weight_0': expected 20 bytes, got 16"),
            std::string::npos);
}

TEST(Targets, RequireTheFeaturesOfTheirProcessor) {
  EXPECT_EQ(host::requiredFeatures({"x86-64", "x86-64", ""}), 0u);
  uint64_t v3 = host::requiredFeatures({"", "x86-64-v3", ""});
  uint64_t v4 = host::requiredFeatures({"", "x86-64-v4", ""});
  uint64_t zen4 = host::requiredFeatures({"", "znver4", ""});
  EXPECT_NE(v3, 0u);
  EXPECT_EQ(v3 & ~v4, 0u);
  EXPECT_EQ(v4 & ~zen4, 0u);
  EXPECT_NE(zen4, v4);
  EXPECT_LT(host::requiredFeatures({"", "x86-64-v3", "-avx2"}), v3);
}

} // namespace
