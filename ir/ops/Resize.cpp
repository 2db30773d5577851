//===- Resize.cpp - images of other extents -------------------------------===//

#include "ir/Build.h"
#include "ir/ops/Spatial.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Dims = SmallVector<DimExpr>;

//===----------------------------------------------------------------------===//
// interpolate: extents and positions
//===----------------------------------------------------------------------===//

namespace {
struct Fraction {
  int64_t above, below;
};

/// What an interpolation is, without its operand.
struct Resizing {
  Dims size;
  ArrayRef<double> factors;
  StringRef mode;
  bool alignCorners, channelsLast;

  template <typename Op>
  explicit Resizing(Op op)
      : size(op.getSize().getDims()), factors(op.getScaleFactor()), mode(op.getMode()),
        alignCorners(op.getAlignCorners()), channelsLast(op.getChannelsLast()) {}
  /// 0 for a mode that is none, or none of images of so many spatial dimensions.
  int taps(size_t rank) const;
  const DimExpr &sizeAt(size_t i) const { return size[size.size() == 1 ? 0 : i]; }
  double factorAt(size_t i) const { return factors[factors.size() == 1 ? 0 : i]; }
  int first() const { return channelsLast ? 1 : 2; }
};
} // namespace

/// The first of the number's continued fractions that rounds to it, if its parts are small.
static std::optional<Fraction> fractionOf(double number) {
  constexpr double most = 1 << 20;
  double above = 1, below = 0, lastAbove = 0, lastBelow = 1, rest = number;
  while (rest > 0 && rest < most) {
    double whole = std::floor(rest);
    lastAbove = std::exchange(above, whole * above + lastAbove);
    lastBelow = std::exchange(below, whole * below + lastBelow);
    if (above >= most || below >= most)
      break;
    if (above / below == number)
      return Fraction{static_cast<int64_t>(above), static_cast<int64_t>(below)};
    rest = 1 / (rest - whole);
  }
  return std::nullopt;
}

int Resizing::taps(size_t rank) const {
  if (mode == "nearest" || mode == "nearest-exact")
    return 1;
  if (mode == "linear" || (mode == "bilinear" && rank == 2) || (mode == "trilinear" && rank == 3))
    return 2;
  return mode == "cubic" || (mode == "bicubic" && rank == 2) ? 4 : 0;
}

/// The result's extent of one of n elements along the i-th spatial dimension.
static DimExpr extentOf(const Resizing &resizing, const DimExpr &n, size_t i) {
  if (!resizing.size.empty())
    return resizing.sizeAt(i);
  Fraction factor = *fractionOf(resizing.factorAt(i));
  return DimExpr::floorDiv(n * DimExpr(factor.above), factor.below);
}

static Sampling samplingOf(const Resizing &resizing, const DimExpr &n, size_t rank, size_t i) {
  // n / m, or what the factor says of it.
  DimExpr m = extentOf(resizing, n, i), above = n, below = m;
  if (resizing.size.empty()) {
    Fraction factor = *fractionOf(resizing.factorAt(i));
    above = DimExpr(factor.below);
    below = DimExpr(factor.above);
  }
  int taps = resizing.taps(rank);
  if (resizing.alignCorners)
    return {n, n - DimExpr(1), 0, DimExpr::max(m - DimExpr(1), 1), taps};
  if (resizing.mode == "nearest")
    return {n, above, 0, below, taps};
  // (i + 0.5) / s, and for other modes than the nearest half of an element less
  DimExpr two(2);
  return {n, above * two, taps == 1 ? above : above - below, below * two, taps};
}

SmallVector<Sampling> InterpolateOp::getSampling() {
  Resizing resizing(*this);
  Dims x = dimsOf(getX().getType());
  SmallVector<Sampling> all;
  for (size_t i = 0; i < x.size() - 2; ++i)
    all.push_back(samplingOf(resizing, x[resizing.first() + i], x.size() - 2, i));
  return all;
}

