//===- Harness.h - kernels in memory, for tests and timings ----*- C++ -*-===//
//
// Generates a spec with the generator under test (the Halide plug-in, or CUDA's by the emulator),
// compiles it with LLVM's JIT, and runs it beside the reference evaluation on equal random inputs.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_UNIT_KERNELS_HARNESS_H
#define KILN_TEST_UNIT_KERNELS_HARNESS_H

#include "codegen/spec/Evaluate.h"

#include <functional>
#include <memory>

namespace kiln::test {

using Kernel = int32_t(void *context, void *const *buffers, const int64_t *dims);

/// A kernel ready to be called; `run` is empty and `error` set if there is none.
struct Compiled {
  std::function<Kernel> run;
  std::string error, assembly; ///< assembly text only if asked for
  int code = 0;                ///< of halide::Generated: 1 where there is no template for the spec
  double milliseconds = 0;     ///< of the plug-in
  std::shared_ptr<void> owner;
};

Compiled compile(const spec::KernelSpec &spec, bool wantsAssembly = false);
/// What compile() makes functions of.
spec::MathSupport mathSupport();

/// Text of the module that a spec becomes, or the error.
std::string moduleText(const spec::KernelSpec &spec);

/// Aligned memory of an operand. Inputs hold small random numbers: floats in [-1, 1], integers in
/// [-8, 8] (u8: [0, 16]), lanes of panels beyond the extent zero.
struct Buffers {
  Buffers(const spec::KernelSpec &spec, const std::vector<int64_t> &symbols, uint32_t seed);
  std::vector<std::shared_ptr<uint8_t>> memory;
  std::vector<int64_t> bytes;
  std::vector<void *> pointers() const;
};

/// Compares the kernel with the reference on every output; gives the first difference beyond
/// `tolerance` (relative to 1 + |expected|), a failure to generate, or "".
std::string compare(const spec::KernelSpec &spec, const std::vector<int64_t> &symbols = {},
                    double tolerance = 1e-5);
/// The same of a kernel that is compiled already, on inputs that `fill` changes.
using Fill = std::function<void(const spec::KernelSpec &spec, Buffers &buffers)>;
std::string compare(const Compiled &kernel, const spec::KernelSpec &spec,
                    const std::vector<int64_t> &symbols, double tolerance, const Fill &fill = {});

} // namespace kiln::test

#endif // KILN_TEST_UNIT_KERNELS_HARNESS_H
