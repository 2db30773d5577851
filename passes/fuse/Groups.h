//===- Groups.h - which ops become one kernel ------------------*- C++ -*-===//
#ifndef KILN_PASSES_FUSE_GROUPS_H
#define KILN_PASSES_FUSE_GROUPS_H

#include "ir/KilnOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <memory>
#include <vector>

namespace kiln::passes {

/// Ops of one kernel, in program order; the last one's results are the only ones used elsewhere.
struct Group {
  std::vector<mlir::Operation *> ops;
  mlir::Operation *anchor = nullptr; ///< contraction, convolution, window or row-wise op, if any

  /// Of all ops but procedures, which stand alone, there is one.
  mlir::ResultRange results() const { return ops.back()->getResults(); }
  mlir::Value result() const { return ops.back()->getResult(0); }
};

/// Role of an op; Opaque if it has none.
ir::FusionRole roleOf(mlir::Operation *op);
/// Constants, broadcasts and slices of whole vectors: each kernel that reads one contains its own.
bool isFree(mlir::Operation *op);

/// Gives each reader its own copy of an op that is one step from what is in memory anyway.
void recompute(mlir::Block &block);
/// Rewrites attention for GPUs: heads that share keys become a dimension of their own, and factors
/// are widened last, behind what moves them, so that its kernel reads the narrow ones.
void prepareAttention(mlir::func::FuncOp function);
/// Whether there may be as many queries, or keys, as attention in one grid takes.
bool isLarge(const DimExpr &extent, const DimExpr::BoundsMap &bounds);
/// Whether it is f16 or bf16.
bool isHalf(mlir::Value value);
/// All that attention computes which ends in this product, in program order, from the casts of its
/// factors on; nothing, perhaps with a reason, if it does not.
llvm::SmallVector<mlir::Operation *>
attentionOf(ir::MatmulOp last, const DimExpr::BoundsMap &bounds, std::string &reason);

/// A partition of a block's ops into kernels.
class Grouping {
public:
  /// Outlined: one group an op. Fused: groups around anchors, then chains of pointwise ops. Device:
  /// the same behind whole attention.
  enum class Kind : uint8_t { Outlined, Fused, Device };

  Grouping(mlir::Block &block, Kind kind) : block(block), kind(kind) {}

  /// Remarks each decision.
  void run();
  /// All groups, by their last op's place.
  std::vector<Group *> sorted();

private:
  void outline();
  void fuse();
  Group &start(mlir::Operation *op);
  void add(Group &group, llvm::ArrayRef<mlir::Operation *> ops);
  void grow(Group &group);
  llvm::SmallVector<mlir::Operation *> closure(mlir::Value tip, std::string &reason) const;
  void absorbPads(Group &group);
  void absorbWidening(Group &group);
  void absorbProducers();
  void joinRows();
  void takeAttention();
  bool isWanted(mlir::Operation *op) const;

  mlir::Block &block;
  Kind kind;
  std::vector<std::unique_ptr<Group>> groups;
  llvm::DenseMap<mlir::Operation *, Group *> groupOf;
};

} // namespace kiln::passes

#endif // KILN_PASSES_FUSE_GROUPS_H
