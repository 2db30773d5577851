//===- Attention.cpp - attention and rotary positions ---------------------===//
//
// Each has its meaning twice: `evaluate` from the definition, for the interpreter, and `decompose`
// into products, softmax and elementwise ops, for everything else.
//
//===----------------------------------------------------------------------===//

#include "ir/Build.h"
#include "ir/ops/Common.h"

#include <cmath>
#include <limits>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Dims = SmallVector<DimExpr>;

static constexpr double infinity = std::numeric_limits<double>::infinity();

//===----------------------------------------------------------------------===//
// attention: shapes
//===----------------------------------------------------------------------===//

/// [B, H, T, S] of the shapes of q and k.
static Dims scoresOf(ArrayRef<DimExpr> q, ArrayRef<DimExpr> k) { return {q[0], q[1], q[2], k[2]}; }

static bool isOne(const DimExpr &dim) { return dim.constantValue() == 1; }

/// As many, or a multiple: both numbers.
static bool areHeads(const DimExpr &queries, const DimExpr &keys) {
  std::optional<int64_t> many = queries.constantValue(), few = keys.constantValue();
  return queries == keys || (many && few && *few > 0 && *many % *few == 0);
}

/// The shape is the last of the extents, or 1 in their place.
static bool spreadsTo(ArrayRef<DimExpr> shape, ArrayRef<DimExpr> extents) {
  if (shape.size() > extents.size())
    return false;
  ArrayRef<DimExpr> last = extents.take_back(shape.size());
  return llvm::all_of(llvm::zip(shape, last), [](auto pair) {
    auto &[dim, extent] = pair;
    return isOne(dim) || dim == extent;
  });
}

KILN_INFER(AttentionOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  Dims q = dimsOf(type), k = dimsOf(op.getK().getType()), v = dimsOf(op.getV().getType());
  if (!isFloat(*dtypeOf(type)) || q.size() != 4 || k.size() != 4 || v.size() != 4 ||
      llvm::any_of(operands.take_front(3), [&](Value each) {
        return dtypeOf(each.getType()) != dtypeOf(type);
      })) // attention-c1
    return emitOptionalError(loc, "'attention' expected floats of one type with four dimensions, ",
                             "got ", typeText(type), ", ", typeText(op.getK().getType()), " and ",
                             typeText(op.getV().getType()));
  if (q[0] != k[0] || q[0] != v[0] || q[3] != k[3] || k[1] != v[1] || k[2] != v[2]) // attention-c2
    return emitOptionalError(loc, "'attention' expected queries, keys and values that fit, got ",
                             typeText(type), ", ", typeText(op.getK().getType()), " and ",
                             typeText(op.getV().getType()));
  if (!areHeads(q[1], k[1])) // attention-c3
    return emitOptionalError(loc, "'attention' expected a number of heads that ", k[1].str(),
                             " key heads divide, got ", q[1].str());
  if (Value mask = op.getMask()) {
    Type wanted = tensorType(cast<RankedTensorType>(type).getElementType(), scoresOf(q, k));
    bool hasType =
        dtypeOf(mask.getType()) == DType::Bool || dtypeOf(mask.getType()) == dtypeOf(type);
    if (!hasType || !spreadsTo(dimsOf(mask.getType()), scoresOf(q, k))) // attention-c4
      return emitOptionalError(loc, "'attention' expected a mask of bool or for scores ",
                               typeText(wanted), ", got ", typeText(mask.getType()));
  }
  if (Value length = op.getKeyLength()) {
    Dims dims = dimsOf(length.getType());
    if (!inDomain(*dtypeOf(length.getType()), Domain::Integer) ||
        !(dims.empty() || dims == Dims{q[0]})) // attention-c5
      return emitOptionalError(loc, "'attention' expected an integer key_length, or ", q[0].str(),
                               " of them, got ", typeText(length.getType()));
  }
  results.push_back(
      tensorType(cast<RankedTensorType>(type).getElementType(), {q[0], q[1], q[2], v[3]}));
  return success();
}

