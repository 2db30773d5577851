//===- Emitter.h - one kernel as grids of threads --------------*- C++ -*-===//
//
// Each grid of a plan becomes one entry point: pointers of the operands and of scratch memory in
// global memory, then the symbols.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_CUDA_EMITTER_H
#define KILN_CODEGEN_CUDA_EMITTER_H

#include "codegen/cuda/Plan.h"
#include "codegen/llvm/Body.h"

namespace kiln::cuda {

/// LLVM's numbers of NVPTX's address spaces.
inline constexpr unsigned globalSpace = 1, sharedSpace = 3;

struct Run;

class Emitter : codegen::Body {
public:
  Emitter(const spec::KernelSpec &spec, const Plan &plan, llvm::Module &module);
  /// Emits the entry point of a grid of the plan. Nothing on success, else what is not supported.
  std::string emitGrid(const Grid &grid, llvm::StringRef name);

private:
  /// An accumulator in registers.
  struct Kept {
    llvm::AllocaInst *value = nullptr, *position = nullptr;
    llvm::AllocaInst *total = nullptr, *steps = nullptr; ///< of a long sum, in f64
  };

  // Emitter.cpp: the grid and its memory.
  void start(const Grid &grid, llvm::StringRef name);
  codegen::Coordinates decompose(llvm::Value *flat, const std::vector<DimExpr> &extents,
                                 const std::string &prefix);
  void computePoint(const Grid &grid, codegen::Coordinates at);
  void store(const Grid &grid, const codegen::Frame &frame, llvm::Value *value);
  llvm::Value *load(const codegen::Memory &memory, const codegen::Coordinates &at,
                    const std::vector<codegen::Guard> &guards, double outside) override;
  llvm::Value *special(llvm::Intrinsic::ID id);
  llvm::Value *totalOf(const Parts &parts, const spec::Stage &stage,
                       const codegen::Coordinates &at);
  DimBounds indexBounds(const DimExpr &extent) const;

  // Reduce.cpp: reductions of one point by its team.
  llvm::Value *reduce(const spec::Stage &stage, codegen::Coordinates at);
  Kept allocate(const spec::Stage &stage);
  bool isBlocked(const spec::Stage &stage) const;
  void reduceLevel(const spec::Stage &stage, codegen::Coordinates &at, const Kept &kept);
  void reduceFlat(const spec::Stage &stage, const codegen::Coordinates &at, const Kept &kept);
  bool reduceTogether(const spec::Stage &stage, const codegen::Coordinates &at, const Kept &kept);
  llvm::SmallVector<codegen::Coordinates> pointsOf(const spec::Stage &stage,
                                                   const codegen::Coordinates &at,
                                                   llvm::Value *number, int64_t together);
  void stepTogether(const spec::Stage &stage, llvm::ArrayRef<codegen::Coordinates> points,
                    const Kept &kept, llvm::ArrayRef<Run> runs);
  llvm::Value *isAligned(const spec::Stage &stage, codegen::Coordinates at,
                         llvm::ArrayRef<Run> runs, int64_t together);
  llvm::Value *addressOf(const spec::Read &read, const codegen::Frame &frame);
  llvm::SmallVector<llvm::Value *> loadTogether(llvm::Value *from, DType type, int64_t count);
  void step(const spec::Stage &stage, const codegen::Coordinates &at, const Kept &kept,
            llvm::ArrayRef<std::pair<const spec::Expr *, llvm::Value *>> known = {});
  void flush(const Kept &kept);
  codegen::Accumulated shareWarp(spec::Combiner combiner, DType type, codegen::Accumulated mine,
                                 int width);
  codegen::Accumulated shareBlock(spec::Combiner combiner, DType type, codegen::Accumulated mine);
  llvm::Value *shuffle(llvm::Value *value, int distance);
  llvm::GlobalVariable *sharedRow(llvm::Type *type, llvm::StringRef purpose);

