//===- Reduce.cpp - reductions of one point by its team -------------------===//

#include "codegen/cuda/Emitter.h"
#include "codegen/cuda/Runs.h"

#include "llvm/IR/IntrinsicsNVPTX.h"

#include <numeric>

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::codegen;
using namespace kiln::spec;
using namespace llvm;

static constexpr int warps = blockThreads / warpThreads;

/// Whether a sum is so long that blocks of its steps are added to a total in f64. The products of a
/// contraction are summed in one go.
bool cuda::Emitter::isBlocked(const Stage &stage) const {
  if (stage.combiner != Combiner::Add || !isFloat(stage.type) || !stage.body->strict)
    return false;
  DimExpr count = 1;
  for (const DimExpr &extent : stage.reduction)
    count = count * extent;
  auto most = count.bounds(bounds).upper;
  return !most || *most > blockSteps * threadsOf(team);
}

cuda::Emitter::Kept cuda::Emitter::allocate(const Stage &stage) {
  BasicBlock &entry = function->getEntryBlock();
  IRBuilder<> top(&entry, entry.begin());
  auto make = [&](Value *value) {
    AllocaInst *memory = top.CreateAlloca(value->getType());
    b.CreateStore(value, memory);
    return memory;
  };
  Accumulated identity = values.identity(stage.combiner, accumulated(stage));
  Kept kept;
  kept.value = make(identity.value);
  if (isArg(stage.combiner))
    kept.position = make(identity.position);
  if (isBlocked(stage)) {
    kept.total = make(values.constant(-0.0, DType::F64));
    kept.steps = make(b.getInt32(0));
  }
  return kept;
}

/// Adds the sum to the total and starts it anew.
void cuda::Emitter::flush(const Kept &kept) {
  Value *sum = b.CreateLoad(kept.value->getAllocatedType(), kept.value);
  Value *total = b.CreateLoad(b.getDoubleTy(), kept.total);
  b.CreateStore(b.CreateFAdd(total, b.CreateFPExt(sum, b.getDoubleTy())), kept.total);
  b.CreateStore(ConstantFP::getNegativeZero(sum->getType()), kept.value);
  b.CreateStore(b.getInt32(0), kept.steps);
}

/// Combines the body at one point of the reduction, where some reads are known.
void cuda::Emitter::step(const Stage &stage, const Coordinates &at, const Kept &kept,
                         ArrayRef<std::pair<const Expr *, Value *>> known) {
  DType type = accumulated(stage);
  Frame frame = frameOf(stage, at);
  memo.clear();
  for (auto [read, value] : known)
    memo[{read, frame.key}] = value;
  const Expr &body = *stage.body;
  auto get = [&](AllocaInst *from) { return b.CreateLoad(from->getAllocatedType(), from); };
  if (stage.combiner == Combiner::Add && body.op == Op::Mul && !body.strict && isFloat(type)) {
    Value *x = evaluate(body.args[0], frame), *y = evaluate(body.args[1], frame);
    b.CreateStore(values.multiplyAdd(x, y, get(kept.value)), kept.value);
    memo.clear();
    return;
  }
  Accumulated item{evaluate(stage.body, frame)}, acc{get(kept.value)};
  if (kept.position) {
    DimExpr position;
    for (size_t i = 0; i < stage.reduction.size(); ++i)
      position = position * stage.reduction[i] + at[stage.domain.size() + i];
    item.position = emit(position);
    acc.position = get(kept.position);
  }
  Accumulated next = values.combine(stage.combiner, type, acc, item);
  b.CreateStore(next.value, kept.value);
  if (kept.position)
    b.CreateStore(next.position, kept.position);
  memo.clear();
  if (!kept.total)
    return;
  Value *steps = b.CreateAdd(get(kept.steps), b.getInt32(1));
  b.CreateStore(steps, kept.steps);
  branch(b.CreateICmpEQ(steps, b.getInt32(blockSteps)), [&] { flush(kept); }, [] {});
}

