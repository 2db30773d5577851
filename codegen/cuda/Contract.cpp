//===- Contract.cpp - which contractions are computed by tiles ------------===//

#include "codegen/cuda/Plan.h"
#include "ir/target/Target.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::spec;

/// Rows, columns or steps below which most of a tile would be empty.
static constexpr int64_t leastExtent = 16;
/// Chips from this number on have an instruction that makes f16 of f8.
static constexpr int leastToWiden = 89;
/// The one chip that has wgmma: no later one kept it.
static constexpr std::string_view warpgroupChip = "sm_90a";

std::vector<DimExpr> cuda::extentsOf(const Stage &stage, const std::vector<int> &dims) {
  std::vector<DimExpr> extents;
  for (int dim : dims)
    extents.push_back(stage.domain[dim]);
  return extents;
}

bool cuda::isEighth(DType type) { return type == DType::F8E4M3 || type == DType::F8E5M2; }

/// What inlined stages read follows from the coordinates at which they are read.
std::set<int> cuda::dimsOf(const ExprPtr &root) {
  std::set<int> dims;
  std::set<const Expr *> seen;
  visitPostOrder(root, seen, [&](const ExprPtr &node) {
    if (node->op == Op::Dim)
      dims.insert(node->dim);
    if (node->op == Op::Read)
      for (const Index &index : node->read.indices)
        for (auto [dim, coefficient] : index.terms)
          dims.insert(dim);
  });
  return dims;
}

ExprPtr cuda::narrowed(const ExprPtr &factor) {
  if (factor->op != Op::Cast)
    return nullptr;
  DType type = factor->args[0]->type;
  bool isFine = factor->type == DType::F32
                    ? type == DType::F16 || type == DType::BF16 || isEighth(type)
                : factor->type == DType::I32 ? type == DType::I8 || type == DType::U8
                                             : false;
  return isFine ? factor->args[0] : nullptr;
}

/// Nothing else depends on the dimension, and none of the elements is outside alone.
bool cuda::isNeighbouring(const KernelSpec &spec, const ExprPtr &factor, int dim,
                          const DimExpr &extent, bool isAlone, int chunk) {
  const Operand *operand = factor->op == Op::Read ? spec.findOperand(factor->read.source) : nullptr;
  std::optional<int64_t> count = extent.constantValue();
  if (!operand || operand->panel || (!isAlone && (!count || *count % chunk != 0)))
    return false;
  int found = 0;
  for (size_t i = 0; i < factor->read.indices.size(); ++i) {
    const Index &index = factor->read.indices[i];
    if (index.indirect)
      return false;
    for (auto [used, coefficient] : index.terms) {
      if (used != dim)
        continue;
      bool isPlain = index.terms.size() == 1 && coefficient == 1 && index.offset == DimExpr(0);
      if (!isPlain || operand->strides[i] != DimExpr(1) || operand->shape[i] != extent)
        return false;
      ++found;
    }
  }
  return found == 1;
}

bool cuda::readsAcross(const KernelSpec &spec, const Tile &tile) {
  ExprPtr read = tile.second->op == Op::Cast ? tile.second->args[0] : tile.second;
  int last = tile.columns.back();
  return isNeighbouring(spec, read, last, tile.stage->domain[last], true, 1);
}

void cuda::setCopies(const KernelSpec &spec, Tile &tile) {
  const Stage &stage = *tile.stage;
  int lastStep = static_cast<int>(stage.domain.size() + stage.reduction.size()) - 1;
  auto copies = [&](const ExprPtr &factor) {
    return isNeighbouring(spec, factor, lastStep, stage.reduction.back(),
                          stage.reduction.size() == 1, tile.chunk());
  };
  tile.copiesRows = copies(tile.first);
  tile.copiesColumns = copies(tile.second);
  int last = tile.columns.back();
  bool mayTurn = byteSize(tile.type) > 1 || !tile.byWarpgroups; // wgmma turns halves alone
  tile.copiesAcross = mayTurn && !tile.copiesColumns &&
                      isNeighbouring(spec, tile.second, last, stage.domain[last],
                                     tile.columns.size() == 1, tile.chunk());
}

