//===- Import.h - from a model file to the dialect --------------*- C++ -*-===//
#ifndef KILN_FRONTEND_IMPORT_H
#define KILN_FRONTEND_IMPORT_H

#include "frontend/syntax/Diagnostics.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace kiln {

struct ImportOptions {
  std::string modelName;                                 ///< empty: the only model of the file
  std::vector<std::pair<std::string, std::string>> sets; ///< arguments of the model: name, text
  std::string stdDir;                                    ///< folder of the standard modules
  std::string recipe = "";                               ///< its name, or a file with one
};

/// Compiles a model of a file to a module of the kiln dialect: one func.func per public function,
/// one kiln.weight per parameter (without bytes). All files read are checked as a whole. Null
/// exactly if errors were reported.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, Diagnostics &diags,
                                              llvm::StringRef path, const ImportOptions &options);

} // namespace kiln

#endif // KILN_FRONTEND_IMPORT_H