KILN_INFER(InterpolateOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  Resizing resizing(op);
  Dims dims = dimsOf(type);
  if (dims.size() < 3 || dims.size() > 5) // interpolate-c1
    return emitOptionalError(
        loc, "'interpolate' expected an image of three to five dimensions, got ", typeText(type));
  size_t rank = dims.size() - 2, given = resizing.size.size() + resizing.factors.size();
  if (resizing.size.empty() == resizing.factors.empty() ||
      (given != 1 && given != rank)) // interpolate-c2
    return emitOptionalError(loc, "'interpolate' expected either size or scale_factor, one or ",
                             inWords(rank), " for ", typeText(type), ", got ", resizing.size.size(),
                             " and ", resizing.factors.size());
  for (double factor : resizing.factors)
    if (!fractionOf(factor)) // interpolate-c3
      return emitOptionalError(loc,
                               "'interpolate' expected factors that are fractions of positive "
                               "integers below 2^20, got ",
                               factor);
  int taps = resizing.taps(rank);
  if (taps == 0) // interpolate-c4
    return emitOptionalError(loc, "'interpolate' expected a mode of ", inWords(rank),
                             " spatial dimension", rank == 1 ? "" : "s", ", got '", resizing.mode,
                             "'");
  if (taps > 1 && failed(requireDomain(loc, "interpolate", type, Domain::Float))) // interpolate-c5
    return failure();
  if (taps == 1 && resizing.alignCorners) // interpolate-c5
    return emitOptionalError(loc,
                             "'interpolate' expected no align_corners for the nearest element");
  for (size_t i = 0; i < rank; ++i) {
    DimExpr &n = dims[resizing.first() + i], m = extentOf(resizing, n, i);
    for (const DimExpr &extent : {n, m})
      if (std::optional<int64_t> value = extent.constantValue();
          value && *value < 1) // interpolate-c6
        return emitOptionalError(loc, "'interpolate' expected extents of at least 1, got ",
                                 typeText(type), " and a ", spatialName(rank, i), " of ", m.str());
    n = m;
  }
  results.push_back(tensorType(cast<RankedTensorType>(type).getElementType(), dims));
  return success();
}

SmallVector<Requirement> InterpolateOp::getRequirements() {
  Dims x = dimsOf(getX().getType()), y = dimsOf(getType());
  SmallVector<Requirement> all;
  int first = Resizing(*this).first(), rank = x.size() - 2;
  for (int i = 0; i < rank; ++i) { // interpolate-c6
    all.push_back({x[first + i], Relation::AtLeast, 1, "the " + spatialName(rank, i)});
    all.push_back(
        {y[first + i], Relation::AtLeast, 1, "the " + spatialName(rank, i) + " of the result"});
  }
  return all;
}

DimExpr InterpolateOp::flops() {
  DimExpr all = numElements(dimsOf(getType()));
  for (const Sampling &sampling : getSampling())
    all = all * DimExpr(sampling.taps == 1 ? 1 : 2 * sampling.taps);
  return all;
}

//===----------------------------------------------------------------------===//
// interpolate: elements
//===----------------------------------------------------------------------===//

