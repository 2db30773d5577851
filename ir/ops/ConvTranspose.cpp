//===- ConvTranspose.cpp - transposed convolutions ------------------------===//
//
// Each has its meaning twice: `evaluate` from the definition, for the interpreter, and `decompose`
// into a convolution, for everything else.
//
//===----------------------------------------------------------------------===//

#include "ir/Build.h"
#include "ir/ops/Spatial.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Dims = SmallVector<DimExpr>;

namespace {
/// A transposed convolution's attributes.
struct Growth {
  int rank; ///< spatial dimensions
  ArrayRef<int64_t> stride, dilation, output;
  Dims padding;
  int64_t groups;
};

template <typename Op> Growth growthOf(Op op, int rank) {
  return {rank,
          op.getStride(),
          op.getDilation(),
          op.getOutputPadding(),
          op.getPadding().getDims(),
          int64_t(op.getGroups())};
}
} // namespace

static LogicalResult checkAttributes(MaybeLoc loc, StringRef name, const Growth &growth) {
  size_t n = growth.rank;
  bool ok = growth.stride.size() == n && growth.dilation.size() == n && growth.output.size() == n &&
            growth.padding.size() == 2 * n;
  for (size_t i = 0; ok && i < n; ++i)
    ok = growth.stride[i] > 0 && growth.dilation[i] > 0 && growth.output[i] >= 0 &&
         growth.output[i] < std::max(growth.stride[i], growth.dilation[i]);
  for (const DimExpr &v : growth.padding)
    ok &= !v.isConstant() || *v.constantValue() >= 0;
  if (!ok) // conv_transpose-c3
    return emitOptionalError(
        loc, "'", name, "' expected ", inWords(n),
        n == 1 ? " positive stride and dilation, an output padding below the larger of them, and "
               : " positive strides and dilations, output paddings below the larger of them, and ",
        inWords(2 * n), " paddings of at least 0");
  return success();
}

static LogicalResult inferTransposed(MaybeLoc loc, StringRef name, ValueRange operands,
                                     const Growth &growth, SmallVectorImpl<Type> &results) {
  Type tx = operands[0].getType(), tw = operands[1].getType();
  Dims x = dimsOf(tx), w = dimsOf(tw);
  size_t rank = growth.rank + 2;
  if (x.size() != rank || w.size() != rank || dtypeOf(tx) != dtypeOf(tw) ||
      !isFloat(*dtypeOf(tx))) // conv_transpose-c1
    return emitOptionalError(loc, "'", name, "' expected an image and a weight of ", inWords(rank),
                             " dimensions and one float type, got ", typeText(tx), " and ",
                             typeText(tw));
  if (failed(checkAttributes(loc, name, growth)))
    return failure();
  int64_t groups = growth.groups;
  if (groups < 1 || x[1] != w[0] || wholeGroups(x[1], groups) != x[1]) // conv_transpose-c2
    return emitOptionalError(loc, "'", name, "' expected ", x[1].str(), " channels in ", groups,
                             " group(s), got the weight ", typeText(tw), " for the image ",
                             typeText(tx));
  Dims y = x;
  y[1] = w[1] * DimExpr(groups);
  if (operands.size() > 2) {
    Type tb = operands[2].getType();
    Dims b = dimsOf(tb);
    if (b.size() != 1 || b[0] != y[1] || dtypeOf(tb) != dtypeOf(tx)) // conv_transpose-c5
      return emitOptionalError(loc, "'", name, "' expected a bias of ", y[1].str(),
                               " elements, got ", typeText(tb));
  }
  for (int i = 0; i < growth.rank; ++i) {
    DimExpr reach = (w[2 + i] - DimExpr(1)) * DimExpr(growth.dilation[i]) + DimExpr(1);
    y[2 + i] = (x[2 + i] - DimExpr(1)) * DimExpr(growth.stride[i]) - growth.padding[2 * i] -
               growth.padding[2 * i + 1] + reach + DimExpr(growth.output[i]);
    std::optional<int64_t> from = x[2 + i].constantValue(), to = y[2 + i].constantValue();
    if ((from && *from < 1) || (to && *to < 1)) // conv_transpose-c4
      return emitOptionalError(loc, "'", name,
                               "' expected an image and a result with elements, got ", typeText(tw),
                               " on ", typeText(tx));
  }
  results.push_back(tensorType(cast<RankedTensorType>(tx).getElementType(), y));
  return success();
}

