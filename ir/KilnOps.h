//===- KilnOps.h - all op classes of the dialect ---------------*- C++ -*-===//
// Heavy: include it in sources only.
#ifndef KILN_IR_KILNOPS_H
#define KILN_IR_KILNOPS_H

#include "ir/KilnDialect.h"
#include "ir/ops/Sampling.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#define GET_OP_CLASSES
#include "ir/KilnOps.h.inc"

namespace kiln::ir {
/// Among the `offsets` of a loop: the carried value stays where its initial one, a state, lies.
inline constexpr int64_t placeOfInitial = INT64_MIN;

/// Whether what a round yields for carried value `index` is another carried one: its new value must
/// wait until the others have taken theirs.
inline bool waits(mlir::ValueRange carried, mlir::Value next, unsigned index) {
  return next != carried[index] && llvm::is_contained(carried, next);
}
} // namespace kiln::ir

#endif // KILN_IR_KILNOPS_H
