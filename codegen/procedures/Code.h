//===- Code.h - the code of procedures as it was built ---------*- C++ -*-===//
#ifndef KILN_CODEGEN_PROCEDURES_CODE_H
#define KILN_CODEGEN_PROCEDURES_CODE_H

#include "codegen/spec/KernelSpec.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

namespace kiln::codegen {

/// All functions of procedures, for processors or for GPUs.
llvm::Expected<std::unique_ptr<llvm::Module>> loadProcedures(bool forDevice,
                                                             llvm::LLVMContext &context);

/// The name of the function that a spec's procedure is.
std::string functionOf(const spec::KernelSpec &spec);

/// A procedure's constants, in the order of its function's parameters.
std::vector<int64_t> constantsOf(const spec::Procedure &procedure);

} // namespace kiln::codegen

#endif // KILN_CODEGEN_PROCEDURES_CODE_H
