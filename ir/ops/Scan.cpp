//===- Scan.cpp - running totals ------------------------------------------===//

#include "ir/ops/Common.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static LogicalResult checkScan(MaybeLoc loc, StringRef name, Type type, int64_t axis) {
  if (failed(requireDomain(loc, name, type, Domain::Number))) // cumsum-c1, cumprod-c1
    return failure();
  int64_t rank = cast<RankedTensorType>(type).getRank();
  if (axis < 0 || axis >= rank) // cumsum-c2, cumprod-c2
    return emitOptionalError(loc, "'", name, "' expected an axis from 0 to ", rank - 1, ", got ",
                             axis);
  return success();
}

/// Each result is what has been combined so far, from the first element or from the last.
template <typename Op>
static LogicalResult scan(Op op, const Tensor &x, Tensor &y, int64_t start,
                          double (*onFloat)(double, double),
                          uint64_t (*onInt)(uint64_t, uint64_t)) {
  int64_t axis = op.getAxis(), extent = x.shape[axis];
  auto strides = x.strides();
  SmallVector<int64_t> rows(x.shape);
  rows[axis] = 1;
  forEachIndex(rows, [&](ArrayRef<int64_t> index) {
    double floatTotal = static_cast<double>(start);
    uint64_t intTotal = static_cast<uint64_t>(start);
    for (int64_t i = 0; i < extent; ++i) {
      int64_t at = linear(index, strides) + (op.getReverse() ? extent - 1 - i : i) * strides[axis];
      double floatBefore = floatTotal;
      uint64_t intBefore = intTotal;
      if (x.isFloat()) {
        floatTotal = onFloat(floatTotal, x.floats[at]);
        y.floats[at] = op.getExclusive() ? floatBefore : floatTotal;
      } else {
        intTotal = onInt(intTotal, static_cast<uint64_t>(x.ints[at]));
        y.ints[at] = wrapTo(y.type, static_cast<int64_t>(op.getExclusive() ? intBefore : intTotal));
      }
    }
  });
  return success();
}

#define KILN_SCAN(Op, name, start, combine)                                                        \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    results.push_back(operands[0].getType());                                                      \
    return checkScan(loc, name, operands[0].getType(), op.getAxis());                              \
  }                                                                                                \
  KILN_EVALUATE(Op) {                                                                              \
    return scan(                                                                                   \
        *this, *operands[0], results[0], start,                                                    \
        [](double a, double b) -> double { return a combine b; },                                  \
        [](uint64_t a, uint64_t b) -> uint64_t { return a combine b; });                           \
  }
KILN_SCAN(CumsumOp, "cumsum", 0, +)
KILN_SCAN(CumprodOp, "cumprod", 1, *)
