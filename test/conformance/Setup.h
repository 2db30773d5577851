//===- Setup.h - what a program of tests needs of the build -----*- C++ -*-===//
#ifndef KILN_TEST_CONFORMANCE_SETUP_H
#define KILN_TEST_CONFORMANCE_SETUP_H

#include "test/conformance/Batch.h"

namespace kiln::conformance {

/// Finds the standard library and the Halide generator beside the running program, and lists the
/// cells of the matrix that this machine can run.
struct Setup {
  Setup(const char *program, bool useHalide);
  BatchOptions common;
  std::unique_ptr<halide::Generator> halide; ///< null: not wanted, or not built
  std::vector<Config> cells;
};

} // namespace kiln::conformance

#endif // KILN_TEST_CONFORMANCE_SETUP_H
