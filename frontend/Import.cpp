//===- Import.cpp - from a model file to the dialect ----------------------===//
#include "frontend/Import.h"

#include "frontend/elaborate/Elaborator.h"
#include "frontend/elaborate/Recipe.h"
#include "frontend/elaborate/Sema.h"
#include "ir/KilnDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace llvm;
using namespace kiln;

/// The model of that name, or the only one of the file.
static const ast::LayerDecl *chooseModel(const Module &module, StringRef wanted,
                                         Diagnostics &diags) {
  SmallVector<const ast::LayerDecl *> models;
  for (const ast::Stmt *decl : module.file.decls)
    if (auto *layer = dyn_cast<ast::LayerDecl>(decl); layer && layer->isModel)
      models.push_back(layer);
  SmallVector<StringRef> names =
      map_to_vector(models, [](auto *model) { return model->name.text; });
  if (wanted.empty() && models.size() == 1)
    return models[0];
  if (auto *found = find(names, wanted); !wanted.empty() && found != names.end())
    return models[found - names.begin()];
  std::string file = inQuotes(module.path);
  Diagnostics::Error &error =
      models.empty() ? diags.error(SMRange(), DiagCode::ModelChoice, file + " has no model")
      : wanted.empty()
          ? diags.error(SMRange(), DiagCode::ModelChoice,
                        file + " has " + Twine(models.size()) + " models; choose one by '--model'")
          : diags.error(SMRange(), DiagCode::ModelChoice,
                        file + " has no model " + inQuotes(wanted) + didYouMean(wanted, names));
  for (const ast::LayerDecl *model : models)
    error.note(model->name.range, "here is " + inQuotes(model->name.text));
  return nullptr;
}

/// What nothing reads is not computed, whatever is optimised later: its indices are not looked at.
static void eraseUnread(mlir::ModuleOp module) {
  mlir::IRRewriter rewriter(module.getContext());
  for (auto function : module.getOps<mlir::func::FuncOp>())
    (void)mlir::runRegionDCE(rewriter, function->getRegions());
}

mlir::OwningOpRef<mlir::ModuleOp> kiln::importModel(mlir::MLIRContext &context, Diagnostics &diags,
                                                    StringRef path, const ImportOptions &options) {
  context.loadDialect<ir::KilnDialect, mlir::func::FuncDialect>();
  Modules modules(diags, options.stdDir);
  const Module *module = modules.load(path);
  PrimitiveTable primitives(context);
  if (!module || diags.hasErrors())
    return nullptr;
  resolveNames(modules, primitives, diags);
  if (diags.hasErrors())
    return nullptr;
  const ast::LayerDecl *model = chooseModel(*module, options.modelName, diags);
  if (!model)
    return nullptr;
  mlir::OwningOpRef<mlir::ModuleOp> result =
      Elaborator(context, diags, modules, primitives).run(model, *module, options);
  if (!result || !applyRecipe(modules, *module, options.recipe, *model, *result, diags))
    return nullptr;
  eraseUnread(*result);
  return result;
}
