//===- PruneChannels.h - channels that a recipe leaves out -----*- C++ -*-===//
#ifndef KILN_PASSES_COMPRESS_PRUNECHANNELS_H
#define KILN_PASSES_COMPRESS_PRUNECHANNELS_H

#include "passes/compress/Layers.h"
#include "passes/compress/Rules.h"

namespace kiln::passes {

/// Leaves out the channels of least norm of the layers whose rule is `channels`, in all tensors and
/// weights that have them. Weights change; what was read from them before is no longer valid.
void pruneChannels(mlir::ModuleOp module, llvm::MutableArrayRef<Layer> layers,
                   llvm::ArrayRef<Rule> rules);

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_PRUNECHANNELS_H
