//===- Nest.cpp - loops, tiles and tasks ----------------------------------===//

#include "codegen/llvm/Emitter.h"
#include "runtime/Abi.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

/// Elements times reduction length from which a stage is shared out, and into how many tasks:
/// fixed, so that results do not depend on the number of threads.
static constexpr int64_t parallelWork = 1 << 18, maxTasks = 16;

static DimExpr ceilDiv(const DimExpr &value, int64_t by) {
  return DimExpr::floorDiv(value + DimExpr(by - 1), DimExpr(by));
}

std::vector<std::pair<Frame, Value *>> Emitter::tilePoints(const Plan &plan) {
  std::vector<std::pair<Frame, Value *>> points;
  Coordinates base = rootDims(*plan.root);
  for (auto &[dim, value] : tileBase)
    base[dim] = value;
  bool hasVector = tileBase.count(plan.vectorDim), hasRows = tileBase.count(plan.rowDim);
  for (int row = 0; row < (hasRows ? tileRows : 1); ++row)
    for (int vector = 0; vector < (hasVector ? tileVectors : 1); ++vector) {
      Coordinates at = base;
      Value *exists = nullptr;
      if (hasRows)
        at[plan.rowDim] =
            at[plan.rowDim] + (plan.isTurning ? DimExpr::symbol(std::string(rowName)) : row);
      if (hasVector) {
        DimExpr &n = at[plan.vectorDim];
        n = n + DimExpr(static_cast<int64_t>(vector) * lanes) + DimExpr::symbol(laneName);
        if (isLastMasked && vector == tileVectors - 1)
          exists =
              b.CreateICmpSLT(emit(n), values.splat(emit(extentOf(plan, plan.vectorDim)), lanes));
      }
      for (size_t dim = 0; dim < rounds.dims; ++dim)
        at[dim] = dim + 1 == rounds.dims ? rounds.at[dim] + at[dim] : rounds.at[dim];
      points.push_back({frameOf(*plan.root, std::move(at)), exists});
    }
  return points;
}

void Emitter::storeTile(const Plan &plan) {
  const Stage &root = *plan.root;
  const Memory &memory = memories.find(root.name)->second;
  isTurning = plan.isTurning;
  mayBranch = !isTurning;
  turningRow = 0;
  turned.clear();
  for (auto &[frame, exists] : tilePoints(plan)) {
    memo.clear();
    mask = exists;
    env[std::string(rowName)] = {b.getInt64(turningRow), INT_MAX};
    Value *value =
        root.combiner == Combiner::None ? evaluate(root.body, frame) : placedValues[frame.key];
    store(memory, storedAt(root, *memory.facts, frame, true), value);
    ++turningRow;
  }
  mask = nullptr;
  mayBranch = true;
  isTurning = false;
  env.erase(env.find(rowName));
}

void Emitter::vectorTail(const Plan &plan, function_ref<void()> body) {
  DimExpr extent = extentOf(plan, plan.vectorDim);
  DimExpr tile = DimExpr(plan.lanes * plan.vectors);
  DimExpr from = DimExpr::floorDiv(extent, tile) * tile, rest = extent - from;
  if (std::optional<int64_t> left = rest.constantValue()) {
    if (*left == 0)
      return;
    tileBase[plan.vectorDim] = from;
    tileVectors = (*left + plan.lanes - 1) / plan.lanes;
    isLastMasked = *left % plan.lanes != 0;
    return body();
  }
  tileVectors = 1;
  isLastMasked = true;
  loop(b.getInt64(0), emit(ceilDiv(rest, plan.lanes)), [&](Value *i) {
    tileBase[plan.vectorDim] = from + bind(i, "%i", {0, {}}) * DimExpr(plan.lanes);
    body();
  });
}

