//===- ElaborateAssign.cpp - assignment to parts of tensors ---------------===//
//
// Slices are written at positions into a new value, one axis after the other; what several tensors
// of positions choose, by one scatter.
//
//===----------------------------------------------------------------------===//
#include "frontend/elaborate/Elaborator.h"
#include "ir/KilnOps.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

/// The positions of a subscript in one dimension, as i64.
mlir::Value Elaborator::positions(const Subscript &subscript, SMRange place) {
  ir::TensorBuilder here = at(place);
  if (subscript.at)
    return here.reshape(subscript.at, {ir::numElements(ir::dimsOf(subscript.at.getType()))});
  mlir::Value steps = multiples(subscript.part.step, subscript.part.size, place);
  mlir::Value start = steps ? here.extent(subscript.part.start) : nullptr;
  return start ? here.elementwise("add", {start, steps}) : nullptr;
}

/// `into` with `value`, one dimension an axis, at the parts' positions from `axis` on.
mlir::Value Elaborator::writeParts(mlir::Value into, ArrayRef<Subscript> parts, size_t axis,
                                   mlir::Value value, SMRange place) {
  Dims dims = ir::dimsOf(into.getType());
  while (axis < parts.size() && parts[axis].isFull(dims[axis]))
    ++axis;
  if (axis == parts.size())
    return value;
  mlir::Value where = positions(parts[axis], place);
  mlir::NamedAttrList attributes;
  attributes.set("axis", builder.getI64IntegerAttr(axis));
  bool isLast = true;
  for (size_t later = axis + 1; later < parts.size(); ++later)
    isLast &= parts[later].isFull(dims[later]);
  if (where && !isLast) {
    mlir::Value part = at(place).create("take", mlir::ValueRange{into, where}, attributes);
    value = part ? writeParts(part, parts, axis + 1, value, place) : nullptr;
  }
  return where && value
             ? at(place).create("index_copy", mlir::ValueRange{into, where, value}, attributes)
             : nullptr;
}

namespace {
/// Integers and tensors of integers among subscripts, which NumPy takes together.
struct Together {
  SmallVector<int64_t> axes;
  unsigned tensors = 0;    ///< with dimensions
  bool isAdjacent = true;  ///< no slice stands between them
  int64_t slicesAhead = 0; ///< before the first

  explicit Together(ArrayRef<Subscript> parts) {
    for (auto [axis, part] : enumerate(parts)) {
      if (part.isSlice || (!part.at && !part.part.isIndex))
        continue;
      isAdjacent &= axes.empty() || axes.back() + 1 == int64_t(axis);
      slicesAhead = axes.empty() ? int64_t(axis) : slicesAhead;
      axes.push_back(axis);
      tensors += part.at && !ir::dimsOf(part.at.getType()).empty();
    }
  }
  /// Where the positions' dimensions stand among those of the slices.
  int64_t front() const { return isAdjacent ? slicesAhead : 0; }
  /// The axes of a tensor with those of the positions first.
  SmallVector<int64_t> order(int64_t rank) const {
    SmallVector<int64_t> all(axes);
    for (int64_t axis = 0; axis < rank; ++axis)
      if (!is_contained(axes, axis))
        all.push_back(axis);
    return all;
  }
};
} // namespace

/// Whether what is assigned stretches to these extents: the value, stretched.
mlir::Value Elaborator::stretched(mlir::Value value, ArrayRef<DimExpr> dims, SMRange place) {
  std::optional<Dims> common = at(place).broadcastShape({ir::dimsOf(value.getType()), Dims(dims)});
  if (!common)
    return nullptr;
  if (common->size() != dims.size()) {
    fail(place, DiagCode::ShapeMismatch,
         "a value of " + ir::typeText(value.getType()) + " does not fit a part of " +
             Twine(dims.size()) + " dimensions");
    return nullptr;
  }
  for (auto [i, extent] : enumerate(*common))
    if (!require({extent, Relation::Equal, dims[i],
                  "extent " + std::to_string(i) + " of what is assigned to a slice"},
                 place))
      return nullptr;
  return at(place).broadcastTo(value, dims);
}

