//===- Convolution.cpp - convolutions of signals, images and volumes ------===//

#include "ir/Build.h"
#include "ir/ops/Spatial.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Dims = SmallVector<DimExpr>;

namespace {
/// A convolution's attributes.
struct Window {
  int rank; ///< spatial dimensions
  ArrayRef<int64_t> stride, dilation;
  Dims padding;
  int64_t groups;
  bool channelsLast;

  /// Positions of the channels and of the first spatial dimension, in images and weights alike.
  int channels() const { return channelsLast ? rank + 1 : 1; }
  int first() const { return channelsLast ? 1 : 2; }
  /// How many elements the kernel spans along its i-th spatial dimension.
  DimExpr reach(ArrayRef<DimExpr> weight, int i) const {
    return (weight[first() + i] - DimExpr(1)) * DimExpr(dilation[i]) + DimExpr(1);
  }
};

template <typename Op> bool isChannelsLast(Op op) { return op.getChannelsLast(); }
bool isChannelsLast(Conv1dOp) { return false; }
bool isChannelsLast(Conv1dOp::Adaptor) { return false; }

template <typename Op> Window windowOf(Op op, int rank) {
  return {rank,
          op.getStride(),
          op.getDilation(),
          op.getPadding().getDims(),
          int64_t(op.getGroups()),
          isChannelsLast(op)};
}
} // namespace

static LogicalResult checkAttributes(MaybeLoc loc, StringRef name, const Window &window) {
  size_t n = window.rank;
  bool ok =
      window.stride.size() == n && window.dilation.size() == n && window.padding.size() == 2 * n;
  for (int64_t v : window.stride)
    ok &= v > 0;
  for (int64_t v : window.dilation)
    ok &= v > 0;
  for (const DimExpr &v : window.padding)
    ok &= !v.isConstant() || *v.constantValue() >= 0;
  if (!ok) // conv2d-c3
    return emitOptionalError(loc, "'", name, "' expected ", inWords(n),
                             n == 1 ? " positive stride and dilation and "
                                    : " positive strides and dilations and ",
                             inWords(2 * n), " paddings of at least 0");
  return success();
}

/// The window over operands of the ranks and types that the op wants.
static LogicalResult inferConvolution(MaybeLoc loc, StringRef name, ValueRange operands,
                                      const Window &window, Type element,
                                      SmallVectorImpl<Type> &results) {
  Type tx = operands[0].getType(), tw = operands[1].getType();
  Dims x = dimsOf(tx), w = dimsOf(tw);
  if (failed(checkAttributes(loc, name, window)))
    return failure();
  int c = window.channels();
  if (window.groups < 1 || x[c] != w[c] * DimExpr(window.groups) ||
      wholeGroups(w[0], window.groups) != w[0]) // conv2d-c2
    return emitOptionalError(loc, "'", name, "' expected ", x[c].str(), " channels in ",
                             window.groups, " group(s), got the weight ", typeText(tw),
                             " for the image ", typeText(tx));
  if (operands.size() > 2) {
    Type tb = operands[2].getType();
    Dims b = dimsOf(tb);
    if (b.size() != 1 || b[0] != w[0] || dtypeOf(tb) != dtypeOf(tx)) // conv2d-c5
      return emitOptionalError(loc, "'", name, "' expected a bias of ", w[0].str(),
                               " elements, got ", typeText(tb));
  }
  Dims y = x;
  y[c] = w[0];
  for (int i = 0; i < window.rank; ++i) {
    int axis = window.first() + i;
    DimExpr room = x[axis] + window.padding[2 * i] + window.padding[2 * i + 1] - window.reach(w, i);
    std::optional<int64_t> value = room.constantValue();
    if (value && *value < 0) // conv2d-c4
      return emitOptionalError(loc, "'", name, "' expected a kernel within the padded image, got ",
                               typeText(tw), " on ", typeText(tx));
    y[axis] = DimExpr::floorDiv(room, DimExpr(window.stride[i])) + DimExpr(1);
  }
  results.push_back(tensorType(element, y));
  return success();
}