void Emitter::rowTail(const Plan &plan, function_ref<void()> body) {
  DimExpr extent = extentOf(plan, plan.rowDim);
  DimExpr from = DimExpr::floorDiv(extent, plan.rows) * DimExpr(plan.rows), rest = extent - from;
  if (std::optional<int64_t> left = rest.constantValue()) {
    if (*left == 0)
      return;
    tileBase[plan.rowDim] = from;
    tileRows = *left;
    return body();
  }
  for (int rows = 8; rows >= 1; rows /= 2) {
    if (rows >= plan.rows)
      continue;
    DimExpr before = DimExpr::floorDiv(rest, 2 * rows) * DimExpr(2 * rows);
    tileRows = rows;
    loop(b.getInt64(0), emit(DimExpr::floorDiv(rest - before, rows)), [&](Value *i) {
      tileBase[plan.rowDim] = from + before + bind(i, "%i", {0, {}}) * DimExpr(rows);
      body();
    });
  }
}

static int64_t tileOf(const Plan &plan, const Level &level) {
  return level.kind == Level::Kind::Vector ? plan.lanes * plan.vectors
         : level.kind == Level::Kind::Rows ? plan.rows
                                           : 1;
}

/// A whole tile of a level.
void Emitter::startTile(const Plan &plan, Level::Kind kind) {
  if (kind == Level::Kind::Vector) {
    tileVectors = plan.vectors;
    isLastMasked = false;
  } else if (kind == Level::Kind::Rows) {
    tileRows = plan.rows;
  }
}

void Emitter::tiledLevel(const Plan &plan, size_t level) {
  bool isVector = plan.levels[level].kind == Level::Kind::Vector;
  bool isRows = plan.levels[level].kind == Level::Kind::Rows;
  int dim = plan.levels[level].dim;
  int64_t tile = tileOf(plan, plan.levels[level]);
  DimExpr full = DimExpr::floorDiv(extentOf(plan, dim), tile);
  bool isSplit = plan.splitsNext && level == plan.parallelLevels;
  Value *from = b.getInt64(0), *to = emit(full);
  if (isSplit && blocks != DimExpr(1)) {
    from = emit(block * DimExpr(plan.blockTiles));
    to = b.CreateBinaryIntrinsic(Intrinsic::smin, to, emit((block + 1) * DimExpr(plan.blockTiles)));
  }
  loop(from, to, [&](Value *i) {
    std::optional<int64_t> count = full.bounds(bounds).upper;
    DimExpr at = bind(i, "%i", {0, count ? std::optional(*count - 1) : std::nullopt});
    tileBase[dim] = at * DimExpr(tile);
    startTile(plan, plan.levels[level].kind);
    enter(plan, level + 1);
  });
  if (isVector || isRows) {
    auto next = [&] { enter(plan, level + 1); };
    auto tail = [&] { isVector ? vectorTail(plan, next) : rowTail(plan, next); };
    if (!isSplit || blocks == DimExpr(1))
      tail();
    else
      branch(b.CreateICmpEQ(emit(block + 1), emit(blocks)), tail, [] {});
  }
  tileBase.erase(dim);
}

/// Computes what is placed at this depth, then the level's loop, or the tile.
void Emitter::enter(const Plan &plan, size_t level) {
  auto before = placedValues;
  for (const Placed &placed : plan.placed)
    if (placed.depth == level)
      place(plan, placed);
  if (level == plan.levels.size()) {
    if (!slice || slice->isLast)
      storeTile(plan);
  } else if (plan.slicing && level == plan.slicing->level) {
    slicedIfMany(plan);
  } else {
    tiledLevel(plan, level);
  }
  placedValues = std::move(before);
}

DimExpr Emitter::levelCount(const Plan &plan, const Level &level) {
  return ceilDiv(extentOf(plan, level.dim), tileOf(plan, level));
}

