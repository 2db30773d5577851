//===- Plan.h - which grids compute a kernel -------------------*- C++ -*-===//
//
// Data only: the launches of a kernel in order, who computes a point in each, and the device memory
// that intermediate stages need. In this, the simple form, one stored stage is one grid.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_CUDA_PLAN_H
#define KILN_CODEGEN_CUDA_PLAN_H

#include "codegen/host/Device.h"
#include "codegen/spec/KernelSpec.h"

namespace kiln::cuda {

/// Who computes one point of a stage: the reductions of a point are shared by its team.
enum class Team : uint8_t { Thread, Warp, Block };

inline constexpr int warpThreads = 32, blockThreads = 256;
/// Threads that multiply as one, rows that they have, and bytes that lie in a line for them: those
/// of the widest swizzle.
inline constexpr int warpgroupThreads = 128, warpgroupRows = 64, warpgroupLine = 128;
/// Threads of a side of a block's square, in the form of tiles for f32.
inline constexpr int side = 16;

/// The threads of a team.
int threadsOf(Team team);

/// A matrix product by tiles in shared memory: a block computes `m` rows by `n` columns, `k` steps
/// of the reduction at a time. The dimensions of the stage's domain are rows where only the first
/// factor depends on them, columns where only the second does, batches where both do; each group is
/// one number, row-major. Multiplicands of f16, bf16, f8, i8 and u8 go through tensor cores, 32 x
/// 32 a warp, those of f32 through 4 x 4 points a thread. Where the chip has products of
/// warpgroups, halves and integers go by those, 64 rows by all columns a warpgroup.
struct Tile {
  const spec::Stage *stage = nullptr;
  DType type = DType::F32; ///< of the multiplicands; of bytes, the second may differ
  spec::ExprPtr first, second;
  int m = 64, n = 64, k = 16, stages = 1;
  bool byWarpgroups = false;               ///< wgmma, from memory that is swizzled
  std::vector<int> batches, rows, columns; ///< dimensions of the domain
  bool copiesRows = false;                 ///< a chunk of a row's steps are neighbours in memory
  bool copiesColumns = false;              ///< a chunk of a column's steps are
  bool copiesAcross = false;               ///< a chunk of a step's columns are
  bool widensAtOnce = false;               ///< f8e4m3, of which the chip's instruction makes f16
  bool readsAcross = false; ///< without copies: neighbouring threads read a step's columns

  /// Of both factors, where boxes of them are copied, by TMA; else of none.
  std::vector<host::DeviceTensor> tensors;

  /// Elements in 16 bytes, which one instruction copies.
  int chunk() const { return 16 / byteSize(type); }
};

/// How one factor's elements of a tile's steps lie in shared memory, which is `stages` times that.
struct PanelShape {
  bool isAcross; ///< a line is a step, else a row or column
  int pitch;     ///< elements from line to line
  int64_t bytes;
};
PanelShape panelShape(const Tile &tile, bool isFirst);
/// Shared memory for both factors, in all stages, and for the sums that take their place.
int64_t sharedBytes(const Tile &tile);
/// What a block may have without asking the driver.
inline constexpr int64_t mostStaticBytes = 48 << 10;

/// A reduction that several tiles share: each adds up a part of its steps, of equal whole numbers
/// of the tile's steps, and what they find lies in scratch memory, part by part.
struct Parts {
  int count;
  std::string name; ///< of the scratch memory
};

/// softmax(scores) values, whose scores are never stored: a block has some rows of the result, goes
/// through the keys tile by tile, and scales what it has whenever a row's maximum grows.
/// Expressions are of the stages named; dimensions of all begin with those of the rows and batches,
/// then the key's follows.
struct Attention {
  Tile scores;                        ///< rows are queries, columns keys
  spec::ExprPtr factor;               ///< of the sums of products; null for 1
  Tile result;                        ///< of weights, which lie in shared memory, and values
  const spec::Stage *top = nullptr;   ///< maximum of what softmax is taken of, its body
  const spec::Stage *power = nullptr; ///< exp(difference)
  const spec::Stage *sum = nullptr;   ///< of powers
  spec::ExprPtr difference;
  const spec::Stage *weight = nullptr; ///< `sees` chooses between power and 0, if there is a choice
  spec::ExprPtr sees;
  const spec::Stage *limited = nullptr; ///< `isLimit` chooses between a score and -inf, and is
                                        ///< `sees` where there is that; null if no choice is known
  spec::ExprPtr isLimit;
  const spec::Stage *scaled = nullptr; ///< power * scale or power / scale, which depends on `sum`
  spec::ExprPtr scale;
  bool divides = false;
  std::set<const spec::Stage *> absorbed; ///< all that is computed on the way
};

/// One launch. Its teams go through the points in strides of the whole grid.
struct Grid {
  const spec::Stage *stage = nullptr; ///< what it stores, in an operand or in scratch memory
  /// Reducing stages computed on the way, each at the point of `stage` that is being computed.
  std::vector<const spec::Stage *> reduced;
  Team team = Team::Thread;
  std::optional<Tile> tile; ///< the fast form of a product that is `stage` or in `reduced`
  std::optional<Attention> attention; ///< the fast form of one whose last product is
  /// With a tile: it stores the parts' sums, not the stage. Without: it adds them, in order.
  std::optional<Parts> parts;
  DimExpr points; ///< of the stage's domain
  DimExpr blocks; ///< of `blockThreads` each; 0: nothing to launch
  /// Shared memory that the launch asks for, beside what the code declares.
  int64_t dynamicBytes = 0;