// Lines begin in different banks: 16 bytes apart for rows of ldmatrix, 4 for single elements.
PanelShape cuda::panelShape(const Tile &tile, bool isFirst) {
  int count = isFirst ? tile.m : tile.n;
  bool isAcross = !isFirst && (tile.copiesAcross || tile.readsAcross);
  int size = byteSize(tile.type);
  if (tile.byWarpgroups) // lines of what swizzles, and columns beyond them behind all steps
    return {isAcross, warpgroupLine / size, int64_t(count) * tile.k * size};
  int pitch = (isAcross ? count : tile.k) + (tile.stages > 1 ? tile.chunk() : 1);
  int64_t bytes = int64_t(pitch) * (isAcross ? tile.k : count) * size;
  return {isAcross, pitch, (bytes + 15) / 16 * 16};
}

int64_t cuda::sharedBytes(const Tile &tile) {
  int64_t panels = panelShape(tile, true).bytes + panelShape(tile, false).bytes;
  return std::max<int64_t>(panels * tile.stages,
                           int64_t(tile.m) * tile.n * byteSize(tile.stage->type));
}

/// Has tensor cores multiply two factors, if they take such: a float of 8 bits beside a half is
/// widened to that where a tile is filled, two of them where a lane has loaded them.
static void takeTensorCores(Tile &tile, ExprPtr first, ExprPtr second, std::string_view chip) {
  if (!first || !second)
    return;
  bool areEighths = isEighth(first->type) && isEighth(second->type);
  if (isEighth(first->type) && !areEighths)
    first = cast(first, second->type);
  if (isEighth(second->type) && !areEighths)
    second = cast(second, first->type);
  bool areBytes = byteSize(first->type) == 1;
  if (!areBytes && first->type != second->type)
    return;
  tile.type = first->type;
  tile.first = first;
  tile.second = second;
  tile.m = 128;
  tile.k = areBytes ? 64 : 32;
  tile.stages = 3;
  const target::Target *target = target::find("cuda:" + std::string(chip));
  tile.widensAtOnce = target && target->capability >= leastToWiden;
  if (chip == warpgroupChip && !areEighths) {
    tile.byWarpgroups = true;
    tile.k = warpgroupLine / byteSize(tile.type);
    tile.stages = 4; // of 24 KB: two blocks find room on a processor
  }
}

std::optional<Tile> cuda::makeTile(const KernelSpec &spec, const Stage &stage,
                                   const DimExpr::BoundsMap &bounds, std::string_view chip,
                                   std::string &why) {
  Tile tile;
  tile.stage = &stage;
  tile.first = stage.body->args[0];
  tile.second = stage.body->args[1];
  ExprPtr first = narrowed(tile.first), second = narrowed(tile.second);
  bool isBytes = stage.type == DType::I32 && first && second;
  if (stage.type != DType::F32 && !isBytes)
    return why = "its sums are not f32, nor those of i8 or u8 in i32", std::nullopt;
  takeTensorCores(tile, first, second, chip);
  std::set<int> ofFirst = dimsOf(tile.first), ofSecond = dimsOf(tile.second);
  for (int dim = 0; dim < static_cast<int>(stage.domain.size()); ++dim) {
    bool isFirst = ofFirst.count(dim), isSecond = ofSecond.count(dim);
    if (isFirst && isSecond)
      tile.batches.push_back(dim);
    else
      (isSecond ? tile.columns : tile.rows).push_back(dim);
  }
  auto isLarge = [&](const DimExpr &extent) {
    return extent.bounds(bounds).upper.value_or(leastExtent) >= leastExtent;
  };
  if (!isLarge(product(extentsOf(stage, tile.rows))) ||
      !isLarge(product(extentsOf(stage, tile.columns))) || !isLarge(product(stage.reduction)))
    return why = "it has less than 16 rows, columns or steps", std::nullopt;
  if (tile.stages == 1) {
    tile.readsAcross = readsAcross(spec, tile);
    return tile;
  }
  setCopies(spec, tile);
  return tile;
}