static SmallVector<Requirement> requirementsOf(Type image, Type result, const Growth &growth) {
  SmallVector<Requirement> all;
  Dims x = dimsOf(image), y = dimsOf(result);
  for (int i = 0; i < growth.rank; ++i) {
    std::string extent = "the " + spatialName(growth.rank, i);
    for (const DimExpr &border : {growth.padding[2 * i], growth.padding[2 * i + 1]})
      all.push_back({border, Relation::AtLeast, 0, "a padding"});              // conv_transpose-c3
    all.push_back({x[2 + i], Relation::AtLeast, 1, extent + " of the image"}); // conv_transpose-c4
    all.push_back({y[2 + i], Relation::AtLeast, 1, extent + " of the result"});
  }
  return all;
}

static void alignTransposed(MutableArrayRef<Dims> shapes, DictionaryAttr attributes, size_t rank,
                            AlignExtent require) {
  auto attribute = attributes.getAs<IntegerAttr>("groups");
  if (!attribute || attribute.getInt() < 1 || shapes[0].size() != rank + 2 ||
      shapes[1].size() != rank + 2)
    return;
  DimExpr groups = attribute.getInt();
  if (!align(shapes[0][1], shapes[1][0], "the number of channels", require))
    return;
  if (!shapes[0][1].isConstant()) {
    DimExpr whole = wholeGroups(shapes[0][1], attribute.getInt());
    if (!align(shapes[0][1], whole, "the number of channels", require) ||
        !align(shapes[1][0], whole, "the number of channels", require))
      return;
  }
  if (shapes.size() > 2 && shapes[2].size() == 1)
    align(shapes[2][0], shapes[1][1] * groups, "the number of biases", require);
}

/// Tap `q` of the kernel along a dimension meets, at position `at` of the result, element
/// (at + low - q * dilation) / stride of the image, where that is one; else a zero.
static LogicalResult evaluateTransposed(ArrayRef<const Tensor *> operands, Tensor &y,
                                        const Growth &growth, const Evaluation &evaluation) {
  const Tensor &x = *operands[0], &w = *operands[1];
  auto xs = x.strides(), ws = w.strides();
  auto padding = evaluation.values(growth.padding);
  int64_t inputs = x.shape[1] / growth.groups, outputs = w.shape[1], position = 0;
  forEachIndex(y.shape, [&](ArrayRef<int64_t> at) {
    int64_t first = at[1] / outputs * inputs;
    double sum = operands.size() > 2 ? operands[2]->floats[at[1]] : 0;
    forEachIndex(ArrayRef(w.shape).drop_front(2), [&](ArrayRef<int64_t> tap) {
      int64_t from = at[0] * xs[0] + first * xs[1];
      int64_t weight = first * ws[0] + at[1] % outputs * ws[1];
      bool isElement = true;
      for (int i = 0; i < growth.rank; ++i) {
        int64_t spread = at[2 + i] + padding[2 * i] - tap[i] * growth.dilation[i];
        int64_t place = spread / growth.stride[i];
        isElement &= spread >= 0 && spread % growth.stride[i] == 0 && place < x.shape[2 + i];
        from += place * xs[2 + i];
        weight += tap[i] * ws[2 + i];
      }
      for (int64_t c = 0; c < inputs; ++c) // a zero: NaN where the weight is not finite
        sum += (isElement ? x.floats[from + c * xs[1]] : 0) * w.floats[weight + c * ws[0]];
    });
    y.floats[position++] = sum;
  });
  return success();
}

//===----------------------------------------------------------------------===//
// The convolution that it is
//===----------------------------------------------------------------------===//

/// stride - 1 zeros behind each element along the spatial dimensions.
static Value spread(const Build &b, Value x, ArrayRef<int64_t> stride) {
  if (llvm::all_of(stride, [](int64_t s) { return s == 1; }))
    return x;
  Dims dims = dimsOf(x.getType()), apart{dims[0], dims[1]}, joined = apart;
  Dims border(4, 0);
  for (auto [i, s] : llvm::enumerate(stride)) {
    apart.append({dims[2 + i], 1});
    border.append({0, 0, 0, s - 1});
    joined.push_back(dims[2 + i] * DimExpr(s));
  }
  return b.reshape(b.pad(b.reshape(x, apart), border, 0), joined);
}

