//===- Layers.h - the trained matrices and filters of a module -*- C++ -*-===//
#ifndef KILN_PASSES_COMPRESS_LAYERS_H
#define KILN_PASSES_COMPRESS_LAYERS_H

#include "ir/KilnOps.h"

#include <string>

namespace kiln::passes {

/// A weight of at least two dimensions, and the contractions, convolutions and takes of rows that
/// read it.
struct Layer {
  ir::WeightOp weight;
  std::string path; ///< without ".weight" and what folding added
  llvm::SmallVector<mlir::Operation *>
      readers; ///< the weight is their second operand, of a take the first
  /// Why it cannot be compressed; empty if it can. Then it is f32 with a value, only the readers
  /// read it, and the members below hold.
  std::string reason;
  bool isColumns = false;  ///< stored [K, N], not [N, K…]
  int64_t channelAxis = 0; ///< along which a product adds up: K, or the input channels
  const WeightView *view = nullptr;

  llvm::ArrayRef<int64_t> shape() const { return view->shape; }
  /// Output channels, and elements that one of them adds up.
  int64_t outputs() const { return isColumns ? shape()[1] : shape()[0]; }
  int64_t depth() const { return outputs() ? view->numElements() / outputs() : 0; }
  float at(int64_t i) const;
};

/// Whether a reader is a matrix product, or a convolution that is one of its pixels: of 1x1 filters
/// of all channels, with channels last, stride 1 and no padding.
bool isProduct(mlir::Operation *op);

/// In the order of the module's weights.
llvm::SmallVector<Layer> layersOf(mlir::ModuleOp module);

/// The layer's row of the ledger, with what is known before anything is done.
LedgerRow &ledgerRow(const Layer &layer);

/// Elements of the layer that went with its channels.
inline int64_t removed(const Layer &layer, const LedgerRow &row) {
  return row.elements - layer.view->numElements();
}

/// Right behind an activation, or at the start of a block further inside: all its readers in the
/// block come later.
mlir::OpBuilder behind(mlir::Value x, mlir::Block *block);

/// "12.3" with a few digits, for remarks.
std::string digits(double value);

/// A remark of category `compress` that the layer was changed, or why it was not; the latter goes
/// into the ledger too.
void remarkPassed(const Layer &layer, llvm::StringRef name, const llvm::Twine &text);
void remarkMissed(const Layer &layer, llvm::StringRef name, const llvm::Twine &text);

/// For the ledger: the module's dictionary `name` has the layer's error without and with a measure.
void addErrors(const Layer &layer, llvm::StringRef name, double without, double with);

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_LAYERS_H
