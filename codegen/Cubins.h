//===- Cubins.h - machine code for GPUs beside their PTX --------*- C++ -*-===//
//
// Libraries hold PTX, which the driver compiles when an instance is created. Where NVIDIA's ptxas
// is at hand when a library is made, its machine code comes beside: it runs on the chip and, unless
// that is exact, on those of the same major and a later minor number.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_CUBINS_H
#define KILN_CODEGEN_CUBINS_H

#include "codegen/Generate.h"

namespace kiln::codegen {

/// Adds machine code to the code of each device (null: no device), by target, in parallel and
/// through the cache; a remark says of each whether it has any. Gives "ptxas 13.0.88" if one has,
/// else an empty text. With that version, equal PTX gives equal code.
std::string addCubins(mlir::ModuleOp module, const GenerateOptions &options,
                      llvm::ArrayRef<std::shared_ptr<host::DeviceCode>> codes);

} // namespace kiln::codegen

#endif // KILN_CODEGEN_CUBINS_H
