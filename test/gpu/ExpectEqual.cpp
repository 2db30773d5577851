//===- ExpectEqual.cpp - the CPU generator's tests, by the emulator -------===//
//
// Stands for test/unit/llvm/Harness.cpp, so that each spec that is tested there is run as a device
// kernel here.
//
//===----------------------------------------------------------------------===//

#include "test/gpu/Emulator.h"
#include "test/unit/llvm/Harness.h"

using namespace kiln;
using namespace kiln::test;

codegen::TargetFacts test::hostFacts() { return {}; }

void test::expectEqual(const KernelSpec &spec, std::vector<int64_t> symbols, double tolerance,
                       const codegen::TargetFacts &) {
  ASSERT_EQ(verify(spec), "");
  EXPECT_EQ(compareEmulated(spec, symbols, tolerance), "");
}
