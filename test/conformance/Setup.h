//===- Setup.h - what a program of tests needs of the build -----*- C++ -*-===//
#ifndef KILN_TEST_CONFORMANCE_SETUP_H
#define KILN_TEST_CONFORMANCE_SETUP_H

#include "test/conformance/Batch.h"

namespace kiln::conformance {

/// Finds the standard library, the Halide generator and the driver of the tests beside the running
/// program, and lists the cells of the matrix that this machine can run: those of its processor or,
/// `emulatesCUDA`, of a GPU that the driver emulates.
struct Setup {
  Setup(const char *program, bool useHalide, bool emulatesCUDA);
  BatchOptions common;
  std::unique_ptr<halide::Generator> halide; ///< null: not wanted, or not built
  std::vector<Config> cells;
};

} // namespace kiln::conformance

#endif // KILN_TEST_CONFORMANCE_SETUP_H
