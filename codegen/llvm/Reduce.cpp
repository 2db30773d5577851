//===- Reduce.cpp - reducing stages in registers --------------------------===//

#include "codegen/llvm/Emitter.h"

#include "llvm/ADT/STLExtras.h"

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

static constexpr int64_t manySteps = int64_t(1) << 30;

/// Steps of the loop over a reduction dimension, or, behind all of those, of the loop over lanes.
int64_t Emitter::stepsOf(const Placed &placed, size_t level, size_t slots) const {
  const std::vector<DimExpr> &reduction = placed.stage->reduction;
  bool isLanes = level == reduction.size();
  if (isLanes ? placed.lanesAlong < 0 : static_cast<int>(level) == placed.lanesAlong)
    return 1;
  std::optional<int64_t> extent = reduction[isLanes ? placed.lanesAlong : level].constantValue();
  int64_t chunk = isLanes ? lanes * static_cast<int64_t>(slots) : 1;
  return extent ? std::clamp<int64_t>(divideCeil(*extent, chunk), 1, manySteps) : manySteps;
}

/// Steps of an accumulator in one turn of a level's loop.
int64_t Emitter::stepsWithin(const Placed &placed, size_t level, size_t slots) const {
  int64_t steps = 1;
  for (size_t i = level + 1; i <= placed.stage->reduction.size(); ++i)
    steps = std::min(steps * stepsOf(placed, i, slots), manySteps);
  return steps;
}

/// Whether a level's loop is cut into blocks, each of which is added to the totals. The products
/// of a contraction are summed in one go.
bool Emitter::isBlocked(const Placed &placed, size_t level, size_t slots) const {
  const Stage &stage = *placed.stage;
  if (stage.combiner != Combiner::Add || !isFloat(stage.type) || !stage.body->strict)
    return false;
  int64_t within = stepsWithin(placed, level, slots);
  return within <= blockSteps && within * stepsOf(placed, level, slots) > blockSteps;
}

/// A loop of `count` turns at a level of a placed stage.
void Emitter::stepLoop(const Placed &placed, std::vector<Instance> &instances, size_t level,
                       const DimExpr &count, LoopBody body) {
  size_t slots = instances.front().values.size();
  if (!isBlocked(placed, level, slots))
    return loop(b.getInt64(0), emit(count), body);
  Value *turns = b.getInt64(blockSteps / stepsWithin(placed, level, slots)), *all = emit(count);
  Value *most = b.CreateAdd(all, b.CreateSub(turns, b.getInt64(1)));
  loop(b.getInt64(0), b.CreateUDiv(most, turns), [&](Value *block) {
    Value *from = b.CreateNSWMul(block, turns), *to = b.CreateNSWAdd(from, turns);
    loop(from, b.CreateBinaryIntrinsic(Intrinsic::smin, to, all), body);
    flush(placed, instances);
  });
}

/// Adds the accumulators to their totals and starts them anew.
void Emitter::flush(const Placed &placed, std::vector<Instance> &instances) {
  Value *start = values.identity(Combiner::Add, placed.stage->type).value;
  for (Instance &instance : instances)
    for (auto [from, into] : llvm::zip_equal(instance.values, instance.totals)) {
      Value *sum = b.CreateLoad(from->getAllocatedType(), from);
      Value *total = b.CreateLoad(into->getAllocatedType(), into);
      b.CreateStore(b.CreateFAdd(total, b.CreateFPExt(sum, total->getType())), into);
      bool isWide = sum->getType()->isVectorTy();
      b.CreateStore(isWide ? values.splat(start, lanes) : start, from);
    }
}

/// The coordinates of a placed stage that a point of the root reads.
Coordinates Emitter::placedAt(const Placed &placed, const Frame &point) {
  std::map<std::string, DimExpr, std::less<>> map;
  for (size_t i = 0; i < point.at.size(); ++i)
    map["%d" + std::to_string(i)] = point.at[i];
  Coordinates at;
  for (const DimExpr &value : placed.at)
    at.push_back(value.substitute(map));
  return at;
}