/// Writes at positions in several dimensions, as NumPy's: into what the slices leave, which is then
/// written where the slices stand.
mlir::Value Elaborator::writeTogether(mlir::Value tensor, SmallVector<Subscript> parts,
                                      mlir::Value value, SMRange place) {
  ir::TensorBuilder here = at(place);
  Together together(parts);
  Dims whole = ir::dimsOf(tensor.getType());
  SmallVector<mlir::Value> indices;
  for (int64_t axis : together.axes) {
    Subscript &part = parts[axis];
    mlir::Value index = part.at ? here.cast(part.at, DType::I64) : here.extent(part.part.start);
    indices.push_back(index);
    part = {{0, whole[axis]}, nullptr, /*isSlice=*/true};
  }
  if (!here.broadcastAll(indices))
    return nullptr;
  Dims where = ir::dimsOf(indices[0].getType()), column = where;
  int64_t rank = where.size();
  column.push_back(1);
  for (mlir::Value &index : indices)
    index = here.reshape(index, column);
  SmallVector<ir::AxisPart> known;
  for (auto [axis, part] : enumerate(parts))
    known.push_back(part.at ? ir::AxisPart{0, whole[axis]} : part.part);
  mlir::Value left = here.slice(tensor, known);
  for (auto [axis, part] : enumerate(parts)) {
    mlir::NamedAttrList along;
    along.set("axis", builder.getI64IntegerAttr(axis));
    if (part.at && left)
      left = here.create("take", mlir::ValueRange{left, part.at}, along);
  }
  if (!left)
    return nullptr;
  SmallVector<int64_t> order = together.order(whole.size()), back(order.size());
  Dims seen;
  for (int64_t axis : ArrayRef(order).drop_front(together.axes.size()))
    seen.push_back(ir::dimsOf(left.getType())[axis]);
  seen.insert(seen.begin() + together.front(), where.begin(), where.end());
  value = stretched(value, seen, place);
  value = value ? moveAxes(value, together.front(), rank, 0, place) : nullptr;
  for (auto [to, from] : enumerate(order))
    back[from] = to;
  mlir::NamedAttrList turn, turnBack, last;
  turn.set("axes", builder.getDenseI64ArrayAttr(order));
  turnBack.set("axes", builder.getDenseI64ArrayAttr(back));
  last.set("axis", builder.getI64IntegerAttr(rank));
  mlir::Value turned = here.create("permute", left, turn),
              positions = here.create("concat", indices, last);
  if (!value || !turned || !positions)
    return nullptr;
  mlir::Value written = here.create("scatter_nd", mlir::ValueRange{turned, positions, value});
  written = written ? here.create("permute", written, turnBack) : nullptr;
  return written ? writeParts(tensor, parts, 0, written, place) : nullptr;
}

Value Elaborator::assignSlice(const IndexExpr *target, mlir::Value tensor, const Value &given) {
  SmallVector<size_t> newAxes;
  std::optional<SmallVector<Subscript>> parts = subscripts(target, tensor, newAxes);
  if (parts && !newAxes.empty())
    return fail(target->range, DiagCode::InvalidTarget, "what is assigned to has no new axes");
  if (!parts || given.isError())
    return Value();
  mlir::Value value = toTensor(given, *ir::dtypeOf(tensor.getType()), target->range);
  if (!value)
    return Value();
  if (ir::dtypeOf(value.getType()) != ir::dtypeOf(tensor.getType()))
    return fail(target->range, DiagCode::TypeMismatch,
                "expected a value of " + Twine(name(*ir::dtypeOf(tensor.getType()))) +
                    " for a part of " + ir::typeText(tensor.getType()) + ", got " +
                    ir::typeText(value.getType()));
  Together together(*parts);
  mlir::Value result;
  if (together.tensors > 1 || (together.tensors == 1 && !together.isAdjacent)) {
    result = writeTogether(tensor, *parts, value, target->range);
  } else {
    Dims seen, whole; // as the subscripts read it, and with one dimension an axis
    for (const Subscript &part : *parts) {
      Dims at = part.at ? ir::dimsOf(part.at.getType()) : Dims{part.part.size};
      whole.push_back(ir::numElements(at));
      if (part.at || !part.part.isIndex)
        append_range(seen, at);
    }
    value = stretched(value, seen, target->range);
    value = value ? at(target->range).reshape(value, whole) : nullptr;
    result = value ? writeParts(tensor, *parts, 0, value, target->range) : nullptr;
  }
  return result ? Value(result) : Value();
}