  // Tile.cpp, TensorCores.cpp: products by tiles in shared memory.
  /// One factor's part of a tile: where it lies in shared memory, and who its elements are.
  struct Panel {
    spec::ExprPtr value;
    const std::vector<int> *dims = nullptr; ///< of the domain: rows or columns
    int count = 0;                          ///< rows or columns of the tile
    bool isAcross = false;                  ///< a step's elements are neighbours, not a row's
    bool copies = false;
    int pitch = 0;                ///< elements from line to line in shared memory
    int lines = 0;                ///< as many
    int64_t offset = 0, size = 0; ///< bytes: of the first stage, of each
    int slots = 1;                ///< stages
    int parts = 0; ///< of f32 that are there: the halves that each is the sum of; 0: copied
    bool isSwizzled = false;      ///< pieces of 16 bytes change places within 8 lines of 128
    llvm::Value *first = nullptr; ///< number of the tile's first row or column
    llvm::Value *end = nullptr;   ///< of all
  };
  void emitTiles(const Grid &grid);
  void addUp(const Tile &tile);
  void pipeline(const Tile &tile);
  Panel panel(const Tile &tile, bool isFirst);
  void fill(const Tile &tile, const Panel &panel, llvm::Value *slot, llvm::Value *step);
  void fillElement(const Tile &tile, const Panel &panel, llvm::Value *slot, llvm::Value *line,
                   llvm::Value *step, llvm::Value *localStep, llvm::Value *local);
  codegen::Coordinates pointOf(const Tile &tile, const Panel &panel, llvm::Value *line,
                               llvm::Value *step);
  void fillChunk(const Tile &tile, const Panel &panel, llvm::Value *slot, llvm::Value *chunk,
                 llvm::Value *step);
  llvm::Value *sharedAt(const Panel &panel, llvm::Value *slot, llvm::Value *local,
                        llvm::Value *localStep);
  void barrier();
  void multiply(const Tile &tile, llvm::Value *slot);
  /// What a lane has of a matrix, a pair of elements each.
  using Lanes = std::array<llvm::Value *, 4>;
  llvm::SmallVector<llvm::Value *> partsOf(DType type, llvm::Value *number, int count);
  llvm::SmallVector<Lanes> splitFirst(const Tile &tile, llvm::Value *slot, llvm::Value *row, int k);
  Lanes loadFour(const Panel &panel, llvm::Value *slot, llvm::Value *local, llvm::Value *step);
  Lanes loadFirst(const Tile &tile, llvm::Value *slot, llvm::Value *row, int k);
  Lanes loadSecond(const Tile &tile, llvm::Value *slot, llvm::Value *column, int k);
  llvm::Value *eighthsAsHalves(const Tile &tile, DType type, llvm::Value *four, bool isHigh);
  llvm::SmallVector<llvm::Value *> multiplicands(const Tile &tile, DType type,
                                                 llvm::ArrayRef<llvm::Value *> loaded);
  void multiplyLanes(llvm::Intrinsic::ID instruction,
                     llvm::SmallVectorImpl<llvm::Value *> &arguments, int first);
  void multiplyByTensorCores(const Tile &tile, llvm::Value *slot);
  std::pair<llvm::Value *, llvm::Value *> sumOfLane(const Tile &tile, int number);
  // Warpgroup.cpp: products of warpgroups.
  llvm::Value *descriptor(const Tile &tile, const Panel &panel, llvm::Value *slot, int step);
  void changeSums(const Tile &tile, llvm::StringRef name, llvm::ArrayRef<llvm::Value *> more);
  void startProducts(const Tile &tile, llvm::Value *slot);
  void finishProducts(const Tile &tile);
  std::pair<llvm::Value *, llvm::Value *> sumOfWarpgroup(int number);
  // Boxes.cpp: factors that TMA brings.
  llvm::Value *boxBarrier(const Tile &tile, bool isFull, llvm::Value *round);
  void beginBoxes(const Tile &tile);
  void waitForBoxes(llvm::Value *at, llvm::Value *phase);
  void loadBoxes(const Tile &tile, const Panel &panel, llvm::Value *map, llvm::Value *round,
                 llvm::Value *step);
  void fillBoxes(const Tile &tile, llvm::Value *round, llvm::Value *step);
  void pipelineBoxes(const Tile &tile);
  std::pair<llvm::Value *, llvm::Value *> sumAt(const Tile &tile, int number);
  void keepTile(const Tile &tile);
  void finishTile(const Grid &grid, const Tile &tile);
  void choosePart(const Grid &grid);
  void finishPoint(const Grid &grid, const spec::Stage &stage, const codegen::Coordinates &at,
                   llvm::Value *sum);
  /// A type of no size: what the launch asks for.
  llvm::GlobalVariable *sharedMemory(llvm::ArrayType *type, llvm::StringRef purpose);

