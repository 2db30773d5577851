//===- Recipe.h - what a model wants compressed ----------------*- C++ -*-===//
#ifndef KILN_FRONTEND_ELABORATE_RECIPE_H
#define KILN_FRONTEND_ELABORATE_RECIPE_H

#include "frontend/syntax/Modules.h"

#include "mlir/IR/BuiltinOps.h"

namespace kiln {

/// Checks the statements of all recipes that were read. With `wanted`, the name of a recipe of the
/// file or a file that holds one, writes its rules to the module's `kiln.compress`; what they say
/// is checked by the passes that apply them. False exactly if errors were reported.
bool applyRecipe(Modules &modules, const Module &file, llvm::StringRef wanted,
                 const ast::LayerDecl &model, mlir::ModuleOp module, Diagnostics &diags);

} // namespace kiln

#endif // KILN_FRONTEND_ELABORATE_RECIPE_H