/// Computes a placed stage at every point of the tile as far as it is entered.
void Emitter::place(const Plan &plan, const Placed &placed) {
  std::vector<Instance> instances;
  std::set<std::string> seen;
  for (auto &[point, pointMask] : tilePoints(plan)) {
    Coordinates at = placedAt(placed, point);
    Frame frame = frameOf(*placed.stage, at);
    bool isWide = llvm::any_of(at, [&](const DimExpr &value) { return isVarying(value); });
    if (seen.insert(frame.key).second)
      instances.push_back({std::move(frame), isWide ? pointMask : nullptr, {}, {}, {}});
  }
  bool isCore = &placed == coreOf(plan);
  if (isCore && slice)
    for (size_t i = 0; i < instances.size(); ++i)
      instances[i].waiting = waitingSum(plan, i / tileVectors, i % tileVectors);
  if (isCore && slice && slice->isLast) {
    Type *type = slice->sums->getAllocatedType()->getArrayElementType();
    for (Instance &instance : instances)
      placedValues[instance.frame.key] = b.CreateLoad(type, instance.waiting);
    mask = nullptr;
    return;
  }
  if (isCore) {
    startFetchingResult(plan);
    startFetching(plan, placed, instances.front().frame);
  }
  reduce(placed, instances);
  fetching.reset();
  resultFetching.clear();
  for (Instance &instance : instances) {
    Value *value = finish(placed, instance);
    if (instance.waiting)
      b.CreateStore(value, instance.waiting);
    else
      placedValues[instance.frame.key] = value;
  }
  mask = nullptr;
}

void Emitter::reduce(const Placed &placed, std::vector<Instance> &instances) {
  const Stage &stage = *placed.stage;
  bool alongLanes = placed.lanesAlong >= 0;
  Accumulated start = values.identity(stage.combiner, accumulated(stage));
  if (!isArg(stage.combiner) && !alongLanes)
    start.value = values.constant(*stage.init);
  size_t slots = alongLanes && instances.size() == 1 ? 4 : 1;
  BasicBlock &entry = b.GetInsertBlock()->getParent()->getEntryBlock();
  IRBuilder<> top(&entry, entry.begin());
  bool hasTotals = false;
  for (size_t level = 0; level <= stage.reduction.size(); ++level)
    hasTotals |= isBlocked(placed, level, slots);
  for (Instance &instance : instances) {
    bool isWide = alongLanes || llvm::any_of(instance.frame.at, [&](const DimExpr &value) {
                    return isVarying(value);
                  });
    auto allocate = [&](Value *value, std::vector<AllocaInst *> &into) {
      value = isWide ? values.splat(value, lanes) : value;
      into.push_back(top.CreateAlloca(value->getType()));
      b.CreateStore(value, into.back());
    };
    for (size_t slot = 0; slot < slots; ++slot) {
      allocate(start.value, instance.values);
      if (isArg(stage.combiner))
        allocate(start.position, instance.positions);
      if (hasTotals)
        allocate(values.constant(-0.0, DType::F64), instance.totals);
    }
    if (instance.waiting)
      b.CreateStore(b.CreateLoad(instance.values[0]->getAllocatedType(), instance.waiting),
                    instance.values[0]);
    for (size_t i = 0; i < stage.reduction.size(); ++i)
      instance.frame.at.push_back(DimExpr::symbol("%r" + std::to_string(i)));
  }
  reduceLevel(placed, instances, 0);
  for (Instance &instance : instances)
    instance.frame.at.resize(stage.domain.size());
}

