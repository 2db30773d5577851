//===- FetchTest.cpp - rows that are fetched ahead ------------------------===//
//
// Code of CPUs, so that device kernels are not tested with it.
//
//===----------------------------------------------------------------------===//

#include "test/unit/llvm/Harness.h"

using namespace kiln;
using namespace kiln::test;

/// Product of two matrices, neither of which is a weight.
static KernelSpec product(int64_t m, int64_t n, int64_t k) {
  KernelSpec spec;
  spec.operands = {operand("a", DType::F32, {m, k}), operand("b", DType::F32, {k, n}),
                   output("c", DType::F32, {m, n})};
  ExprPtr terms =
      apply(Op::Mul, {readAt("a", DType::F32, {0, 2}), readAt("b", DType::F32, {2, 1})});
  spec.stages = {reducing("c", DType::F32, {m, n}, {k}, Combiner::Add, constant(0.0, DType::F32),
                          relaxed(terms))};
  return spec;
}

/// Rows of a matrix that is no weight are fetched ahead where they lie far apart and one tile takes
/// them.
TEST(LLVMFetch, FarRows) {
  codegen::TargetFacts facts;
  facts.cpu = "sapphirerapids";
  facts.vectorBytes = 64;
  facts.vectorRegisters = 32;
  auto fetches = [&](int64_t m, int64_t n) {
    std::string code = assembly(product(m, n, 512), facts);
    return llvm::StringRef(code).count("prefetcht1");
  };
  EXPECT_GE(fetches(4, 512), 2u);
  EXPECT_GE(fetches(1, 512), 1u);
  EXPECT_EQ(fetches(4, 64), 0u);
  EXPECT_EQ(fetches(64, 512), 0u);
}