  // OnlineSoftmax.cpp: attention.
  /// What the threads of a row of scores know of it.
  struct Row {
    llvm::AllocaInst *top = nullptr, *sum = nullptr; ///< maximum and sum so far
    llvm::AllocaInst *sees = nullptr;                ///< whether a key is chosen
    llvm::AllocaInst *best = nullptr;                ///< of the thread's part of a tile
    llvm::AllocaInst *seen = nullptr;                ///< whether it has a key that is not excluded
  };
  void emitAttention(const Grid &grid);
  void placeAttention(const Attention &attention);
  void visitTile(const Attention &attention, llvm::Value *key);
  void attendTile(const Attention &attention, llvm::Value *key);
  llvm::Value *scoreAt(const Tile &scores, llvm::Value *line, llvm::Value *column);
  llvm::Value *powerOf(const Attention &attention, llvm::Value *x, llvm::Value *top);
  void forRow(const Attention &attention,
              llvm::function_ref<void(const codegen::Coordinates *, llvm::Value *)> visit);
  void weighRow(const Attention &attention);
  void keepOfRow(const Tile &scores, llvm::Value *value);
  llvm::Value *keptOfRow(const Tile &result, int sum);
  void rescale(const Tile &result);
  void multiplyWeights(const Attention &attention, llvm::Value *key);
  void finishAttention(const Grid &grid);

  Row row;
  Panel queries, keys, weights, valuesPanel;
  int64_t scoresAt = 0; ///< bytes of shared memory in front of the scores
  std::vector<llvm::AllocaInst *> scoreSums, resultSums;
  llvm::GlobalVariable *rowMemory = nullptr; ///< a number for each row

  std::vector<llvm::AllocaInst *> sums; ///< of the tile's points that the thread has
  llvm::GlobalVariable *tileMemory = nullptr;
  Panel panels[2];
  codegen::Coordinates batchPoint;    ///< coordinates of the batch dimensions
  llvm::Value *batchNumber = nullptr; ///< these as one
  llvm::GlobalVariable *boxBarriers = nullptr;
  llvm::AllocaInst *boxRounds = nullptr;              ///< of the tiles before
  llvm::Value *firstStep = nullptr, *steps = nullptr; ///< of the reduction: where to begin, and end
  DimExpr part;                                       ///< number of the part
  const Plan &plan;
  Team team = Team::Thread;
  llvm::Function *function = nullptr;
  llvm::Value *thread = nullptr; ///< in the block
  llvm::Value *member = nullptr; ///< in the team; null in a team of one
};

/// Puts instructions in place of the calls that stand for products of warpgroups. Gives the
/// features that they ask for beyond the chip's, by LLVM's names: later PTX, of bytes that differ
/// in sign.
std::string writeProducts(llvm::Module &module);

} // namespace kiln::cuda

#endif // KILN_CODEGEN_CUDA_EMITTER_H
