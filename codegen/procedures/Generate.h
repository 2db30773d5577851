//===- Generate.h - procedures as bitcode of kernels -----------*- C++ -*-===//
#ifndef KILN_CODEGEN_PROCEDURES_GENERATE_H
#define KILN_CODEGEN_PROCEDURES_GENERATE_H

#include "codegen/llvm/Generate.h"

namespace kiln::codegen {

/// The kernel of a spec that is a procedure: its code, made when Kiln was built, for the spec's
/// element type and constants. It calls kiln_parallel_for and what Libc.def allows. Equal arguments
/// give equal bytes. Thread-safe.
llvm::Expected<GeneratedKernel>
generateProcedure(const spec::KernelSpec &spec, const TargetFacts &target, llvm::StringRef symbol);

} // namespace kiln::codegen

#endif // KILN_CODEGEN_PROCEDURES_GENERATE_H