/// Keys' kernel, a = -0.75.
static double cubicWeight(double distance) {
  constexpr double a = -0.75;
  double d = std::fabs(distance);
  if (d <= 1)
    return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

namespace {
/// An element that counts along one dimension.
struct Tap {
  int64_t position;
  double weight;
};
} // namespace

static SmallVector<Tap, 4> tapsAt(const Sampling &sampling, int64_t i,
                                  const Evaluation &evaluation) {
  int64_t n = evaluation.value(sampling.extent), divisor = evaluation.value(sampling.divisor);
  int64_t place = evaluation.value(sampling.scale) * i + evaluation.value(sampling.offset);
  if (sampling.taps == 2)
    place = std::max<int64_t>(place, 0);
  int64_t base = place >= 0 ? place / divisor : -((divisor - 1 - place) / divisor);
  auto within = [&](int64_t at) { return std::clamp<int64_t>(at, 0, n - 1); };
  double part = static_cast<double>(place - base * divisor) / static_cast<double>(divisor);
  if (sampling.taps == 1 || part == 0)
    return {{within(base), 1}};
  if (sampling.taps == 2)
    return {{within(base), 1 - part}, {within(base + 1), part}};
  SmallVector<Tap, 4> taps;
  for (int64_t k = -1; k <= 2; ++k)
    taps.push_back({within(base + k), cubicWeight(part - static_cast<double>(k))});
  return taps;
}

/// Mixes along dimension `axis` what lies along the later ones.
static double mix(const Tensor &x, ArrayRef<int64_t> strides, ArrayRef<SmallVector<Tap, 4>> taps,
                  int64_t at) {
  if (taps.empty())
    return x.floats[at];
  double sum = 0;
  bool isFirst = true; // -0 + 0 is 0
  for (const Tap &tap : taps.front()) {
    double part = tap.weight * mix(x, strides.drop_front(), taps.drop_front(),
                                   at + tap.position * strides.front());
    sum = isFirst ? part : sum + part;
    isFirst = false;
  }
  return sum;
}

KILN_EVALUATE(InterpolateOp) {
  const Tensor &x = *operands[0];
  SmallVector<Sampling> sampling = getSampling();
  int first = Resizing(*this).first();
  auto strides = x.strides();
  int64_t position = 0;
  forEachIndex(results[0].shape, [&](ArrayRef<int64_t> index) {
    SmallVector<SmallVector<Tap, 4>> taps;
    SmallVector<int64_t> steps;
    SmallVector<int64_t, 6> outer(index);
    for (auto [i, along] : llvm::enumerate(sampling)) {
      taps.push_back(tapsAt(along, index[first + i], evaluation));
      steps.push_back(strides[first + i]);
      outer[first + i] = 0;
    }
    int64_t from = linear(outer, strides);
    if (sampling.front().taps > 1)
      results[0].floats[position++] = mix(x, steps, taps, from);
    else {
      for (auto [step, tap] : llvm::zip_equal(steps, taps))
        from += step * tap.front().position;
      copyElement(x, from, results[0], position++);
    }
  });
  return success();
}

//===----------------------------------------------------------------------===//
// pixel_shuffle, pixel_unshuffle
//===----------------------------------------------------------------------===//

static LogicalResult checkPixels(MaybeLoc loc, StringRef name, Type type, int64_t factor) {
  if (dimsOf(type).size() < 3 || factor < 1 ||
      factor > (1 << 15)) // pixel_shuffle-c1, pixel_unshuffle-c1
    return emitOptionalError(
        loc, "'", name, "' expected at least three dimensions and a factor from 1 to 2^15, got ",
        typeText(type), " and ", factor);
  return success();
}

/// Whether the extent can be a multiple of the number.
static bool mayDivide(const DimExpr &extent, int64_t number) {
  std::optional<int64_t> value = extent.constantValue();
  return !value || *value % number == 0;
}

KILN_INFER(PixelShuffleOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  int64_t r = op.getUpscaleFactor();
  if (failed(checkPixels(loc, "pixel_shuffle", type, r)))
    return failure();
  Dims dims = dimsOf(type);
  size_t c = dims.size() - 3;
  if (!mayDivide(dims[c], r * r)) // pixel_shuffle-c2
    return emitOptionalError(loc, "'pixel_shuffle' expected channels in multiples of ", r * r,
                             ", got ", typeText(type));
  dims[c] = DimExpr::floorDiv(dims[c], r * r);
  dims[c + 1] = dims[c + 1] * DimExpr(r);
  dims[c + 2] = dims[c + 2] * DimExpr(r);
  results.push_back(tensorType(cast<RankedTensorType>(type).getElementType(), dims));
  return success();
}

SmallVector<Requirement> PixelShuffleOp::getRequirements() {
  Dims x = dimsOf(getX().getType());
  DimExpr c = x[x.size() - 3];
  int64_t square = getUpscaleFactor() * getUpscaleFactor();
  return {{c, Relation::Equal, wholeGroups(c, square), "the number of channels"}};
}

KILN_EVALUATE(PixelShuffleOp) {
  auto strides = operands[0]->strides();
  int64_t r = getUpscaleFactor();
  gatherElements(*operands[0], results[0], [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t, 6> at(index);
    size_t c = at.size() - 3;
    at[c] = (at[c] * r + at[c + 1] % r) * r + at[c + 2] % r;
    at[c + 1] /= r;
    at[c + 2] /= r;
    return linear(at, strides);
  });
  return success();
}

/// x under the shape `apart` with its dimensions reordered, joined to the shape of `type`.
static Value regroup(const Build &b, Value x, ArrayRef<DimExpr> apart, ArrayRef<int64_t> tail,
                     Type type) {
  SmallVector<int64_t> order;
  int64_t lead = apart.size() - tail.size();
  for (int64_t i = 0; i < lead; ++i)
    order.push_back(i);
  for (int64_t axis : tail)
    order.push_back(lead + axis);
  Value moved = b.make<PermuteOp>(b.reshape(x, apart), b.builder.getDenseI64ArrayAttr(order));
  return b.reshape(moved, dimsOf(type));
}

SmallVector<Value> PixelShuffleOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  DimExpr r(getUpscaleFactor());
  Dims x = dimsOf(getX().getType()), y = dimsOf(getType());
  size_t c = x.size() - 3;
  Dims apart(x.begin(), x.begin() + c);
  apart.append({y[c], r, r, x[c + 1], x[c + 2]});
  return {regroup(b, getX(), apart, {0, 3, 1, 4, 2}, getType())};
}

