//===- Plan.h - how the loops of one stored stage run ----------*- C++ -*-===//
//
// Data only: levels, lanes and tile of a stage, and the stages that are computed on the way.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_LLVM_PLAN_H
#define KILN_CODEGEN_LLVM_PLAN_H

#include "codegen/llvm/Body.h"

#include "llvm/ADT/SmallVector.h"

#include <vector>

namespace kiln::codegen {

/// A position whose distances between the lanes are known: `base` plus that of each lane.
struct Steps {
  DimExpr base;
  llvm::SmallVector<int64_t, 16> offsets;
};

/// Where the vectors of a tile begin to read a weight in panels, and the elements that a step
/// moves.
struct Piece {
  const spec::Operand *weight = nullptr;
  Coordinates at;
  int64_t move = 0;
};

/// A sum of products of bytes x and y, of which one step takes a group: y is a weight whose panels
/// have such groups along the last dimension of the reduction.
struct Dot {
  /// How the products of a group are made: all at once, in pairs of 16 bits, one by one.
  enum class Form : uint8_t { Quads, Pairs, Single };
  spec::ExprPtr x, y;
  int64_t group = 1;
  Form form = Form::Single;

  /// Whether a factor takes one register, not two.
  bool isLean() const {
    return form == Form::Quads && (x->type == DType::U8 || y->type == DType::U8);
  }
};

/// A reducing stage computed where its coordinates are known, before the tiles that read it.
struct Placed {
  const spec::Stage *stage;
  Coordinates at;        ///< over the root's dimensions "%d0", …
  std::vector<int> dims; ///< the root's dimensions that `at` uses
  int lanesAlong = -1;   ///< reduction dimension whose positions fill the lanes
  size_t depth = 0;      ///< levels entered before it is computed
  std::optional<Dot> dot = std::nullopt;
};

struct Level {
  enum class Kind : uint8_t { Plain, Vector, Rows } kind = Kind::Plain;
  int dim = 0;
};

/// How the loops of one stored stage run.
struct Plan {
  const spec::Stage *root = nullptr;
  std::vector<Placed> placed; ///< in the order of computation
  std::vector<Level> levels;  ///< outermost first
  size_t parallelLevels = 0;  ///< leading levels that tasks share
  bool splitsNext = false;    ///< the level after those is cut into blocks for the tasks
  int lanes = 1, vectors = 1, rows = 1;
  int vectorDim = -1, rowDim = -1;
  bool isTurning = false; ///< rows are lanes of the loads
  DimExpr work;           ///< points times reduction: its size decides on parallel execution
};

} // namespace kiln::codegen

#endif // KILN_CODEGEN_LLVM_PLAN_H
