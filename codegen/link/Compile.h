//===- Compile.h - one LLVM module of a library to an object ----*- C++ -*-===//
#ifndef KILN_CODEGEN_LINK_COMPILE_H
#define KILN_CODEGEN_LINK_COMPILE_H

#include "codegen/link/Link.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

namespace kiln::link {

/// The machine that libraries are compiled for: baseline x86-64 Linux, position-independent.
/// Functions for other processors carry target attributes.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> makeTargetMachine();

/// Links kernels and the runtime into the host module, makes all but the exported symbols internal,
/// and checks that nothing is left undefined but Libc.def and weights.
llvm::Error merge(llvm::Module &host, const LibraryInputs &inputs,
                  const llvm::TargetMachine &machine, llvm::ArrayRef<std::string> exports);

/// Cleans up the host's own code and generates the object. Kernels and the runtime come optimised
/// and are left alone.
void emitObject(llvm::Module &module, llvm::TargetMachine &machine, llvm::raw_pwrite_stream &os);

} // namespace kiln::link

#endif // KILN_CODEGEN_LINK_COMPILE_H
