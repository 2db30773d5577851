//===- Rules.cpp - how attributes of ops follow from what is given --------===//
#include "ir/build/Rules.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ir;

bool ir::fitsMemory(DType type, ArrayRef<DimExpr> dims) {
  int64_t bytes = byteSize(type);
  if (is_contained(dims, DimExpr(0)))
    return true;
  for (const DimExpr &dim : dims) {
    std::optional<int64_t> extent = dim.constantValue();
    if (!dim.isValid() ||
        (extent && *extent > 0 && (__builtin_mul_overflow(bytes, *extent, &bytes) || bytes >> 40)))
      return false;
  }
  return true;
}

SmallVector<int64_t> ir::normalizedAxes(ArrayRef<int64_t> axes, int64_t rank) {
  return map_to_vector(axes, [&](int64_t axis) { return axis + (axis < 0 ? rank : 0); });
}

std::optional<Dims> ir::evenPadding(ArrayRef<DimExpr> given, size_t axes) {
  if (given.size() != 1 && given.size() != axes)
    return std::nullopt;
  Dims padding;
  for (size_t i = 0; i < axes; ++i)
    padding.append(2, given[given.size() == 1 ? 0 : i]);
  return padding;
}

/// With the kernel's reach k the total is max((ceil(n / stride) - 1) * stride + k - n, 0), which
/// needs no max where the reach is at least the stride.
std::optional<Dims> ir::samePadding(ArrayRef<DimExpr> image, ArrayRef<int64_t> kernel,
                                    ArrayRef<int64_t> stride, ArrayRef<int64_t> dilation) {
  size_t axes = kernel.size();
  if (image.size() != axes + 2 || stride.size() != axes || dilation.size() != axes)
    return std::nullopt;
  Dims padding;
  for (size_t i = 0; i < axes; ++i) {
    int64_t s = stride[i], reach = (kernel[i] - 1) * dilation[i] + 1;
    if (s < 1 || reach < 1)
      return std::nullopt;
    const DimExpr &extent = image[2 + i];
    DimExpr rounds = DimExpr::floorDiv(extent + (s - 1), s);
    DimExpr total = (rounds - 1) * DimExpr(s) + reach - extent;
    if (reach < s)
      total = DimExpr::max(total, 0);
    DimExpr before = DimExpr::floorDiv(total, 2);
    padding.append({before, total - before});
  }
  return padding;
}

void ir::fillOpenExtent(MutableArrayRef<DimExpr> shape, ArrayRef<DimExpr> source) {
  auto *open = find(shape, DimExpr(-1));
  if (open == shape.end())
    return;
  *open = 1;
  *open = DimExpr::floorDiv(numElements(source), numElements(shape));
}

mlir::DenseElementsAttr ir::constantOf(mlir::RankedTensorType type, ArrayRef<uint8_t> bytes) {
  if (type.getElementType().isInteger(1))
    return mlir::DenseElementsAttr::get(
        type, ArrayRef(reinterpret_cast<const bool *>(bytes.data()), bytes.size()));
  return mlir::DenseElementsAttr::getFromRawBuffer(
      type, ArrayRef(reinterpret_cast<const char *>(bytes.data()), bytes.size()));
}
