//===- Transpose.cpp - square tiles that turn in registers ----------------===//
//
// Where a stage stores along one dimension what it reads along another, a tile of as many rows as
// lanes loads its reads along the rows and turns them. The row's number is the symbol "%q", so that
// the rows of a tile find each other's loads.
//
//===----------------------------------------------------------------------===//

#include "codegen/llvm/Emitter.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

/// More lanes than registers would spill; larger bodies compute longer than they gather.
static constexpr int mostLanes = 16;
static constexpr size_t mostNodes = 64;
static constexpr int64_t leastExtent = 4;
static constexpr int lineBytes = 64;
static constexpr int64_t setsBytes = 4096; ///< lines as far apart share the first cache's sets
static constexpr int64_t muchFarther = 4;
static constexpr int64_t fewCaches = 8; ///< second caches' bytes that the last cache may hold

/// The stride of a position along a dimension, 0 where no number says it.
static int64_t strideOf(const DimExpr &position, int dim) {
  auto split = position.splitLinear("%d" + std::to_string(dim));
  return split ? split->first : 0;
}

/// The stride of a position along a dimension: 0, 1, or nothing for any other.
static std::optional<int64_t> strideAlong(const DimExpr &position, int dim) {
  auto split = position.splitLinear("%d" + std::to_string(dim));
  return split && (split->first == 0 || split->first == 1) ? std::optional(split->first)
                                                           : std::nullopt;
}

/// Whether tiles go on along the lines that they store, as far as the second dimension's strides in
/// bytes tell: lines of which a tile writes a part are better written at once, and so is what lies
/// much farther apart than what is loaded. Memory beyond the caches is better loaded in line.
static bool goesOnWhereItStores(int64_t loaded, int64_t stored, int tileBytes, int64_t bytes,
                                int64_t cacheBytes) {
  if (bytes >= fewCaches * cacheBytes)
    return false;
  return tileBytes < lineBytes || stored >= muchFarther * loaded ||
         (stored == loaded && stored % setsBytes == 0);
}

/// Plans turning tiles for a pointwise stage some of whose reads lie along another dimension than
/// its store.
void Emitter::chooseTransposition(Plan &plan) {
  const Stage &root = *plan.root;
  auto kept = wholeStages.find(root.name);
  const Operand &result =
      kept != wholeStages.end() ? kept->second.facts : *spec.findOperand(root.name);
  std::set<const Expr *> nodes;
  visitPostOrder(root.body, nodes, [](const ExprPtr &) {});
  if (!plan.placed.empty() || root.combiner != Combiner::None || nodes.size() > mostNodes)
    return;
  Frame frame = frameOf(root, rootDims(root));
  DimExpr stored = position(result, storedAt(root, result, frame, false));
  std::vector<DimExpr> reads;
  walk(root.body, frame, [&](const Read &read, DType, const Coordinates &at, const Frame &) {
    auto whole = wholeStages.find(read.source);
    const Operand *facts =
        whole != wholeStages.end() ? &whole->second.facts : spec.findOperand(read.source);
    if (facts && !facts->panel)
      reads.push_back(position(*facts, at));
  });
  auto isLong = [&](int dim) {
    return extentOf(root, dim).constantValue().value_or(leastExtent) >= leastExtent;
  };
  int most = 0, dims = root.domain.size();
  int64_t loadedApart = 0;
  for (int across = 0; across < dims; ++across)
    for (int along = 0; along < dims; ++along) {
      if (across == along || strideAlong(stored, across) != 1 || !isLong(across) || !isLong(along))
        continue;
      int64_t apart = 0;
      int turned = llvm::count_if(reads, [&](const DimExpr &place) {
        bool isTurned = !strideAlong(place, across) && strideAlong(place, along) == 1;
        if (isTurned)
          apart = std::max(apart, strideOf(place, across));
        return isTurned;
      });
      if (turned <= most)
        continue;
      most = turned;
      loadedApart = apart;
      plan.vectorDim = across;
      plan.rowDim = along;
    }
  if (!most)
    return;
  plan.isTurning = true;
  plan.lanes = plan.rows = std::min(plan.lanes, mostLanes);
  plan.vectors = 1;
  int size = byteSize(root.type);
  DimExpr bytes = size;
  for (const DimExpr &extent : root.domain)
    bytes = bytes * extent;
  plan.storesOn = goesOnWhereItStores(
      loadedApart * size, strideOf(stored, plan.rowDim) * size, plan.lanes * size,
      bytes.bounds(bounds).upper.value_or(std::numeric_limits<int64_t>::max()), target.cacheBytes);
}

/// Exchanges the off-diagonal blocks of ever smaller squares.
static void turn(IRBuilder<> &b, SmallVectorImpl<Value *> &rows) {
  int lanes = rows.size();
  for (int half = lanes / 2; half >= 1; half /= 2) {
    SmallVector<int, 16> upper, lower;
    for (int i = 0; i < lanes; ++i) {
      upper.push_back(i & half ? lanes + i - half : i);
      lower.push_back(i & half ? lanes + i : i + half);
    }
    for (int i = 0; i < lanes; ++i) {
      if (i & half)
        continue;
      Value *x = rows[i], *y = rows[i + half];
      rows[i] = b.CreateShuffleVector(x, y, upper);
      rows[i + half] = b.CreateShuffleVector(x, y, lower);
    }
  }
}

/// The vector of the tile's current row, if the load's neighbours along the rows lie side by side;
/// else null. Lanes of the tile that do not exist are not read.
Value *Emitter::loadTurned(const Memory &memory, const DimExpr &place) {
  auto split = place.splitLinear(rowName);
  if (!isTurning || tileRows < 2 || !split || split->first != 1)
    return nullptr;
  std::vector<DimExpr> starts;
  for (int lane = 0; lane < lanes; ++lane) {
    starts.push_back(split->second.substitute({{std::string(laneName), DimExpr(lane)}}));
    if (isVarying(starts.back()))
      return nullptr;
  }
  SmallVector<Value *> &rows = turned[memory.facts->name + "@" + place.str()];
  if (rows.empty()) {
    Type *element = values.memoryType(memory.facts->type);
    auto *type = FixedVectorType::get(element, lanes);
    Align align(byteSize(memory.facts->type));
    SmallVector<Constant *, 16> exist;
    for (int row = 0; row < lanes; ++row)
      exist.push_back(b.getInt1(row < tileRows));
    Value *rest = Constant::getNullValue(type);
    for (int lane = 0; lane < lanes; ++lane) {
      Value *some = tileRows < lanes ? ConstantVector::get(exist) : nullptr;
      Value *isHere = mask ? b.CreateExtractElement(mask, uint64_t(lane)) : b.getTrue();
      if (auto *known = dyn_cast<ConstantInt>(isHere); !known) {
        Value *all = values.splat(isHere, lanes);
        some = some ? b.CreateAnd(some, all) : all;
      } else if (known->isZero()) {
        rows.push_back(rest);
        continue;
      }
      Value *pointer = address(memory, starts[lane]);
      rows.push_back(
          some ? static_cast<Value *>(b.CreateMaskedLoad(type, pointer, align, some, rest))
               : b.CreateAlignedLoad(type, pointer, align));
    }
    turn(b, rows);
  }
  return rows[turningRow];
}
