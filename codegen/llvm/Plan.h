//===- Plan.h - how the loops of one stored stage run ----------*- C++ -*-===//
//
// Data only: levels, lanes and tile of a stage, and the stages that are computed on the way; and
// what is known of the code while it is made.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_LLVM_PLAN_H
#define KILN_CODEGEN_LLVM_PLAN_H

#include "codegen/llvm/Body.h"

#include "llvm/ADT/SmallVector.h"

#include <vector>

namespace kiln::codegen {

/// The most parts of which a vector is put together.
inline constexpr int64_t mostParts = 6;

/// A position whose distances between the lanes are known: `base` plus that of each lane. Where a
/// quotient of the lane steps at lanes that only the call knows, `base` is that of the first lane,
/// and each of `parts` lies `distance` behind the one before.
struct Steps {
  DimExpr base;
  llvm::SmallVector<int64_t, 16> offsets;
  int64_t parts = 1, distance = 0;
  DimExpr start = {}, divisor = {}; ///< the dividend at the first lane, where there are parts
  bool isOne() const {
    return parts == 1 && llvm::all_of(offsets, [](int64_t offset) { return offset == 0; });
  }
};

/// How many of a body's reads move with a dimension by one element, not at all, or otherwise.
struct Strides {
  int contiguous = 0, uniform = 0, scattered = 0;
};

/// Into how many parts a quotient may cut neighbouring lanes.
int64_t partsOf(int64_t lanes, int64_t divisor);

/// Where a tile begins to read a weight, along which dimension its lanes lie, and a step's move.
struct Piece {
  const spec::Operand *weight = nullptr;
  Coordinates at;
  size_t dim = 0;
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

/// A weight that takes more than a conversion to be a factor, widened once for several rows: a step
/// of the reduction takes the products of all terms, times the scale, if there is one.
struct Widened {
  struct Term {
    spec::ExprPtr x, weight;
  };
  std::vector<Term> terms;
  spec::ExprPtr scale;
};

/// A reducing stage computed where its coordinates are known, before the tiles that read it.
struct Placed {
  const spec::Stage *stage;
  Coordinates at;        ///< over the root's dimensions "%d0", …
  std::vector<int> dims; ///< the root's dimensions that `at` uses
  int lanesAlong = -1;   ///< reduction dimension whose positions fill the lanes
  size_t depth = 0;      ///< levels entered before it is computed
  std::optional<Dot> dot = std::nullopt;
  std::optional<Widened> widened = std::nullopt;
};

struct Level {
  enum class Kind : uint8_t { Plain, Vector, Rows } kind = Kind::Plain;
  int dim = 0;
};

/// How the core's reduction is cut for the tiles behind the level of the vectors (Slices.cpp).
struct Slicing {
  size_t level = 0;     ///< the first of those levels
  size_t dim = 0;       ///< of the reduction: what is before it is in the slices' number
  int64_t size = 1;     ///< positions of that dimension in a slice, but the last
  int64_t steps = 1;    ///< of the reduction in a slice
  int64_t count = 1;    ///< slices
  int64_t capacity = 1; ///< positions of the first level in a block
  int64_t slots = 1;    ///< vectors of sums that wait; 0: one slice, for which none does
};

/// How the loops of one stored stage run.
struct Plan {
  const spec::Stage *root = nullptr;
  std::vector<Placed> placed; ///< in the order of computation
  std::vector<Level> levels;  ///< outermost first
  size_t parallelLevels = 0;  ///< leading levels that tasks share
  bool splitsNext = false;    ///< the level after those is cut into blocks for the tasks
  int lanes = 1, vectors = 1, rows = 1, vectorDim = -1, rowDim = -1;
  bool isTurning = false;  ///< rows are lanes of the loads
  int64_t blockTiles = 32; ///< tiles of the level cut into blocks in one of them
  std::optional<Slicing> slicing;
  bool keepsWeight = false; ///< the core's, widened in memory, for each slice
  bool alternates = false;  ///< tasks go through their tiles back in odd rounds of a loop
  bool isFar = false;       ///< caches do not hold the result until it is read
  bool storesOn = false;    ///< tiles that turn go on along the store, not the loads
  bool vectorsLast = false; ///< tasks take all vectors of a row block before the next
  DimExpr work;             ///< points times reduction: its size decides on parallel execution
};

// What is known of the code being emitted.

/// A stage that is kept on the stack.
struct Whole {
  spec::Operand facts;
  int64_t offset; ///< in the kernel's stack block, in bytes
};

/// The leading dimensions that all stages share, of the last of which a round takes a block.
struct Rounds {
  size_t dims = 0; ///< 0: each stage has its own loops
  int64_t block = 1;
  DimExpr count;  ///< the round's part of the block: less in the last one
  Coordinates at; ///< of the round being emitted
};

/// The innermost loop of a reduction, and the most turns that it has.
struct Innermost {
  std::string symbol;
  int64_t extent;
};

/// What the steps of a reduction prefetch: step i `lines` at `from + each * (steps + i)`.
struct Fetching {
  llvm::SmallVector<llvm::Value *> from;
  llvm::Value *each = nullptr; ///< in bytes
  DimExpr steps;
  int64_t lines = 1;
};

/// Where a point of a tile reads or writes a tensor.
struct Touch {
  const Memory *memory;
  DimExpr place;
  bool isWritten;
};

/// A tensor that the end of a tile touches: where its first point does, and the bytes to the next
/// row and the next vector.
struct ResultLine {
  llvm::Value *from, *rowBytes;
  int64_t vectorBytes;
  bool isWritten;
};

/// The slice of the core's reduction that the tiles being emitted take.
struct Slice {
  llvm::AllocaInst *sums = nullptr; ///< where they wait
  bool isLast = false;              ///< behind all slices: sums are only read
  Coordinates at;                   ///< of the reduction, as far as slices follow it
  DimExpr number, extent;           ///< among all; positions of the dimension that is cut
};

/// A point of a tile at which a placed stage is being reduced.
struct Instance {
  Frame frame;
  llvm::Value *mask;
  std::vector<llvm::AllocaInst *> values, positions; ///< one accumulator for each unrolled step
  std::vector<llvm::AllocaInst *> totals;            ///< in f64, of blocks of a long sum
  llvm::Value *waiting = nullptr;                    ///< address of the sum so far, of slices
};

/// Where a factor lies.
struct Access {
  const Memory *memory = nullptr;
  Coordinates at;
  std::vector<Guard> guards;
  double outside = 0;
};

/// The widened weight that the tiles being emitted read.
struct Kept {
  const Placed *core;
  llvm::Value *memory; ///< [step of the slice][term][vector][lane]
  int64_t vectors;
};

} // namespace kiln::codegen

#endif // KILN_CODEGEN_LLVM_PLAN_H
