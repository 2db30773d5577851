//===- Harness.h - runs generated kernels against the evaluator -*- C++ -*-===//
#ifndef KILN_TEST_UNIT_LLVM_HARNESS_H
#define KILN_TEST_UNIT_LLVM_HARNESS_H

#include "codegen/llvm/Generate.h"
#include "codegen/spec/Evaluate.h"
#include "runtime/Abi.h"
#include "test/unit/llvm/Builders.h"

#include <gtest/gtest.h>

namespace kiln::test {

using KernelFunction = int32_t (*)(kiln_ctx *, void *const *, const int64_t *);

/// The machine the test runs on.
codegen::TargetFacts hostFacts();

/// A kernel compiled into this process; lives until the process ends.
KernelFunction compile(const KernelSpec &spec, const codegen::TargetFacts &facts);

/// Text of the machine code.
std::string assembly(const KernelSpec &spec, const codegen::TargetFacts &facts);

/// What kernels are called with.
extern kiln_ctx context;

/// Threads that a kernel's tasks are shared among, 1 or 2.
extern int threads;

/// Runs the kernel and the evaluator on equal random data and compares outputs: floats within
/// `tolerance` times (1 + magnitude), all else exactly.
void expectEqual(const KernelSpec &spec, std::vector<int64_t> symbols = {}, double tolerance = 1e-5,
                 const codegen::TargetFacts &facts = hostFacts());

} // namespace kiln::test

#endif // KILN_TEST_UNIT_LLVM_HARNESS_H