void AttentionOp::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,
                              AlignExtent require) {
  auto segments = attributes.getAs<DenseI32ArrayAttr>("operandSegmentSizes");
  if (!segments || segments.size() != 5 ||
      llvm::any_of(shapes.take_front(3), [](const Dims &dims) { return dims.size() != 4; }))
    return;
  Dims &q = shapes[0], &k = shapes[1], &v = shapes[2];
  bool areNumbers = q[1].isConstant() && k[1].isConstant();
  if (!align(k[0], q[0], "the batch of keys", require) ||
      !align(v[0], q[0], "the batch of values", require) ||
      !align(k[3], q[3], "the width of keys", require) ||
      !align(v[2], k[2], "the number of values", require) ||
      !align(v[1], k[1], "the heads of values", require) ||
      !(areNumbers || align(k[1], q[1], "the heads of keys", require)))
    return;
  if (!areNumbers)
    v[1] = k[1];
  Dims scores = scoresOf(q, k);
  if (segments[3])
    for (size_t i = 0, rank = shapes[3].size(); rank <= 4 && i < rank; ++i)
      if (DimExpr &dim = shapes[3][i];
          !isOne(dim) && !align(dim, scores[4 - rank + i], "an extent of the mask", require))
        return;
  if (segments[4] && shapes.back().size() == 1)
    align(shapes.back()[0], q[0], "the number of key lengths", require);
}

DimExpr AttentionOp::flops() {
  Dims q = dimsOf(getQ().getType()), k = dimsOf(getK().getType());
  return numElements(scoresOf(q, k)) * (q[3] + dimsOf(getV().getType())[3]) * DimExpr(2);
}

//===----------------------------------------------------------------------===//
// attention: meaning
//===----------------------------------------------------------------------===//

namespace {
/// What a query may attend to.
struct Sight {
  const Tensor *mask, *length;
  bool isCausal;
  SmallVector<int64_t> strides; ///< of the mask as [B, H, T, S]; 0 where it is repeated

  Sight(const Tensor *mask, const Tensor *length, bool isCausal)
      : mask(mask), length(length), isCausal(isCausal), strides(4, 0) {
    auto own = mask ? mask->strides() : SmallVector<int64_t, 6>();
    for (size_t i = 0; i < own.size(); ++i)
      strides[4 - own.size() + i] = mask->shape[i] == 1 ? 0 : own[i];
  }
  /// The number to add to a score, or nothing where the key is excluded.
  std::optional<double> bias(ArrayRef<int64_t> index, int64_t queries, int64_t keys) const {
    int64_t total = keys;
    if (length)
      total = std::max<int64_t>(length->ints[length->shape.empty() ? 0 : index[0]], 0);
    if (index[3] >= total || (isCausal && index[3] > index[2] + total - queries))
      return std::nullopt;
    if (!mask)
      return 0;
    int64_t at = linear(index, strides);
    double value = mask->asDouble(at);
    if (mask->isFloat() ? value == -infinity : value == 0)
      return std::nullopt;
    return mask->isFloat() ? value : 0;
  }
};
} // namespace

KILN_EVALUATE(AttentionOp) {
  const Tensor &q = *operands[0], &k = *operands[1], &v = *operands[2];
  Tensor &y = results[0];
  Sight sight(getMask() ? operands[3] : nullptr, getKeyLength() ? operands.back() : nullptr,
              getCausal());
  int64_t queries = q.shape[2], keys = k.shape[2], width = q.shape[3], wide = v.shape[3];
  double scale = 1 / std::sqrt(double(std::max<int64_t>(width, 1))); // of no width all scores are 0
  if (getScale())
    scale = getScale()->convertToDouble();
  std::vector<std::optional<double>> scores(keys);
  forEachIndex({q.shape[0], q.shape[1], queries}, [&](ArrayRef<int64_t> index) {
    int64_t row = (index[0] * q.shape[1] + index[1]) * queries + index[2];
    int64_t head = index[0] * k.shape[1] + index[1] / (q.shape[1] / k.shape[1]);
    double top = -infinity, sum = 0;
    for (int64_t s = 0; s < keys; ++s) {
      scores[s] = sight.bias({index[0], index[1], index[2], s}, queries, keys);
      double product = 0;
      for (int64_t i = 0; i < width; ++i)
        product += q.floats[row * width + i] * k.floats[(head * keys + s) * width + i];
      if (scores[s])
        top = std::fmax(top, *(scores[s] = *scores[s] + product * scale));
    }
    for (std::optional<double> &score : scores)
      sum += score ? *(score = std::exp(*score - top)) : 0;
    for (int64_t e = 0; e < wide; ++e) {
      double mean = 0;
      for (int64_t s = 0; s < keys; ++s)
        mean += (scores[s] ? *scores[s] / sum : 0) * v.floats[(head * keys + s) * wide + e];
      y.floats[row * wide + e] = mean;
    }
  });
  return success();
}

