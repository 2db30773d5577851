//===- Random.cpp - random numbers from a seed ----------------------------===//
//
// Philox4x32-10 twice: in unsigned words for the interpreter, and in ops on i64, whose low half is
// the word, for kernels.
//
//===----------------------------------------------------------------------===//

#include "ir/Build.h"
#include "ir/ops/Common.h"

#include <array>
#include <cmath>
#include <numbers>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Dims = SmallVector<DimExpr>;
using Words = std::array<uint32_t, 4>;

static constexpr int rounds = 10;
static constexpr uint32_t multipliers[] = {0xD2511F53, 0xCD9E8D57};
static constexpr uint32_t keySteps[] = {0x9E3779B9, 0xBB67AE85};

static LogicalResult checkRandom(MaybeLoc loc, StringRef name, Type seed, ArrayRef<DimExpr> shape) {
  for (const DimExpr &dim : shape)
    if (std::optional<int64_t> value = dim.constantValue(); value && *value < 0) // random-c1
      return emitOptionalError(loc, "'", name, "' expected extents of at least 0, got ", *value);
  if (!inDomain(*dtypeOf(seed), Domain::Integer) || !dimsOf(seed).empty()) // random-c2
    return emitOptionalError(loc, "'", name, "' expected an integer scalar as the seed, got ",
                             typeText(seed));
  return success();
}

//===----------------------------------------------------------------------===//
// Meaning
//===----------------------------------------------------------------------===//

static Words philox(uint64_t counter, uint64_t seed) {
  Words words{uint32_t(counter), uint32_t(counter >> 32), 0, 0};
  uint32_t keys[] = {uint32_t(seed), uint32_t(seed >> 32)};
  for (int round = 0; round < rounds; ++round) {
    uint64_t first = uint64_t(multipliers[0]) * words[0];
    uint64_t second = uint64_t(multipliers[1]) * words[2];
    words = {uint32_t(second >> 32) ^ words[1] ^ keys[0], uint32_t(second),
             uint32_t(first >> 32) ^ words[3] ^ keys[1], uint32_t(first)};
    keys[0] += keySteps[0];
    keys[1] += keySteps[1];
  }
  return words;
}

static double unit(uint32_t word) { return double(word >> 8) * 0x1p-24; }

/// Fills in each element from its block's words and its place there.
static LogicalResult fill(const Tensor &seed, Tensor &y,
                          function_ref<double(const Words &, int64_t)> make) {
  for (int64_t i = 0, n = y.numElements(); i < n; ++i) {
    double value = make(philox(i / 4, seed.ints[0]), i % 4);
    if (y.isFloat())
      y.floats[i] = value;
    else
      y.ints[i] = value != 0;
  }
  return success();
}

KILN_EVALUATE(RandomUniformOp) {
  return fill(*operands[0], results[0],
              [](const Words &words, int64_t at) { return unit(words[at]); });
}
KILN_EVALUATE(RandomBernoulliOp) {
  double p = getP().convertToDouble();
  return fill(*operands[0], results[0],
              [&](const Words &words, int64_t at) { return unit(words[at]) < p; });
}
KILN_EVALUATE(RandomNormalOp) {
  return fill(*operands[0], results[0], [](const Words &words, int64_t at) {
    int64_t first = at / 2 * 2;
    double radius = std::sqrt(-2 * std::log(1 - unit(words[first])));
    double angle = 2 * std::numbers::pi * unit(words[first + 1]);
    return radius * (at % 2 ? std::sin(angle) : std::cos(angle));
  });
}

//===----------------------------------------------------------------------===//
// Definition in other ops
//===----------------------------------------------------------------------===//

namespace {
/// Words of all elements' blocks, each word in an i64.
struct Philox {
  Build b;
  Dims shape;
  Type integer;
  Value place; ///< of an element in its block

  explicit Philox(const Build &b, ArrayRef<DimExpr> dims)
      : b(b), shape{numElements(dims)}, integer(b.builder.getI64Type()) {}

