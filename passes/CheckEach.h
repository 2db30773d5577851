//===- CheckEach.h - the interpreter between passes ------------*- C++ -*-===//
#ifndef KILN_PASSES_CHECKEACH_H
#define KILN_PASSES_CHECKEACH_H

#include "ir/Tensor.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Pass/PassInstrumentation.h"

#include <memory>

namespace kiln {

/// Largest error of a result against the interpreter's, relative to its largest element, that other
/// orders of summation explain; 0 for integers.
double tolerance(DType type);

/// Calls every public function by the interpreter, with random arguments at a few sizes, and
/// compares what it gives before and after the module was changed. Equal seeds give equal calls.
class CheckEach {
public:
  /// Makes calls of the module's functions and keeps their results. Null, after an error, if none
  /// of the sizes that were tried is legal for a function.
  static std::unique_ptr<CheckEach> start(mlir::ModuleOp module);

  /// Compares. Fails with an error at the function, which names `stage`, the sizes and the element.
  llvm::LogicalResult compare(mlir::ModuleOp module, llvm::StringRef stage) const;

  /// From now on what the interpreter gives for this module is right.
  llvm::LogicalResult rebase(mlir::ModuleOp module);

  /// A call and what the interpreter gave.
  struct Call {
    std::string function;
    llvm::SmallVector<ir::Tensor> arguments, results;
    /// " (arguments of shape [3, 4], [4])"; empty without arguments.
    std::string sizes() const;
  };
  llvm::ArrayRef<Call> getCalls() const { return calls; }
  /// Makes one more call, with these arguments. Fails if the interpreter refuses it.
  llvm::LogicalResult add(mlir::FunctionOpInterface function,
                          llvm::SmallVector<ir::Tensor> arguments);

  /// Compares the results of a call, `function` being any form of what was called: which differs,
  /// and where, as text; empty if none does. By the types' tolerances; where these do not
  /// hold, by how far errors of its ops carry (ir/Sensitivity.h), since positions and steps of
  /// quantisation amplify them.
  static std::string difference(mlir::FunctionOpInterface function, const Call &call,
                                llvm::ArrayRef<ir::Tensor> results);

private:
  std::vector<Call> calls;
};

/// The same around every pass of a pass manager on modules. `failed` is set at the first
/// difference.
std::unique_ptr<mlir::PassInstrumentation> checkEachPass(bool &failed);

} // namespace kiln

#endif // KILN_PASSES_CHECKEACH_H
