//===- Requirements.h - requirements of ops and functions ------*- C++ -*-===//
#ifndef KILN_IR_REQUIREMENTS_H
#define KILN_IR_REQUIREMENTS_H

#include "ir/KilnDialect.h"
#include "ir/Tensor.h"

#include "mlir/IR/Operation.h"

namespace kiln::ir {

/// What must hold for the op to be defined: its own requirements (interface Requiring), and that no
/// extent of a result is negative. Subjects begin with the op's name.
llvm::SmallVector<Requirement> requirementsOf(mlir::Operation *op);
/// The requirement as it is where something in the block needs it: under the conditions over
/// dimensions by which the block is reached. The subject says so if values decide on a branch.
Requirement requirementWithin(Requirement requirement, mlir::Block *block);

/// Whether its branch is taken; true where that is not known.
bool isNeeded(const Requirement &requirement, const Evaluation &evaluation);

/// Whether the op and all in it are defined under what is known, wherever it stands.
bool isAlwaysDefined(mlir::Operation *op, const Requirements &known);

/// What every call of the function meets: its bounds, and the checks without a condition.
Requirements knownOfCalls(mlir::FunctionOpInterface function);

/// The elements of the function's `kiln.requires`.
llvm::SmallVector<RequirementAttr> declaredRequirements(mlir::Operation *function);
/// Replaces them; no attribute for none.
void setRequirements(mlir::Operation *function, llvm::ArrayRef<RequirementAttr> requirements);

/// Adds what the ops in the function require and neither the bounds nor what is there proves. Fails
/// with an error at the op whose requirement no call within the bounds can meet; where only several
/// together cannot be met, every call is refused.
llvm::LogicalResult collectRequirements(mlir::Operation *function);

} // namespace kiln::ir

#endif // KILN_IR_REQUIREMENTS_H
