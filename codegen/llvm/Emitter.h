//===- Emitter.h - one kernel as loops over micro-tiles --------*- C++ -*-===//
//
// Coordinates and addresses are DimExpr polynomials over the spec's symbols, loop variables ("%i3")
// and the lane number ("%l"), so the stride of an access along the lanes is read off the
// polynomial.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_LLVM_EMITTER_H
#define KILN_CODEGEN_LLVM_EMITTER_H

#include "codegen/llvm/Generate.h"
#include "codegen/llvm/Plan.h"
#include "codegen/llvm/Values.h"

#include "llvm/IR/Module.h"

namespace kiln::codegen {

using Body = llvm::function_ref<void(llvm::Value *)>;

class Emitter {
public:
  Emitter(const spec::KernelSpec &spec, const TargetFacts &target, llvm::Module &module,
          bool hasHalf, bool hasRounding);
  /// Emits all; nothing on success, else what the generator does not do.
  std::string run(llvm::StringRef symbol);
  bool isParallel = false;
  int64_t stackBytes = 0;

private:
  // Plan.cpp: which stage is stored, placed or inlined, and the loops.
  using ReadVisitor =
      llvm::function_ref<void(const spec::Read &, DType, const Coordinates &, const Frame &)>;
  void walk(const spec::ExprPtr &root, const Frame &frame, ReadVisitor visit);
  Frame frameOf(const spec::Stage &stage, Coordinates at, std::vector<Guard> guards = {});
  Coordinates rootDims(const spec::Stage &stage);
  bool findPlaced(Plan &plan, const spec::ExprPtr &body, const Frame &frame);
  bool keepWhole(const spec::Stage &stage);
  Plan makePlan(const spec::Stage &root);
  struct Strides {
    int contiguous = 0, uniform = 0, scattered = 0;
  };
  Strides stridesAlong(const std::string &symbol, const spec::ExprPtr &body, const Frame &frame);
  int bestDim(const Plan &plan, const spec::ExprPtr &body, const Frame &frame, bool &isClean);
  const Placed *coreOf(const Plan &plan) const;
  void chooseLanes(Plan &plan);
  void chooseTile(Plan &plan);
  static void chooseTileSize(Plan &plan, std::optional<int64_t> n, std::optional<int64_t> m,
                             int registers, int mostRows);
  void chooseLevels(Plan &plan);
  int lanesFor(const Plan &plan);
  bool isUnit(const DimExpr &extent) const;

  // Transpose.cpp: tiles that turn.
  void chooseTransposition(Plan &plan);
  llvm::Value *loadTurned(const Memory &memory, const DimExpr &place);

  // Address.cpp: polynomials, loads, stores.
  llvm::Value *emit(const DimExpr &expr);
  llvm::Value *emitAtom(const DimAtom &atom);
  int depthOf(const DimExpr &expr);
  DimExpr bind(llvm::Value *value, const std::string &prefix, DimBounds bounds = {});
  bool isVarying(const DimExpr &expr);
  DimExpr position(const spec::Operand &facts, const Coordinates &at);
  std::optional<int64_t> laneStride(const DimExpr &position);
  std::optional<Steps> stepsOf(const DimExpr &position);
  llvm::Value *condition(const Guard &guard);
  void checks(const std::vector<Guard> &guards, llvm::Value *&scalar, llvm::Value *&lanes);
  llvm::Value *load(const Memory &memory, const Coordinates &at, const std::vector<Guard> &guards,
                    double outside);
  void store(const Memory &memory, const Coordinates &at, llvm::Value *value);
  llvm::Value *loadSteps(const Memory &memory, const Steps &steps, llvm::Value *scalarTest,
                         llvm::Constant *missing);
  llvm::Value *address(const Memory &memory, const DimExpr &position);
  llvm::Constant *outsideValues(llvm::Constant *element);

