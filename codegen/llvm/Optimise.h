//===- Optimise.h - LLVM's passes over the code of a kernel -----*- C++ -*-===//
#ifndef KILN_CODEGEN_LLVM_OPTIMISE_H
#define KILN_CODEGEN_LLVM_OPTIMISE_H

#include "llvm/IR/Module.h"
#include "llvm/Passes/OptimizationLevel.h"

namespace llvm {
class TargetMachine;
}

namespace kiln::codegen {

/// LLVM's passes without its vectorisers, which have nothing to add to the tiles, and, unless
/// `unrolls`, without its unroller. The machine may be null.
void optimise(llvm::Module &module, llvm::TargetMachine *machine, llvm::OptimizationLevel level,
              bool unrolls);

} // namespace kiln::codegen

#endif // KILN_CODEGEN_LLVM_OPTIMISE_H
