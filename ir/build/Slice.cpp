//===- Slice.cpp - parts of tensors ---------------------------------------===//
#include "ir/Text.h"
#include "ir/build/TensorBuilder.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ir;

/// A position that is always negative counts from the end.
static DimExpr fromFront(const DimExpr &position, const DimExpr &extent, const DimScope &scope) {
  std::optional<int64_t> upper = position.bounds(scope.bounds()).upper;
  return upper && *upper < 0 ? extent + position : position;
}

std::optional<AxisPart> TensorBuilder::index(const DimExpr &position, const DimExpr &extent) {
  DimExpr start = fromFront(position, extent, scope);
  std::string what =
      "the index " + inQuotes(position.str()) + " into " + inQuotes(extent.str()) + " elements";
  if (!require({start, Relation::AtLeast, 0, what}, BuildError::Value) ||
      !require({start, Relation::AtMost, extent - 1, what}, BuildError::Value))
    return std::nullopt;
  return AxisPart{start, 1, 1, /*isIndex=*/true};
}

std::optional<DimExpr> TensorBuilder::sliceBound(const DimExpr &bound, const DimExpr &extent,
                                                 int64_t step) {
  DimExpr low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
  if (std::optional<int64_t> number = bound.constantValue()) {
    // No minimum where the bounds say which is less.
    auto isAtLeast = [&](const DimExpr &a, const DimExpr &b) {
      std::optional<int64_t> least = (a - b).bounds(scope.bounds()).lower;
      return least && *least >= 0;
    };
    if (*number < 0)
      return isAtLeast(extent + bound, low) ? extent + bound : DimExpr::max(extent + bound, low);
    return isAtLeast(high, bound) ? bound : DimExpr::min(bound, high);
  }
  DimExpr position = fromFront(bound, extent, scope);
  std::string what = "the bound " + inQuotes(bound.str()) + " of a slice";
  if (!require({position, Relation::AtLeast, low, what}) ||
      !require({position, Relation::AtMost, high, what}))
    return std::nullopt;
  return position;
}

std::optional<AxisPart> TensorBuilder::sliceBetween(const DimExpr &from, const DimExpr &to,
                                                    int64_t step, bool mayCross) {
  DimExpr distance = step > 0 ? to - from : from - to;
  DimBounds range = scope.requirements().boundsOf(distance);
  if (!range.lower || *range.lower < 0) {
    if (mayCross)
      distance = range.upper && *range.upper <= 0 ? 0 : DimExpr::max(distance, 0);
    else if (!require({step > 0 ? from : to, Relation::AtMost, step > 0 ? to : from,
                       "the start of a slice"}))
      return std::nullopt;
  }
  DimExpr size = DimExpr::floorDiv(distance + (std::abs(step) - 1), std::abs(step));
  if (size == DimExpr(0)) // anywhere; 0 is always inside
    return AxisPart{0, 0};
  return AxisPart{from, size, step};
}

mlir::Value TensorBuilder::slice(mlir::Value value, ArrayRef<AxisPart> parts) {
  Dims starts, sizes, kept;
  SmallVector<int64_t> steps;
  for (const AxisPart &part : parts) {
    starts.push_back(part.start);
    sizes.push_back(part.size);
    steps.push_back(part.step);
    if (!part.isIndex)
      kept.push_back(part.size);
  }
  if (sizes != dimsOf(value.getType()) || any_of(steps, [](int64_t s) { return s != 1; })) {
    mlir::NamedAttrList attributes;
    attributes.set("starts", dimsAttr(starts));
    attributes.set("sizes", dimsAttr(sizes));
    attributes.set("steps", builder.getDenseI64ArrayAttr(steps));
    value = create("slice", value, attributes);
  }
  return value ? reshape(value, kept) : nullptr;
}

std::optional<DimExpr> TensorBuilder::equalPart(const DimExpr &extent, int64_t count) {
  DimExpr part = DimExpr::floorDiv(extent, count), whole = part * DimExpr(count);
  std::string what = "'split': the extent, which " + std::to_string(count) + " must divide";
  if (whole != extent && !require({extent, Relation::Equal, whole, what}))
    return std::nullopt;
  return part;
}