  /// The memory that it writes.
  const std::string &written() const { return tile && parts ? parts->name : stage->name; }
};

/// Device memory for an intermediate stage: dense, row-major.
struct Scratch {
  spec::Operand facts; ///< named like the stage
  DimExpr bytes;
};

struct Plan {
  /// Each may read what the ones before it stored. Two of the same stage are two forms of
  /// it, or the parts of its sums and the stage.
  std::vector<Grid> grids;
  std::vector<Scratch> scratch;
  std::string missed; ///< why a contraction is in the simple form; empty if none is
  std::vector<const spec::Stage *> inlined; ///< pointwise stages computed where they are read
};

/// Extents of some of a stage's dimensions, and their product.
std::vector<DimExpr> extentsOf(const spec::Stage &stage, const std::vector<int> &dims);
DimExpr product(const std::vector<DimExpr> &extents);

/// The dimensions that an expression depends on.
std::set<int> dimsOf(const spec::ExprPtr &root);
/// Whether a type is a float of 8 bits: tensor cores multiply f16 that equal its numbers.
bool isEighth(DType type);
/// The multiplicand before it was widened, if that is what tensor cores take.
spec::ExprPtr narrowed(const spec::ExprPtr &factor);
/// Finds out which elements of the factors are copied by chunks.
void setCopies(const spec::KernelSpec &spec, Tile &tile);
/// Whether elements along dimension `dim`, which has `extent` of them, are neighbours in memory,
/// and `chunk` of them never part.
bool isNeighbouring(const spec::KernelSpec &spec, const spec::ExprPtr &factor, int dim,
                    const DimExpr &extent, bool isAlone, int chunk);
/// Both factors as tensors whose boxes are a tile's elements; none if one of them is no such tensor
/// for certain: it begins and strides by 16 bytes, and has rows, columns, steps and batches as
/// dimensions, one each.
std::vector<host::DeviceTensor> tensorsOf(const spec::KernelSpec &spec, const Tile &tile,
                                          const DimExpr::BoundsMap &bounds);
/// Whether the second factor's neighbours along its last columns are neighbours in memory.
bool readsAcross(const spec::KernelSpec &spec, const Tile &tile);

/// The fast form of attention that ends in the contraction `last`. Without one: if it is attention
/// for all that, the reason.
std::optional<Attention> makeAttention(const spec::KernelSpec &spec, const spec::Stage &last,
                                       const DimExpr::BoundsMap &bounds, std::string &why);

/// The fast form of a contraction, or none and the reason.
std::optional<Tile> makeTile(const spec::KernelSpec &spec, const spec::Stage &stage,
                             const DimExpr::BoundsMap &bounds, std::string_view chip,
                             std::string &why);

/// The plan points into the spec, which must be well formed. Without a chip: one that all run.
Plan makePlan(const spec::KernelSpec &spec, std::string_view chip = {});
/// Text for tests and for people.
std::string print(const Plan &plan);

} // namespace kiln::cuda

#endif // KILN_CODEGEN_CUDA_PLAN_H