/// [C, O / groups, k…] as [O, C / groups, k…], reversed along the spatial dimensions.
static Value turn(const Build &b, Value weight, int64_t groups) {
  Dims dims = dimsOf(weight.getType());
  DimExpr inputs = DimExpr::floorDiv(dims[0], groups);
  Dims apart{groups, inputs, dims[1]}, joined{dims[1] * DimExpr(groups), inputs};
  SmallVector<int64_t> order{0, 2, 1}, spatial;
  for (size_t i = 2; i < dims.size(); ++i) {
    apart.push_back(dims[i]);
    joined.push_back(dims[i]);
    order.push_back(i + 1);
    spatial.push_back(i);
  }
  Value swapped =
      b.make<PermuteOp>(b.reshape(weight, apart), b.builder.getDenseI64ArrayAttr(order));
  return b.make<FlipOp>(b.reshape(swapped, joined), b.builder.getDenseI64ArrayAttr(spatial));
}

/// Cuts off what a border below 0 takes away, and leaves the rest of each border.
static Value cut(const Build &b, Value x, MutableArrayRef<DimExpr> borders) {
  Dims sizes = dimsOf(x.getType()), starts(sizes.size(), 0);
  bool isCut = false;
  for (size_t i = 0; i < borders.size(); ++i) {
    std::optional<int64_t> value = borders[i].constantValue();
    if (value && *value >= 0)
      continue;
    DimExpr less = DimExpr::max(DimExpr(0) - borders[i], 0);
    sizes[2 + i / 2] = sizes[2 + i / 2] - less;
    if (i % 2 == 0)
      starts[2 + i / 2] = less;
    borders[i] = borders[i] + less;
    isCut = true;
  }
  SmallVector<int64_t> steps(sizes.size(), 1);
  return isCut ? b.make<SliceOp>(x, b.dims(starts), b.dims(sizes),
                                 b.builder.getDenseI64ArrayAttr(steps))
               : x;
}

//===----------------------------------------------------------------------===//
// The convolution of phases that it is where the strides divide the kernel
//===----------------------------------------------------------------------===//

/// Whether each position of the result meets the same number of taps: those of its phase, its
/// remainder by the stride. Then no zero between elements need be multiplied.
static bool hasEvenPhases(const Growth &growth, ArrayRef<DimExpr> kernel) {
  bool isSpread = false;
  for (int i = 0; i < growth.rank; ++i) {
    std::optional<int64_t> extent = kernel[i].constantValue();
    int64_t stride = growth.stride[i];
    if (!extent || *extent < 1 || *extent % stride || (stride > 1 && growth.dilation[i] > 1))
      return false;
    isSpread |= stride > 1;
  }
  return isSpread;
}

namespace {
/// A transposed convolution as one of stride 1 whose channels are [group, phase…, channel].
struct Phases {
  const Build &b;
  const Growth &growth;
  Dims weight; ///< [C, O / groups, k…]
  int64_t count = 1;

  Phases(const Build &b, const Growth &growth, Value given)
      : b(b), growth(growth), weight(dimsOf(given.getType())) {
    for (int64_t stride : growth.stride)
      count *= stride;
  }
  int rank() const { return growth.rank; }
  DimExpr inputs() const { return DimExpr::floorDiv(weight[0], growth.groups); }
  /// Taps of a phase along a dimension.
  int64_t taps(int i) const { return *weight[2 + i].constantValue() / growth.stride[i]; }

