//===- Requantize.cpp - from sums to small integers at once -----------------===//

#include "passes/compress/Requantize.h"

#include "passes/Build.h"
#include "passes/compress/Static.h"

#include "llvm/ADT/bit.h"

#include <cmath>
#include <cstring>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

static WeightStore &storeOf(WeightOp weight) {
  return weight.getContext()->getLoadedDialect<KilnDialect>()->getWeights();
}

/// A trained number for each channel, spread over a tensor.
WeightOp Requantizer::perChannel(Value value) const {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<BroadcastToOp, ReshapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  auto get = value.getDefiningOp<GetOp>();
  auto weight = get ? symbols.lookup<WeightOp>(get.getWeight()) : WeightOp();
  bool isKnown = weight && weight.getHash() && storeOf(weight).find(*weight.getHash()) &&
                 dimsOf(weight.getType()).size() == 1;
  return isKnown ? weight : WeightOp();
}

template <typename T> T Requantizer::valueOf(WeightOp weight, int64_t channel) const {
  T value;
  const WeightView *view = storeOf(weight).find(*weight.getHash());
  std::memcpy(&value, view->bytes.data() + channel * sizeof(T), sizeof(T));
  return value;
}

/// The other operand of a sum or product whose one operand is a number a channel.
static Value other(Operation *op, Value one) {
  return op->getOperand(op->getOperand(0) == one ? 1 : 0);
}

bool Requantizer::match(Value x, Chain &chain) const {
  chain.low = -HUGE_VAL, chain.high = HUGE_VAL;
  auto take = [&](WeightOp &into) {
    for (Value operand : x.getDefiningOp()->getOperands())
      if ((into = perChannel(operand))) {
        x = other(x.getDefiningOp(), operand);
        return true;
      }
    return false;
  };
  auto is = [&](auto kind) { return x.hasOneUse() && x.getDefiningOp<decltype(kind)>(); };
  x = throughClamps(x, chain.low, chain.high);
  if (is(AddOp()) && !take(chain.bias))
    return false;
  if (!is(MulOp()) || !take(chain.factors) || !is(CastOp()))
    return false;
  x = x.getDefiningOp()->getOperand(0);
  if (!is(SubOp()) || !(chain.offsets = perChannel(x.getDefiningOp<SubOp>().getB())))
    return false;
  chain.sum = x.getDefiningOp<SubOp>().getA();
  int64_t rank = dimsOf(chain.sum.getType()).size();
  auto conv = chain.sum.getDefiningOp<QConv2dOp>();
  if (!chain.sum.hasOneUse() || (!conv && !chain.sum.getDefiningOp<QMatmulOp>()))
    return false;
  chain.axis = conv && !conv.getChannelsLast() ? 1 : rank - 1;
  SmallVector<DimExpr> shape = dimsOf(chain.sum.getDefiningOp()->getOperand(1).getType());
  shape[0] = 1; // [N, K…]
  std::optional<int64_t> depth = numElements(shape).constantValue();
  chain.depth = depth.value_or(0);
  return depth && chain.low <= chain.high;
}

WeightOp Requantizer::addWeight(WeightOp like, StringRef suffix, ArrayRef<uint32_t> words) {
  auto *first = reinterpret_cast<const uint8_t *>(words.data());
  DType type = *dtypeOf(like.getType());
  std::string hash = storeOf(like).addOwned(type, {static_cast<int64_t>(words.size())},
                                            {first, first + words.size() * sizeof(uint32_t)});
  OpBuilder builder(like);
  auto weight = WeightOp::create(builder, like.getLoc(), (like.getSymName() + suffix).str(),
                                 like.getType(), builder.getStringAttr(hash));
  symbols.insert(weight);
  return weight;
}

bool Requantizer::fold(QuantizeOp op) {
  Chain chain;
  std::optional<double> scale = filledWith(op.getScale()), zero = filledWith(op.getZeroPoint());
  if (!scale || !zero || !match(op.getX(), chain))
    return false;
  auto step = static_cast<float>(*scale);
  SmallVector<uint32_t> offsets, factors;
  for (int64_t n = 0, count = dimsOf(chain.factors.getType())[0].constantValue().value(); n < count;
       ++n) {
    auto factor = valueOf<float>(chain.factors, n);
    double bias = chain.bias ? std::nearbyint(valueOf<float>(chain.bias, n) / double(factor)) : 0;
    // The whole sum must stay within 32 bits.
    if (!(std::fabs(bias) + static_cast<double>(chain.depth) * 255 * 127 < 2147483647.0))
      return false;
    offsets.push_back(valueOf<uint32_t>(chain.offsets, n) -
                      static_cast<uint32_t>(static_cast<int32_t>(bias)));
    factors.push_back(llvm::bit_cast<uint32_t>(factor / step));
  }
  OpBuilder builder(op);
  Build build{builder, op.getLoc()};
  SmallVector<DimExpr> shape = dimsOf(op.getType());
  auto read = [&](WeightOp weight) -> Value {
    return GetOp::create(builder, weight.getLoc(), weight.getType(), weight.getSymName());
  };
  Value offset = read(addWeight(chain.offsets, ".biased", offsets));
  if (chain.axis != static_cast<int64_t>(shape.size()) - 1)
    offset = build.reshape(offset, {shape[1], 1, 1});
  Value sum = build.make<SubOp>(chain.sum, build.broadcast(offset, shape));
  Value factor = read(addWeight(chain.factors, ".steps", factors));
  Type u8 = Build::elementOf(op.getResult());
  Value q = build.make<RequantizeOp>(sum, factor, build.full(*zero, dimsOf(factor.getType()), u8),
                                     builder.getI64IntegerAttr(chain.axis), TypeAttr::get(u8));
  q = bounded(build, q, chain.low, chain.high, {step, static_cast<int64_t>(*zero)});
  op.getResult().replaceAllUsesWith(q);
  Value x = op.getX();
  op.erase();
  while (Operation *dead = x.getDefiningOp()) { // up to the sum, which is read anew
    if (!dead->use_empty() || x == chain.sum)
      break;
    Value next = dead->getOperand(0);
    for (Value operand : dead->getOperands())
      if (!perChannel(operand))
        next = operand;
    dead->erase();
    x = next;
  }
  return true;
}