/// The reduction's remaining dimensions as loops of one thread.
void cuda::Emitter::reduceLevel(const Stage &stage, Coordinates &at, const Kept &kept) {
  size_t level = at.size() - stage.domain.size();
  if (level == stage.reduction.size())
    return step(stage, at, kept);
  const DimExpr &extent = stage.reduction[level];
  loop(b.getInt64(0), emit(extent), [&](Value *i) {
    at.push_back(bind(i, "%r", indexBounds(extent)));
    reduceLevel(stage, at, kept);
    at.pop_back();
  });
}

Value *cuda::Emitter::addressOf(const Read &read, const Frame &frame) {
  const Memory &memory = memories.find(read.source)->second;
  Coordinates place;
  for (size_t i = 0; i < read.indices.size(); ++i)
    place.push_back(coordinate(read.indices[i], memory.facts->shape[i], frame, true));
  return address(memory, position(*memory.facts, place));
}

/// So many neighbours, by loads of up to 16 bytes. LLVM's passes may take these apart into
/// elements, whose alignment lets its code generator join them again.
SmallVector<Value *> cuda::Emitter::loadTogether(Value *from, DType type, int64_t count) {
  int64_t size = byteSize(type), bytes = std::gcd(int64_t(16), count * size);
  Type *piece = FixedVectorType::get(values.memoryType(type), bytes / size);
  SmallVector<Value *> loaded;
  for (int64_t at = 0; at < count * size; at += bytes) {
    Value *start = b.CreateGEP(b.getInt8Ty(), from, b.getInt64(at));
    Value *all = b.CreateAlignedLoad(piece, start, Align(bytes));
    for (int64_t k = 0; k < bytes / size; ++k)
      loaded.push_back(b.CreateExtractElement(all, uint64_t(k)));
  }
  return loaded;
}

/// The points of a number of neighbouring steps, the first of which is a multiple of `together`.
SmallVector<Coordinates> cuda::Emitter::pointsOf(const Stage &stage, const Coordinates &at,
                                                 Value *number, int64_t together) {
  SmallVector<Coordinates> points;
  auto add = [&](std::initializer_list<DimExpr> inner) {
    points.push_back(at);
    points.back().insert(points.back().end(), inner);
  };
  const DimExpr &extent = stage.reduction[0];
  if (stage.reduction.size() == 1) {
    DimExpr first = bind(b.CreateNSWMul(number, b.getInt64(together)), "%r", indexBounds(extent));
    for (int64_t k = 0; k < together; ++k)
      add({first + DimExpr(k)});
    return points;
  }
  int64_t inner = *stage.reduction[1].constantValue();
  if (together % inner == 0) {
    Value *first = b.CreateNSWMul(number, b.getInt64(together / inner));
    DimExpr outer = bind(first, "%r", indexBounds(extent));
    for (int64_t k = 0; k < together; ++k)
      add({outer + DimExpr(k / inner), k % inner});
    return points;
  }
  Value *each = b.getInt64(inner / together);
  DimExpr outer = bind(b.CreateUDiv(number, each), "%r", indexBounds(extent));
  Value *first = b.CreateNSWMul(b.CreateURem(number, each), b.getInt64(together));
  DimExpr start = bind(first, "%r", indexBounds(stage.reduction[1]));
  for (int64_t k = 0; k < together; ++k)
    add({outer, start + DimExpr(k)});
  return points;
}

/// The steps at neighbouring points, what their runs read loaded at once: for all of them, or for
/// each if that is 16 bytes already.
void cuda::Emitter::stepTogether(const Stage &stage, ArrayRef<Coordinates> points, const Kept &kept,
                                 ArrayRef<Run> runs) {
  int64_t together = points.size();
  std::vector<SmallVector<Value *>> loaded(runs.size());
  for (int64_t k = 0; k < together; ++k) {
    Frame frame = frameOf(stage, points[k]);
    std::vector<std::pair<const Expr *, Value *>> known;
    for (auto [run, all] : zip(runs, loaded)) {
      bool isWide = run.bytes() % 16 == 0;
      if (k == 0 || isWide)
        all = loadTogether(addressOf(run.first->read, frame), run.type(),
                           run.width * (isWide ? 1 : together));
      for (auto [read, place] : run.reads)
        known.push_back({read, all[place + (isWide ? 0 : k * run.width)]});
    }
    step(stage, points[k], kept, known);
  }
}

