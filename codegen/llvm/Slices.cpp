//===- Slices.cpp - long reductions in slices -----------------------------===//
//
// What the tiles of some vectors read of a weight must stay near for all of them. Where that is too
// much for the second cache, all tiles take one slice of the reduction, then all the next; the sums
// wait in memory meanwhile. The order of each sum stays what it is.
//
//===----------------------------------------------------------------------===//

#include "codegen/llvm/Emitter.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

/// Parts of the second cache: a weight that tiles may come back to, and a slice of a larger one.
static constexpr int64_t pieceParts = 11, sliceParts = 32;
/// Bytes of sums that wait.
static constexpr int64_t mostSumBytes = 48 << 10;

/// Slices of about `most` steps of a reduction; of one size, if one of about that size divides the
/// extent. A step of the last dimension takes `group` positions.
static void sizeSlices(Slicing &slicing, ArrayRef<int64_t> extents, int64_t most, int64_t group) {
  int64_t within = 1; // steps of a turn of the dimension that is cut
  slicing.dim = extents.size() - 1;
  while (slicing.dim > 0 && within * extents[slicing.dim] <= most)
    within *= extents[slicing.dim--];
  int64_t extent = extents[slicing.dim], unit = within == 1 ? group : 1;
  int64_t size = std::clamp<int64_t>(most / within, unit, extent);
  size = alignTo(divideCeil(extent, divideCeil(extent, size)), unit);
  for (int64_t less = size; less * 2 > size; less -= unit)
    if (extent % less == 0) {
      size = less;
      break;
    }
  slicing.size = size;
  slicing.steps = size * within;
  slicing.count = divideCeil(extent, size);
  for (size_t i = 0; i < slicing.dim; ++i)
    slicing.count *= extents[i];
}

/// Cuts the reduction where that pays, and the level behind that of the vectors into blocks whose
/// sums are few enough.
void Emitter::chooseSlices(Plan &plan) {
  const Placed *core = coreOf(plan);
  if (!core || rounds.dims > 0 || core->lanesAlong >= 0 || plan.vectorDim < 0 || plan.isTurning)
    return;
  const Stage &stage = *core->stage;
  size_t level = 0;
  while (plan.levels[level].dim != plan.vectorDim)
    ++level;
  bool isLate = llvm::any_of(plan.placed, [&](const Placed &placed) {
    return &placed != core && placed.depth > level + 1;
  });
  bool isChain = isFloat(stage.type) && stage.body->strict;
  if (stage.combiner != Combiner::Add || isChain || isLate || ++level == plan.levels.size())
    return;

  std::vector<int64_t> extents;
  int64_t steps = 1;
  for (const DimExpr &extent : stage.reduction) {
    extents.push_back(extent.constantValue().value_or(0));
    steps *= extents.back();
  }
  int64_t group = core->dot ? core->dot->group : 1, each = 0; // bytes a step
  walk(stage.body, frameOf(stage, withReduction(stage, core->at)),
       [&](const Read &read, DType, const Coordinates &, const Frame &) {
         const Operand *operand = spec.findOperand(read.source);
         if (operand && operand->panel)
           each = std::max(each, plan.vectors * plan.lanes * byteSize(operand->type));
       });
  std::optional<int64_t> rows = rowsBehind(plan, level).bounds(bounds).upper;
  if (steps > 0 && (!rows || *rows > plan.rows))
    plan.keepsWeight = core->widened.has_value();
  if (plan.keepsWeight)
    each = plan.vectors * plan.lanes * byteSize(DType::F32) *
           static_cast<int64_t>(core->widened->terms.size());
  bool isLong = steps * each > target.cacheBytes / pieceParts && extents.back() % group == 0;
  std::optional<Slicing> slicing;
  if (isLong)
    slicing = fitSums(plan, level, accumulated(stage));
  if (slicing) {
    int64_t most = std::max<int64_t>(target.cacheBytes / sliceParts / each, 1);
    sizeSlices(*slicing, extents, most, group);
    plan.slicing = slicing;
  } else if (plan.keepsWeight) {
    keepWhole(plan, level, steps, each);
  }
  plan.keepsWeight &= plan.slicing.has_value();
}

/// Room for the sums of the tiles of a level and those within: of all, or of blocks of the level.
std::optional<Slicing> Emitter::fitSums(Plan &plan, size_t level, DType type) {
  int64_t slots = plan.vectors;
  for (const Level &inner : drop_begin(plan.levels, level + 1)) {
    std::optional<int64_t> most = extentOf(plan, inner.dim).bounds(bounds).upper;
    if (!most || *most > mostSumBytes || slots > mostSumBytes)
      return std::nullopt;
    slots *= *most;
  }
  const Level &next = plan.levels[level];
  int64_t tile = next.kind == Level::Kind::Rows ? plan.rows : 1;
  int64_t bytes = slots * tile * plan.lanes * byteSize(type);
  int64_t blockTiles = mostSumBytes / std::max<int64_t>(bytes, 1) - 1;
  DimExpr count = DimExpr::floorDiv(extentOf(plan, next.dim) + (tile - 1), tile);
  if (blockTiles < 1 || (slots == plan.vectors && count == DimExpr(1)))
    return std::nullopt;
  bool isSplit = plan.parallelLevels >= level;
  if (std::optional<int64_t> most = count.bounds(bounds).upper; most && *most <= blockTiles + 1)
    blockTiles = std::max<int64_t>(*most, 1);
  else if (!isSplit)
    return std::nullopt;
  if (isSplit) {
    plan.parallelLevels = level;
    plan.splitsNext = true;
    plan.blockTiles = blockTiles;
  }
  Slicing slicing{level};
  slicing.capacity = (blockTiles + 1) * tile;
  slicing.slots = slots * slicing.capacity;
  return slicing;
}