//===----------------------------------------------------------------------===//
// attention: definition in other ops
//===----------------------------------------------------------------------===//

/// 0, 1 … of an extent, along one of four axes.
static Value count(const Build &b, const DimExpr &extent, int64_t axis) {
  Dims shape(4, 1);
  shape[axis] = extent;
  Value numbers =
      b.make<ArangeOp>(b.dims(extent), b.builder.getI64IntegerAttr(0),
                       b.builder.getI64IntegerAttr(1), TypeAttr::get(b.builder.getI64Type()));
  return b.reshape(numbers, shape);
}

/// An elementwise op of two values of one rank, whose extents are equal or 1.
template <typename Op> static Value spread(const Build &b, Value x, Value y) {
  Dims dims = dimsOf(x.getType());
  for (auto [dim, other] : llvm::zip_equal(dims, dimsOf(y.getType())))
    dim = isOne(dim) ? other : dim;
  return b.make<Op>(b.broadcast(x, dims), b.broadcast(y, dims));
}

/// Whether key s is early enough for query t, in four dimensions; null if every key is.
static Value earlyEnough(const Build &b, AttentionOp op, const Dims &scores) {
  if (!op.getCausal() && !op.getKeyLength())
    return nullptr;
  Value total = b.make<ExtentOp>(b.dims(scores[3]));
  if (Value length = op.getKeyLength()) {
    total = b.cast(length, b.builder.getI64Type());
    Dims dims = dimsOf(total.getType());
    total = b.make<MaximumOp>(total, b.full(0, dims, b.builder.getI64Type()));
  }
  Dims shape = dimsOf(total.getType());
  shape.resize(4, 1);
  total = b.reshape(total, shape);
  Value key = count(b, scores[3], 3);
  if (!op.getCausal())
    return spread<LtOp>(b, key, total);
  Value queries = b.broadcast(b.make<ExtentOp>(b.dims(scores[2])), shape);
  Value shift = b.make<SubOp>(total, queries);
  return spread<LeOp>(b, key, spread<AddOp>(b, count(b, scores[2], 2), shift));
}

/// Whether a mask is known to change no score: zeros to be added, or true everywhere.
static bool isNeutral(Value mask) {
  bool isBool = dtypeOf(mask.getType()) == DType::Bool;
  while (Operation *op = mask.getDefiningOp()) {
    if (isa<ZerosOp>(op))
      return !isBool;
    if (isa<OnesOp>(op))
      return isBool;
    if (auto full = dyn_cast<FullOp>(op)) {
      auto number = dyn_cast<FloatAttr>(full.getValue());
      double value =
          number ? number.getValueAsDouble() : double(cast<IntegerAttr>(full.getValue()).getInt());
      return isBool ? value != 0 : value == 0;
    }
    // Each element of these is one of the operand's, in the same type.
    if (!isa<BroadcastToOp, ReshapeOp, PermuteOp, SliceOp>(op))
      return false;
    mask = op->getOperand(0);
  }
  return false;
}

