//===- Reference.h - what a kernel is to compute ---------------*- C++ -*-===//
#ifndef KILN_TEST_GPU_REFERENCE_H
#define KILN_TEST_GPU_REFERENCE_H

#include "codegen/spec/KernelSpec.h"

namespace kiln::test {

/// Runs a spec over buffers in operand order: by the evaluator, a procedure by its code for
/// processors. Gives what went wrong or "".
std::string runReference(const spec::KernelSpec &spec, const std::vector<void *> &buffers,
                         const std::vector<int64_t> &symbols);

} // namespace kiln::test

#endif // KILN_TEST_GPU_REFERENCE_H