/// Enters the levels that tasks share: `at` holds the number of the tile in each.
void Emitter::enterFlat(const Plan &plan, size_t level, ArrayRef<Value *> at) {
  if (level == plan.parallelLevels) {
    // Blocks of the next level, whose number is the last coordinate.
    block = plan.splitsNext ? bind(at[level], "%b", {0, {}}) : DimExpr(0);
    return enter(plan, level);
  }
  int dim = plan.levels[level].dim;
  DimExpr extent = extentOf(plan, dim);
  Level::Kind kind = plan.levels[level].kind;
  int64_t tile = tileOf(plan, plan.levels[level]);
  DimExpr full = DimExpr::floorDiv(extent, tile);
  auto main = [&] {
    auto last = full.bounds(bounds).upper;
    DimExpr i = bind(at[level], "%t", {0, last ? std::optional(*last - 1) : std::nullopt});
    tileBase[dim] = i * DimExpr(tile);
    startTile(plan, kind);
    enterFlat(plan, level + 1, at);
  };
  auto next = [&] { enterFlat(plan, level + 1, at); };
  auto rest = [&] { kind == Level::Kind::Vector ? vectorTail(plan, next) : rowTail(plan, next); };
  if (kind == Level::Kind::Plain || extent == full * DimExpr(tile)) {
    main();
  } else {
    // A tail of open size counts as one tile: all its vectors, each masked, or rows follow in a
    // loop.
    Value *isFull = full == DimExpr(0) ? b.getFalse() : b.CreateICmpSLT(at[level], emit(full));
    branch(isFull, main, rest);
  }
  tileBase.erase(dim);
}

DimExpr Emitter::flatCount(const Plan &plan) {
  DimExpr count = 1;
  for (size_t i = 0; i < plan.parallelLevels; ++i)
    count = count * levelCount(plan, plan.levels[i]);
  return count * blocks;
}

void Emitter::chooseBlocks(const Plan &plan) {
  blocks = 1;
  if (!plan.splitsNext)
    return;
  const Level &level = plan.levels[plan.parallelLevels];
  int64_t tile = tileOf(plan, level);
  DimExpr extent = extentOf(plan, level.dim);
  // One block at least: a rest without a full tile needs one too.
  DimExpr full = DimExpr::floorDiv(extent, tile);
  if (std::optional<int64_t> known = full.constantValue())
    blocks = std::max<int64_t>((*known + plan.blockTiles - 1) / plan.blockTiles, 1);
  else
    blocks = DimExpr::floorDiv(full, plan.blockTiles) + 1;
}

void Emitter::bindSymbols(Value *dims) {
  env.clear();
  for (size_t i = 0; i < spec.symbols.size(); ++i) {
    Value *value = b.CreateLoad(b.getInt64Ty(), b.CreateConstGEP1_64(b.getInt64Ty(), dims, i));
    env[spec.symbols[i].name] = {value, -1};
    bounds[spec.symbols[i].name] = {spec.symbols[i].lower, spec.symbols[i].upper};
  }
}

/// A task, int32_t (ctx, int32_t index, closure), as far as all have the same: the closure holds
/// bufs, dims, the number of tasks and the stack block of stages kept for all of them.
Function *Emitter::createTask(StringRef name) {
  Type *pointer = b.getPtrTy();
  auto *type = FunctionType::get(b.getInt32Ty(), {pointer, b.getInt32Ty(), pointer}, false);
  auto *task = Function::Create(type, GlobalValue::InternalLinkage, name, module);
  b.SetInsertPoint(BasicBlock::Create(b.getContext(), "entry", task));
  keptMemory = nullptr;
  auto field = [&](int i) {
    return b.CreateLoad(pointer, b.CreateConstGEP1_64(pointer, task->getArg(2), i));
  };
  Value *bufs = field(0), *stack = field(3);
  bindSymbols(field(1));
  memories.clear();
  for (size_t i = 0; i < spec.operands.size(); ++i) {
    Value *base = b.CreateLoad(pointer, b.CreateConstGEP1_64(pointer, bufs, i));
    memories[spec.operands[i].name] = {&spec.operands[i], base};
  }
  for (auto &[stage, place] : wholeStages)
    memories[stage] = {&place.facts, b.CreateConstGEP1_64(b.getInt8Ty(), stack, place.offset)};
  return task;
}