  Value number(double value, ArrayRef<DimExpr> dims) const { return b.full(value, dims, integer); }
  Value low(Value x) const { return b.make<BitAndOp>(x, number(0xFFFFFFFF, dimsOf(x.getType()))); }
  Value high(Value x) const { return low(b.make<ShrOp>(x, number(32, dimsOf(x.getType())))); }
  Value is(Value x, double value) const { return b.make<EqOp>(x, number(value, shape)); }
  /// The four words of each element's block.
  SmallVector<Value> words(Value seed);
  /// Of [0, 1), in f64.
  Value unit(Value word) const {
    Value top = b.make<ShrOp>(word, number(8, shape));
    return b.make<MulOp>(b.cast(top, b.builder.getF64Type()), real(0x1p-24));
  }
  Value real(double value) const { return b.full(value, shape, b.builder.getF64Type()); }
  /// u of each element.
  Value uniform(Value seed);
};
} // namespace

SmallVector<Value> Philox::words(Value seed) {
  Value index = b.make<ArangeOp>(b.dims(shape), b.builder.getI64IntegerAttr(0),
                                 b.builder.getI64IntegerAttr(1), TypeAttr::get(integer));
  place = b.make<BitAndOp>(index, number(3, shape));
  Value block = b.make<ShrOp>(index, number(2, shape));
  SmallVector<Value> words{low(block), high(block), number(0, shape), number(0, shape)};
  seed = b.cast(seed, integer);
  Value keys[] = {low(seed), high(seed)};
  for (int round = 0; round < rounds; ++round) {
    Value first = b.make<MulOp>(words[0], number(multipliers[0], shape));
    Value second = b.make<MulOp>(words[2], number(multipliers[1], shape));
    auto mix = [&](Value product, Value word, Value key) {
      return b.make<BitXorOp>(b.make<BitXorOp>(high(product), word), b.broadcast(key, shape));
    };
    words = {mix(second, words[1], keys[0]), low(second), mix(first, words[3], keys[1]),
             low(first)};
    for (int i : {0, 1})
      keys[i] = low(b.make<AddOp>(keys[i], number(keySteps[i], {})));
  }
  return words;
}

Value Philox::uniform(Value seed) {
  SmallVector<Value> all = words(seed);
  Value word = all[3];
  for (int i : {2, 1, 0})
    word = b.make<WhereOp>(is(place, i), all[i], word);
  return unit(word);
}

SmallVector<Value> RandomUniformOp::decompose(OpBuilder &builder) {
  Philox random({builder, getLoc()}, getShape().getDims());
  Value u = random.b.cast(random.uniform(getSeed()), builder.getF32Type());
  return {random.b.reshape(u, getShape().getDims())};
}

SmallVector<Value> RandomBernoulliOp::decompose(OpBuilder &builder) {
  Philox random({builder, getLoc()}, getShape().getDims());
  Value u = random.uniform(getSeed());
  Value isBelow = random.b.make<LtOp>(u, random.real(getP().convertToDouble()));
  return {random.b.reshape(isBelow, getShape().getDims())};
}

SmallVector<Value> RandomNormalOp::decompose(OpBuilder &builder) {
  Philox random({builder, getLoc()}, getShape().getDims());
  const Build &b = random.b;
  SmallVector<Value> words = random.words(getSeed());
  Value isBehind = b.make<GeOp>(random.place, random.number(2, random.shape));
  Value isSine = random.is(b.make<BitAndOp>(random.place, random.number(1, random.shape)), 1);
  Value radius = random.unit(b.make<WhereOp>(isBehind, words[2], words[0]));
  Value angle = random.unit(b.make<WhereOp>(isBehind, words[3], words[1]));
  radius = b.make<LogOp>(b.make<SubOp>(random.real(1), radius));
  radius = b.make<SqrtOp>(b.make<MulOp>(radius, random.real(-2)));
  angle = b.make<MulOp>(angle, random.real(2 * std::numbers::pi));
  Value side = b.make<WhereOp>(isSine, b.make<SinOp>(angle), b.make<CosOp>(angle));
  Value y = b.cast(b.make<MulOp>(radius, side), builder.getF32Type());
  return {b.reshape(y, getShape().getDims())};
}

#define KILN_RANDOM(Op, text, type)                                                                \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    SmallVector<DimExpr> dims = op.getShape().getDims();                                           \
    results.push_back(tensorType(context, type, dims));                                            \
    return checkRandom(loc, text, operands[0].getType(), dims);                                    \
  }
KILN_RANDOM(RandomUniformOp, "random.uniform", DType::F32)
KILN_RANDOM(RandomBernoulliOp, "random.bernoulli", DType::Bool)
KILN_RANDOM(RandomNormalOp, "random.normal", DType::F32)
