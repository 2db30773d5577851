//===- Batch.h - cases compiled into one library ---------------*- C++ -*-===//
#ifndef KILN_TEST_CONFORMANCE_BATCH_H
#define KILN_TEST_CONFORMANCE_BATCH_H

#include "codegen/loader/Loader.h"
#include "ir/Sensitivity.h"
#include "ir/Tensor.h"
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
  bool isDevice() const { return target.starts_with("cuda:"); }
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
  std::string driver;    ///< libcuda.so.1 of the tests, for cells whose target is a GPU
  std::string exportDir; ///< if given, calls are written here and nothing is compiled
};

/// A call of an entry point: inputs, and what the interpreter makes of them as imported.
struct Call {
  std::string entry;
  Dims dims;
  std::vector<ir::Tensor> arguments;
  std::vector<ir::Tensor> results;                 ///< of the right types and shapes, zeros
  std::optional<std::vector<ir::Tensor>> expected; ///< absent: the interpreter refuses the call
  std::vector<ir::Allowed> allowed;                ///< of a program's results
  bool isSure = false;                             ///< `allowed` is by as many runs as settle it
};

/// Appends the call to DIR/OP.N.jsonl, N being the process: {"case", "op", "type", "members",
/// "dims", "arguments", "results"}, a tensor being {"type", "shape", "hex": its bytes}. Calls that
/// the interpreter refuses are left out. An error, or empty.
std::string exportCall(const std::string &dir, const Case &one, const Call &call);

/// Compiles the cases into one library, runs it and gives an outcome for each case, or one of kind
/// Whole.
void runBatch(llvm::ArrayRef<Case> cases, const BatchOptions &options,
              llvm::function_ref<void(const Outcome &)> give);

} // namespace kiln::conformance

#endif // KILN_TEST_CONFORMANCE_BATCH_H
