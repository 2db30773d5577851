//===- ElaborateIndex.cpp - subscripts of tensors -------------------------===//
//
// What the dimensions decide is a slice. Elements at computed positions are taken along one axis
// after the other, or along several together.
//
//===----------------------------------------------------------------------===//
#include "frontend/elaborate/Elaborator.h"
#include "ir/KilnOps.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

//===----------------------------------------------------------------------===//
// Computed bounds
//===----------------------------------------------------------------------===//

namespace {
/// An i64 scalar as a sum: dimensions, and values that are not known, each with its factor.
struct Sum {
  DimExpr known;
  SmallVector<std::pair<mlir::Value, int64_t>> terms;

  void add(mlir::Value value, int64_t factor) {
    for (auto &[term, count] : terms)
      if (isSame(term, value)) {
        count += factor;
        return;
      }
    terms.emplace_back(value, factor);
  }
  /// Whether two values are computed alike from the same ones.
  static bool isSame(mlir::Value a, mlir::Value b) {
    if (a == b)
      return true;
    mlir::Operation *x = a.getDefiningOp(), *y = b.getDefiningOp();
    return x && y && x->getName() == y->getName() && x->getNumRegions() == 0 &&
           x->getAttrDictionary() == y->getAttrDictionary() &&
           all_of(zip(x->getOperands(), y->getOperands()),
                  [](auto pair) { return isSame(std::get<0>(pair), std::get<1>(pair)); });
  }
};
} // namespace

static void addTerms(mlir::Value value, int64_t factor, Sum &sum) {
  mlir::Operation *op = value.getDefiningOp();
  if (mlir::isa_and_nonnull<ir::AddOp, ir::SubOp>(op)) {
    addTerms(op->getOperand(0), factor, sum);
    addTerms(op->getOperand(1), mlir::isa<ir::AddOp>(op) ? factor : -factor, sum);
  } else if (auto extent = mlir::dyn_cast_or_null<ir::ExtentOp>(op)) {
    sum.known = sum.known + extent.getValue().getDims()[0] * DimExpr(factor);
  } else if (auto full = mlir::dyn_cast_or_null<ir::FullOp>(op);
             full && mlir::isa<mlir::IntegerAttr>(full.getValueAttr())) {
    sum.known = sum.known + DimExpr(mlir::cast<mlir::IntegerAttr>(full.getValueAttr()).getInt()) *
                                DimExpr(factor);
  } else {
    sum.add(value, factor);
  }
}

/// stop - start, if that depends on dimensions alone.
static std::optional<DimExpr> distance(mlir::Value start, mlir::Value stop) {
  Sum sum;
  addTerms(stop, 1, sum);
  addTerms(start, -1, sum);
  if (any_of(sum.terms, [](auto &term) { return term.second != 0; }))
    return std::nullopt;
  return sum.known;
}

/// 0, step, 2 * step, …: so many, as i64.
mlir::Value Elaborator::multiples(int64_t step, const DimExpr &count, SMRange place) {
  mlir::NamedAttrList attributes;
  attributes.set("count", dimsAttr(count));
  attributes.set("start", builder.getI64IntegerAttr(0));
  attributes.set("step", builder.getI64IntegerAttr(step));
  attributes.set("dtype", mlir::TypeAttr::get(builder.getI64Type()));
  return at(place).create("arange", {}, attributes);
}

/// A slice with a computed position: every step-th of what lies between both.
std::optional<Subscript> Elaborator::computedSlice(const SliceExpr *slice, const DimExpr &extent,
                                                   const Value &start, const Value &stop) {
  std::optional<int64_t> step = slice->step ? constantIndex(slice->step, 1, 0) : 1;
  if (!step)
    return std::nullopt;
  if (*step < 1) {
    fail(slice->step->range, DiagCode::InvalidValue,
         "the step of a slice at a computed position is expected to be at least 1, got " +
             std::to_string(*step) + "; 'flip' turns a tensor around");
    return std::nullopt;
  }
  std::optional<Subscript> taken = computedRange(slice, extent, start, stop);
  if (!taken || *step == 1)
    return taken;
  DimExpr &size = taken->part.size;
  ir::AxisPart every = {0, DimExpr::floorDiv(size + (*step - 1), *step), *step};
  if (taken->at)
    taken->at = at(slice->range).slice(taken->at, every);
  size = every.size;
  taken->part.step = taken->at ? 1 : *step;
  return taken;
}

