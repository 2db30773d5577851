//===- Weights.h - which operand of a kernel is a trained weight ---*- C++ -*-===//
#ifndef KILN_PASSES_CHOOSE_WEIGHTS_H
#define KILN_PASSES_CHOOSE_WEIGHTS_H

#include "ir/KilnOps.h"

#include "llvm/ADT/DenseMap.h"

namespace kiln::passes {

/// Columns that lie side by side in a packed weight.
inline constexpr int64_t panelWidth = 16;

/// The launches of each kernel of a module.
using Launches = llvm::DenseMap<mlir::StringAttr, llvm::SmallVector<ir::LaunchOp>>;
Launches launchesOf(mlir::ModuleOp module);

/// The op of a kernel that is no pointwise op, movement or constant; null if there is none.
mlir::Operation *anchorOf(ir::KernelOp kernel);
/// Whether there is more than one.
bool hasFurtherAnchor(ir::KernelOp kernel);

/// Neighbours along the sum that one instruction multiplies: 4 where the anchor sums products of
/// bytes as i32, else 1.
int64_t groupOf(mlir::Operation *anchor);

/// Whether the anchor is a product whose second operand is [K, N].
bool hasColumns(mlir::Operation *anchor);

/// The kernel's argument that is the second factor of a product or a convolution, if it is f32,
/// widened to it by a cast or dequantize of the kernel, or bytes of which groupOf() are multiplied
/// at once, read only there, and a trained tensor with a value at every launch. If not, nothing and
/// the reason.
mlir::BlockArgument weightOf(mlir::Operation *anchor, const Launches &launches,
                             std::string &reason);

/// The kernel's argument that is the weight of a convolution, if it is f32, has sizes that are
/// known, is read only there and computed at run time by a launch or given by the caller.
mlir::BlockArgument computedWeightOf(mlir::Operation *anchor, const Launches &launches);

/// Whether the kernel's argument is a trained tensor with a value at every launch, of which no
/// element is NaN and each is below the bound in magnitude.
bool areBelow(mlir::BlockArgument argument, const Launches &launches, double bound);

/// Marks each dequantize of a kernel whose scales are known and finite (`kiln.finite`): such a
/// factor may multiply a whole sum of products instead of each of them.
void markScales(mlir::ModuleOp module, const Launches &launches);

/// Bytes that one processor may count on in the last cache.
inline constexpr int64_t residentBytes = 16 << 20;

/// Of the weights that are read in the loop around a launch, or in its function, each once.
int64_t weightBytesAround(ir::LaunchOp launch);

/// Marks `linear` kernels that are launched only where the weights of the loop, or of the function
/// if there is none, are so small together that they come from the last cache each time but the
/// first: there to fetch them ahead costs more than to wait.
void markResident(mlir::ModuleOp module, const Launches &launches);

} // namespace kiln::passes

#endif // KILN_PASSES_CHOOSE_WEIGHTS_H
