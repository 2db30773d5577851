//===- Emitter.h - one kernel as loops over micro-tiles --------*- C++ -*-===//
//
// To the names of Body come loop variables ("%i3") and the lane number ("%l"), so the stride of an
// access along the lanes is read off the polynomial.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_LLVM_EMITTER_H
#define KILN_CODEGEN_LLVM_EMITTER_H

#include "codegen/llvm/Body.h"
#include "codegen/llvm/Generate.h"
#include "codegen/llvm/Plan.h"

namespace kiln::codegen {

/// Whether a processor has all of some features ("+avx2,+f16c"); empty for other architectures.
using FeatureTest = std::function<bool(llvm::StringRef)>;

class Emitter : protected Body {
public:
  Emitter(const spec::KernelSpec &spec, const TargetFacts &target, llvm::Module &module,
          bool hasHalf, bool hasRounding, FeatureTest hasFeature);
  /// Emits all; nothing on success, else what the generator does not do.
  std::string run(llvm::StringRef symbol);
  bool isParallel = false;
  int64_t stackBytes = 0;
  int64_t keptBytes = 0; ///< of widened weights or transforms, in a task

protected:
  // Plan.cpp: which stage is stored, placed or inlined, and the loops.
  using ReadVisitor =
      llvm::function_ref<void(const spec::Read &, DType, const Coordinates &, const Frame &)>;
  void walk(const spec::ExprPtr &root, const Frame &frame, ReadVisitor visit);
  Coordinates rootDims(const spec::Stage &stage);
  static Coordinates withReduction(const spec::Stage &stage, Coordinates at);
  bool findPlaced(Plan &plan, const spec::ExprPtr &body, const Frame &frame);
  Plan makePlan(const spec::Stage &root);
  Strides stridesAlong(const std::string &symbol, const spec::ExprPtr &body, const Frame &frame);
  int bestDim(const Plan &plan, const spec::ExprPtr &body, const Frame &frame, bool &isClean);
  const Placed *coreOf(const Plan &plan) const;
  void chooseLanes(Plan &plan);
  void chooseTile(Plan &plan);
  void chooseTileSize(Plan &plan, std::optional<int64_t> n, std::optional<int64_t> m, int registers,
                      int mostRows, int factors);
  void chooseLevels(Plan &plan);
  int64_t weightBytes(const Plan &plan);
  void chooseOrder(Plan &plan);
  int lanesFor(const Plan &plan);
  bool isUnit(const DimExpr &extent) const;

  // Rounds.cpp: stages that are kept for a round of the outer loops.
  std::set<std::string> worthKeeping();
  std::vector<const spec::Stage *> rootStages() const;
  void keepUnplaced();
  using KeptVisitor =
      llvm::function_ref<void(llvm::StringRef, const Coordinates &, const Coordinates *)>;
  void visitKept(const spec::Stage &root, KeptVisitor visit);
  size_t sharedDims();
  std::string takenOver(const spec::Stage &stage, size_t shared);
  bool layOut(size_t shared);
  bool chooseKept();
  llvm::Function *emitRounds(const std::vector<Plan> &plans, llvm::StringRef name);
  DimExpr roundsAlong(const DimExpr &extent) const;
  DimExpr roundCount(const spec::Stage &root) const;
  DimExpr extentOf(const spec::Stage &root, int dim) const;
  DimExpr extentOf(const Plan &plan, int dim) const { return extentOf(*plan.root, dim); }

  // Transpose.cpp: tiles that turn.
  void chooseTransposition(Plan &plan);
  llvm::Value *loadTurned(const Memory &memory, const DimExpr &place);