/// Whether what runs read at the point is aligned for loads of so many steps.
Value *cuda::Emitter::isAligned(const Stage &stage, Coordinates at, ArrayRef<Run> runs,
                                int64_t together) {
  at.resize(stage.domain.size() + stage.reduction.size());
  Frame start = frameOf(stage, at);
  Value *low = b.getInt64(0);
  for (const Run &run : runs) {
    Value *number = b.CreatePtrToInt(addressOf(run.first->read, start), b.getInt64Ty());
    int64_t bytes = std::gcd(int64_t(16), together * run.bytes());
    low = b.CreateOr(low, b.CreateAnd(number, bytes - 1));
  }
  return b.CreateICmpEQ(low, b.getInt64(0));
}

/// A member takes some neighbouring steps at a time, by loads of up to 16 bytes where those are
/// aligned, else by single ones, in the same order. False if nothing is read so.
bool cuda::Emitter::reduceTogether(const Stage &stage, const Coordinates &at, const Kept &kept) {
  std::vector<Run> runs = runsOf(spec, stage);
  DimExpr steps = product(stage.reduction);
  int64_t most = steps.bounds(bounds).upper.value_or(INT64_MAX), members = threadsOf(team);
  int64_t together = stepsTogether(runs, stage, most, members);
  bool isWide = any_of(runs, [](const Run &run) { return run.width > 1; });
  if (together == 1 && !isWide)
    return false;
  Value *count = emit(steps), *width = b.getInt64(together), *stride = b.getInt64(members);
  Value *whole = b.CreateUDiv(count, width), *first = b.CreateZExt(member, b.getInt64Ty());
  auto takeLoaded = [&](Value *number) {
    stepTogether(stage, pointsOf(stage, at, number, together), kept, runs);
  };
  auto takeOne = [&](Value *number) {
    Coordinates all = at, inner = decompose(number, stage.reduction, "%r");
    all.insert(all.end(), inner.begin(), inner.end());
    step(stage, all, kept);
  };
  auto takeEach = [&](Value *number) {
    Value *begin = b.CreateNSWMul(number, width);
    loop(begin, b.CreateNSWAdd(begin, width), takeOne);
  };
  branch(
      isAligned(stage, at, runs, together), [&] { loop(first, whole, takeLoaded, stride); },
      [&] { loop(first, whole, takeEach, stride); });
  if (together > 1)
    loop(b.CreateNSWAdd(b.CreateNSWMul(whole, width), first), count, takeOne, stride);
  return true;
}

/// The whole reduction, its points dealt out to the members of the team in turn.
void cuda::Emitter::reduceFlat(const Stage &stage, const Coordinates &at, const Kept &kept) {
  if (reduceTogether(stage, at, kept))
    return;
  DimExpr count = 1;
  for (const DimExpr &extent : stage.reduction)
    count = count * extent;
  loop(
      b.CreateZExt(member, b.getInt64Ty()), emit(count),
      [&](Value *flat) {
        Coordinates all = at, inner = decompose(flat, stage.reduction, "%r");
        all.insert(all.end(), inner.begin(), inner.end());
        step(stage, all, kept);
      },
      b.getInt64(threadsOf(team)));
}

/// A value of the lane whose number differs by `distance`, a power of two, in one bit.
Value *cuda::Emitter::shuffle(Value *value, int distance) {
  Type *type = value->getType();
  unsigned bits = type->getPrimitiveSizeInBits(), words = divideCeil(bits, 32);
  Value *whole = b.CreateBitCast(value, b.getIntNTy(bits));
  whole = b.CreateZExt(whole, b.getIntNTy(words * 32));
  Value *result = nullptr;
  for (unsigned word = 0; word < words; ++word) {
    Value *part = b.CreateTrunc(b.CreateLShr(whole, word * 32), b.getInt32Ty());
    part = b.CreateIntrinsic(
        Intrinsic::nvvm_shfl_sync_bfly_i32, {},
        {b.getInt32(-1), part, b.getInt32(distance), b.getInt32(warpThreads - 1)});
    part = b.CreateShl(b.CreateZExt(part, whole->getType()), word * 32);
    result = result ? b.CreateOr(result, part) : part;
  }
  return b.CreateBitCast(b.CreateTrunc(result, b.getIntNTy(bits)), type);
}

