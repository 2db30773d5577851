//===- Places.h - which values share memory, and for how long --*- C++ -*-===//
#ifndef KILN_PASSES_PLAN_PLACES_H
#define KILN_PASSES_PLAN_PLACES_H

#include "ir/DataDimensions.h"
#include "ir/KilnOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

namespace kiln::passes {

/// Memory that values need, and the positions in the function between which it must stay theirs.
struct Lifetime {
  mlir::Value root;                  ///< of the values; null: a wait
  mlir::Operation *waiter = nullptr; ///< whose yielded values wait
  DimExpr size;                      ///< bytes
  unsigned begin = 0, end = 0;
  DimExpr offset; ///< to be set
};

/// Decides which values of a function are one memory: views and what they show; a carried value
/// from round to round; a slice of a sequence and the sequence; what a round or branch makes right
/// where it is handed on; a tensor and what it becomes when a part of it is written in place.
///
/// Positions number the ops in the order of the text; an op with regions begins before and ends
/// behind all in them. What is used in a loop and made outside of it stays until the loop ends.
class Places {
public:
  explicit Places(mlir::func::FuncOp function);

  /// What needs a place in the arena.
  llvm::SmallVector<Lifetime> lifetimes();
  /// Writes the offsets on launches, loops, branches and states.
  void write(llvm::ArrayRef<Lifetime> lives);

private:
  struct Span {
    unsigned begin = 0, end = 0;
  };

  void number(mlir::Block &block);
  void shareLoops();
  void shareResults();
  void shareInitial(mlir::Operation *loop, mlir::ValueRange initial, mlir::ValueRange results);
  void shareYields(mlir::Region &region, mlir::ValueRange next, mlir::ValueRange results);
  void overwrite(ir::LaunchOp launch);
  std::string reasonAgainst(ir::LaunchOp launch, mlir::Value operand);
  mlir::Value rootOf(mlir::Value value) const;
  mlir::Value baseOf(mlir::Value value) const;
  bool isSet(llvm::StringRef state);
  bool isUsedFrom(mlir::Value root, unsigned position, mlir::Operation *except,
                  mlir::Region *within) const;
  unsigned lastUse(mlir::Value root, mlir::Operation *definition) const;
  void share(mlir::Value value, mlir::Value with);
  DimExpr offsetOf(mlir::Value value) const;
  DimExpr sizeOf(mlir::Value value) const;

  mlir::func::FuncOp function;
  ir::BoundDimensions bound;
  Requirements known; ///< what every call meets
  unsigned position = 0;
  llvm::DenseMap<mlir::Operation *, Span> spans;
  llvm::DenseMap<mlir::Value, mlir::Value> shared; ///< a step towards the root
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Value>>
      all;                                     ///< of a root: it and its sharers
  llvm::DenseMap<mlir::Value, int64_t> direct; ///< roots that are the function's results: -1 - r
  llvm::DenseMap<mlir::Value, DimExpr> offsets;
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<DimExpr>> waits;
};

} // namespace kiln::passes

#endif // KILN_PASSES_PLAN_PLACES_H