  // Address.cpp: loads and stores.
  std::optional<int64_t> laneStride(const DimExpr &position);
  std::optional<Steps> stepsOf(const DimExpr &position);
  llvm::Value *load(const Memory &memory, const Coordinates &at, const std::vector<Guard> &guards,
                    double outside) override;
  void store(const Memory &memory, const Coordinates &at, llvm::Value *value);
  llvm::Value *loadParts(const Steps &steps, llvm::Value *first, llvm::Type *element,
                         llvm::Value *isThere,
                         llvm::function_ref<llvm::Value *(llvm::Value *)> get);
  llvm::Value *loadSteps(const Memory &memory, const Steps &steps, llvm::Value *scalarTest,
                         llvm::Constant *missing, llvm::Type *each);
  llvm::Constant *outsideValues(llvm::Constant *element, int64_t count);
  llvm::Value *guardedAddress(const Memory &memory, const DimExpr &place, llvm::Value *test,
                              llvm::Constant *missing);

  // Reduce.cpp: placed stages.
  static Coordinates placedAt(const Placed &placed, const Frame &point);
  void place(const Plan &plan, const Placed &placed);
  void reduce(const Placed &placed, std::vector<Instance> &instances);
  void reduceLevel(const Placed &placed, std::vector<Instance> &instances, size_t level);
  void reduceLanes(const Placed &placed, std::vector<Instance> &instances);
  void step(const Placed &placed, Instance &instance, size_t slot, llvm::Value *laneMask);
  void versioned(const Placed &placed, std::vector<Instance> &instances, size_t level,
                 llvm::function_ref<void()> body);
  llvm::Value *finish(const Placed &placed, Instance &instance);
  int64_t stepsOf(const Placed &placed, size_t level, size_t slots) const;
  int64_t stepsWithin(const Placed &placed, size_t level, size_t slots) const;
  bool isBlocked(const Placed &placed, size_t level, size_t slots) const;
  void stepLoop(const Placed &placed, std::vector<Instance> &instances, size_t level,
                const DimExpr &count, LoopBody body);
  void flush(const Placed &placed, std::vector<Instance> &instances);
  size_t versionLevel(const Placed &placed, const std::vector<Instance> &instances);

  // Dot.cpp: several products by one instruction.
  std::optional<Dot> dotOf(const Placed &placed) const;
  Dot::Form dotForm(int lanes, DType x, DType y) const;
  std::optional<Access> accessOf(const spec::ExprPtr &expr, const Frame &frame);
  llvm::Value *bytesAt(const spec::ExprPtr &factor, const Frame &frame, int64_t count);
  llvm::Value *joinByte(llvm::Value *before, llvm::Value *byte, int64_t i);
  llvm::Value *loadBytes(const Access &access, DimExpr place, int64_t count);
  llvm::Value *dotQuads(const Dot &dot, llvm::Value *acc, llvm::Value *x, llvm::Value *y);
  llvm::Value *dot(const Dot &dot, llvm::Value *acc, llvm::Value *x, llvm::Value *y);
  void dotStep(const Placed &placed, Instance &instance, int64_t count);
  void dotRest(const Placed &placed, std::vector<Instance> &instances);

  // Slices.cpp: long reductions in slices.
  void chooseSlices(Plan &plan);
  std::optional<Slicing> fitSums(Plan &plan, size_t level, DType type);
  std::pair<DimExpr, DimExpr> withinBlock(const Plan &plan, size_t level);
  llvm::Value *waitingSum(const Plan &plan, int row, int vector);
  void sliced(const Plan &plan);
  void eachSlice(const Plan &plan, size_t dim);
  void slicedIfMany(const Plan &plan);

  // Widen.cpp: weights of small numbers in f32.
  bool isOfVectors(const Plan &plan, const spec::ExprPtr &factor);
  std::optional<Widened> widenedOf(const Plan &plan);
  DimExpr rowsBehind(const Plan &plan, size_t level) const;
  void keepWhole(Plan &plan, size_t level, int64_t steps, int64_t each);
  llvm::Value *keptPlace(llvm::ArrayRef<DimExpr> at, size_t term, int64_t vector);
  void widen(const Plan &plan);
  void widenLevel(const Plan &plan, Coordinates &at);
  void widenStep(const Plan &plan, const Coordinates &at);
  void widenedStep(const Placed &placed, std::vector<Instance> &instances);

