//===- DataDimensions.cpp - dimensions that values decide -----------------===//

#include "ir/DataDimensions.h"
#include "ir/KilnOps.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

BoundDimensions ir::boundDimensions(Operation *function) {
  BoundDimensions bound;
  function->walk<WalkOrder::PreOrder>(
      [&](BindOp op) { bound[op.getSymbol().str()] = op.getMost().getDims()[0].most(bound); });
  return bound;
}

SmallVector<DataDimension> ir::dataDimensions(Operation *function) {
  SmallVector<DataDimension> all;
  auto names = function->getAttrOfType<ArrayAttr>("kiln.data_dims");
  auto values = function->getAttrOfType<DimsAttr>("kiln.data_extents");
  if (!names || !values)
    return all;
  BoundDimensions bound = boundDimensions(function);
  for (auto [name, value] : llvm::zip(names.getAsRange<StringAttr>(), values.getDims())) {
    all.push_back({name.str(), value, "", DimExpr()});
    for (const auto &[symbol, most] : bound)
      if (auto linear = value.splitLinear(symbol); linear && linear->first == 1) {
        all.back().symbol = symbol;
        all.back().ofSymbol = DimExpr::symbol(all.back().name) - linear->second;
      }
  }
  return all;
}

DimExpr ir::inDataDimensions(const DimExpr &extent, ArrayRef<DataDimension> dimensions) {
  std::map<std::string, DimExpr, std::less<>> names;
  for (const DataDimension &dimension : dimensions) {
    if (extent == dimension.value)
      return DimExpr::symbol(dimension.name);
    if (!dimension.symbol.empty())
      names.try_emplace(dimension.symbol, dimension.ofSymbol);
  }
  return extent.substitute(names);
}

bool ir::namesAny(Operation *op, const BoundDimensions &dimensions) {
  if (dimensions.empty())
    return false;
  std::set<std::string> names;
  op->walk([&](Operation *inner) {
    auto collect = [&](ArrayRef<DimExpr> dims) {
      for (const DimExpr &dim : dims)
        dim.collectSymbols(names);
    };
    for (Type type : inner->getResultTypes())
      collect(dimsOf(type));
    for (NamedAttribute attribute : inner->getAttrs())
      if (auto dims = dyn_cast<DimsAttr>(attribute.getValue()))
        collect(dims.getDims());
  });
  return llvm::any_of(names, [&](const std::string &name) { return dimensions.count(name); });
}

/// Looks at the ops of the block; `open` are names that have no value yet.
static LogicalResult checkBlock(Block &block, BoundDimensions open) {
  for (Operation &op : block) {
    if (auto bind = dyn_cast<BindOp>(op))
      open.erase(bind.getSymbol().str());
    bool isControl = op.getNumRegions() != 0;
    if (!isControl && namesAny(&op, open))
      return op.emitError("internal: an extent is used before it is bound");
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        if (failed(checkBlock(inner, open)))
          return failure();
  }
  return success();
}

LogicalResult ir::checkBound(Operation *function) {
  BoundDimensions bound = boundDimensions(function);
  return bound.empty() ? success() : checkBlock(function->getRegion(0).front(), bound);
}