/// How many positions of a level behind the vectors were before the tile being emitted, and how
/// many there are, within the block.
std::pair<DimExpr, DimExpr> Emitter::withinBlock(const Plan &plan, size_t level) {
  const Level &inner = plan.levels[level];
  int64_t tile = inner.kind == Level::Kind::Rows ? plan.rows : 1;
  DimExpr at = tileBase[inner.dim], extent = extentOf(plan, inner.dim);
  if (!plan.slicing || level != plan.slicing->level || blocks == DimExpr(1))
    return {at, extent};
  DimExpr start = block * DimExpr(plan.blockTiles * tile);
  return {at - start, DimExpr::min(extent - start, plan.slicing->capacity)};
}

/// Where the sum of a vector of the tile being emitted waits.
Value *Emitter::waitingSum(const Plan &plan, int row, int vector) {
  DimExpr place;
  for (size_t level = plan.slicing->level; level < plan.levels.size(); ++level) {
    DimExpr at = withinBlock(plan, level).first;
    if (plan.levels[level].dim == plan.rowDim)
      at = at + row;
    std::optional<int64_t> most = extentOf(plan, plan.levels[level].dim).bounds(bounds).upper;
    place = level == plan.slicing->level ? at : place * DimExpr(*most) + at;
  }
  place = place * DimExpr(plan.vectors) + vector;
  return b.CreateGEP(slice->sums->getAllocatedType()->getArrayElementType(), slice->sums,
                     emit(place));
}

/// Slices, or with a widened weight only where a call has many rows for it.
void Emitter::slicedIfMany(const Plan &plan) {
  DimExpr rows = rowsBehind(plan, plan.slicing->level);
  if (!plan.keepsWeight || rows.constantValue())
    return sliced(plan);
  branch(
      b.CreateICmpSGT(emit(rows), b.getInt64(plan.rows)), [&] { sliced(plan); },
      [&] { tiledLevel(plan, plan.slicing->level); });
}

/// Runs the tiles of the level and those within once for each slice, then once to store them.
void Emitter::sliced(const Plan &plan) {
  const Slicing &slicing = *plan.slicing;
  const Stage &stage = *coreOf(plan)->stage;
  if (slicing.slots == 0) {
    widen(plan);
    tiledLevel(plan, slicing.level);
    return kept.reset();
  }
  BasicBlock &entry = b.GetInsertBlock()->getParent()->getEntryBlock();
  IRBuilder<> top(&entry, entry.begin());
  Value *start = values.splat(values.constant(*stage.init), lanes);
  AllocaInst *sums = top.CreateAlloca(ArrayType::get(start->getType(), slicing.slots));
  sums->setAlignment(Align(64));
  DimExpr used = plan.vectors;
  for (size_t level = slicing.level; level < plan.levels.size(); ++level) {
    tileBase[plan.levels[level].dim] = DimExpr(0);
    used = used * (level == slicing.level
                       ? withinBlock(plan, level).second
                       : *extentOf(plan, plan.levels[level].dim).bounds(bounds).upper);
    tileBase.erase(plan.levels[level].dim);
  }
  loop(b.getInt64(0), emit(used),
       [&](Value *i) { b.CreateStore(start, b.CreateGEP(start->getType(), sums, i)); });
  slice.emplace();
  slice->sums = sums;
  eachSlice(plan, 0);
  slice->isLast = true;
  tiledLevel(plan, slicing.level);
  slice.reset();
}

/// Loops over the reduction's dimensions as far as the slices follow them.
void Emitter::eachSlice(const Plan &plan, size_t dim) {
  const Slicing &slicing = *plan.slicing;
  const DimExpr extent = coreOf(plan)->stage->reduction[dim];
  bool isCut = dim == slicing.dim;
  DimExpr count = isCut ? DimExpr::floorDiv(extent + (slicing.size - 1), slicing.size) : extent;
  loop(b.getInt64(0), emit(count), [&](Value *i) {
    DimExpr number = bind(i, "%i", {0, *count.constantValue() - 1}), before = slice->number;
    slice->number = before * count + number;
    slice->at.push_back(isCut ? number * DimExpr(slicing.size) : number);
    if (isCut) {
      bool isEven = *extent.constantValue() % slicing.size == 0;
      slice->extent =
          isEven ? DimExpr(slicing.size) : DimExpr::min(extent - slice->at.back(), slicing.size);
      if (plan.keepsWeight)
        widen(plan);
      tiledLevel(plan, slicing.level);
      kept.reset();
    } else {
      eachSlice(plan, dim + 1);
    }
    slice->at.pop_back();
    slice->number = before;
  });
}
