//===- StandIns.cpp - tests of the CPU generators, by the emulator --------===//
//
// Stands for what test/unit/llvm/Harness.cpp and test/unit/kernels/Harness.cpp define, so that each
// spec and value that is tested there is tested as a device kernel here.
//
//===----------------------------------------------------------------------===//

#include "test/gpu/Assemble.h"
#include "test/gpu/Emulator.h"
#include "test/unit/kernels/Harness.h"
#include "test/unit/llvm/Harness.h"

#include "codegen/cuda/Generate.h"

using namespace kiln;
using namespace kiln::test;

codegen::TargetFacts test::hostFacts() { return {}; }

void test::expectEqual(const KernelSpec &spec, std::vector<int64_t> symbols, double tolerance,
                       const codegen::TargetFacts &) {
  ASSERT_EQ(verify(spec), "");
  assembleLater(spec);
  EXPECT_EQ(compareEmulated(spec, symbols, tolerance), "");
}

spec::MathSupport test::mathSupport() { return cuda::mathSupport; }

Compiled test::compile(const KernelSpec &spec, bool) {
  Compiled result;
  auto made = Emulated::compile(spec);
  if (!made) {
    result.code = 2;
    result.error = llvm::toString(made.takeError());
    return result;
  }
  assembleLater(spec);
  std::shared_ptr<Emulated> kernel = std::move(*made);
  size_t buffers = spec.operands.size(), symbols = spec.symbols.size();
  result.run = [=](void *, void *const *pointers, const int64_t *dims) -> int32_t {
    std::string text = kernel->run({pointers, pointers + buffers}, {dims, dims + symbols});
    EXPECT_EQ(text, "");
    return !text.empty();
  };
  return result;
}
