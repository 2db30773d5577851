//===- Forms.h - how long products with weights in few bits take -*- C++ -*-===//
#ifndef KILN_PASSES_CHOOSE_FORMS_H
#define KILN_PASSES_CHOOSE_FORMS_H

#include "passes/choose/Weights.h"

#include "ir/target/Measured.h"
#include "ir/target/Target.h"

#include <optional>
#include <string>

namespace kiln::passes {

/// A product whose kernel widens its weight, beside the same product of f32, in microseconds of one
/// thread of LLVM's code.
struct FormEstimate {
  std::string form; ///< "int4"
  double time, timeF32;
  double bytes, bytesF32; ///< of the weight
};

/// Nothing of other kernels, and where nothing was measured on a like target.
std::optional<FormEstimate> estimateForm(mlir::Operation *anchor, const target::KernelShape &shape,
                                         const target::Target &facts, const Launches &launches);

} // namespace kiln::passes

#endif // KILN_PASSES_CHOOSE_FORMS_H