SmallVector<Value> AttentionOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Type wide = b.wideOf(getQ());
  Dims q = dimsOf(getQ().getType()), k = dimsOf(getK().getType()), v = dimsOf(getV().getType());
  Dims scores = scoresOf(q, k);
  Value query = b.cast(getQ(), wide);
  Value scale;
  if (std::optional<int64_t> width = q[3].constantValue(); getScale() || width)
    scale =
        b.full(getScale() ? getScale()->convertToDouble() : 1 / std::sqrt(double(*width)), q, wide);
  else
    scale = b.broadcast(b.make<RsqrtOp>(b.cast(b.make<ExtentOp>(b.dims(q[3])), wide)), q);
  query = b.make<MulOp>(query, scale);
  // The queries of the heads that share a key head are rows of one matrix.
  DimExpr rows =
      q[1] == k[1] ? q[2] : DimExpr(*q[1].constantValue() / *k[1].constantValue()) * q[2];
  query = b.reshape(query, {q[0], k[1], rows, q[3]});
  Value score = b.make<MatmulOp>(query, b.cast(getK(), wide), builder.getUnitAttr());
  score = b.reshape(score, scores);
  Value sees = earlyEnough(b, *this, scores);
  Value mask = getMask() && !isNeutral(getMask()) ? getMask() : Value();
  bool isMasked = mask != nullptr;
  if (mask) {
    Dims shape = dimsOf(mask.getType());
    shape.insert(shape.begin(), 4 - shape.size(), 1);
    mask = b.reshape(mask, shape);
    if (b.elementOf(mask) != builder.getI1Type()) {
      mask = b.cast(mask, wide);
      score = spread<AddOp>(b, score, mask);
      mask = b.make<NeOp>(mask, b.full(-infinity, shape, wide));
    }
    sees = sees ? spread<LogicalAndOp>(b, sees, mask) : mask;
  }
  if (sees) {
    sees = b.broadcast(sees, scores);
    score = b.make<WhereOp>(sees, score, b.full(-infinity, scores, wide));
  }
  Value weight = b.make<SoftmaxOp>(score, builder.getI64IntegerAttr(3));
  std::optional<int64_t> spare = (scores[3] - scores[2]).bounds({}).lower;
  bool seesAlways = !isMasked && !getKeyLength() && (!getCausal() || (spare && *spare >= 0));
  if (!seesAlways) // softmax gives NaN where a query sees nothing
    weight = b.make<WhereOp>(sees, weight, b.full(0, scores, wide));
  weight = b.reshape(weight, {q[0], k[1], rows, k[2]});
  Value y = b.make<MatmulOp>(weight, b.cast(getV(), wide), UnitAttr());
  return {b.cast(b.reshape(y, {q[0], q[1], q[2], v[3]}), b.elementOf(getQ()))};
}

//===----------------------------------------------------------------------===//
// rope
//===----------------------------------------------------------------------===//

KILN_INFER(RopeOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  Dims x = dimsOf(type), positions = dimsOf(operands[1].getType());
  std::optional<int64_t> width = x.empty() ? std::nullopt : x.back().constantValue();
  if (!isFloat(*dtypeOf(type)) || x.size() < 2 || !width || *width % 2) // rope-c1
    return emitOptionalError(loc, "'rope' expected floats [..., T, D] with an even number D, got ",
                             typeText(type));
  bool fits = positions == Dims{x[x.size() - 2]} ||
              (x.size() > 2 && positions == Dims{x[0], x[x.size() - 2]});
  if (!inDomain(*dtypeOf(operands[1].getType()), Domain::Integer) || !fits) // rope-c2
    return emitOptionalError(loc, "'rope' expected integer positions [T] or [B, T] for ",
                             typeText(type), ", got ", typeText(operands[1].getType()));
  if (double base = op.getBase().convertToDouble(); !(base > 0) || base == infinity) // rope-c3
    return emitOptionalError(loc, "'rope' expected a positive base, got ", base);
  results.push_back(type);
  return success();
}

void RopeOp::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr, AlignExtent require) {
  Dims &x = shapes[0], &positions = shapes[1];
  if (x.size() < 2 || positions.empty() || positions.size() > 2 || x.size() <= positions.size())
    return;
  if (align(positions.back(), x[x.size() - 2], "the number of positions", require) &&
      positions.size() == 2)
    align(positions[0], x[0], "the batch of positions", require);
}