/// The result of `width` neighbouring lanes, in each of them.
Accumulated cuda::Emitter::shareWarp(Combiner combiner, DType type, Accumulated mine, int width) {
  for (int distance = width / 2; distance >= 1; distance /= 2) {
    Accumulated other{shuffle(mine.value, distance)};
    if (mine.position)
      other.position = shuffle(mine.position, distance);
    mine = values.combine(combiner, type, mine, other);
  }
  return mine;
}

GlobalVariable *cuda::Emitter::sharedMemory(ArrayType *type, StringRef purpose) {
  bool isOfLaunch = type->getNumElements() == 0;
  auto *global = new GlobalVariable(
      module, type, false, isOfLaunch ? GlobalValue::ExternalLinkage : GlobalValue::InternalLinkage,
      isOfLaunch ? nullptr : UndefValue::get(type), function->getName() + "_" + purpose, nullptr,
      GlobalValue::NotThreadLocal, sharedSpace);
  global->setAlignment(Align(16));
  return global;
}

/// Shared memory for a value of each warp of the block.
GlobalVariable *cuda::Emitter::sharedRow(Type *type, StringRef purpose) {
  return sharedMemory(ArrayType::get(type, warps), purpose);
}

/// The result of the warps of a block, each of whose lanes has that of its warp, in all threads.
Accumulated cuda::Emitter::shareBlock(Combiner combiner, DType type, Accumulated mine) {
  auto barrier = [&] {
    b.CreateIntrinsic(Intrinsic::nvvm_barrier_cta_sync_aligned_all, {}, {b.getInt32(0)});
  };
  Value *lane = b.CreateAnd(thread, warpThreads - 1);
  Value *warp = b.CreateLShr(thread, Log2_32(warpThreads));
  Value *isFirst = b.CreateICmpEQ(lane, b.getInt32(0)), *other = b.CreateAnd(lane, warps - 1);
  // i1 has no memory of its own.
  auto share = [&](Value *value, StringRef purpose) -> std::function<Value *()> {
    bool isBit = value->getType()->isIntegerTy(1);
    Type *stored = isBit ? static_cast<Type *>(b.getInt8Ty()) : value->getType();
    GlobalVariable *row = sharedRow(stored, purpose);
    branch(
        isFirst,
        [&] {
          Value *kept = isBit ? b.CreateZExt(value, stored) : value;
          b.CreateStore(kept, b.CreateGEP(stored, row, warp));
        },
        [] {});
    return [=, this]() -> Value * {
      Value *loaded = b.CreateLoad(stored, b.CreateGEP(stored, row, other));
      return isBit ? b.CreateICmpNE(loaded, b.getInt8(0)) : loaded;
    };
  };
  auto value = share(mine.value, "values");
  std::function<Value *()> position;
  if (mine.position)
    position = share(mine.position, "positions");
  barrier();
  Accumulated result{value(), position ? position() : nullptr};
  barrier(); // before the rows are written again
  return shareWarp(combiner, type, result, warps);
}

/// The value of a reducing stage at a point of its domain, in all threads of the team.
Value *cuda::Emitter::reduce(const Stage &stage, Coordinates at) {
  DType type = accumulated(stage);
  Kept kept = allocate(stage);
  if (member)
    reduceFlat(stage, at, kept);
  else
    reduceLevel(stage, at, kept);
  if (kept.total)
    flush(kept);
  AllocaInst *from = kept.total ? kept.total : kept.value;
  DType summed = kept.total ? DType::F64 : type;
  Accumulated result{b.CreateLoad(from->getAllocatedType(), from)};
  if (kept.position)
    result.position = b.CreateLoad(b.getInt64Ty(), kept.position);
  if (team != Team::Thread)
    result = shareWarp(stage.combiner, summed, result, warpThreads);
  if (team == Team::Block)
    result = shareBlock(stage.combiner, summed, result);
  if (result.position) // of nothing: the first
    return b.CreateSelect(b.CreateICmpEQ(result.position, b.getInt64(INT64_MAX)), b.getInt64(0),
                          result.position);
  result.value = values.cast(result.value, summed, type);
  return values.combine(stage.combiner, type, {values.constant(*stage.init)}, result).value;
}
