//===- Pipeline.h - the default order of passes ----------------*- C++ -*-===//
#ifndef KILN_PASSES_PIPELINE_H
#define KILN_PASSES_PIPELINE_H

#include "passes/Options.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringRef.h"

namespace kiln {

/// A stage's row in Stages.def.
struct Stage {
  llvm::StringRef name, exactness, sentence;
};
llvm::ArrayRef<Stage> stages();

/// Adds the passes of one stage (simplify … plan) at the options' level; nothing for a stage
/// without passes.
void addStage(mlir::PassManager &manager, llvm::StringRef stage, const Options &options);

/// Applies Options::fix and Options::max to the entry points. Fails with a diagnostic if a name is
/// not a dimension or a size is outside of its bounds.
llvm::LogicalResult applyDimensions(mlir::ModuleOp module, const Options &options);

/// Adds the rules of Options::quantize, Options::prune and Options::requireError behind those of
/// the module's recipe (`kiln.compress`, see compress/Rules.h).
void addRules(mlir::ModuleOp module, const Options &options);

/// Registers every pass, and each stage as a pipeline `kiln-stage-NAME`.
void registerPasses();

} // namespace kiln

#endif // KILN_PASSES_PIPELINE_H
