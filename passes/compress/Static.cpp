//===- Static.cpp - layers in integers with ranges known before -------------===//

#include "passes/compress/Static.h"

#include "passes/Build.h"
#include "passes/compress/Layers.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

Affine Affine::ofRange(double low, double high) {
  Affine affine;
  auto scale = static_cast<float>((high - low) / 255);
  // A range of zeros, or one whose scale has no precision left, keeps an ordinary one.
  affine.scale = scale < 1e-37f ? 1.0f : scale;
  affine.zero = std::clamp<int64_t>(std::llround(-low / affine.scale), 0, 255);
  return affine;
}

std::optional<Affine> StaticQuantizer::affineOf(Operation *reader) {
  auto range = reader->getAttrOfType<DenseF64ArrayAttr>("kiln.range");
  if (!range || range.size() != 2)
    return std::nullopt;
  return Affine::ofRange(range[0], range[1]);
}

std::optional<double> passes::filledWith(Value value) {
  auto full = value.getDefiningOp<FullOp>();
  if (!full)
    return std::nullopt;
  if (auto real = dyn_cast<FloatAttr>(full.getValue()))
    return real.getValueAsDouble();
  return static_cast<double>(cast<IntegerAttr>(full.getValue()).getInt());
}

/// One op for all readers in a block that want the same.
QuantizeOp StaticQuantizer::quantized(Value x, const Affine &affine, Operation *reader) {
  Block *block = reader->getBlock();
  for (QuantizeOp op : made)
    if (op.getX() == x && op->getBlock() == block && filledWith(op.getScale()) == affine.scale &&
        filledWith(op.getZeroPoint()) == affine.zero)
      return op;
  OpBuilder builder = behind(x, block);
  Build build{builder, reader->getLoc()};
  Type u8 = elementType(builder.getContext(), DType::U8);
  Value q = build.make<QuantizeOp>(x, build.full(affine.scale, {}, builder.getF32Type()),
                                   build.full(affine.zero, {}, u8), builder.getI64IntegerAttr(0),
                                   builder.getI64IntegerAttr(0), TypeAttr::get(u8));
  made.push_back(q.getDefiningOp<QuantizeOp>());
  return made.back();
}

void StaticQuantizer::replace(Operation *reader, WeightOp weight, WeightOp factors,
                              WeightOp offsets) {
  Affine affine = *affineOf(reader);
  QuantizeOp q = quantized(reader->getOperand(0), affine, reader);
  OpBuilder builder(reader);
  Build build{builder, reader->getLoc()};
  SmallVector<DimExpr> shape = dimsOf(reader->getResult(0).getType());
  auto conv = dyn_cast<Conv2dOp>(reader);
  auto read = [&](WeightOp op) -> Value {
    return GetOp::create(builder, op.getLoc(), op.getType(), op.getSymName());
  };
  // A number for each channel, which stands last or second.
  auto spread = [&](Value value) {
    if (conv && !conv.getChannelsLast())
      value = build.reshape(value, {shape[1], 1, 1});
    return build.broadcast(value, shape);
  };
  Value sum = conv ? build.make<QConv2dOp>(
                         q.getResult(), read(weight), conv.getStrideAttr(), conv.getPaddingAttr(),
                         conv.getDilationAttr(), conv.getGroupsAttr(),
                         builder.getI64IntegerAttr(affine.zero), conv.getChannelsLastAttr())
                   : build.make<QMatmulOp>(q.getResult(), read(weight), builder.getUnitAttr());
  sum = build.make<SubOp>(sum, spread(read(offsets)));
  Value y = build.make<MulOp>(build.cast(sum, builder.getF32Type()), spread(read(factors)));
  if (conv && conv.getBias())
    y = build.make<AddOp>(y, spread(conv.getBias()));
  reader->getResult(0).replaceAllUsesWith(y);
  reader->erase();
}

/// Whether quantising commutes with the op: it chooses or moves elements.
static bool isTransparent(Operation *op) {
  return isa_and_nonnull<ReshapeOp, PermuteOp, MaxPool2dOp, ConcatOp>(op);
}

/// u8 through the op that makes x.
bool StaticQuantizer::hoist(QuantizeOp op) {
  Operation *producer = op.getX().getDefiningOp();
  if (!isTransparent(producer) || !op.getX().hasOneUse() || producer->getBlock() != op->getBlock())
    return false;
  OpBuilder builder(op);
  Operation *moved = builder.clone(*producer);
  for (OpOperand &operand : moved->getOpOperands()) {
    builder.setInsertionPoint(moved);
    auto before = cast<QuantizeOp>(builder.clone(*op));
    before.getXMutable().assign(operand.get());
    before.getResult().setType(cast<RankedTensorType>(tensorType(
        cast<RankedTensorType>(op.getType()).getElementType(), dimsOf(operand.get().getType()))));
    operand.set(before.getResult());
    made.push_back(before);
  }
  moved->getResult(0).setType(op.getType());
  op.getResult().replaceAllUsesWith(moved->getResult(0));
  op.erase();
  producer->erase();
  return true;
}

void StaticQuantizer::hoist() {
  llvm::SmallVector<QuantizeOp> left;
  for (size_t i = 0; i < made.size(); ++i) // grows
    if (QuantizeOp op = made[i]; !hoist(op))
      left.push_back(op);
  made = std::move(left);
}