/// conv1d, conv2d and conv3d.
static LogicalResult inferOfFloats(MaybeLoc loc, StringRef name, ValueRange operands,
                                   const Window &window, SmallVectorImpl<Type> &results) {
  Type x = operands[0].getType(), w = operands[1].getType();
  size_t rank = window.rank + 2;
  if (dimsOf(x).size() != rank || dimsOf(w).size() != rank || dtypeOf(x) != dtypeOf(w) ||
      !isFloat(*dtypeOf(x))) // conv2d-c1
    return emitOptionalError(loc, "'", name, "' expected an image and a weight of ", inWords(rank),
                             " dimensions and one float type, got ", typeText(x), " and ",
                             typeText(w));
  return inferConvolution(loc, name, operands, window, cast<RankedTensorType>(x).getElementType(),
                          results);
}

static SmallVector<Requirement> requirementsOf(Type image, Type weight, const Window &window) {
  SmallVector<Requirement> all;
  Dims x = dimsOf(image), w = dimsOf(weight);
  for (int i = 0; i < window.rank; ++i) {
    const DimExpr &low = window.padding[2 * i], &high = window.padding[2 * i + 1];
    for (const DimExpr &border : {low, high})
      all.push_back({border, Relation::AtLeast, 0, "a padding"}); // conv2d-c3
    all.push_back({x[window.first() + i] + low + high, Relation::AtLeast, window.reach(w, i),
                   "the " + spatialName(window.rank, i) + " of the padded image"}); // conv2d-c4
  }
  return all;
}

static void alignConvolution(MutableArrayRef<Dims> shapes, DictionaryAttr attributes, size_t rank,
                             AlignExtent require) {
  auto groups = attributes.getAs<IntegerAttr>("groups");
  if (!groups || groups.getInt() < 1 || shapes[0].size() != rank + 2 ||
      shapes[1].size() != rank + 2)
    return;
  DimExpr outputs =
      shapes[1][0].isConstant() ? shapes[1][0] : wholeGroups(shapes[1][0], groups.getInt());
  bool ok = align(shapes[0][1], shapes[1][1] * DimExpr(groups.getInt()), "the number of channels",
                  require) &&
            align(shapes[1][0], outputs, "the number of results' channels", require);
  if (ok && shapes.size() > 2 && shapes[2].size() == 1)
    align(shapes[2][0], outputs, "the number of biases", require);
}

namespace {
/// One position of the kernel: where it stands in the weight and relative to an element of the
/// image.
struct Tap {
  int64_t weight;
  SmallVector<int64_t, 3> offset;
};
} // namespace

static std::vector<Tap> tapsOf(const Tensor &w, const Window &window, ArrayRef<int64_t> padding) {
  ArrayRef<int64_t> kernel = ArrayRef(w.shape).slice(window.first(), window.rank);
  auto strides = w.strides();
  std::vector<Tap> taps;
  forEachIndex(kernel, [&](ArrayRef<int64_t> at) {
    Tap tap{linear(at, ArrayRef(strides).slice(window.first(), window.rank)), {}};
    for (int i = 0; i < window.rank; ++i)
      tap.offset.push_back(at[i] * window.dilation[i] - padding[2 * i]);
    taps.push_back(std::move(tap));
  });
  return taps;
}

static ArrayRef<double> elementsOf(const Tensor &tensor, double) { return tensor.floats; }
static ArrayRef<int64_t> elementsOf(const Tensor &tensor, int64_t) { return tensor.ints; }

/// Calls `store` with each element's position, channel and sum of products. `Number` is how the
/// interpreter holds the operands; padding is `border`.
template <typename Number, typename Store>
static void convolve(const Tensor &x, const Tensor &w, Number border, const Tensor &y,
                     const Window &window, const Evaluation &evaluation, Store store) {
  ArrayRef<Number> image = elementsOf(x, Number()), weight = elementsOf(w, Number());
  int c = window.channels(), first = window.first();
  auto xs = x.strides(), ws = w.strides();
  int64_t outPerGroup = w.shape[0] / window.groups, channels = w.shape[c], position = 0;
  std::vector<Tap> taps = tapsOf(w, window, evaluation.values(window.padding));
  forEachIndex(y.shape, [&](ArrayRef<int64_t> at) {
    int64_t o = at[c];
    Number sum = 0;
    for (const Tap &tap : taps) {
      int64_t from = at[0] * xs[0] + o / outPerGroup * channels * xs[c];
      bool isInside = true;
      for (int i = 0; i < window.rank; ++i) {
        int64_t place = at[first + i] * window.stride[i] + tap.offset[i];
        isInside &= place >= 0 && place < x.shape[first + i];
        from += place * xs[first + i];
      }
      const Number *pw = weight.data() + o * ws[0] + tap.weight;
      for (int64_t k = 0; k < channels; ++k) // outside: NaN where the weight is not finite
        sum += (isInside ? image[from + k * xs[c]] : border) * pw[k * ws[c]];
    }
    store(position++, o, sum);
  });
}

