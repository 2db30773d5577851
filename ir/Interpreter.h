//===- Interpreter.h - the oracle ------------------------------*- C++ -*-===//
#ifndef KILN_IR_INTERPRETER_H
#define KILN_IR_INTERPRETER_H

#include "ir/Tensor.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <map>
#include <string>

namespace kiln::ir {

/// Sees an op's operands and its results, which it may change.
using AfterOp =
    llvm::function_ref<void(mlir::Operation *op, llvm::ArrayRef<const Tensor *> operands,
                            llvm::MutableArrayRef<Tensor> results)>;

/// The values of an instance's states by their names. One that is not there has its first value.
using States = std::map<std::string, Tensor, std::less<>>;

/// Runs a function of kiln ops on tensors, op by op, by each op's own definition: computed in f64
/// or exact integers, then rounded to the result's element type; `after` comes next. Where launches
/// carry `offsets` (after `plan`), values live in one byte arena at those places, in their element
/// types, and reading a byte that another value has overwritten is an error. `states` (null: of
/// this call alone) are read and changed. Fails with a diagnostic at the op concerned.
mlir::FailureOr<llvm::SmallVector<Tensor>> interpret(mlir::FunctionOpInterface function,
                                                     llvm::ArrayRef<Tensor> arguments,
                                                     AfterOp after = nullptr,
                                                     States *states = nullptr);

/// Values of the function's dimensions from its arguments' shapes; fails (diagnostic) if they
/// contradict each other, a bound or an entry check.
mlir::FailureOr<Evaluation> bindDimensions(mlir::FunctionOpInterface function,
                                           llvm::ArrayRef<Tensor> arguments);

/// Evaluates one op whose operands are given; results are rounded to their element types.
mlir::FailureOr<llvm::SmallVector<Tensor>> evaluateOp(mlir::Operation *op,
                                                      llvm::ArrayRef<const Tensor *> operands,
                                                      const Evaluation &evaluation);

/// The value of a weight from the context's store; fails with a diagnostic if it has none.
mlir::FailureOr<Tensor> weightValue(mlir::Operation *user, llvm::StringRef symbol);

} // namespace kiln::ir

#endif // KILN_IR_INTERPRETER_H
