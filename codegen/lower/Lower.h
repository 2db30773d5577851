//===- Lower.h - from kernels in the dialect to kernel specs ---*- C++ -*-===//
#ifndef KILN_CODEGEN_LOWER_LOWER_H
#define KILN_CODEGEN_LOWER_LOWER_H

#include "codegen/spec/KernelSpec.h"

#include "llvm/Support/LogicalResult.h"

namespace kiln::ir {
class KernelOp;
}

namespace kiln::lower {

/// States what a `kiln.kernel` computes. Operands are `in0 …` (the kernel's arguments in order),
/// then `out0 …` (its results); symbols are the names in its `kiln.dims`, in the dictionary's
/// order. Attributes read: of arguments and results `kiln.align` (bytes; default: the element's
/// size), of arguments `kiln.panel` (the logical shape of a packed weight), of the kernel
/// `kiln.template` and `kiln.tile`. The spec is verified. On failure an error stands at the op that
/// has no lowering.
llvm::FailureOr<spec::KernelSpec> lowerKernel(ir::KernelOp kernel);

} // namespace kiln::lower

#endif // KILN_CODEGEN_LOWER_LOWER_H