static LogicalResult evaluateConvolution(ArrayRef<const Tensor *> operands, Tensor &y,
                                         const Window &window, const Evaluation &evaluation) {
  const Tensor *bias = operands.size() > 2 ? operands[2] : nullptr;
  convolve<double>(*operands[0], *operands[1], 0, y, window, evaluation,
                   [&](int64_t position, int64_t channel, double sum) {
                     y.floats[position] = sum + (bias ? bias->floats[channel] : 0);
                   });
  return success();
}

static DimExpr flopsOf(Type result, Type weight) {
  Dims w = dimsOf(weight);
  w[0] = DimExpr(2);
  return numElements(dimsOf(result)) * numElements(w);
}

#define KILN_WINDOW(Op, rank)                                                                      \
  SmallVector<Requirement> Op::getRequirements() {                                                 \
    return requirementsOf(getX().getType(), getWeight().getType(), windowOf(*this, rank));         \
  }                                                                                                \
  void Op::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,                    \
                       AlignExtent require) {                                                      \
    alignConvolution(shapes, attributes, rank, require);                                           \
  }                                                                                                \
  DimExpr Op::flops() { return flopsOf(getType(), getWeight().getType()); }

#define KILN_CONVOLUTION(Op, name, rank)                                                           \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    return inferOfFloats(loc, name, operands, windowOf(op, rank), results);                        \
  }                                                                                                \
  KILN_EVALUATE(Op) {                                                                              \
    return evaluateConvolution(operands, results[0], windowOf(*this, rank), evaluation);           \
  }                                                                                                \
  KILN_WINDOW(Op, rank)

KILN_CONVOLUTION(Conv1dOp, "conv1d", 1)
KILN_CONVOLUTION(Conv2dOp, "conv2d", 2)
KILN_CONVOLUTION(Conv3dOp, "conv3d", 3)
KILN_WINDOW(QConv2dOp, 2)

KILN_INFER(QConv2dOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type x = op.getX().getType(), w = op.getWeight().getType();
  std::optional<DType> type = dtypeOf(x);
  if (dimsOf(x).size() != 4 || dimsOf(w).size() != 4 || (type != DType::I8 && type != DType::U8) ||
      dtypeOf(w) != DType::I8) // qconv2d-c1
    return emitOptionalError(loc,
                             "'qconv2d' expected an image of i8 or u8 and a weight of i8, of "
                             "four dimensions each, got ",
                             typeText(x), " and ", typeText(w));
  int64_t border = op.getBorder();
  if (wrapTo(*type, border) != border) // qconv2d-c2
    return emitOptionalError(loc, "'qconv2d' expected a border that ", name(*type), " holds, got ",
                             border);
  return inferConvolution(loc, "qconv2d", operands, windowOf(op, 2), IntegerType::get(context, 32),
                          results);
}

KILN_EVALUATE(QConv2dOp) {
  Tensor &y = results[0];
  convolve<int64_t>(
      *operands[0], *operands[1], getBorder(), y, windowOf(*this, 2), evaluation,
      [&](int64_t position, int64_t, int64_t sum) { y.ints[position] = wrapTo(DType::I32, sum); });
  return success();
}

SmallVector<Value> Conv1dOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  auto ofHeight1 = [&](Value v) {
    Dims d = dimsOf(v.getType());
    return b.reshape(v, {d[0], d[1], 1, d[2]});
  };
  Dims padding = getPadding().getDims();
  Value y = b.make<Conv2dOp>(
      ofHeight1(getX()), ofHeight1(getWeight()), getBias(),
      builder.getDenseI64ArrayAttr({1, getStride()[0]}), b.dims({0, 0, padding[0], padding[1]}),
      builder.getDenseI64ArrayAttr({1, getDilation()[0]}), getGroupsAttr(), UnitAttr());
  return {b.reshape(y, dimsOf(getType()))};
}