  /// The weight as [groups, phase…, O / groups, C / groups, tap of the phase…].
  Value apart(Value given) const {
    Dims split{growth.groups, inputs(), weight[1]};
    SmallVector<int64_t> order{0};
    for (int i = 0; i < rank(); ++i) {
      split.append({taps(i), growth.stride[i]});
      order.push_back(4 + 2 * i);
    }
    order.append({2, 1});
    for (int i = 0; i < rank(); ++i)
      order.push_back(3 + 2 * i);
    return permute(b.reshape(given, split), order);
  }
  Value permute(Value x, ArrayRef<int64_t> order) const {
    return b.make<PermuteOp>(x, b.builder.getDenseI64ArrayAttr(order));
  }
  /// What the zeros between elements add in each phase, [groups, phases, O / groups]: 0, or NaN
  /// where a tap of another phase is not finite.
  Value zeros(Value parts) const {
    Dims dims = dimsOf(parts.getType());
    Value products = b.make<MulOp>(parts, b.full(0, dims, b.elementOf(parts)));
    SmallVector<int64_t> summed;
    for (int i = 0; i <= rank(); ++i)
      summed.push_back(2 + rank() + i);
    Value sums = sum(products, summed);
    Value others = b.broadcast(b.reshape(sums, {growth.groups, 1, count, weight[1]}),
                               {growth.groups, count, count, weight[1]});
    Value own = b.make<EyeOp>(b.dims(DimExpr(count)), TypeAttr::get(b.builder.getI32Type()));
    own = b.cast(own, b.builder.getI1Type());
    Dims spread = dimsOf(others.getType());
    own = b.broadcast(b.reshape(own, {1, count, count, 1}), spread);
    return sum(b.make<WhereOp>(own, b.full(0, spread, b.elementOf(parts)), others), {2});
  }
  Value sum(Value x, ArrayRef<int64_t> axes) const {
    return b.make<SumOp>(x, b.builder.getDenseI64ArrayAttr(axes), b.builder.getBoolAttr(false));
  }
  DimExpr channels() const { return weight[1] * DimExpr(growth.groups * count); }

  /// y, of the phases in its channels, as [N, O, extent * stride…].
  Value interleave(Value y) const {
    Dims dims = dimsOf(y.getType()), split{dims[0]}, joined{dims[0]};
    // Channels last, as images are computed: then whole rows of channels are moved.
    bool isLast = rank() < 3;
    SmallVector<int64_t> order{0}, last{0}, back{0};
    int first = isLast ? 1 + rank() : 1, extent = isLast ? 1 : 3 + rank();
    for (int i = 0; i < rank(); ++i)
      order.append({extent + i, first + 1 + i});
    order.insert(isLast ? order.end() : order.begin() + 1, {first, first + 1 + rank()});
    Dims spatial(dims.begin() + 2, dims.end()), channels{growth.groups};
    for (int64_t stride : growth.stride)
      channels.push_back(stride);
    channels.push_back(weight[1]);
    split.append(isLast ? spatial : channels);
    split.append(isLast ? channels : spatial);
    for (int i = 0; i < rank(); ++i)
      joined.push_back(spatial[i] * DimExpr(growth.stride[i]));
    joined.insert(isLast ? joined.end() : joined.begin() + 1, weight[1] * DimExpr(growth.groups));
    for (int i = 0; i < rank(); ++i)
      last.push_back(2 + i);
    last.push_back(1);
    back.push_back(1 + rank());
    for (int i = 0; i < rank(); ++i)
      back.push_back(1 + i);
    Value parts = b.reshape(isLast ? permute(y, last) : y, split);
    Value whole = b.reshape(permute(parts, order), joined);
    return isLast ? permute(whole, back) : whole;
  }
};
} // namespace

/// The part of a whole image that the padding leaves.
static Value uncovered(const Build &b, Value whole, const Growth &growth, Dims sizes) {
  Dims starts(2, 0);
  for (int i = 0; i < growth.rank; ++i)
    starts.push_back(growth.padding[2 * i]);
  if (dimsOf(whole.getType()) == sizes)
    return whole;
  return b.make<SliceOp>(whole, b.dims(starts), b.dims(sizes),
                         b.builder.getDenseI64ArrayAttr(SmallVector<int64_t>(sizes.size(), 1)));
}