KILN_INFER(PixelUnshuffleOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  int64_t r = op.getDownscaleFactor();
  if (failed(checkPixels(loc, "pixel_unshuffle", type, r)))
    return failure();
  Dims dims = dimsOf(type);
  size_t c = dims.size() - 3;
  if (!mayDivide(dims[c + 1], r) || !mayDivide(dims[c + 2], r)) // pixel_unshuffle-c2
    return emitOptionalError(loc, "'pixel_unshuffle' expected height and width in multiples of ", r,
                             ", got ", typeText(type));
  dims[c] = dims[c] * DimExpr(r * r);
  dims[c + 1] = DimExpr::floorDiv(dims[c + 1], r);
  dims[c + 2] = DimExpr::floorDiv(dims[c + 2], r);
  results.push_back(tensorType(cast<RankedTensorType>(type).getElementType(), dims));
  return success();
}

SmallVector<Requirement> PixelUnshuffleOp::getRequirements() {
  Dims x = dimsOf(getX().getType());
  SmallVector<Requirement> all;
  for (int i = 0; i < 2; ++i) {
    DimExpr extent = x[x.size() - 2 + i];
    all.push_back({extent, Relation::Equal, wholeGroups(extent, getDownscaleFactor()),
                   "the " + spatialName(2, i)});
  }
  return all;
}

KILN_EVALUATE(PixelUnshuffleOp) {
  auto strides = operands[0]->strides();
  int64_t r = getDownscaleFactor();
  gatherElements(*operands[0], results[0], [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t, 6> at(index);
    size_t c = at.size() - 3;
    at[c + 2] = at[c + 2] * r + at[c] % r;
    at[c + 1] = at[c + 1] * r + at[c] / r % r;
    at[c] /= r * r;
    return linear(at, strides);
  });
  return success();
}

SmallVector<Value> PixelUnshuffleOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  DimExpr r(getDownscaleFactor());
  Dims x = dimsOf(getX().getType()), y = dimsOf(getType());
  size_t c = x.size() - 3;
  Dims apart(x.begin(), x.begin() + c);
  apart.append({x[c], y[c + 1], r, y[c + 2], r});
  return {regroup(b, getX(), apart, {0, 2, 4, 1, 3}, getType())};
}
