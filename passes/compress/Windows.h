//===- Windows.h - the rows that a filter is multiplied by -----*- C++ -*-===//
#ifndef KILN_PASSES_COMPRESS_WINDOWS_H
#define KILN_PASSES_COMPRESS_WINDOWS_H

#include "ir/KilnOps.h"
#include "ir/Tensor.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace kiln::passes {

/// Whether the reader of a layer multiplies all outputs by the same rows: a matrix product, or a
/// convolution of all channels whose padding is a number.
bool multipliesRows(mlir::Operation *op);

/// Whether those rows are what the reader's input has along its last dimension: of a matrix
/// product, and of 1x1 filters with channels last, of any stride and padding.
bool multipliesPixels(mlir::Operation *op);

/// Calls `add` with the rows of such a reader, some at a time, for its input and result as they
/// were in a call. Of a convolution there is one for each place of the result: what the filter
/// covers there, zeros of the border too, in the order of the filter's elements.
void forRows(mlir::Operation *op, const ir::Tensor &x, const ir::Tensor &result,
             llvm::function_ref<void(llvm::ArrayRef<double>)> add);

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_WINDOWS_H