/// Which of `count` rounds or tiles the task being emitted runs: with `isBack`, the first the last.
Emitter::Shares Emitter::shareOf(const DimExpr &count, Value *isBack) {
  Function *task = b.GetInsertBlock()->getParent();
  Value *tasks =
      b.CreateLoad(b.getInt64Ty(), b.CreateConstGEP1_64(b.getPtrTy(), task->getArg(2), 2));
  Value *total = emit(count), *index = b.CreateZExt(task->getArg(1), b.getInt64Ty());
  if (isBack)
    index = b.CreateSelect(isBack, b.CreateSub(b.CreateSub(tasks, index), b.getInt64(1)), index);
  return {b.CreateUDiv(b.CreateMul(total, index), tasks),
          b.CreateUDiv(b.CreateMul(total, b.CreateAdd(index, b.getInt64(1))), tasks)};
}

/// Binds the plan's lanes.
void Emitter::startPlan(const Plan &plan) {
  lanes = plan.lanes;
  SmallVector<Constant *, 64> numbers;
  for (int i = 0; i < lanes; ++i)
    numbers.push_back(b.getInt64(i));
  env[std::string(laneName)] = {ConstantVector::get(numbers), static_cast<int>(env.size())};
  bounds[std::string(laneName)] = bounds[std::string(rowName)] = {0, lanes - 1};
  tileBase.clear();
}

/// Whether the loop around the kernel is in an odd round.
Value *Emitter::isOddRound() {
  Value *context = b.GetInsertBlock()->getParent()->getArg(0);
  Value *place = b.CreateConstGEP1_64(b.getInt8Ty(), context, offsetof(kiln_ctx, round));
  Value *round = b.CreateAlignedLoad(b.getInt32Ty(), place, Align(4));
  return b.CreateTrunc(round, b.getInt1Ty());
}

/// The levels that tasks share, and the blocks of the next one, from what changes in each step of a
/// task on.
static SmallVector<size_t> taskOrder(const Plan &plan) {
  SmallVector<size_t> order;
  for (size_t level = plan.parallelLevels + 1; level-- > 0;)
    order.push_back(level);
  if (plan.vectorsLast)
    std::stable_partition(order.begin(), order.end(), [&](size_t level) {
      return level < plan.parallelLevels && plan.levels[level].kind == Level::Kind::Vector;
    });
  return order;
}

/// The task of one stored stage.
Function *Emitter::emitTask(const Plan &plan, StringRef name) {
  Function *task = createTask(name);
  startPlan(plan);
  chooseBlocks(plan);
  Value *isBack = plan.alternates ? isOddRound() : nullptr;
  auto [from, to] = shareOf(flatCount(plan), isBack);
  Value *first = from, *last = to;
  SmallVector<size_t> order = taskOrder(plan);
  loop(from, to, [&](Value *flat) {
    if (isBack) {
      Value *mirrored = b.CreateSub(b.CreateSub(b.CreateAdd(first, last), flat), b.getInt64(1));
      flat = b.CreateSelect(isBack, mirrored, flat);
    }
    std::vector<Value *> at(plan.parallelLevels + 1);
    for (size_t level : llvm::drop_end(order)) {
      bool isBlock = level == plan.parallelLevels;
      Value *count = emit(isBlock ? blocks : levelCount(plan, plan.levels[level]));
      at[level] = b.CreateURem(flat, count);
      flat = b.CreateUDiv(flat, count);
    }
    at[order.back()] = flat;
    enterFlat(plan, 0, at);
  });
  b.CreateRet(b.getInt32(0));
  return task;
}

