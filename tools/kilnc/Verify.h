//===- Verify.h - a built library against the interpreter ------*- C++ -*-===//
#ifndef KILN_TOOLS_KILNC_VERIFY_H
#define KILN_TOOLS_KILNC_VERIFY_H

#include "passes/CheckEach.h"

#include "llvm/Support/Error.h"

#include <string>

namespace kiln {

/// Calls of the module's entry points by the tensors of a file (.npz, .safetensors …), named as the
/// arguments. Where an argument's first extent is a number and the file holds a multiple, one call
/// for each part. An error if they are no entry point's arguments.
using Arguments = llvm::SmallVector<ir::Tensor>;
llvm::Expected<std::vector<std::pair<mlir::FunctionOpInterface, Arguments>>>
argumentsOf(mlir::ModuleOp module, llvm::StringRef inputs);

/// What the interpreter says of a call of the function, with the line if that is inside of it.
std::string complaintOf(const mlir::Diagnostic &diagnostic, mlir::FunctionOpInterface function);

/// Calls of the module's entry points with the tensors of a file (.npz, .safetensors …) as
/// arguments by name, and what the interpreter gives. An error if they are no entry point's
/// arguments. `beforeCall` is told which call of how many comes.
llvm::Expected<std::unique_ptr<CheckEach>>
callsOf(mlir::ModuleOp module, llvm::StringRef inputs,
        llvm::function_ref<void(size_t, size_t)> beforeCall = {});

/// Loads the library in a process of its own and makes the calls, on one and on two threads. An
/// error that names entry point, sizes and element if a result differs (CheckEach::difference, with
/// `module` as it was compiled) or by the number of threads, or if the library crashes or does not
/// return; std::errc::no_such_device if nothing here runs it.
llvm::Error verifyLibrary(llvm::StringRef path, const CheckEach &calls, mlir::ModuleOp module);

/// The norm of the difference over that of the reference, of the worst result. Infinite where
/// shapes differ, or one has NaN or an infinity and the other has not.
double relativeError(llvm::ArrayRef<ir::Tensor> reference, llvm::ArrayRef<ir::Tensor> results);

/// The same for the error of the library's results against those of `data`, which is below `limit`.
llvm::Error verifyBudget(llvm::StringRef path, const CheckEach &data, double limit);

} // namespace kiln

#endif // KILN_TOOLS_KILNC_VERIFY_H
