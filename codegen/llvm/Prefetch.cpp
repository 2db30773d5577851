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
static constexpr int64_t streamAhead = 32, leastAhead = 8;
/// Bytes between the steps of a matrix that is no panel from which on they do not follow each other
/// for the processor's own prefetching.
static constexpr int64_t farApart = 1024;

/// The dimension of an operand along which the lanes lie next to each other, if a tile's vectors
/// lie so too.
static std::optional<size_t> lanesOf(const Operand &operand, const Read &read,
                                     const Coordinates &at) {
  size_t last = operand.panel ? 0 : at.size() - 1;
  for (size_t dim = 0; dim < at.size(); ++dim) {
    auto split = at[dim].splitLinear(laneName);
    if (!split || split->first != (dim == last) ||
        (!operand.panel && read.indices[dim].indirect != nullptr))
      return std::nullopt;
  }
  return last;
}

/// The largest of the panels that a stage reads (scales of groups lie in panels too), else of what
/// it reads of matrices, at the first step of the reduction, and how far `group` positions of the
/// last dimension move there.
Piece Emitter::largestPiece(const Placed &placed, const Frame &frame, int64_t group) {
  const Stage &stage = *placed.stage;
  Piece piece;
  std::pair<bool, int64_t> most(false, 0);
  for (int64_t step : {int64_t(0), group}) {
    Frame start = frame;
    start.at.resize(stage.domain.size());
    start.at.insert(start.at.end(), stage.reduction.size(), DimExpr(0));
    start.at.back() = step;
    walk(stage.body, start, [&](const Read &read, DType, const Coordinates &at, const Frame &) {
      const Operand *operand = spec.findOperand(read.source);
      bool isMatrix = operand && !operand->panel && !at.empty() && stage.reduction.size() == 1;
      std::optional<size_t> dim =
          isMatrix || (operand && operand->panel) ? lanesOf(*operand, read, at) : std::nullopt;
      if (!dim)
        return;
      Coordinates here = at;
      here[*dim] = at[*dim].splitLinear(laneName)->second;
      DimExpr count = 1;
      for (const DimExpr &extent : operand->packedShape())
        count = count * extent;
      int64_t size = count.constantValue().value_or(1);
      std::pair rank(!isMatrix, size);
      if (step == 0 && rank > most) {
        most = rank;
        piece = {operand, here, *dim, 0};
      } else if (step != 0 && operand == piece.weight && piece.move == 0) {
        DimExpr moved = position(*operand, here) - position(*operand, piece.at);
        piece.move = moved.constantValue().value_or(0);
      }
    });
  }
  return piece;
}

/// Shares `bytes` a step among the tiles that use a piece, whose number may be known.
void Emitter::shareOut(std::optional<int64_t> known, const DimExpr &uses, int64_t bytes,
                       int64_t group) {
  int64_t each = known ? divideCeil(bytes, *known) : 0;
  fetching->lines = known ? divideCeil(each * group, lineBytes) : 1;
  fetching->each =
      known ? b.getInt64(each)
            : b.CreateUDiv(b.getInt64(bytes),
                           b.CreateBinaryIntrinsic(Intrinsic::smax, emit(uses), b.getInt64(1)));
}

/// The slice that comes next lies behind this one in each vector's panel, `bytes` a position of the
/// reduction: tiles take turns at the vectors.
void Emitter::fetchNextSlice(const Plan &plan, const Piece &piece, DimExpr use, DimExpr uses,
                             int64_t bytes, int64_t group) {
  const Operand &weight = *piece.weight;
  const Memory &memory = memories.find(weight.name)->second;
  const Slicing &slicing = *plan.slicing;
  auto panel = [&](int64_t further) {
    Coordinates at = piece.at;
    at[0] = at[0] + further;
    return position(weight, at);
  };
  DimExpr number = slice->number + 1;
  DimExpr move = number * DimExpr(slicing.steps / group * piece.move);
  Value *isLast = b.CreateICmpEQ(emit(number), b.getInt64(slicing.count));
  Value *from = b.CreateSelect(
      isLast, address(memory, panel(plan.vectors * static_cast<int64_t>(plan.lanes))),
      address(memory, panel(0) + move));
  DimExpr apart = (panel(plan.lanes) - panel(0)) * DimExpr(byteSize(weight.type));
  auto add = [&](Value *vector) {
    Value *offset = b.CreateMul(vector, emit(apart));
    fetching->from.push_back(b.CreateGEP(b.getInt8Ty(), from, offset));
  };
  if (std::optional<int64_t> known = uses.constantValue(); known && *known < plan.vectors) {
    for (int i = 0; i < plan.vectors; ++i)
      add(b.getInt64(i));
  } else {
    Value *tile = emit(use), *vectors = b.getInt64(plan.vectors);
    add(b.CreateURem(tile, vectors));
    use = bind(b.CreateUDiv(tile, vectors), "%i", {0, {}});
    uses = DimExpr::floorDiv(uses, plan.vectors);
  }
  fetching->steps = (use - slice->number) * DimExpr(slicing.steps);
  shareOut(uses.constantValue(), uses, bytes, group);
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
  Piece piece = largestPiece(placed, frame, group);
  if (!piece.weight)
    return;
  auto [weight, next, dim, move] = piece;
  bool isFarApart = move * byteSize(weight->type) >= farApart;
  if (move <= 0 || (!weight->panel && !isFarApart))
    return;
  DimExpr uses = 1, use = 0;
  for (size_t inner = level + 1; inner < plan.levels.size(); ++inner) {
    int64_t tile = plan.levels[inner].kind == Level::Kind::Rows ? plan.rows : 1;
    auto [at, extent] = withinBlock(plan, inner);
    DimExpr count = DimExpr::floorDiv(extent + DimExpr(tile - 1), tile);
    use = use * count + DimExpr::floorDiv(at, tile);
    uses = uses * count;
  }
  std::optional<int64_t> known = uses.constantValue();
  if (known && (*known == 0 || *known >= manyUses))
    return;
  fetching.emplace();
  const Memory &memory = memories.find(weight->name)->second;
  int64_t vector = divideCeil(move * byteSize(weight->type), group);
  const int64_t width = static_cast<int64_t>(plan.lanes) * plan.vectors;
  bool isRest = tileRows < plan.rows && tileBase.count(plan.rowDim);
  if (known ? *known == 1 : isRest) {
    // What is read once streams: each vector's panel is fetched a little ahead of its use. With an
    // open number of rows that is what the tiles of fewer rows are for. The last cache's distance
    // loads hide themselves, and fetching would only be in their way.
    if (spec.schedule.parameters.count("resident"))
      return fetching.reset();
    for (int i = 0; i < plan.vectors; ++i, next[dim] = next[dim] + plan.lanes)
      fetching->from.push_back(address(memory, position(*weight, next)));
    fetching->each = b.getInt64(vector);
    fetching->steps =
        weight->panel ? streamAhead : std::max<int64_t>(streamAhead / tileRows, leastAhead);
    return;
  }
  if (!weight->panel)
    return fetching.reset();
  if (slice)
    return fetchNextSlice(plan, piece, use, uses, vector, group);
  next[0] = next[0] + width;
  fetching->from.push_back(address(memory, position(*weight, next)));
  for (const DimExpr &extent : stage.reduction)
    use = use * extent;
  fetching->steps = use;
  shareOut(known, uses, vector * plan.vectors, group);
}