KILN_EVALUATE(RopeOp) {
  const Tensor &x = *operands[0], &positions = *operands[1];
  Tensor &y = results[0];
  int64_t width = x.shape.back(), half = width / 2, length = x.shape[x.shape.size() - 2];
  int64_t rows = width ? x.numElements() / width : 0;
  int64_t perBatch = positions.shape.size() == 2 && x.shape[0] ? rows / x.shape[0] : rows;
  double base = getBase().convertToDouble();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < half; ++i) {
      int64_t position = positions.ints[row / perBatch * length + row % length];
      double angle = double(position) * std::pow(base, -2.0 * double(i) / double(width));
      int64_t at = row * width + (getInterleaved() ? 2 * i : i);
      int64_t beside = at + (getInterleaved() ? 1 : half);
      double a = x.floats[at], c = x.floats[beside];
      y.floats[at] = a * std::cos(angle) - c * std::sin(angle);
      y.floats[beside] = c * std::cos(angle) + a * std::sin(angle);
    }
  return success();
}

/// Positions start … of the axis.
static Value sliceAxis(const Build &b, Value x, int64_t axis, DimExpr start, DimExpr size) {
  Dims sizes = dimsOf(x.getType()), starts(sizes.size(), 0);
  starts[axis] = start;
  sizes[axis] = size;
  SmallVector<int64_t> steps(sizes.size(), 1);
  return b.make<SliceOp>(x, b.dims(starts), b.dims(sizes), b.builder.getDenseI64ArrayAttr(steps));
}

SmallVector<Value> RopeOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Type wide = b.wideOf(getX()), exact = builder.getF64Type();
  Dims dims = dimsOf(getX().getType()), places = dimsOf(getPositions().getType());
  int64_t rank = dims.size(), width = *dims.back().constantValue(), half = width / 2;
  if (!width)
    return {getX()};
  // One angle for each position and pair, whatever the number of heads.
  Dims angles(rank, 1);
  angles[rank - 2] = dims[rank - 2];
  if (places.size() == 2)
    angles[0] = dims[0];
  Value position = b.reshape(b.cast(getPositions(), exact), angles);
  angles[rank - 1] = half;
  Value exponent =
      b.make<ArangeOp>(b.dims(DimExpr(half)), builder.getF64FloatAttr(0),
                       builder.getF64FloatAttr(-2.0 / double(width)), TypeAttr::get(exact));
  Value speed = b.make<PowOp>(b.full(getBase().convertToDouble(), DimExpr(half), exact), exponent);
  Value angle = b.make<MulOp>(b.broadcast(position, angles), b.broadcast(speed, angles));
  Dims part = dims;
  part[rank - 1] = half;
  Value cosine = b.broadcast(b.cast(b.make<CosOp>(angle), wide), part);
  Value sine = b.broadcast(b.cast(b.make<SinOp>(angle), wide), part);
  // Interleaved pairs are a dimension of their own, of extent 2 behind that of the pairs.
  Value x = b.cast(getX(), wide);
  Dims pairs = part;
  pairs.push_back(2);
  bool isInterleaved = getInterleaved();
  Value split = isInterleaved ? b.reshape(x, pairs) : x;
  int64_t axis = isInterleaved ? rank : rank - 1;
  DimExpr size = isInterleaved ? 1 : half;
  Value first = b.reshape(sliceAxis(b, split, axis, 0, size), part);
  Value second = b.reshape(sliceAxis(b, split, axis, size, size), part);
  Value left = b.make<SubOp>(b.make<MulOp>(first, cosine), b.make<MulOp>(second, sine));
  Value right = b.make<AddOp>(b.make<MulOp>(second, cosine), b.make<MulOp>(first, sine));
  pairs.back() = 1;
  ArrayRef<DimExpr> shape = isInterleaved ? ArrayRef<DimExpr>(pairs) : ArrayRef<DimExpr>(part);
  Value y = b.make<ConcatOp>(ValueRange{b.reshape(left, shape), b.reshape(right, shape)},
                             builder.getI64IntegerAttr(axis));
  return {b.cast(b.reshape(y, dims), b.elementOf(getX()))};
}
