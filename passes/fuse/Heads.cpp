//===- Heads.cpp - attention as GPUs read it ------------------------------===//
//
// Needs: decomposed attention. Where several heads share those of keys, its scores are reshaped
// between the product, whose rows are the queries of all these heads, and the rest; and reshapes
// part kernels. Guarantees: the shared heads are a dimension of their own in all of it, along which
// keys and values are broadcast; factors of halves are widened behind what moves them.
//
//===----------------------------------------------------------------------===//

#include "passes/Build.h"
#include "passes/fuse/Groups.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

using Dims = SmallVector<DimExpr>;

namespace {
/// Rewrites what ends in one product of weights, [B, K, G * T, S], and values, [B, K, S, E].
class Heads {
public:
  explicit Heads(MatmulOp last)
      : last(last), builder(last), b{builder, last.getLoc()}, merged(last.getA()),
        bounds(enclosingBounds(last)) {}
  /// The product that takes its place, or null where heads have keys of their own.
  MatmulOp run();

private:
  bool findScores(Value value);
  Dims partedDims(Value value) const;
  Value spread(Value factor);
  Value parted(Value value);
  Value make(Value value);

  MatmulOp last, scores;
  OpBuilder builder;
  Build b;
  Value merged; ///< the weights as the product reads them
  DimExpr heads = 0, keyHeads = 0, shared = 0;
  bool hasSoftmax = false;
  DimExpr::BoundsMap bounds;
  DenseMap<Value, Value> known;
};
} // namespace

/// Finds the product of scores behind a reshape, through what is done to them in place.
bool Heads::findScores(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != last->getBlock())
    return false;
  if (auto reshape = dyn_cast<ReshapeOp>(op)) {
    auto product = reshape.getX().getDefiningOp<MatmulOp>();
    if (!product || dimsOf(product.getType()) != dimsOf(merged.getType()))
      return false;
    scores = product;
    return true;
  }
  hasSoftmax |= isa<SoftmaxOp>(op);
  bool isInPlace = isa<SoftmaxOp>(op) || (roleOf(op) == FusionRole::Pointwise && !isFree(op));
  return isInPlace && llvm::any_of(op->getOperands(), [&](Value operand) {
           return dimsOf(operand.getType()) == dimsOf(value.getType()) && findScores(operand);
         });
}

/// [B, H, T, S] as [B, K, G, T, S]; H may be 1.
Dims Heads::partedDims(Value value) const {
  Dims dims = dimsOf(value.getType());
  bool isOne = dims[1] == DimExpr(1);
  return {dims[0], isOne ? 1 : keyHeads, isOne ? 1 : shared, dims[2], dims[3]};
}

/// Keys or values for all heads that share them.
Value Heads::spread(Value factor) {
  Dims dims = dimsOf(factor.getType());
  dims.insert(dims.begin() + 2, 1);
  Value each = b.reshape(factor, dims);
  dims[2] = shared;
  return b.broadcast(each, dims);
}

Value Heads::parted(Value value) {
  if (Value before = known.lookup(value))
    return before;
  Value made = make(value);
  return known[value] = made;
}

Value Heads::make(Value value) {
  Operation *op = value.getDefiningOp();
  Dims dims = partedDims(value);
  if (auto reshape = dyn_cast_or_null<ReshapeOp>(op)) {
    if (reshape.getX() != scores.getResult())
      return b.reshape(reshape.getX(), dims);
    Dims rows = dims;
    rows.back() = dimsOf(scores.getA().getType()).back();
    return b.make<MatmulOp>(b.reshape(scores.getA(), rows), spread(scores.getB()),
                            scores.getTransposeBAttr());
  }
  if (auto broadcast = dyn_cast_or_null<BroadcastToOp>(op)) {
    Value x = broadcast.getX();
    size_t rank = dimsOf(x.getType()).size();
    if (rank == 3)
      return b.reshape(value, dims);
    return b.broadcast(rank == 4 ? parted(x) : x, dims);
  }
  auto softmax = dyn_cast_or_null<SoftmaxOp>(op);
  bool isInPlace = op && op->getNumResults() == 1 && !isFree(op) &&
                   roleOf(op) == FusionRole::Pointwise &&
                   llvm::all_of(op->getOperands(), [&](Value operand) {
                     return dimsOf(operand.getType()) == dimsOf(value.getType());
                   });
  if (auto full = dyn_cast_or_null<FullOp>(op))
    return b.make<FullOp>(b.dims(dims), full.getValueAttr(), full.getDtypeAttr());
  if (softmax && softmax.getAxis() == 3)
    return b.make<SoftmaxOp>(parted(softmax.getX()), builder.getI64IntegerAttr(4));
  if (!isInPlace)
    return b.reshape(value, dims);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(parted(operand));
  Operation *copy = builder.clone(*op);
  copy->setOperands(operands);
  copy->getResult(0).setType(tensorType(Build::elementOf(value), dims));
  return copy->getResult(0);
}

