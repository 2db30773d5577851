//===- Groups.h - which ops become one kernel ------------------*- C++ -*-===//
#ifndef KILN_PASSES_FUSE_GROUPS_H
#define KILN_PASSES_FUSE_GROUPS_H

#include "ir/KilnOps.h"

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
/// Constants and broadcasts: each kernel that reads one contains its own.
bool isFree(mlir::Operation *op);

/// A partition of a block's ops into kernels.
class Grouping {
public:
  explicit Grouping(mlir::Block &block) : block(block) {}

  /// One group an op.
  void outline();
  /// Groups around anchors, then chains of pointwise ops. Remarks each decision.
  void fuse();
  /// All groups, by their last op's place.
  std::vector<Group *> sorted();

private:
  Group &start(mlir::Operation *op);
  void add(Group &group, llvm::ArrayRef<mlir::Operation *> ops);
  void grow(Group &group);
  llvm::SmallVector<mlir::Operation *> closure(mlir::Value tip, std::string &reason) const;
  void absorbPads(Group &group);
  void absorbWidening(Group &group);
  void absorbProducers();
  void joinRows();
  bool isWanted(mlir::Operation *op) const;

  mlir::Block &block;
  std::vector<std::unique_ptr<Group>> groups;
  llvm::DenseMap<mlir::Operation *, Group *> groupOf;
};

} // namespace kiln::passes

#endif // KILN_PASSES_FUSE_GROUPS_H
