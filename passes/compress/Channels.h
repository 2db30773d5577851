//===- Channels.h - which channels of a module go together -----*- C++ -*-===//
#ifndef KILN_PASSES_COMPRESS_CHANNELS_H
#define KILN_PASSES_COMPRESS_CHANNELS_H

#include "ir/KilnOps.h"

#include <string>
#include <vector>

namespace kiln::passes {

/// The positions along one axis of a tensor, numbered from `first`; -1 for an extent that is no
/// number.
struct Axis {
  int64_t first = -1, extent = 0;
  bool isKnown() const { return first >= 0; }
};

/// Numbers every position along every axis of the module's values and weights, and ties those that
/// can only be left out together: what is left out of a product's outputs is left out of all that
/// is computed from them, up to the products that add them up. What cannot be left out has a
/// reason.
class Channels {
public:
  explicit Channels(mlir::ModuleOp module);

  Axis axis(mlir::Value value, unsigned number) const;
  Axis axis(ir::WeightOp weight, unsigned number) const;
  /// The number that stands for all that are tied to this one.
  int64_t find(int64_t position) const;
  bool isFixed(int64_t position) const { return reasonOf[find(position)] != 0; }
  /// Why it stays; empty if it need not.
  llvm::StringRef reason(int64_t position) const { return reasons[reasonOf[find(position)]]; }
  void fix(Axis axis, const llvm::Twine &reason);

private:
  /// A reshape between one axis and several; which of those the channels are along is decided when
  /// all else is known.
  struct Factors {
    Axis whole;
    llvm::SmallVector<Axis> parts;
  };

  void number(const void *tensor, mlir::Type type);
  void tie(int64_t a, int64_t b);
  void tie(Axis a, Axis b);
  /// All axes, one by one.
  void tieAll(mlir::Value a, mlir::Value b);
  void fixAll(mlir::Value value, const llvm::Twine &reason);
  void visit(mlir::Operation *op);
  void visitOther(mlir::Operation *op);
  void visitConvolution(mlir::Operation *op, int64_t groups, bool channelsLast);
  void visitWindow(mlir::Operation *op, bool channelsLast);
  void visitMatmul(ir::MatmulOp op);
  void visitReduction(mlir::Operation *op, llvm::ArrayRef<int64_t> axes, bool keepdims);
  void visitBroadcast(ir::BroadcastToOp op);
  void visitReshape(ir::ReshapeOp op);
  void visitConcat(ir::ConcatOp op);
  void visitSlice(ir::SliceOp op);
  void visitPad(ir::PadOp op);
  void visitTake(ir::TakeOp op);
  void tieSegment(mlir::Value x, llvm::ArrayRef<unsigned> from, mlir::Value y,
                  llvm::ArrayRef<unsigned> to);
  void decide(const Factors &factors);

  llvm::DenseMap<const void *, llvm::SmallVector<Axis, 4>> axes;
  mutable std::vector<int64_t> parents;
  std::vector<uint32_t> reasonOf;
  std::vector<std::string> reasons = {""};
  std::vector<Factors> deferred;
};

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_CHANNELS_H
