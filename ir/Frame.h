//===- Frame.h - one activation of the interpreter -------------*- C++ -*-===//
#ifndef KILN_IR_FRAME_H
#define KILN_IR_FRAME_H

#include "ir/Interpreter.h"
#include "ir/KilnOps.h"

#include "llvm/ADT/DenseMap.h"

namespace kiln::ir {

/// The value of a state before any call; fails with a diagnostic if the store lacks it.
mlir::FailureOr<Tensor> initialState(StateOp state);

/// One activation of a function or kernel. Regions of its ops run within it.
class Frame {
public:
  Frame(const Evaluation &evaluation, AfterOp after, States &states)
      : evaluation(evaluation), after(after), states(states) {}
  mlir::FailureOr<llvm::SmallVector<Tensor>> run(mlir::FunctionOpInterface function,
                                                 llvm::ArrayRef<Tensor> arguments);

private:
  /// Bytes of the arena, and who wrote them: by position in the order of what is executed.
  struct Range {
    int64_t begin = 0, end = 0;
    unsigned writer = 0;
  };

  llvm::LogicalResult runBlock(mlir::Block &block);
  llvm::LogicalResult execute(mlir::Operation &op);
  llvm::LogicalResult launch(LaunchOp op);
  llvm::LogicalResult getState(GetStateOp op);
  llvm::LogicalResult setState(SetStateOp op);
  llvm::LogicalResult bind(BindOp op);

  // The arena (Frame.cpp)
  llvm::LogicalResult place(LaunchOp op, llvm::MutableArrayRef<Tensor> results);
  llvm::LogicalResult checkAlive(mlir::Operation &op, mlir::Value value);
  llvm::LogicalResult checkAlive(mlir::Operation &op, const Range &range);
  Range take(int64_t begin, int64_t bytes);
  void write(mlir::Value value, int64_t begin, int64_t bytes);
  void share(mlir::Value value, mlir::Value with);

  // Loops and branches (FrameControl.cpp)
  llvm::LogicalResult scan(ScanOp op);
  llvm::LogicalResult loop(WhileOp op);
  llvm::LogicalResult branch(IfOp op);
  llvm::LogicalResult enterLoop(mlir::Operation *op, mlir::ValueRange initial,
                                mlir::ValueRange carried);
  llvm::LogicalResult nextRound(mlir::Operation *op, mlir::ValueRange carried,
                                mlir::ValueRange next);
  std::optional<int64_t> placeOf(mlir::Operation *op, unsigned index) const;
  int64_t bytesOf(mlir::Value value);
  void copy(mlir::Value to, mlir::Value from);

  Evaluation evaluation; ///< with the dimensions that are bound so far
  AfterOp after;
  States &states;
  llvm::DenseMap<mlir::Value, Tensor> values;
  /// Views share their operand's range. States lie behind the arena.
  llvm::DenseMap<mlir::Value, Range> ranges;
  std::map<std::string, int64_t, std::less<>> statePlaces;
  int64_t nextStatePlace = 0;
  std::vector<unsigned> owner;
  unsigned writes = 0;
};

} // namespace kiln::ir

#endif // KILN_IR_FRAME_H
