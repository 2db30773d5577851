//===- Tensors.cpp - which factors are tensors for TMA --------------------===//

#include "codegen/cuda/Plan.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::spec;

/// What addresses and strides of tensors are multiples of.
static constexpr int64_t unit = 16;

namespace {
/// Several dimensions of a stage as one of an operand.
struct Group {
  DimExpr extent = 1, stride; ///< in elements
};
} // namespace

static bool isMultipleOf(const DimExpr &value, int64_t of) {
  return std::all_of(value.monomials().begin(), value.monomials().end(),
                     [&](const auto &term) { return term.second % of == 0; });
}

/// The operand's stride for each dimension that it is read by; nothing where it is read otherwise
/// than at these themselves.
static std::optional<std::map<int, DimExpr>> stridesOf(const Operand &operand, const Read &read) {
  std::map<int, DimExpr> strides;
  if (read.outside)
    return std::nullopt;
  for (size_t i = 0; i < read.indices.size(); ++i) {
    const Index &index = read.indices[i];
    if (index.indirect || index.offset != DimExpr(0) || index.terms.size() > 1)
      return std::nullopt;
    for (auto [dim, coefficient] : index.terms)
      if (coefficient != 1 || !strides.emplace(dim, operand.strides[i]).second)
        return std::nullopt;
  }
  return strides;
}

/// Dimensions that go through memory as one would.
static std::optional<Group> groupOf(const std::vector<int> &dims,
                                    const std::vector<DimExpr> &extents,
                                    const std::map<int, DimExpr> &strides) {
  Group group;
  bool isFirst = true;
  for (size_t i = dims.size(); i-- > 0;) {
    if (extents[i] == DimExpr(1))
      continue;
    auto found = strides.find(dims[i]);
    if (found == strides.end() || (!isFirst && found->second != group.stride * group.extent))
      return std::nullopt;
    if (isFirst)
      group.stride = found->second;
    isFirst = false;
    group.extent = group.extent * extents[i];
  }
  return group;
}

static std::optional<host::DeviceTensor> tensorOf(const KernelSpec &spec, const Tile &tile,
                                                  bool isFirst, const DimExpr::BoundsMap &bounds) {
  const ExprPtr &factor = isFirst ? tile.first : tile.second;
  const Operand *operand = factor->op == Op::Read ? spec.findOperand(factor->read.source) : nullptr;
  if (!operand || operand->panel || operand->use != Operand::Use::Input ||
      operand->alignment % unit != 0)
    return std::nullopt;
  std::optional<std::map<int, DimExpr>> strides = stridesOf(*operand, factor->read);
  if (!strides)
    return std::nullopt;
  const Stage &stage = *tile.stage;
  std::vector<int> reduced;
  for (size_t i = 0; i < stage.reduction.size(); ++i)
    reduced.push_back(static_cast<int>(stage.domain.size() + i));
  const std::vector<int> &own = isFirst ? tile.rows : tile.columns;
  std::optional<Group> steps = groupOf(reduced, stage.reduction, *strides),
                       lines = groupOf(own, extentsOf(stage, own), *strides),
                       batches = groupOf(tile.batches, extentsOf(stage, tile.batches), *strides);
  if (!steps || !lines || !batches)
    return std::nullopt;
  PanelShape shape = panelShape(tile, isFirst);
  if (shape.isAcross)
    std::swap(steps, lines);
  const Group &inner = *steps;
  int64_t size = byteSize(operand->type);
  auto isNever = [&](const DimExpr &value, int64_t least) {
    return value.bounds(bounds).lower.value_or(least - 1) < least;
  };
  // Nothing is copied where there are no rows or columns, but a sum of no steps has points.
  DimExpr pitch = lines->stride * DimExpr(size);
  if (inner.stride != DimExpr(1) || !isMultipleOf(pitch, unit) ||
      isNever(pitch - inner.extent * DimExpr(size), 0) || isNever(product(stage.reduction), 1))
    return std::nullopt;
  host::DeviceTensor tensor;
  tensor.argument = static_cast<unsigned>(operand - spec.operands.data());
  tensor.elementBytes = static_cast<int>(size);
  tensor.extents = {inner.extent, lines->extent};
  tensor.strides = {pitch};
  tensor.box = {shape.pitch, shape.isAcross ? tile.k : isFirst ? tile.m : tile.n};
  if (!tile.batches.empty()) {
    DimExpr between = pitch * lines->extent;
    if (batches->extent != DimExpr(1) && batches->stride * DimExpr(size) != between)
      return std::nullopt;
    tensor.extents.push_back(batches->extent);
    tensor.strides.push_back(between);
    tensor.box.push_back(1);
  }
  return tensor;
}

std::vector<host::DeviceTensor> cuda::tensorsOf(const KernelSpec &spec, const Tile &tile,
                                                const DimExpr::BoundsMap &bounds) {
  std::optional<host::DeviceTensor> first = tensorOf(spec, tile, true, bounds),
                                    second = tensorOf(spec, tile, false, bounds);
  if (!first || !second)
    return {};
  return {*first, *second};
}