/// What one step of the reduction fetches.
void Emitter::fetch(const Placed &placed, const Frame &frame) {
  const Stage &stage = *placed.stage;
  DimExpr step;
  for (size_t i = 0; i < stage.reduction.size(); ++i)
    step = step * stage.reduction[i] + frame.at[stage.domain.size() + i];
  fetchResult(step);
  if (!fetching)
    return;
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

/// Where a point of the tile reads and writes tensors of the result's shape, lane by lane.
SmallVector<Touch> Emitter::touched(const Plan &plan, const Frame &frame) {
  const Stage &root = *plan.root;
  SmallVector<Touch> touches;
  auto add = [&](const std::string &name, const Coordinates &at, bool isWritten) {
    const Memory &memory = memories.find(name)->second;
    DimExpr place = position(*memory.facts, at);
    if (!memory.facts->panel && laneStride(place) == 1)
      touches.push_back({&memory, place - DimExpr::symbol(laneName), isWritten});
  };
  if (root.combiner == Combiner::None)
    walk(root.body, frame, [&](const Read &read, DType, const Coordinates &at, const Frame &in) {
      const Operand *operand = spec.findOperand(read.source);
      bool isComputed =
          llvm::any_of(read.indices, [](const Index &index) { return index.indirect != nullptr; });
      if (operand && operand->shape == root.domain && in.guards.empty() && !isComputed)
        add(read.source, at, false);
    });
  add(root.name, storedAt(root, *memories.find(root.name)->second.facts, frame, true), true);
  return touches;
}

/// Finds what the end of the tile reads and writes, for the steps of its sums to fetch, if caches
/// do not hold it: a tile's parts of rows are too short for the processor's own prefetching.
void Emitter::startFetchingResult(const Plan &plan) {
  resultFetching.clear();
  if (!plan.isFar || slice)
    return;
  auto points = tilePoints(plan);
  resultPoints = points.size();
  SmallVector<Touch> first = touched(plan, points.front().first);
  bool hasRows = points.size() > static_cast<size_t>(tileVectors);
  SmallVector<Touch> next = touched(plan, points[hasRows ? tileVectors : 0].first);
  for (auto [touch, below] : llvm::zip_equal(first, next)) {
    int64_t size = byteSize(touch.memory->facts->type);
    resultFetching.push_back({address(*touch.memory, touch.place),
                              emit((below.place - touch.place) * DimExpr(size)), lanes * size,
                              touch.isWritten});
  }
}

/// What the step of that number fetches of it: a vector of one row after the other.
void Emitter::fetchResult(const DimExpr &step) {
  if (resultFetching.empty())
    return;
  Value *point = b.CreateBinaryIntrinsic(Intrinsic::umin, emit(step), b.getInt64(resultPoints - 1));
  Value *vectors = b.getInt64(tileVectors);
  Value *row = b.CreateUDiv(point, vectors), *vector = b.CreateURem(point, vectors);
  for (auto &[from, rowBytes, vectorBytes, isWritten] : resultFetching) {
    Value *offset =
        b.CreateAdd(b.CreateMul(row, rowBytes), b.CreateMul(vector, b.getInt64(vectorBytes)));
    Value *at = b.CreateGEP(b.getInt8Ty(), from, offset);
    b.CreateIntrinsic(Intrinsic::prefetch, {at->getType()},
                      {at, b.getInt32(isWritten), b.getInt32(3), b.getInt32(1)});
  }
}