/// Guards are tested ahead of the innermost loop, or, where that loop moves the guarded
/// coordinates, ahead of all.
size_t Emitter::versionLevel(const Placed &placed, const std::vector<Instance> &instances) {
  size_t last = placed.stage->reduction.size() - 1;
  std::string name = "%r" + std::to_string(last);
  bool isMoved = false;
  Frame frame = instances.front().frame;
  for (size_t i = 0; i <= last; ++i)
    frame.at[placed.stage->domain.size() + i] = DimExpr::symbol("%r" + std::to_string(i));
  walk(placed.stage->body, frame, [&](const Read &, DType, const Coordinates &, const Frame &at) {
    for (const Guard &guard : at.guards) {
      auto split = guard.coordinate.splitLinear(name);
      isMoved |= !split || split->first != 0;
    }
  });
  return isMoved ? 0 : last;
}

void Emitter::reduceLevel(const Placed &placed, std::vector<Instance> &instances, size_t level) {
  const Stage &stage = *placed.stage;
  size_t rank = stage.domain.size();
  if (level == stage.reduction.size()) {
    if (placed.lanesAlong >= 0)
      return reduceLanes(placed, instances);
    fetch(placed, instances.front().frame);
    if (placed.widened)
      return widenedStep(placed, instances);
    for (Instance &instance : instances)
      if (placed.dot)
        dotStep(placed, instance, placed.dot->group);
      else
        step(placed, instance, 0, instance.mask);
    return;
  }
  if (static_cast<int>(level) == placed.lanesAlong)
    return reduceLevel(placed, instances, level + 1);
  // A step of the last level takes a group of a dot.
  auto groupAt = [&](size_t i) {
    return placed.dot && i + 1 == stage.reduction.size() ? placed.dot->group : 1;
  };
  // A slice has its position in the dimensions in front, and a part of the one that is cut.
  bool isSliced = instances.front().waiting && level < slice->at.size();
  bool isFixed = isSliced && level + 1 < slice->at.size();
  const DimExpr start = isSliced ? slice->at[level] : DimExpr(0);
  const DimExpr extent =
      DimExpr::floorDiv(isSliced ? slice->extent : stage.reduction[level], groupAt(level));
  auto at = [&](const DimExpr &value) {
    for (Instance &instance : instances)
      instance.frame.at[rank + level] = value;
  };
  auto nest = [&] {
    int64_t trips = std::clamp<int64_t>(extent.constantValue().value_or(64), 0, 64);
    for (size_t i = level + 1; i < stage.reduction.size(); ++i)
      trips *= std::clamp<int64_t>(
          DimExpr::floorDiv(stage.reduction[i], groupAt(i)).constantValue().value_or(64), 0, 64);
    // A full tile fills the registers: more than one step of it at a time would spill.
    size_t most = instances.size() > 16 ? 48 : 128;
    size_t products = instances.size() * (placed.widened ? placed.widened->terms.size() : 1);
    if (isFixed) {
      at(start);
      reduceLevel(placed, instances, level + 1);
    } else if (trips > 0 && trips * products <= most && trips <= 9) {
      // Without trips another extent may still be one that only a call knows.
      for (int64_t i = 0; i < *extent.constantValue(); ++i) {
        at(start + DimExpr(i * groupAt(level)));
        reduceLevel(placed, instances, level + 1);
      }
    } else {
      stepLoop(placed, instances, level, extent, [&](Value *i) {
        auto last = extent.bounds(bounds).upper;
        DimExpr number = bind(i, "%i", {0, last ? std::optional(*last - 1) : std::nullopt});
        at(start + number * DimExpr(groupAt(level)));
        if (last && (isSliced || extent.constantValue()) && level + 1 == stage.reduction.size())
          innermost = {number.str(), *last};
        reduceLevel(placed, instances, level + 1);
        innermost.reset();
      });
    }
    if (groupAt(level) > 1)
      dotRest(placed, instances);
    at(DimExpr::symbol("%r" + std::to_string(level)));
  };
  if (placed.lanesAlong < 0 && level == versionLevel(placed, instances))
    versioned(placed, instances, level, nest);
  else
    nest();
}

