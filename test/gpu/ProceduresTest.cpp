//===- ProceduresTest.cpp - procedures by the emulator --------------------===//
//
// Against the code for processors, which the suite compares with definitions.
//
//===----------------------------------------------------------------------===//

#include "test/gpu/Assemble.h"
#include "test/gpu/Emulator.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/InstIterator.h"

#include "gtest/gtest.h"

using namespace kiln;
using namespace kiln::spec;
using namespace kiln::test;

static constexpr DType everyType[] = {DType::F64,    DType::F32,    DType::F16, DType::BF16,
                                      DType::F8E4M3, DType::F8E5M2, DType::I64, DType::I32,
                                      DType::I16,    DType::I8,     DType::U8};

/// The spec of a text, in which T is the type.
static KernelSpec parsed(llvm::StringRef text, DType type) {
  std::string written;
  for (char c : text)
    written += c == 'T' ? std::string(name(type)) : std::string(1, c);
  std::string error;
  std::optional<KernelSpec> spec = parse(written, error);
  EXPECT_TRUE(spec) << error << written;
  return spec.value_or(KernelSpec());
}

static void expectSame(llvm::StringRef text, DType type,
                       std::initializer_list<std::vector<int64_t>> symbols) {
  KernelSpec spec = parsed(text, type);
  ASSERT_EQ(verify(spec), "");
  assembleLater(spec);
  for (const std::vector<int64_t> &values : symbols)
    EXPECT_EQ(compareEmulated(spec, values, 0), "") << name(type);
}

static const char topk[] = R"(kernel
  symbol N = 0..600
  input in0 : T [2, N, 3] strides [3*N, 3, 1] align 1
  output out0 : T [2, min(5, N), 3] strides [3*min(5, N), 3, 1] align 64
  output out1 : i64 [2, min(5, N), 3] strides [3*min(5, N), 3, 1] align 64
  scratch scratch0 : u8 [192*N] strides [1] align 64
  procedure topk [2, N, 3, min(5, N)] largest=1 wide=0
)";

TEST(GPUProcedures, FirstOfRows) {
  for (DType type : everyType)
    expectSame(topk, type, {{300}});
  expectSame(topk, DType::F32, {{0}, {1}, {6}});
  expectSame(topk, DType::Bool, {{7}});
  std::string least = llvm::StringRef(topk).str();
  least.replace(least.find("largest=1"), 9, "largest=0");
  expectSame(least, DType::F16, {{5}, {200}});
}

static std::string scanText(bool product, bool reverse, bool exclusive) {
  return "kernel\n  symbol N = 0..9\n"
         "  input in0 : T [N, 40, 31] strides [1240, 31, 1] align 1\n"
         "  output out0 : T [N, 40, 31] strides [1240, 31, 1] align 64\n"
         "  procedure scan [N, 40, 31] product=" +
         std::to_string(product) + " reverse=" + std::to_string(reverse) +
         " exclusive=" + std::to_string(exclusive) + "\n";
}

TEST(GPUProcedures, RunningTotals) {
  for (DType type : everyType)
    expectSame(scanText(false, false, false), type, {{3}});
  for (int way = 0; way < 8; ++way)
    expectSame(scanText(way & 1, way & 2, way & 4), DType::F32, {{2}});
  expectSame(scanText(false, false, false), DType::F32, {{0}, {1}});
}

static std::string writeText(llvm::StringRef name, llvm::StringRef indices, int bytes,
                             llvm::StringRef constants = "") {
  return ("kernel\n  symbol N = 0..99\n  symbol M = 0..9\n"
          "  input in0 : T [M, 70, 5] strides [350, 5, 1] align 1\n"
          "  input in1 : " +
          indices +
          " [N] strides [1] align 1\n"
          "  input in2 : T [M, N, 5] strides [5*N, 5, 1] align 1\n"
          "  output out0 : T [M, 70, 5] strides [350, 5, 1] align 64\n" +
          (name == "add" ? "  scratch scratch0 : u8 [2800*min(M, 16)] strides [1] align 64\n"
                         : "") +
          "  procedure index_" + name.str() + " [M, 70, 5, N] bytes=" + llvm::Twine(bytes) +
          " signed=" + (indices == "u8" ? "0" : "1") + constants.str() + "\n")
      .str();
}

/// Indices are from -90 to 109: some are out of range, some come twice.
TEST(GPUProcedures, WritesAtPositions) {
  for (auto [what, constants] :
       {std::pair("copy", ""), std::pair("add", ""), std::pair("extreme", " largest=1"),
        std::pair("extreme", " largest=0")}) {
    for (DType type : everyType)
      expectSame(writeText(what, "i32", 4, constants), type, {{90, 3}});
    expectSame(writeText(what, "i32", 4, constants), DType::F32, {{0, 2}, {9, 0}, {1, 1}});
    expectSame(writeText(what, "i64", 8, constants), DType::F32, {{80, 2}});
    expectSame(writeText(what, "i16", 2, constants), DType::F32, {{80, 2}});
    expectSame(writeText(what, "i8", 1, constants), DType::F32, {{80, 2}});
    expectSame(writeText(what, "u8", 1, constants), DType::F32, {{80, 2}});
  }
  expectSame(writeText("copy", "i64", 8), DType::Bool, {{80, 2}});
}

TEST(GPUProcedures, Find) {
  expectSame("kernel\n  symbol N = 0..300000\n"
             "  input in0 : bool [N] strides [1] align 1\n"
             "  output out0 : i64 [N] strides [1] align 64\n"
             "  output out1 : i64 [] strides [] align 64\n"
             "  procedure find [N]\n",
             DType::Bool, {{0}, {1}, {63}, {64}, {65}, {1000}, {300000}});
}

/// The last index that names a position must win.
TEST(GPUProcedures, OwnersMatter) {
  KernelSpec spec = parsed(writeText("copy", "i32", 4), DType::F32);
  auto change = [](llvm::Module &module) {
    for (llvm::Function &function : module)
      for (llvm::Instruction &instruction : llvm::instructions(function))
        if (auto *atomic = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction))
          atomic->setOperation(llvm::AtomicRMWInst::UMin);
  };
  EXPECT_EQ(compareEmulated(spec, {90, 3}, 0), "");
  EXPECT_NE(compareEmulated(spec, {90, 3}, 0, change), "");
}
