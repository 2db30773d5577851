//===- Batch.h - cases compiled into one library ---------------*- C++ -*-===//
#ifndef KILN_TEST_CONFORMANCE_BATCH_H
#define KILN_TEST_CONFORMANCE_BATCH_H

#include "codegen/loader/Loader.h"
#include "passes/Options.h"
#include "test/conformance/Case.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace kiln::conformance {

/// One cell of the matrix. Both thread counts are always run.
struct Config {
  int optLevel;
  bool halide;
  std::string target;
  std::string str() const;
};

struct Outcome {
  enum Kind : char { Passed = 'P', Failed = 'F', Refused = 'R', Whole = 'B' } kind;
  unsigned id = 0;  ///< of the case; none for Whole: the batch as such fails
  std::string text; ///< stage, class and what is seen
};

struct BatchOptions {
  Config config;
  uint64_t seed = 0;
  std::string stdDir;
  const halide::Generator *halide = nullptr;
};

/// Compiles the cases into one library, runs it and gives an outcome for each case, or one of kind
/// Whole.
void runBatch(llvm::ArrayRef<Case> cases, const BatchOptions &options,
              llvm::function_ref<void(const Outcome &)> give);

} // namespace kiln::conformance

#endif // KILN_TEST_CONFORMANCE_BATCH_H
