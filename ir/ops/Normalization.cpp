//===- Normalization.cpp - batch norm and its kin -------------------------===//

#include "ir/ops/Common.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

KILN_INFER(BatchNormOp) {
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type);
  if (dims.size() < 2 || !isFloat(*dtypeOf(type))) // batch_norm-c1
    return emitOptionalError(
        loc, "'batch_norm' expected floats with channels in the second dimension, got ",
        typeText(type));
  for (Value v : operands.drop_front()) {
    SmallVector<DimExpr> d = dimsOf(v.getType());
    if (d.size() != 1 || d[0] != dims[1] || dtypeOf(v.getType()) != dtypeOf(type)) // batch_norm-c2
      return emitOptionalError(loc, "'batch_norm' expected ", dims[1].str(),
                               " values a channel, got ", typeText(v.getType()), " for ",
                               typeText(type));
  }
  results.push_back(type);
  return success();
}

void BatchNormOp::alignShapes(MutableArrayRef<SmallVector<DimExpr>> shapes, DictionaryAttr,
                              AlignExtent require) {
  for (SmallVector<DimExpr> &shape : shapes.drop_front())
    if (shape.size() == 1 && shapes[0].size() >= 2 &&
        !align(shapes[0][1], shape[0], "the number of channels", require))
      return;
}

KILN_EVALUATE(BatchNormOp) {
  const Tensor &x = *operands[0];
  unsigned next = 3;
  const Tensor *weight = getWeight() ? operands[next++] : nullptr;
  const Tensor *bias = getBias() ? operands[next++] : nullptr;
  double eps = getEps().convertToDouble();
  int64_t inner = x.strides()[1], channels = x.shape[1];
  for (int64_t i = 0, n = x.numElements(); i < n; ++i) {
    int64_t c = i / inner % channels;
    double y = (x.floats[i] - operands[1]->floats[c]) / std::sqrt(operands[2]->floats[c] + eps);
    results[0].floats[i] = y * (weight ? weight->floats[c] : 1) + (bias ? bias->floats[c] : 0);
  }
  return success();
}
