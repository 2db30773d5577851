//===- Sensitivity.h - how far errors of single ops carry -------*- C++ -*-===//
//
// A chain of ops amplifies the errors that each may make, without limit where a sum cancels or a
// comparison decides. The allowed error of its results is therefore found by trying: the
// interpreter runs the chain several times with every op's result moved by that op's tolerance
// (Monte Carlo arithmetic: Parker 1997, "Monte Carlo Arithmetic", UCLA CSD-970002).
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_SENSITIVITY_H
#define KILN_IR_SENSITIVITY_H

#include "ir/Interpreter.h"
#include "ir/Tensor.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

#include <vector>

namespace kiln::ir {

/// The allowed error of each element of one result; infinite where nothing can be said, which for
/// an integer means that its value is not decided.
using Allowed = std::vector<double>;

/// The states of one instance in each of the runs that find the errors, as many as there are of
/// these.
using ErrorStates = std::vector<States>;
inline constexpr unsigned numErrorRuns = 10;
/// Runs that settle whether a result is wrong that the few above do not allow: where a chain is
/// chaotic, few of its errors carry far.
inline constexpr unsigned numSureRuns = 110;

/// The allowed errors of all results of a call that gave `expected`; `states` are read and changed.
std::vector<Allowed> allowedErrors(mlir::FunctionOpInterface function,
                                   llvm::ArrayRef<Tensor> arguments,
                                   llvm::ArrayRef<Tensor> expected, ErrorStates &states);

/// The same of a call whose states are at their start, by enough runs to settle it.
std::vector<Allowed> surelyAllowedErrors(mlir::FunctionOpInterface function,
                                         llvm::ArrayRef<Tensor> arguments,
                                         llvm::ArrayRef<Tensor> expected);

/// Whether an element is within its allowed error.
bool isWithin(const Tensor &expected, const Tensor &got, int64_t element, const Allowed &allowed);

} // namespace kiln::ir

#endif // KILN_IR_SENSITIVITY_H