/// Calls a task once or, for large work, shares it out.
void Emitter::callTask(Function *kernel, Function *task, Value *closure, const DimExpr &total,
                       const DimExpr &work) {
  Type *pointer = b.getPtrTy();
  auto share = module.getOrInsertFunction("kiln_parallel_for", b.getInt32Ty(), pointer, pointer,
                                          b.getInt32Ty(), pointer);
  Value *parts = emit(total);
  Value *count = b.CreateBinaryIntrinsic(Intrinsic::smin, parts, b.getInt64(maxTasks));
  Value *isLarge = b.CreateAnd(b.CreateICmpSGE(emit(work), b.getInt64(parallelWork)),
                               b.CreateICmpSGT(parts, b.getInt64(1)));
  count = b.CreateSelect(isLarge, count, b.getInt64(1));
  b.CreateStore(count, b.CreateConstGEP1_64(pointer, closure, 2));
  auto *failed = BasicBlock::Create(b.getContext(), "failed", kernel);
  auto *next = BasicBlock::Create(b.getContext(), "next", kernel);
  auto check = [&](Value *status) {
    auto *good = BasicBlock::Create(b.getContext(), "good", kernel);
    b.CreateCondBr(b.CreateIsNull(status), good, failed);
    b.SetInsertPoint(failed);
    b.CreateRet(status);
    b.SetInsertPoint(good);
  };
  branch(
      isLarge,
      [&] {
        isParallel = true;
        check(b.CreateCall(
            share, {kernel->getArg(0), task, b.CreateTrunc(count, b.getInt32Ty()), closure}));
      },
      [&] { b.CreateCall(task, {kernel->getArg(0), b.getInt32(0), closure}); });
  b.CreateBr(next);
  b.SetInsertPoint(next);
  if (failed->empty())
    failed->eraseFromParent();
}

Function *Emitter::createKernel(StringRef symbol) {
  Type *pointer = b.getPtrTy();
  return Function::Create(FunctionType::get(b.getInt32Ty(), {pointer, pointer, pointer}, false),
                          GlobalValue::ExternalLinkage, symbol, module);
}

/// Begins the kernel's function; what its tasks are given.
Value *Emitter::enterKernel(Function *kernel) {
  Type *pointer = b.getPtrTy();
  b.SetInsertPoint(BasicBlock::Create(b.getContext(), "entry", kernel));
  bindSymbols(kernel->getArg(2));
  auto *closure = b.CreateAlloca(ArrayType::get(pointer, 4));
  bool keepsForAll = rounds.dims == 0 && stackBytes > 0;
  auto *stack =
      b.CreateAlloca(ArrayType::get(b.getInt8Ty(), keepsForAll ? stackBytes : int64_t(1)));
  stack->setAlignment(Align(64));
  auto field = [&](int i) { return b.CreateConstGEP1_64(pointer, closure, i); };
  b.CreateStore(kernel->getArg(1), field(0));
  b.CreateStore(kernel->getArg(2), field(1));
  b.CreateStore(stack, field(3));
  return closure;
}

void Emitter::callTasks(const std::vector<Plan> &plans, ArrayRef<Function *> tasks,
                        Function *kernel) {
  Value *closure = enterKernel(kernel);
  if (rounds.dims > 0) {
    DimExpr work;
    for (const Plan &plan : plans)
      work = work + plan.work;
    callTask(kernel, tasks.front(), closure, roundCount(*plans.front().root), work);
  }
  for (size_t i = 0; rounds.dims == 0 && i < plans.size(); ++i) {
    chooseBlocks(plans[i]);
    callTask(kernel, tasks[i], closure, flatCount(plans[i]), plans[i].work);
  }
  b.CreateRet(b.getInt32(0));
}

std::string Emitter::run(StringRef symbol) {
  for (const Symbol &value : spec.symbols)
    bounds[value.name] = {value.lower, value.upper};
  if (!chooseKept())
    return message;
  std::vector<Plan> plans;
  for (const Stage *root : rootStages())
    plans.push_back(makePlan(*root));
  Function *kernel = createKernel(symbol);
  std::vector<Function *> tasks;
  if (rounds.dims > 0)
    tasks.push_back(emitRounds(plans, (symbol + "_task").str()));
  for (size_t i = 0; rounds.dims == 0 && i < plans.size(); ++i)
    tasks.push_back(emitTask(plans[i], (symbol + "_task" + Twine(i)).str()));
  callTasks(plans, tasks, kernel);
  return message;
}