/// What lies between two positions, of which one is computed at least.
std::optional<Subscript> Elaborator::computedRange(const SliceExpr *slice, const DimExpr &extent,
                                                   const Value &start, const Value &stop) {
  mlir::Type scalar = ir::tensorType(&context, DType::I64, {});
  mlir::Value from = conform(start, scalar, slice->start ? slice->start->range : slice->range,
                             "the start of a slice"),
              to = from ? conform(stop, scalar, slice->stop ? slice->stop->range : slice->range,
                                  "the end of a slice")
                        : nullptr;
  if (!to)
    return std::nullopt;
  std::optional<DimExpr> size = distance(from, to);
  if (!size)
    return openSlice(start, from, to, extent, slice->range);
  if (!require({*size, Relation::AtLeast, 0, "the extent of a slice"}, slice->range) ||
      !require({*size, Relation::AtMost, extent, "the extent of a slice"}, slice->range))
    return std::nullopt;
  // A start from the end is counted from there; one before the front is no position at all.
  ir::TensorBuilder here = at(slice->range);
  mlir::Value length = here.extent(extent), zero = here.scalar(int64_t(0), DType::I64);
  auto pick = [&](mlir::Value a, mlir::Value b) -> mlir::Value {
    mlir::Value isNegative = a ? here.create("lt", mlir::ValueRange{a, zero}) : nullptr;
    return isNegative && b ? here.create("where", mlir::ValueRange{isNegative, b, a}) : nullptr;
  };
  mlir::Value shifted = here.create("add", mlir::ValueRange{from, length});
  mlir::Value front = pick(pick(from, shifted), length);
  mlir::Value steps = multiples(1, *size, slice->range);
  if (!front || !steps)
    return std::nullopt;
  mlir::Value all = here.elementwise("add", {front, steps});
  return all ? std::optional(Subscript{{0, *size}, all}) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// Subscripts
//===----------------------------------------------------------------------===//

/// The positions of a list, as a tensor.
std::optional<Subscript> Elaborator::listed(ArrayRef<DimExpr> list, const DimExpr &extent,
                                            SMRange place) {
  SmallVector<mlir::Value> elements;
  for (const DimExpr &dim : list) {
    std::optional<ir::AxisPart> part = at(place).index(dim, extent);
    mlir::Value made = part ? at(place).extent(part->start) : nullptr;
    made = made ? at(place).reshape(made, {DimExpr(1)}) : nullptr;
    if (!made)
      return std::nullopt;
    elements.push_back(made);
  }
  mlir::NamedAttrList attributes;
  attributes.set("axis", builder.getI64IntegerAttr(0));
  mlir::Value all = at(place).create("concat", elements, attributes);
  return all ? std::optional(Subscript{{0, 1}, all}) : std::nullopt;
}

std::optional<Subscript> Elaborator::subscript(const Expr *expr, const Value &value,
                                               const DimExpr &extent) {
  auto wrong = [&](const Expr *place, const Value &value) {
    if (!value.isError())
      fail(place->range, DiagCode::TypeMismatch, "expected an index, got " + describe(value));
    return std::nullopt;
  };
  auto *slice = dyn_cast<SliceExpr>(expr);
  if (!slice) {
    if (std::optional<DimExpr> dim = value.asDim()) {
      std::optional<ir::AxisPart> part = at(expr->range).index(*dim, extent);
      return part ? std::optional(Subscript{*part, nullptr}) : std::nullopt;
    }
    if (std::optional<Dims> list = dimList(value); list && value.as<ListPtr>() && !list->empty())
      return listed(*list, extent, expr->range);
    auto *given = value.as<mlir::Value>();
    if (!given && !spellsTensor(value))
      return wrong(expr, value);
    mlir::Value tensor = given ? *given : toTensor(value, std::nullopt, expr->range);
    if (!tensor)
      return std::nullopt;
    bool isPlace = isInteger(*ir::dtypeOf(tensor.getType()));
    return isPlace ? std::optional(Subscript{{0, 1}, tensor}) : wrong(expr, value);
  }
  Value start = slice->start ? eval(slice->start) : Value(int64_t(0)),
        stop = slice->stop ? eval(slice->stop) : Value::dim(extent);
  if (start.isError() || stop.isError())
    return std::nullopt;
  if (start.as<mlir::Value>() || stop.as<mlir::Value>())
    return computedSlice(slice, extent, start, stop);
  std::optional<int64_t> step = constantIndex(slice->step, 1, 0);
  if (!step)
    return std::nullopt;
  if (*step == 0 || *step == INT64_MIN) {
    fail(slice->step->range, DiagCode::InvalidValue, "a step is not 0");
    return std::nullopt;
  }
  bool areNumbers = true;
  auto bound = [&](const Expr *place, const Value &value,
                   const DimExpr &fallback) -> std::optional<DimExpr> {
    if (!place)
      return fallback;
    std::optional<DimExpr> given = value.asDim();
    if (!given)
      return wrong(place, value);
    areNumbers &= given->isConstant();
    return at(place->range).sliceBound(*given, extent, *step);
  };
  std::optional<DimExpr> from = bound(slice->start, start, *step > 0 ? 0 : extent - 1),
                         to = bound(slice->stop, stop, *step > 0 ? extent : -1);
  if (!from || !to)
    return std::nullopt;
  // Numbers the wrong way round give nothing, as NumPy's; computed positions must not be.
  std::optional<ir::AxisPart> part =
      at(slice->range).sliceBetween(*from, *to, *step, /*mayCross=*/areNumbers);
  return part ? std::optional(Subscript{*part, nullptr}) : std::nullopt;
}

/// The tensor, if it is one of bools with dimensions: it stands for as many axes.
static mlir::Value maskOf(const Value &value) {
  auto *tensor = value.as<mlir::Value>();
  bool isMask = tensor && ir::dtypeOf(tensor->getType()) == DType::Bool &&
                !ir::dimsOf(tensor->getType()).empty();
  return isMask ? *tensor : nullptr;
}

/// One subscript an axis.
std::optional<SmallVector<Subscript>> Elaborator::subscripts(const IndexExpr *expr,
                                                             mlir::Value tensor,
                                                             SmallVectorImpl<size_t> &newAxes) {
  Dims dims = ir::dimsOf(tensor.getType());
  std::vector<Value> values;
  size_t given = 0;
  auto isNewAxis = [&](const Expr *each) {
    auto *name = dyn_cast<NameExpr>(each);
    return name && name->name == "None" && !frame->locals.contains("None");
  };
  for (const Expr *each : expr->subscripts) {
    bool isValue = !isa<SliceExpr, EllipsisExpr>(each) && !isNewAxis(each);
    values.push_back(isValue ? eval(each) : Value());
    mlir::Value mask = maskOf(values.back());
    given += mask ? ir::dimsOf(mask.getType()).size() : isValue || isa<SliceExpr>(each);
  }
  if (given > dims.size()) {
    fail(expr->range, DiagCode::ShapeMismatch,
         "expected at most " + Twine(dims.size()) + " indices for " +
             ir::typeText(tensor.getType()) + ", got " + Twine(given));
    return std::nullopt;
  }
  SmallVector<Subscript> parts;
  for (const DimExpr &dim : dims)
    parts.push_back({{0, dim}, nullptr});
  size_t axis = 0;
  for (auto [each, value] : zip(expr->subscripts, values)) {
    if (isa<EllipsisExpr>(each)) {
      axis += dims.size() - given;
      continue;
    }
    if (isNewAxis(each)) {
      newAxes.push_back(axis);
      continue;
    }
    if (mlir::Value mask = maskOf(value)) {
      SmallVector<Subscript> columns;
      if (!maskSubscripts(mask, ArrayRef(dims).drop_front(axis), each->range, columns))
        return std::nullopt;
      for (const Subscript &column : columns)
        parts[axis++] = column;
      continue;
    }
    std::optional<Subscript> part = subscript(each, value, dims[axis]);
    if (!part)
      return std::nullopt;
    part->isSlice = isa<SliceExpr>(each);
    parts[axis++] = *part;
  }
  return parts;
}

/// The elements at positions along several axes together, whose dimensions come first.
mlir::Value Elaborator::gatherAt(mlir::Value tensor,
                                 ArrayRef<std::pair<int64_t, mlir::Value>> where, SMRange place) {
  ir::TensorBuilder here = at(place);
  SmallVector<mlir::Value> indices;
  SmallVector<int64_t> axes;
  for (auto &[axis, index] : where) {
    axes.push_back(axis);
    indices.push_back(here.cast(index, DType::I64));
  }
  if (!here.broadcastAll(indices))
    return nullptr;
  Dims dims = ir::dimsOf(indices[0].getType());
  int64_t rank = dims.size();
  dims.push_back(1);
  for (mlir::Value &index : indices)
    index = here.reshape(index, dims);
  for (int64_t i = 0, e = ir::dimsOf(tensor.getType()).size(); i < e; ++i)
    if (!is_contained(axes, i))
      axes.push_back(i);
  mlir::NamedAttrList order, last, none;
  order.set("axes", builder.getDenseI64ArrayAttr(axes));
  last.set("axis", builder.getI64IntegerAttr(rank));
  none.set("batch_dims", builder.getI64IntegerAttr(0));
  mlir::Value turned = here.create("permute", tensor, order),
              all = here.create("concat", indices, last);
  return turned && all ? here.create("gather_nd", mlir::ValueRange{turned, all}, none) : nullptr;
}

/// As NumPy's: what several integers and tensors of integers index together stands where they
/// stand, or in front if a slice stands between them.
Value Elaborator::indexTensor(const IndexExpr *expr, mlir::Value tensor) {
  SmallVector<size_t> newAxes;
  std::optional<SmallVector<Subscript>> parts = subscripts(expr, tensor, newAxes);
  if (!parts)
    return Value();
  SmallVector<ir::AxisPart> known;
  SmallVector<std::pair<int64_t, mlir::Value>> computed; // axis of what is left, positions
  int64_t axis = 0, first = -1, rank = 0;
  size_t arrays = 0, lastIndex = 0;
  bool isTogether = true;
  for (auto [i, each] : enumerate(*parts)) {
    known.push_back(each.at ? ir::AxisPart{0, ir::dimsOf(tensor.getType())[i]} : each.part);
    if (!each.isSlice && (each.at || each.part.isIndex)) {
      isTogether &= first < 0 || i == lastIndex + 1;
      first = first < 0 ? axis : first;
      lastIndex = i;
      if (each.at) {
        int64_t own = ir::dimsOf(each.at.getType()).size();
        rank = std::max(rank, own);
        arrays += own > 0;
        computed.emplace_back(axis, each.at);
      }
    }
    axis += each.at || !each.part.isIndex;
  }
  mlir::Value result = at(expr->range).slice(tensor, known);
  auto take = [&](mlir::Value where, int64_t along) {
    mlir::NamedAttrList attributes;
    attributes.set("axis", builder.getI64IntegerAttr(along));
    result = result ? at(expr->range).create("take", mlir::ValueRange{result, where}, attributes)
                    : nullptr;
    bool isInside = any_of(*parts, [&](auto &part) { return part.isInside && part.at == where; });
    if (result && isInside)
      mlir::cast<ir::Indexing>(result.getDefiningOp()).setGuarded(true);
  };
  axis = 0;
  for (const Subscript &each : *parts) {
    if (each.at && each.isSlice)
      take(each.at, axis);
    axis += each.at || !each.part.isIndex;
  }
  int64_t front = isTogether ? first : 0; // where the positions' dimensions belong
  if (arrays > 1) {
    result = result ? gatherAt(result, computed, expr->range) : nullptr;
    result = result ? moveAxes(result, 0, rank, front, expr->range) : nullptr;
  } else {
    // From the last axis on, so that the axes before keep their numbers.
    int64_t from = 0, dropped = 0;
    for (auto &[along, where] : reverse(computed))
      take(where, along);
    for (auto &[along, where] : computed)
      if (ir::dimsOf(where.getType()).empty())
        ++dropped;
      else
        from = along - dropped;
    if (arrays == 1 && !isTogether && result)
      result = moveAxes(result, from, rank, 0, expr->range);
  }
  if (result && !newAxes.empty())
    result = addAxes(result, *parts, newAxes, expr->range);
  return result ? Value(result) : Value();
}

/// The value of the parts with an axis of 1 in front of each of some axes of the tensor.
mlir::Value Elaborator::addAxes(mlir::Value value, ArrayRef<Subscript> parts,
                                ArrayRef<size_t> newAxes, SMRange place) {
  Dims old = ir::dimsOf(value.getType()), dims;
  size_t next = 0;
  for (size_t axis = 0; axis <= parts.size(); ++axis) {
    dims.append(llvm::count(newAxes, axis), DimExpr(1));
    if (axis == parts.size())
      break;
    const Subscript &part = parts[axis];
    if (part.at && !part.isSlice && !ir::dimsOf(part.at.getType()).empty()) {
      fail(place, DiagCode::InvalidValue,
           "a new axis stands beside numbers and slices only; 'unsqueeze' makes one of the result");
      return nullptr;
    }
    if (part.at ? part.isSlice : !part.part.isIndex)
      dims.push_back(old[next++]);
  }
  return at(place).reshape(value, dims);
}

/// Moves `count` dimensions from one place to another.
mlir::Value Elaborator::moveAxes(mlir::Value value, int64_t from, int64_t count, int64_t to,
                                 SMRange place) {
  SmallVector<int64_t> axes, moved;
  for (int64_t i = 0, rank = ir::dimsOf(value.getType()).size(); i < rank; ++i)
    (i >= from && i < from + count ? moved : axes).push_back(i);
  axes.insert(axes.begin() + to, moved.begin(), moved.end());
  if (is_sorted(axes))
    return value;
  mlir::NamedAttrList attributes;
  attributes.set("axes", builder.getDenseI64ArrayAttr(axes));
  return at(place).create("permute", value, attributes);
}