MatmulOp Heads::run() {
  auto reshape = merged.getDefiningOp<ReshapeOp>();
  Dims few = dimsOf(merged.getType());
  Dims many = reshape ? dimsOf(reshape.getX().getType()) : Dims();
  if (few.size() != 4 || many.size() != 4 || few[0] != many[0] || few[3] != many[3])
    return {};
  std::optional<int64_t> all = many[1].constantValue(), some = few[1].constantValue();
  if (!all || !some || *some < 1 || *all <= *some || *all % *some ||
      few[2] != DimExpr(*all / *some) * many[2] || !isLarge(few[2], bounds) ||
      !isLarge(few[3], bounds))
    return {};
  keyHeads = *some;
  shared = *all / *some;
  if (!findScores(reshape.getX()) || !hasSoftmax)
    return {};
  Value weights = parted(reshape.getX());
  Value y = b.make<MatmulOp>(weights, spread(last.getB()), last.getTransposeBAttr());
  last->replaceAllUsesWith(ValueRange(b.reshape(y, dimsOf(last.getType()))));
  return y.getDefiningOp<MatmulOp>();
}

/// Moves what widens a factor behind what moves it, but a broadcast, with a number that multiplies
/// it; what widens it is the factor's own then.
static void widenLast(OpOperand &factor) {
  SmallVector<Operation *> moves;
  FullOp number;
  Value x = factor.get();
  for (Operation *op; (op = x.getDefiningOp()); x = op->getOperand(0)) {
    if (isa<PermuteOp, ReshapeOp, BroadcastToOp>(op)) {
      moves.push_back(op);
      continue;
    }
    if (number || !isa<MulOp>(op) || !(number = op->getOperand(1).getDefiningOp<FullOp>()))
      break;
  }
  auto cast = x.getDefiningOp<CastOp>();
  if (!cast || !isHalf(cast.getX()) || *dtypeOf(cast.getType()) != DType::F32)
    return;
  OpBuilder builder(factor.getOwner());
  Build b{builder, cast.getLoc()};
  Value y = cast.getX();
  bool isSpread = !moves.empty() && isa<BroadcastToOp>(moves.front());
  for (Operation *move : llvm::reverse(ArrayRef(moves).drop_front(isSpread))) {
    Operation *copy = builder.clone(*move);
    copy->setOperand(0, y);
    Dims dims = dimsOf(move->getResult(0).getType());
    copy->getResult(0).setType(tensorType(Build::elementOf(y), dims));
    y = copy->getResult(0);
  }
  y = b.cast(y, Build::elementOf(cast));
  if (number)
    y = b.make<MulOp>(y, b.make<FullOp>(b.dims(dimsOf(y.getType())), number.getValueAttr(),
                                        number.getDtypeAttr()));
  factor.set(b.broadcast(y, dimsOf(factor.get().getType())));
}

void passes::prepareAttention(func::FuncOp function) {
  SmallVector<MatmulOp> products;
  function.walk([&](MatmulOp op) { products.push_back(op); });
  for (MatmulOp &last : products)
    if (MatmulOp parted = Heads(last).run())
      last = parted;
  for (MatmulOp last : products) {
    std::string reason;
    for (Operation *op : attentionOf(last, enclosingBounds(function), reason))
      if (auto scores = dyn_cast<MatmulOp>(op); scores && scores != last)
        for (OpOperand *factor :
             {&scores.getAMutable(), &scores.getBMutable(), &last.getBMutable()})
          widenLast(*factor);
  }
  function.walk([](Block *block) {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*block)))
      if (isOpTriviallyDead(&op))
        op.erase();
  });
}