  // Evaluate.cpp: bodies at a point.
  llvm::Value *evaluate(const spec::ExprPtr &expr, const Frame &frame);
  llvm::Value *evaluateNode(const spec::Expr &expr, const Frame &frame);
  llvm::Value *evaluateRead(const spec::Expr &expr, const Frame &frame);
  std::optional<DimExpr> computed(const spec::Index &index, const DimExpr &extent,
                                  const Frame &frame) const;
  DimExpr coordinate(const spec::Index &index, const DimExpr &extent, const Frame &frame,
                     bool emits);
  const Coordinates &shapeOf(const spec::Read &read);

  // Reduce.cpp: placed stages.
  struct Instance {
    Frame frame;
    llvm::Value *mask;
    std::vector<llvm::AllocaInst *> values, positions; ///< one accumulator for each unrolled step
    std::vector<llvm::AllocaInst *> totals;            ///< in f64, of blocks of a long sum
  };
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
                const DimExpr &count, Body body);
  void flush(const Placed &placed, std::vector<Instance> &instances);
  size_t versionLevel(const Placed &placed, const std::vector<Instance> &instances);

  // Nest.cpp: loops and tasks.
  void loop(llvm::Value *from, llvm::Value *to, Body body);
  void branch(llvm::Value *condition, llvm::function_ref<void()> yes,
              llvm::function_ref<void()> no);
  llvm::Function *emitTask(const Plan &plan, llvm::StringRef name);
  DimExpr levelCount(const Plan &plan, const Level &level);
  DimExpr flatCount(const Plan &plan);
  void enterFlat(const Plan &plan, size_t level, llvm::ArrayRef<llvm::Value *> at);
  void enter(const Plan &plan, size_t level);
  void tiledLevel(const Plan &plan, size_t level);
  void vectorTail(const Plan &plan, llvm::function_ref<void()> body);
  void rowTail(const Plan &plan, llvm::function_ref<void()> body);
  void chooseBlocks(const Plan &plan);
  void storeTile(const Plan &plan);
  Coordinates storedAt(const spec::Stage &root, const spec::Operand &facts, const Frame &frame,
                       bool emits);
  std::vector<std::pair<Frame, llvm::Value *>> tilePoints(const Plan &plan);
  void bindSymbols(llvm::Value *dims);
  void callTasks(const std::vector<Plan> &plans, llvm::ArrayRef<llvm::Function *> tasks,
                 llvm::Function *kernel);
  const DimExpr &extentOf(const Plan &plan, int dim) const { return plan.root->domain[dim]; }

  const spec::KernelSpec &spec;
  const TargetFacts &target;
  llvm::Module &module;
  llvm::IRBuilder<> b;
  Values values;
  DimExpr::BoundsMap bounds; ///< of symbols and loop variables
  std::map<std::string, std::pair<llvm::Value *, int>, std::less<>> env; ///< and binding order
  std::map<std::string, Memory, std::less<>> memories;
  struct Whole {
    spec::Operand facts;
    int64_t offset; ///< in the kernel's stack block, in bytes
  };
  std::map<std::string, Whole, std::less<>> wholeStages; ///< intermediate stages kept on the stack
  std::map<std::pair<const spec::Expr *, std::string>, llvm::Value *> memo; ///< of one point
  std::map<std::string, llvm::Value *> placedValues;                        ///< by the frame's key
  std::set<const spec::Index *> proven; ///< checked for the whole tile
  llvm::Value *mask = nullptr;          ///< lanes that exist; null: all
  int lanes = 1, unique = 0;
  // The tile being emitted.
  std::map<int, DimExpr> tileBase; ///< of each entered dimension
  int tileVectors = 1, tileRows = 1;
  bool isLastMasked = false;
  bool isTurning = false;
  int turningRow = 0;                                             ///< the value of "%q"
  std::map<std::string, llvm::SmallVector<llvm::Value *>> turned; ///< loads of the tile's rows
  DimExpr block, blocks; ///< which part of the level cut into blocks, and of how many
  const spec::Stage *unplaced = nullptr; ///< the reducing stage that planning could not place
  std::string message;
};

} // namespace kiln::codegen

#endif // KILN_CODEGEN_LLVM_EMITTER_H