/// Emits `body` twice where guarded reads may or may not leave their tensors: once knowing that all
/// of this tile's do not, once checking each.
void Emitter::versioned(const Placed &placed, std::vector<Instance> &instances, size_t level,
                        function_ref<void()> body) {
  const Stage &stage = *placed.stage;
  std::map<std::string, std::pair<DimExpr, DimExpr>> tests; // low and room, both to be >= 0
  std::set<const Index *> candidates, hopeless;
  std::vector<std::pair<std::string, DimExpr>> ranges = {{std::string(laneName), lanes - 1}};
  for (size_t i = level; i < stage.reduction.size(); ++i)
    ranges.push_back({"%r" + std::to_string(i), stage.reduction[i] - 1});
  auto visitGuard = [&](const Guard &guard) {
    candidates.insert(guard.index);
    DimExpr low = guard.coordinate, high = guard.coordinate;
    for (auto &[name, last] : ranges) {
      auto lowSplit = low.splitLinear(name), highSplit = high.splitLinear(name);
      if (!lowSplit || !highSplit) {
        hopeless.insert(guard.index);
        return;
      }
      DimExpr far = last * DimExpr(lowSplit->first);
      low = lowSplit->second + (lowSplit->first < 0 ? far : DimExpr(0));
      high = highSplit->second + (highSplit->first > 0 ? far : DimExpr(0));
    }
    std::set<std::string> names;
    low.collectSymbols(names);
    if (names.count("%x") || isVarying(low))
      hopeless.insert(guard.index);
    else
      tests[low.str() + "|" + high.str()] = {low, guard.extent - 1 - high};
  };
  for (Instance &instance : instances)
    walk(stage.body, instance.frame,
         [&](const Read &, DType, const Coordinates &, const Frame &at) {
           llvm::for_each(at.guards, visitGuard);
         });
  std::set<const Index *> before = proven;
  for (const Index *index : candidates)
    if (!hopeless.count(index))
      proven.insert(index);
  Value *isInside = nullptr;
  auto require = [&](const DimExpr &value) {
    auto low = value.bounds(bounds).lower;
    if (low && *low >= 0)
      return;
    Value *test = b.CreateICmpSGE(emit(value), b.getInt64(0));
    isInside = isInside ? b.CreateAnd(isInside, test) : test;
  };
  if (proven.size() > before.size())
    for (auto &[key, pair] : tests) {
      require(pair.first);
      require(pair.second);
    }
  if (!isInside) {
    body();
    proven = before;
    return;
  }
  branch(isInside, body, [&] {
    proven = before;
    body();
  });
}

/// Positions of one reduction dimension in the lanes, several accumulators in turn, a masked rest.
void Emitter::reduceLanes(const Placed &placed, std::vector<Instance> &instances) {
  const Stage &stage = *placed.stage;
  size_t slots = instances.front().values.size();
  const DimExpr &extent = stage.reduction[placed.lanesAlong];
  DimExpr lane = DimExpr::symbol(laneName), chunk = DimExpr(lanes * static_cast<int64_t>(slots));
  size_t dim = stage.domain.size() + placed.lanesAlong;
  DimExpr full = DimExpr::floorDiv(extent, chunk);
  auto all = [&](const DimExpr &base, size_t slot, Value *laneMask) {
    for (Instance &instance : instances) {
      instance.frame.at[dim] = base + lane;
      step(placed, instance, slot, laneMask);
    }
  };
  stepLoop(placed, instances, stage.reduction.size(), full, [&](Value *i) {
    DimExpr base = bind(i, "%i", {0, {}}) * chunk;
    for (size_t slot = 0; slot < slots; ++slot)
      all(base + DimExpr(lanes * static_cast<int64_t>(slot)), slot, nullptr);
  });
  DimExpr rest = DimExpr::floorDiv(extent - full * chunk + DimExpr(lanes - 1), DimExpr(lanes));
  loop(b.getInt64(0), emit(rest), [&](Value *i) {
    DimExpr base = full * chunk + bind(i, "%i", {0, {}}) * DimExpr(lanes);
    Value *args[] = {emit(base + lane), emit(extent)};
    values.unify(args);
    all(base, 0, b.CreateICmpSLT(args[0], args[1]));
  });
}

