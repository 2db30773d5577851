//===- Optimise.h - LLVM's passes over the code of a kernel -----*- C++ -*-===//
#ifndef KILN_CODEGEN_LLVM_OPTIMISE_H
#define KILN_CODEGEN_LLVM_OPTIMISE_H

#include "llvm/IR/Module.h"
#include "llvm/Passes/OptimizationLevel.h"

namespace llvm {
class TargetMachine;
}

namespace kiln::codegen {

/// What LLVM does to loops. Its vectorisers have nothing to add to tiles.
struct LoopPasses {
  bool unrolls = false, vectorises = false;
};

/// LLVM's passes. The machine may be null.
void optimise(llvm::Module &module, llvm::TargetMachine *machine, llvm::OptimizationLevel level,
              LoopPasses loops);

} // namespace kiln::codegen

#endif // KILN_CODEGEN_LLVM_OPTIMISE_H
