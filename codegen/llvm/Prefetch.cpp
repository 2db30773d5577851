//===- Prefetch.cpp - the next tile of a weight ---------------------------===//

#include "codegen/llvm/Emitter.h"

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

/// Bytes that a prefetch brings.
static constexpr int64_t lineBytes = 64;
/// Tiles that use a piece of a weight, from which on waiting for it once does not count.
static constexpr int64_t manyUses = 64;
/// Steps of a reduction from a prefetch to the use of what it brings.
static constexpr int64_t streamAhead = 32;

/// The largest of the panels that a stage reads (scales of groups lie in panels too), at the first
/// step of the reduction, and how far `group` positions of the last dimension move there.
Piece Emitter::largestPanel(const Placed &placed, const Frame &frame, int64_t group) {
  const Stage &stage = *placed.stage;
  Piece piece;
  int64_t most = 0;
  for (int64_t step : {int64_t(0), group}) {
    Frame start = frame;
    start.at.resize(stage.domain.size());
    start.at.insert(start.at.end(), stage.reduction.size(), DimExpr(0));
    start.at.back() = step;
    walk(stage.body, start, [&](const Read &read, DType, const Coordinates &at, const Frame &) {
      const Operand *operand = spec.findOperand(read.source);
      auto split = operand && operand->panel ? at[0].splitLinear(laneName) : std::nullopt;
      if (!split || split->first != 1)
        return;
      Coordinates here = at;
      here[0] = split->second;
      DimExpr count = 1;
      for (const DimExpr &extent : operand->packedShape())
        count = count * extent;
      int64_t size = count.constantValue().value_or(1);
      if (step == 0 && size > most) {
        most = size;
        piece = {operand, here, 0};
      } else if (step != 0 && operand == piece.weight && piece.move == 0) {
        DimExpr moved = position(*operand, here) - position(*operand, piece.at);
        piece.move = moved.constantValue().value_or(0);
      }
    });
  }
  return piece;
}

/// Finds what the tiles of one piece of a weight, all those within the level of the vectors, are to
/// fetch while they compute: each its share of the piece that comes next. The processor's own
/// prefetching starts anew at each page and ends at the end of a piece.
void Emitter::startFetching(const Plan &plan, const Placed &placed, const Frame &frame) {
  const Stage &stage = *placed.stage;
  size_t level = 0;
  while (level < plan.levels.size() && plan.levels[level].dim != plan.vectorDim)
    ++level;
  if (level == plan.levels.size() || placed.lanesAlong >= 0 || stage.reduction.empty())
    return;
  int64_t group = placed.dot ? placed.dot->group : 1;
  auto [weight, next, move] = largestPanel(placed, frame, group);
  if (!weight || move <= 0)
    return;
  DimExpr uses = 1, use = 0;
  for (const Level &inner : drop_begin(plan.levels, level + 1)) {
    DimExpr tile = inner.kind == Level::Kind::Rows ? plan.rows : 1;
    DimExpr count = DimExpr::floorDiv(extentOf(plan, inner.dim) + tile - 1, tile);
    use = use * count + DimExpr::floorDiv(tileBase[inner.dim], tile);
    uses = uses * count;
  }
  int64_t vector = divideCeil(move * byteSize(weight->type), group);
  int64_t bytes = vector * plan.vectors, width = static_cast<int64_t>(plan.lanes) * plan.vectors;
  std::optional<int64_t> known = uses.constantValue();
  if (known && (*known == 0 || *known >= manyUses))
    return;
  fetching.emplace();
  const Memory &memory = memories.find(weight->name)->second;
  bool isRest = tileRows < plan.rows && tileBase.count(plan.rowDim);
  if (known ? *known == 1 : isRest) {
    // What is read once streams: each vector's panel is fetched a little ahead of its use. With an
    // open number of rows that is what the tiles of fewer rows are for.
    for (int i = 0; i < plan.vectors; ++i, next[0] = next[0] + plan.lanes)
      fetching->from.push_back(address(memory, position(*weight, next)));
    fetching->each = b.getInt64(vector);
    fetching->steps = streamAhead;
    return;
  }
  next[0] = next[0] + width;
  fetching->from.push_back(address(memory, position(*weight, next)));
  for (const DimExpr &extent : stage.reduction)
    use = use * extent;
  fetching->steps = use;
  int64_t each = known ? divideCeil(bytes, *known) : 0;
  fetching->lines = known ? divideCeil(each * group, lineBytes) : 1;
  fetching->each =
      known ? b.getInt64(each)
            : b.CreateUDiv(b.getInt64(bytes),
                           b.CreateBinaryIntrinsic(Intrinsic::smax, emit(uses), b.getInt64(1)));
}

/// What one step of the reduction fetches.
void Emitter::fetch(const Placed &placed, const Frame &frame) {
  if (!fetching)
    return;
  const Stage &stage = *placed.stage;
  DimExpr step;
  for (size_t i = 0; i < stage.reduction.size(); ++i)
    step = step * stage.reduction[i] + frame.at[stage.domain.size() + i];
  Value *offset = b.CreateMul(emit(fetching->steps + step), fetching->each);
  for (Value *from : fetching->from)
    for (int64_t line = 0; line < fetching->lines; ++line) {
      Value *at =
          b.CreateGEP(b.getInt8Ty(), from, b.CreateAdd(offset, b.getInt64(line * lineBytes)));
      // To read, into the second cache, data.
      b.CreateIntrinsic(Intrinsic::prefetch, {at->getType()},
                        {at, b.getInt32(0), b.getInt32(2), b.getInt32(1)});
    }
}