/// Combines the body at one point (or, along lanes, at several) into an accumulator.
void Emitter::step(const Placed &placed, Instance &instance, size_t slot, Value *laneMask) {
  const Stage &stage = *placed.stage;
  DType type = accumulated(stage);
  Frame frame = frameOf(stage, instance.frame.at);
  memo.clear();
  mask = laneMask;
  AllocaInst *memory = instance.values[slot];
  Accumulated acc{b.CreateLoad(memory->getAllocatedType(), memory)}, next;
  const Expr &body = *stage.body;
  bool isMasked = laneMask && placed.lanesAlong >= 0;
  if (stage.combiner == Combiner::Add && body.op == Op::Mul && !body.strict && isFloat(type)) {
    next.value =
        values.multiplyAdd(evaluate(body.args[0], frame), evaluate(body.args[1], frame), acc.value);
  } else {
    Accumulated item{evaluate(stage.body, frame)};
    if (isArg(stage.combiner)) {
      DimExpr position;
      for (size_t i = 0; i < stage.reduction.size(); ++i)
        position = position * stage.reduction[i] + frame.at[stage.domain.size() + i];
      item.position = emit(position);
      AllocaInst *kept = instance.positions[slot];
      acc.position = b.CreateLoad(kept->getAllocatedType(), kept);
    }
    next = values.combine(stage.combiner, type, acc, item);
  }
  auto keep = [&](Value *value, Value *old, AllocaInst *into) {
    if (isMasked)
      value = b.CreateSelect(laneMask, value, old);
    b.CreateStore(value, into);
  };
  keep(next.value, acc.value, memory);
  if (next.position)
    keep(next.position, acc.position, instance.positions[slot]);
}

Value *Emitter::finish(const Placed &placed, Instance &instance) {
  const Stage &stage = *placed.stage;
  DType type = accumulated(stage);
  Accumulated result;
  auto get = [&](AllocaInst *from) { return b.CreateLoad(from->getAllocatedType(), from); };
  if (!instance.totals.empty()) {
    // What lies behind the last block is added too.
    for (size_t slot = 0; slot < instance.values.size(); ++slot) {
      Value *rest = get(instance.values[slot]), *total = get(instance.totals[slot]);
      total = b.CreateFAdd(total, b.CreateFPExt(rest, total->getType()));
      result.value = slot ? b.CreateFAdd(result.value, total) : total;
    }
    type = DType::F64;
  }
  for (size_t slot = 0; instance.totals.empty() && slot < instance.values.size(); ++slot) {
    Accumulated item{get(instance.values[slot])};
    if (isArg(stage.combiner))
      item.position = get(instance.positions[slot]);
    result = slot ? values.combine(stage.combiner, type, result, item) : item;
  }
  if (placed.lanesAlong >= 0) {
    for (int width = lanes / 2; width >= 1; width /= 2) {
      auto half = [&](Value *value, int from) -> Value * {
        if (!value)
          return nullptr;
        SmallVector<int, 64> pick;
        for (int i = 0; i < width; ++i)
          pick.push_back(from + i);
        return b.CreateShuffleVector(value, pick);
      };
      result =
          values.combine(stage.combiner, type, {half(result.value, 0), half(result.position, 0)},
                         {half(result.value, width), half(result.position, width)});
    }
    result.value = b.CreateExtractElement(result.value, uint64_t(0));
    if (result.position)
      result.position = b.CreateExtractElement(result.position, uint64_t(0));
  }
  if (isArg(stage.combiner)) {
    Value *none = ConstantInt::get(result.position->getType(), INT64_MAX);
    return b.CreateSelect(b.CreateICmpEQ(result.position, none),
                          Constant::getNullValue(none->getType()), result.position);
  }
  if (type != accumulated(stage))
    result.value = values.cast(result.value, type, accumulated(stage));
  if (placed.lanesAlong < 0)
    return result.value;
  return values.combine(stage.combiner, type, {values.constant(*stage.init)}, result).value;
}
