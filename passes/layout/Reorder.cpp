//===- Reorder.cpp - ops on operands with other dimension order -----------===//

#include "passes/layout/Permutes.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;

Axes passes::inverse(ArrayRef<int64_t> axes) {
  Axes result(axes.size());
  for (auto [i, axis] : llvm::enumerate(axes))
    result[axis] = i;
  return result;
}

/// `list`, of `width` entries a dimension, in the new order.
template <typename List>
static List reordered(const List &list, ArrayRef<int64_t> axes, size_t width = 1) {
  List result(list);
  for (auto [i, axis] : llvm::enumerate(axes))
    for (size_t j = 0; j < width; ++j)
      result[axis * width + j] = list[i * width + j];
  return result;
}

static DimsAttr reordered(DimsAttr attr, ArrayRef<int64_t> axes, size_t width = 1) {
  return DimsAttr::get(attr.getContext(), reordered(attr.getDims(), axes, width));
}

/// The order of the result when `reduced`, in the old order, disappear or stay as 1.
static Axes reductionOrder(ArrayRef<int64_t> axes, ArrayRef<int64_t> reduced, bool keepdims) {
  if (keepdims)
    return Axes(axes);
  Axes left;
  for (auto [i, axis] : llvm::enumerate(axes))
    if (!llvm::is_contained(reduced, static_cast<int64_t>(i)))
      left.push_back(axis);
  Axes ranks(left.size());
  for (auto [i, axis] : llvm::enumerate(left))
    ranks[i] = llvm::count_if(left, [&](int64_t other) { return other < axis; });
  return ranks;
}

template <typename Op> static Axes reorderReduction(Op op, ArrayRef<int64_t> axes) {
  Axes old(op.getAxis()), now;
  for (int64_t axis : old)
    now.push_back(axes[axis]);
  llvm::sort(now);
  op.setAxis(now);
  return reductionOrder(axes, old, op.getKeepdims());
}

template <typename Op> static Axes reorderArgReduction(Op op, ArrayRef<int64_t> axes) {
  int64_t old = op.getAxis();
  op.setAxis(axes[old]);
  return reductionOrder(axes, old, op.getKeepdims());
}

template <typename Op> static Axes reorderAxis(Op op, ArrayRef<int64_t> axes) {
  op.setAxis(axes[op.getAxis()]);
  return Axes(axes);
}

std::optional<Axes> passes::reorderDimensions(Operation *op, ArrayRef<int64_t> axes) {
  using Result = std::optional<Axes>;
  Result result =
      llvm::TypeSwitch<Operation *, Result>(op)
          .Case<SoftmaxOp, LogSoftmaxOp, ConcatOp>([&](auto o) { return reorderAxis(o, axes); })
          .Case<SumOp, MeanOp, ProdOp, MaxOp, MinOp, AnyOp, AllOp, VarOp, LogSumExpOp>(
              [&](auto o) { return reorderReduction(o, axes); })
          .Case<ArgmaxOp, ArgminOp>([&](auto o) { return reorderArgReduction(o, axes); })
          .Case([&](PadOp o) {
            o.setPaddingAttr(reordered(o.getPadding(), axes, 2));
            return Axes(axes);
          })
          .Case([&](SliceOp o) {
            o.setStartsAttr(reordered(o.getStarts(), axes));
            o.setSizesAttr(reordered(o.getSizes(), axes));
            o.setSteps(reordered(Axes(o.getSteps()), axes));
            return Axes(axes);
          })
          .Case([&](FullOp o) {
            o.setShapeAttr(reordered(o.getShape(), axes));
            return Axes(axes);
          })
          .Default([&](Operation *o) {
            return o->hasTrait<OpTrait::Elementwise>() ? Result(Axes(axes)) : Result();
          });
  if (!result)
    return std::nullopt;
  Type type = op->getResult(0).getType();
  op->getResult(0).setType(
      tensorType(cast<RankedTensorType>(type).getElementType(), reordered(dimsOf(type), *result)));
  return result;
}
