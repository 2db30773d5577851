//===- Generate.h - all kernels of a module --------------------*- C++ -*-===//
#ifndef KILN_CODEGEN_GENERATE_H
#define KILN_CODEGEN_GENERATE_H

#include "codegen/host/FromModule.h"
#include "codegen/link/Link.h"
#include "ir/target/Target.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <functional>

namespace kiln::halide {
class Generator;
}

namespace kiln::codegen {

struct GenerateOptions {
  std::vector<const target::Target *> targets; ///< in the order of ir/target
  int optLevel = 2;
  const halide::Generator *halide = nullptr; ///< absent: LLVM generates everything
  unsigned jobs = 1;
  std::string cacheFolder;                                   ///< empty: no cache
  bool cubins = false;                                       ///< beside PTX, where ptxas is at hand
  std::function<void(unsigned done, unsigned all)> progress; ///< called from one thread at a time
};

/// Lowers every kiln.kernel to its spec; the symbol is "kiln_" and the spec's hash. Fails with a
/// diagnostic at the kernel.
mlir::FailureOr<llvm::StringMap<host::KernelEntry>> lowerKernels(mlir::ModuleOp module);

/// Generates every distinct kernel for every target, in parallel, through the cache. The generator
/// is the one that `choose` wrote on the kernel; a spec that Halide has no template for, or fails
/// at in any way, is LLVM's, with a missed remark at the kernel. `generators` gets the names of
/// those used, for the library's version; ptxas is among them, with its own, if there are cubins.
llvm::Expected<std::vector<link::TargetKernels>>
generateKernels(mlir::ModuleOp module, const llvm::StringMap<host::KernelEntry> &kernels,
                const GenerateOptions &options, std::string &generators);

} // namespace kiln::codegen

#endif // KILN_CODEGEN_GENERATE_H
