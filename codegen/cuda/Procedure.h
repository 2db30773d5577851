//===- Procedure.h - kernels whose code is written -------------*- C++ -*-===//
//
// A procedure is a few grids, in each of which threads take turns at points. Their code is that of
// codegen/procedures, made when Kiln was built.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_CUDA_PROCEDURE_H
#define KILN_CODEGEN_CUDA_PROCEDURE_H

#include "codegen/cuda/Generate.h"

namespace kiln::cuda {

struct ProcedurePlan {
  struct Grid {
    std::string function; ///< in the code of procedures
    DimExpr points;       ///< at which threads take turns
    DimExpr blocks;
  };
  std::vector<Grid> grids;
  std::vector<DimExpr> scratchBytes; ///< behind the spec's operands
  std::string missed;                ///< what makes it slow; empty if nothing does
};

/// The plan of a well-formed spec that is a procedure.
ProcedurePlan planProcedure(const spec::KernelSpec &spec);
std::string print(const ProcedurePlan &plan);

/// The entry points of the plan's grids, not yet optimised, with what they call.
llvm::Expected<std::unique_ptr<llvm::Module>>
emitProcedure(const spec::KernelSpec &spec, const ProcedurePlan &plan,
              const std::vector<DeviceLaunch> &launches, llvm::LLVMContext &context);

} // namespace kiln::cuda

#endif // KILN_CODEGEN_CUDA_PROCEDURE_H