template <typename Conv, typename Op, typename... Last>
static SmallVector<Value> decomposeIntoPhases(Op op, int rank, OpBuilder &builder, Last... last) {
  Build b{builder, op.getLoc()};
  Growth growth = growthOf(op, rank);
  Phases phases(b, growth, op.getWeight());
  Value parts = phases.apart(op.getWeight()), bias = phases.zeros(parts);
  Dims perPhase = dimsOf(bias.getType());
  if (op.getBias())
    bias = b.make<AddOp>(
        b.broadcast(b.reshape(op.getBias(), {growth.groups, 1, perPhase[2]}), perPhase), bias);
  Dims shape{phases.channels(), phases.inputs()}, borders;
  SmallVector<int64_t> spatial;
  for (int i = 0; i < rank; ++i) {
    int64_t taps = phases.taps(i), stride = growth.stride[i];
    int64_t reach = growth.dilation[i] * (taps - 1);
    shape.push_back(taps);
    spatial.push_back(2 + i);
    // Up to the last element of the result, in whole strides.
    borders.push_back(reach);
    borders.push_back(reach + (growth.output[i] + stride - 1) / stride);
  }
  Value weight = b.make<FlipOp>(b.reshape(parts, shape), b.builder.getDenseI64ArrayAttr(spatial));
  SmallVector<int64_t> ones(rank, 1);
  Value y = b.make<Conv>(op.getX(), weight, b.reshape(bias, phases.channels()),
                         builder.getDenseI64ArrayAttr(ones), b.dims(borders), op.getDilationAttr(),
                         op.getGroupsAttr(), last...);
  return {uncovered(b, phases.interleave(y), growth, dimsOf(op.getType()))};
}

template <typename Conv, typename Op, typename... Last>
static SmallVector<Value> decomposeTransposed(Op op, int rank, OpBuilder &builder, Last... last) {
  Build b{builder, op.getLoc()};
  Growth growth = growthOf(op, rank);
  Dims w = dimsOf(op.getWeight().getType()), borders;
  if (hasEvenPhases(growth, ArrayRef(w).drop_front(2)))
    return decomposeIntoPhases<Conv>(op, rank, builder, last...);
  for (int i = 0; i < rank; ++i) {
    DimExpr reach = (w[2 + i] - DimExpr(1)) * DimExpr(growth.dilation[i]);
    borders.push_back(reach - growth.padding[2 * i]);
    // The zeros behind the last element are a part of the border.
    borders.push_back(reach - growth.padding[2 * i + 1] +
                      DimExpr(growth.output[i] - (growth.stride[i] - 1)));
  }
  Value x = cut(b, spread(b, op.getX(), growth.stride), borders);
  SmallVector<int64_t> ones(rank, 1);
  Value y = b.make<Conv>(x, turn(b, op.getWeight(), growth.groups), op.getBias(),
                         builder.getDenseI64ArrayAttr(ones), b.dims(borders), op.getDilationAttr(),
                         op.getGroupsAttr(), last...);
  return {b.reshape(y, dimsOf(op.getType()))};
}

#define KILN_CONV_TRANSPOSE(Op, name, rank)                                                        \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    return inferTransposed(loc, name, operands, growthOf(op, rank), results);                      \
  }                                                                                                \
  SmallVector<Requirement> Op::getRequirements() {                                                 \
    return requirementsOf(getX().getType(), getType(), growthOf(*this, rank));                     \
  }                                                                                                \
  void Op::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,                    \
                       AlignExtent require) {                                                      \
    alignTransposed(shapes, attributes, rank, require);                                            \
  }                                                                                                \
  KILN_EVALUATE(Op) {                                                                              \
    return evaluateTransposed(operands, results[0], growthOf(*this, rank), evaluation);            \
  }                                                                                                \
  DimExpr Op::flops() {                                                                            \
    Dims w = dimsOf(getWeight().getType());                                                        \
    w[0] = DimExpr(2);                                                                             \
    return numElements(dimsOf(getX().getType())) * numElements(w);                                 \
  }

KILN_CONV_TRANSPOSE(ConvTranspose1dOp, "conv_transpose1d", 1)
KILN_CONV_TRANSPOSE(ConvTranspose2dOp, "conv_transpose2d", 2)
KILN_CONV_TRANSPOSE(ConvTranspose3dOp, "conv_transpose3d", 3)

SmallVector<Value> ConvTranspose1dOp::decompose(OpBuilder &b) {
  return decomposeTransposed<Conv1dOp>(*this, 1, b);
}
SmallVector<Value> ConvTranspose2dOp::decompose(OpBuilder &b) {
  return decomposeTransposed<Conv2dOp>(*this, 2, b, UnitAttr());
}
SmallVector<Value> ConvTranspose3dOp::decompose(OpBuilder &b) {
  return decomposeTransposed<Conv3dOp>(*this, 3, b, UnitAttr());
}
