//===- FromModule.h - planned IR to a Program ------------------*- C++ -*-===//
#ifndef KILN_CODEGEN_HOST_FROMMODULE_H
#define KILN_CODEGEN_HOST_FROMMODULE_H

#include "codegen/host/Program.h"
#include "codegen/spec/KernelSpec.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

namespace kiln::host {

/// A kernel of the module: what it computes and the symbol it is generated under.
struct KernelEntry {
  spec::KernelSpec spec;
  std::string symbol;
};

/// Reads a module after `plan`: every function is an entry point. `kernels` is keyed by the name of
/// the kiln.kernel. Scratch operands of all launches share one range behind the arena. Results that
/// no launch writes (an argument or weight returned as it is) become copies. Fails
/// with a diagnostic if an op is left that is no launch.
mlir::FailureOr<Program> fromModule(mlir::ModuleOp module,
                                    const llvm::StringMap<KernelEntry> &kernels,
                                    llvm::StringRef version);

/// Whether the names of the model, its entry points and their dimensions can stand in a C header;
/// an error at the place of one that cannot.
llvm::LogicalResult checkNames(mlir::ModuleOp module);

/// "Resnet50" to "resnet50", "BertBase" to "bert_base".
std::string snakeCase(llvm::StringRef name);

} // namespace kiln::host

#endif // KILN_CODEGEN_HOST_FROMMODULE_H
