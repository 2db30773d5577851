//===- Rows.cpp - matrix products in integers, scaled by row ----------------===//

#include "passes/compress/Rows.h"

#include "passes/Build.h"
#include "passes/compress/Layers.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

QuantizeOp RowQuantizer::rowsOf(Value x, Operation *reader) {
  Block *block = reader->getBlock();
  for (Operation *user : x.getUsers())
    if (user->getBlock() == block && made.contains(user))
      return cast<QuantizeOp>(user);
  OpBuilder builder = behind(x, block);
  Build build{builder, reader->getLoc()};
  SmallVector<DimExpr> shape = dimsOf(x.getType());
  int64_t last = shape.size() - 1, depth = *shape.back().constantValue();
  auto axes = builder.getDenseI64ArrayAttr(last);
  auto keeps = builder.getBoolAttr(true);
  shape.back() = 1;
  Type f32 = builder.getF32Type(), u8 = elementType(builder.getContext(), DType::U8);
  Value zero = build.full(0, shape, f32);
  Value low = build.make<MinimumOp>(build.make<MinOp>(x, axes, keeps), zero);
  Value high = build.make<MaximumOp>(build.make<MaxOp>(x, axes, keeps), zero);
  Value scales = build.make<DivOp>(build.make<SubOp>(high, low), build.full(255, shape, f32));
  Value isZero = build.make<EqOp>(scales, build.full(0, shape, f32));
  scales = build.make<WhereOp>(isZero, build.full(1, shape, f32), scales);
  Value zeros = build.make<RoundOp>(build.make<DivOp>(build.make<SubOp>(zero, low), scales));
  Value numbers =
      build.make<QuantizeOp>(x, scales, build.cast(zeros, u8), builder.getI64IntegerAttr(last),
                             builder.getI64IntegerAttr(depth), TypeAttr::get(u8));
  made.insert(numbers.getDefiningOp());
  return numbers.getDefiningOp<QuantizeOp>();
}

void RowQuantizer::replace(MatmulOp matmul, WeightOp weight, WeightOp scales, WeightOp offsets) {
  QuantizeOp rows = rowsOf(matmul.getA(), matmul);
  OpBuilder builder(matmul);
  Build build{builder, matmul.getLoc()};
  SmallVector<DimExpr> shape = dimsOf(matmul.getType());
  auto read = [&](WeightOp op) -> Value {
    return GetOp::create(builder, op.getLoc(), op.getType(), op.getSymName());
  };
  Value sum = build.make<QMatmulOp>(rows.getResult(), read(weight), builder.getUnitAttr());
  // Widened where it is read: a kernel of its own would be one more for each layer.
  Value zeros = build.cast(build.broadcast(rows.getZeroPoint(), shape),
                           elementType(builder.getContext(), DType::I32));
  Value shift = build.make<MulOp>(zeros, build.broadcast(read(offsets), shape));
  sum = build.make<SubOp>(sum, shift);
  Value y = build.cast(sum, builder.getF32Type());
  y = build.make<MulOp>(y, build.broadcast(rows.getScale(), shape));
  y = build.make<MulOp>(y, build.broadcast(read(scales), shape));
  matmul.getResult().replaceAllUsesWith(y);
  matmul.erase();
}
