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

/// The op that adds a residual branch, or nothing.
static bool isSum(Operation *op, Block *block) { return isa<AddOp>(op) && op->getBlock() == block; }

void StaticQuantizer::share() {
  for (QuantizeOp op : made) {
    Value x = op.getX();
    bool fits = x.getDefiningOp() && llvm::all_of(x.getUsers(), [&](Operation *user) {
                  return user == op || isSum(user, op->getBlock());
                });
    if (!fits)
      continue;
    for (OpOperand &use : llvm::make_early_inc_range(x.getUses())) {
      if (use.getOwner() == op)
        continue;
      OpBuilder builder(use.getOwner());
      Build build{builder, op.getLoc()};
      use.set(build.make<DequantizeOp>(op.getResult(), op.getScale(), op.getZeroPoint(),
                                       op.getAxisAttr(), op.getGroupAttr(),
                                       builder.getI64IntegerAttr(8)));
    }
  }
}

Value passes::bounded(const Build &build, Value q, double low, double high, const Affine &affine) {
  SmallVector<DimExpr> shape = dimsOf(q.getType());
  auto bound = [&](double value) {
    float steps = static_cast<float>(value) * affine.inverse();
    return std::nearbyint(steps) + static_cast<double>(affine.zero);
  };
  if (double least = bound(low); least > 0)
    q = build.make<MaximumOp>(q, build.full(std::min(least, 255.0), shape, Build::elementOf(q)));
  if (double most = bound(high); most < 255)
    q = build.make<MinimumOp>(q, build.full(std::max(most, 0.0), shape, Build::elementOf(q)));
  return q;
}

Value passes::throughClamps(Value x, double &low, double &high) {
  while (x.hasOneUse()) {
    if (auto clamp = x.getDefiningOp<ClampOp>()) {
      low = std::max(low, clamp.getMin().convertToDouble());
      high = std::min(high, clamp.getMax().convertToDouble());
    } else if (x.getDefiningOp<ReluOp>()) {
      low = std::max(low, 0.0);
    } else {
      break;
    }
    x = x.getDefiningOp()->getOperand(0);
  }
  return x;
}

void StaticQuantizer::multiply(QuantizeOp op) {
  std::optional<double> scale = filledWith(op.getScale()), zero = filledWith(op.getZeroPoint());
  if (!scale || !zero)
    return;
  Affine affine{static_cast<float>(*scale), static_cast<int64_t>(*zero)};
  OpBuilder builder(op);
  Build build{builder, op.getLoc()};
  Type f32 = builder.getF32Type();
  double low = -HUGE_VAL, high = HUGE_VAL;
  Value before = op.getX(), x = throughClamps(before, low, high);
  if (low > high) // all values become the upper bound, in an order that clamps keep
    x = before, low = -HUGE_VAL, high = HUGE_VAL;
  Value steps =
      build.make<MulOp>(x, build.full(affine.inverse(), dimsOf(op.getX().getType()), f32));
  Value q = build.make<QuantizeOp>(steps, build.full(1, {}, f32), op.getZeroPoint(),
                                   op.getAxisAttr(), op.getGroupAttr(), op.getDtypeAttr());
  op.getResult().replaceAllUsesWith(bounded(build, q, low, high, affine));
  Operation *divisor = op.getScale().getDefiningOp();
  op.erase();
  if (divisor->use_empty())
    divisor->erase();
  while (before != x) {
    Operation *clamp = before.getDefiningOp();
    before = clamp->getOperand(0);
    clamp->erase();
  }
}