  // Prefetch.cpp: the next tile of a weight, and the end of this one.
  llvm::SmallVector<Touch> touched(const Plan &plan, const Frame &frame);
  void startFetchingResult(const Plan &plan);
  void fetchResult(const DimExpr &step);
  Piece largestPiece(const Placed &placed, const Frame &frame, int64_t group);
  void fetchNextSlice(const Plan &plan, const Piece &piece, DimExpr use, DimExpr uses,
                      int64_t bytes, int64_t group);
  void shareOut(std::optional<int64_t> known, const DimExpr &uses, int64_t bytes, int64_t group);
  void startFetching(const Plan &plan, const Placed &placed, const Frame &frame);
  void fetch(const Placed &placed, const Frame &frame);

  // Nest.cpp: loops and tasks.
  llvm::Function *emitTask(const Plan &plan, llvm::StringRef name);
  DimExpr levelCount(const Plan &plan, const Level &level);
  DimExpr flatCount(const Plan &plan);
  void enterFlat(const Plan &plan, size_t level, llvm::ArrayRef<llvm::Value *> at);
  void enter(const Plan &plan, size_t level);
  void startTile(const Plan &plan, Level::Kind kind);
  void tiledLevel(const Plan &plan, size_t level);
  void vectorTail(const Plan &plan, llvm::function_ref<void()> body);
  void rowTail(const Plan &plan, llvm::function_ref<void()> body);
  void chooseBlocks(const Plan &plan);
  void storeTile(const Plan &plan);
  std::vector<std::pair<Frame, llvm::Value *>> tilePoints(const Plan &plan);
  void bindSymbols(llvm::Value *dims);
  /// The part of a stage's (or all stages') loops that a task runs.
  using Shares = std::pair<llvm::Value *, llvm::Value *>;
  llvm::Function *createTask(llvm::StringRef name);
  Shares shareOf(const DimExpr &count, llvm::Value *isBack = nullptr);
  llvm::Value *isOddRound();
  void startPlan(const Plan &plan);
  void callTask(llvm::Function *kernel, llvm::Function *task, llvm::Value *closure,
                const DimExpr &total, const DimExpr &work);
  llvm::Function *createKernel(llvm::StringRef symbol);
  llvm::Value *enterKernel(llvm::Function *kernel);
  void callTasks(const std::vector<Plan> &plans, llvm::ArrayRef<llvm::Function *> tasks,
                 llvm::Function *kernel);

  const TargetFacts &target;
  FeatureTest hasFeature;
  std::map<std::string, Whole, std::less<>> wholeStages; ///< kept on the stack
  Rounds rounds;
  std::optional<Innermost> innermost;
  std::optional<Fetching> fetching;
  llvm::SmallVector<ResultLine> resultFetching;
  int64_t resultPoints = 1; ///< of the tile
  std::optional<Slice> slice;
  std::optional<Kept> kept;
  llvm::AllocaInst *keptMemory = nullptr; ///< of the task
  llvm::Value *mask = nullptr;            ///< lanes that exist; null: all
  // The tile being emitted.
  std::map<int, DimExpr> tileBase; ///< of each entered dimension
  int tileVectors = 1, tileRows = 1;
  bool isLastMasked = false;
  bool isTurning = false;
  int turningRow = 0;                                             ///< the value of "%q"
  std::map<std::string, llvm::SmallVector<llvm::Value *>> turned; ///< loads of the tile's rows
  DimExpr block, blocks; ///< which part of the level cut into blocks, and of how many
  const spec::Stage *unplaced = nullptr; ///< the reducing stage that planning could not place
};

} // namespace kiln::codegen

#endif // KILN_CODEGEN_LLVM_EMITTER_H
