//===- Harness.h - runs generated kernels against the evaluator -*- C++ -*-===//
#ifndef KILN_TEST_UNIT_LLVM_HARNESS_H
#define KILN_TEST_UNIT_LLVM_HARNESS_H

#include "codegen/llvm/Generate.h"
#include "codegen/spec/Evaluate.h"

#include <gtest/gtest.h>

#include <random>

namespace kiln::test {

using namespace spec;

using Shape = std::vector<DimExpr>;
using KernelFunction = int32_t (*)(void *, void *const *, const int64_t *);

/// The machine the test runs on.
codegen::TargetFacts hostFacts();

/// Memory whose end touches a page that must not be accessed.
class GuardedBuffer {
public:
  explicit GuardedBuffer(size_t bytes);
  ~GuardedBuffer();
  GuardedBuffer(const GuardedBuffer &) = delete;
  uint8_t *data() const { return start; }
  size_t size() const { return bytes; }

private:
  uint8_t *mapping, *start;
  size_t bytes, mapped;
};

/// A kernel compiled into this process; lives until the process ends.
KernelFunction compile(const KernelSpec &spec, const codegen::TargetFacts &facts);

/// Runs the kernel and the evaluator on equal random data and compares outputs: floats within
/// `tolerance` times (1 + magnitude), all else exactly.
void expectEqual(const KernelSpec &spec, std::vector<int64_t> symbols = {}, double tolerance = 1e-5,
                 const codegen::TargetFacts &facts = hostFacts());

Operand operand(std::string name, DType type, Shape shape, Operand::Use use = Operand::Use::Input);
Operand output(std::string name, DType type, Shape shape);
Operand panel(std::string name, DType type, Shape shape);
/// A read with coordinates d0, d1, ….
ExprPtr readAt(std::string name, DType type, std::vector<int> dims);
Stage pointwise(std::string name, DType type, Shape domain, ExprPtr body);
Stage reducing(std::string name, DType type, Shape domain, Shape reduction, Combiner combiner,
               ExprPtr init, ExprPtr body);

} // namespace kiln::test

#endif // KILN_TEST_UNIT_LLVM_HARNESS_H
