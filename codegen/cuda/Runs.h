//===- Runs.h - neighbours that steps of a sum read ------------*- C++ -*-===//
//
// Which operands a contraction reads by neighbours along its steps, so that a member of a team can
// load those of several steps at once.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_CUDA_RUNS_H
#define KILN_CODEGEN_CUDA_RUNS_H

#include "codegen/spec/KernelSpec.h"

namespace kiln::cuda {

/// Reads of one operand that are all of `width` neighbours at a step, the next step's behind them.
struct Run {
  std::vector<std::pair<const spec::Expr *, int64_t>> reads; ///< each and its place among them
  const spec::Expr *first = nullptr;                         ///< that of place 0
  int64_t width = 1;

  DType type() const { return first->type; }
  int64_t bytes() const { return width * byteSize(type()); } ///< of a step
};

/// The runs of a sum of products over one dimension, or over two of which the inner has a known
/// extent: its steps are the points of both, row-major. What moves along the steps otherwise has
/// coordinates that are computed, or stays the same in all steps of the inner dimension. Nothing
/// where anything else does.
std::vector<Run> runsOf(const spec::KernelSpec &spec, const spec::Stage &stage);

/// How many steps a member of so many takes at a time, of `most` at most in all: so many that each
/// run is loaded by 16 bytes, or fewer, so that each member has some. 1 without runs.
int64_t stepsTogether(const std::vector<Run> &runs, const spec::Stage &stage, int64_t most,
                      int members);

} // namespace kiln::cuda

#endif // KILN_CODEGEN_CUDA_RUNS_H
