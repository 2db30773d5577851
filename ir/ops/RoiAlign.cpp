//===- RoiAlign.cpp - boxes cut out of images -----------------------------===//

#include "ir/Build.h"
#include "ir/ops/Spatial.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Dims = SmallVector<DimExpr>;

static constexpr int64_t mostCells = 1 << 15;

KILN_INFER(RoiAlignOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType(), boxes = operands[1].getType();
  if (failed(requireDomain(loc, "roi_align", type, Domain::Float))) // roi_align-c1
    return failure();
  Dims dims = dimsOf(type), rows = dimsOf(boxes);
  if (dims.size() != 4) // roi_align-c1
    return emitOptionalError(loc, "'roi_align' expected images of four dimensions, got ",
                             typeText(type));
  if (!isFloat(*dtypeOf(boxes)) || rows.size() != 2 || rows[1] != DimExpr(5)) // roi_align-c2
    return emitOptionalError(loc, "'roi_align' expected boxes of floats [K, 5], got ",
                             typeText(boxes));
  ArrayRef<int64_t> size = op.getOutputSize();
  auto isCount = [](int64_t count) { return count >= 1 && count <= mostCells; };
  if (size.size() != 2 || !llvm::all_of(size, isCount)) // roi_align-c3
    return emitOptionalError(loc, "'roi_align' expected an output_size of one or two numbers from ",
                             "1 to 2^15");
  auto ratio = static_cast<int64_t>(op.getSamplingRatio());
  if (!isCount(ratio)) // roi_align-c4
    return emitOptionalError(
        loc, "'roi_align' expected a sampling_ratio from 1 to 2^15, got ", ratio,
        ratio < 1 ? "; samples whose number depends on the boxes are not there" : "");
  double scale = op.getSpatialScale().convertToDouble();
  if (!(scale > 0) || !std::isfinite(scale)) // roi_align-c5
    return emitOptionalError(loc, "'roi_align' expected a spatial_scale above 0, got ", scale);
  for (int i = 0; i < 2; ++i)
    if (std::optional<int64_t> extent = dims[2 + i].constantValue();
        extent && *extent < 1) // roi_align-c6
      return emitOptionalError(loc, "'roi_align' expected a ", spatialName(2, i),
                               " of at least 1, got ", typeText(type));
  results.push_back(tensorType(cast<RankedTensorType>(type).getElementType(),
                               {rows[0], dims[1], DimExpr(size[0]), DimExpr(size[1])}));
  return success();
}

SmallVector<Requirement> RoiAlignOp::getRequirements() {
  Dims x = dimsOf(getX().getType());
  SmallVector<Requirement> all;
  for (int i = 0; i < 2; ++i) // roi_align-c6
    all.push_back({x[2 + i], Relation::AtLeast, 1, "the " + spatialName(2, i)});
  return all;
}

//===----------------------------------------------------------------------===//
// Meaning
//===----------------------------------------------------------------------===//

namespace {
/// Where a sample lies along one dimension.
struct Place {
  int64_t low = 0, high = 0;
  double part = 0; ///< of the element `high`
  bool isOutside = false;
};

/// A box along one dimension of n elements.
struct Side {
  double start, cell;
  int64_t samples, n;

  Side(double first, double last, bool aligned, int64_t cells, int64_t samples, int64_t n)
      : samples(samples), n(n) {
    start = aligned ? first - 0.5 : first;
    double length = (aligned ? last - 0.5 : last) - start;
    if (!aligned && length < 1)
      length = 1;
    cell = length / static_cast<double>(cells);
  }
  Place at(int64_t number, int64_t sample) const;
};
} // namespace

Place Side::at(int64_t number, int64_t sample) const {
  double step = (static_cast<double>(sample) + 0.5) * cell / static_cast<double>(samples);
  double y = start + static_cast<double>(number) * cell + step;
  Place place;
  place.part = y;
  if (std::isnan(y))
    return place;
  place.isOutside = y < -1 || y > static_cast<double>(n);
  y = std::clamp(y, 0.0, static_cast<double>(n - 1));
  place.low = static_cast<int64_t>(y);
  place.high = std::min(place.low + 1, n - 1);
  place.part = y - static_cast<double>(place.low);
  return place;
}

/// An element of a plane between its own.
static double sampleAt(const double *plane, const Place &y, const Place &x, int64_t width) {
  if (y.isOutside || x.isOutside)
    return 0;
  auto element = [&](int64_t row, int64_t column) { return plane[row * width + column]; };
  return (1 - y.part) * (1 - x.part) * element(y.low, x.low) +
         (1 - y.part) * x.part * element(y.low, x.high) +
         y.part * (1 - x.part) * element(y.high, x.low) + y.part * x.part * element(y.high, x.high);
}

KILN_EVALUATE(RoiAlignOp) {
  const Tensor &x = *operands[0], &boxes = *operands[1];
  int64_t height = x.shape[2], width = x.shape[3], samples = getSamplingRatio();
  double scale = getSpatialScale().convertToDouble();
  for (int64_t k = 0; k < boxes.shape[0]; ++k)
    if (double image = boxes.floats[5 * k];
        !(image >= 0) || !(std::trunc(image) < static_cast<double>(x.shape[0])))
      return emitError("an index is out of range: expected 0 to ")
             << x.shape[0] - 1 << ", got " << image;
  int64_t position = 0;
  forEachIndex(results[0].shape, [&](ArrayRef<int64_t> index) {
    const double *box = &boxes.floats[5 * index[0]];
    auto side = [&](int axis, int64_t n) {
      return Side(box[1 + axis] * scale, box[3 + axis] * scale, getAligned(),
                  getOutputSize()[1 - axis], samples, n);
    };
    Side rows = side(1, height), columns = side(0, width);
    const double *plane =
        &x.floats[(static_cast<int64_t>(box[0]) * x.shape[1] + index[1]) * height * width];
    double sum = 0;
    for (int64_t i = 0; i < samples; ++i)
      for (int64_t j = 0; j < samples; ++j)
        sum += sampleAt(plane, rows.at(index[2], i), columns.at(index[3], j), width);
    results[0].floats[position++] = sum / static_cast<double>(samples * samples);
  });
  return success();
}

//===----------------------------------------------------------------------===//
// Definition in other ops
//===----------------------------------------------------------------------===//

namespace {
/// Samples of all boxes along one dimension, [K, cells, samples].
struct Samples {
  Value low, high, part, isInside;
};

struct Roi {
  const Build &b;
  RoiAlignOp op;
  DimExpr count; ///< of boxes
  Value boxes;   ///< f64
  Type real, integer;

  Roi(const Build &b, RoiAlignOp op)
      : b(b), op(op), count(dimsOf(op.getBoxes().getType())[0]), real(b.builder.getF64Type()),
        integer(b.builder.getI64Type()) {
    boxes = b.cast(op.getBoxes(), real);
  }
  Value column(int64_t which) const {
    Value part =
        b.make<SliceOp>(boxes, b.dims({DimExpr(0), DimExpr(which)}), b.dims({count, DimExpr(1)}),
                        b.builder.getDenseI64ArrayAttr({1, 1}));
    return b.reshape(part, {count});
  }
  /// A number in the shape of another tensor.
  Value like(double value, Value x) const {
    return b.full(value, dimsOf(x.getType()), Build::elementOf(x));
  }
  Value extentLike(const DimExpr &extent, Value x) const {
    return b.cast(b.broadcast(b.make<ExtentOp>(b.dims(extent)), dimsOf(x.getType())),
                  Build::elementOf(x));
  }
  Value numbers(int64_t count) const {
    return b.cast(b.make<ArangeOp>(b.dims(DimExpr(count)), b.builder.getI64IntegerAttr(0),
                                   b.builder.getI64IntegerAttr(1), TypeAttr::get(integer)),
                  real);
  }
  /// A vector along one dimension of a larger shape.
  Value along(Value x, size_t axis, ArrayRef<DimExpr> shape) const {
    Dims thin(shape.size(), 1);
    thin[axis] = shape[axis];
    return b.broadcast(b.reshape(x, thin), shape);
  }
  Value images();
  Samples samples(int axis);
};
} // namespace

/// The numbers of the boxes' images: what is none becomes N, which is out of range.
Value Roi::images() {
  Value number = column(0);
  DimExpr images = dimsOf(op.getX().getType())[0];
  Value whole = b.cast(number, integer);
  Value result =
      b.make<WhereOp>(b.make<GeOp>(number, like(0, number)), whole, extentLike(images, whole));
  assertInside(b, result, images, "roi_align");
  return result;
}

/// Along the width (axis 0) or the height (1); in the interpreter's order of operations.
Samples Roi::samples(int axis) {
  int64_t cells = op.getOutputSize()[1 - axis], each = op.getSamplingRatio();
  DimExpr n = dimsOf(op.getX().getType())[3 - axis];
  auto corner = [&](int64_t which) {
    Value at = column(which);
    at = b.make<MulOp>(at, like(op.getSpatialScale().convertToDouble(), at));
    return op.getAligned() ? b.make<SubOp>(at, like(0.5, at)) : at;
  };
  Value start = corner(1 + axis), length = b.make<SubOp>(corner(3 + axis), start);
  if (!op.getAligned())
    length = b.make<MaximumOp>(length, like(1, length));
  Value cell = b.make<DivOp>(length, like(double(cells), length));
  Dims shape{count, DimExpr(cells), DimExpr(each)};
  Value wide = along(cell, 0, shape), inner = numbers(each);
  inner = along(b.make<AddOp>(inner, like(0.5, inner)), 2, shape);
  Value step = b.make<DivOp>(b.make<MulOp>(inner, wide), like(double(each), wide));
  Value y =
      b.make<AddOp>(along(start, 0, shape), b.make<MulOp>(along(numbers(cells), 1, shape), wide));
  y = b.make<AddOp>(y, step);
  Value isOutside =
      b.make<LogicalOrOp>(b.make<LtOp>(y, like(-1, y)), b.make<GtOp>(y, extentLike(n, y)));
  y = b.make<MinimumOp>(b.make<MaximumOp>(y, like(0, y)), extentLike(n - DimExpr(1), y));
  Samples all;
  all.low = b.cast(y, integer);
  all.high = b.make<MinimumOp>(b.make<AddOp>(all.low, like(1, all.low)),
                               extentLike(n - DimExpr(1), all.low));
  all.part = b.cast(b.make<SubOp>(y, b.cast(all.low, real)), b.wideOf(op.getX()));
  all.isInside = b.make<NotOp>(isOutside);
  return all;
}

/// Pixels are rows of channels; each sample takes four of them.
SmallVector<Value> RoiAlignOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Roi roi(b, *this);
  Dims x = dimsOf(getX().getType()), y = dimsOf(getType());
  Value image = roi.images();
  Samples rows = roi.samples(1), columns = roi.samples(0);
  DimExpr each(getSamplingRatio()), one(1);
  Dims grid{y[0], y[2], each, y[3], each}, all = grid;
  all.push_back(x[1]);
  auto ofRow = [&](Value v) {
    return b.broadcast(b.reshape(v, {y[0], y[2], each, one, one}), grid);
  };
  auto ofColumn = [&](Value v) {
    return b.broadcast(b.reshape(v, {y[0], one, one, y[3], each}), grid);
  };
  auto spread = [&](Value v) {
    Dims thin = grid;
    thin.push_back(one);
    return b.broadcast(b.reshape(v, thin), all);
  };
  Value pixels = b.make<PermuteOp>(getX(), builder.getDenseI64ArrayAttr({0, 2, 3, 1}));
  pixels = b.reshape(pixels, {x[0] * x[2] * x[3], x[1]});
  Value first = roi.along(image, 0, grid), sum;
  first = b.make<MulOp>(first, roi.extentLike(x[2], first));
  for (bool isLower : {false, true})
    for (bool isRight : {false, true}) {
      Value at = b.make<AddOp>(first, ofRow(isLower ? rows.high : rows.low));
      at = b.make<MulOp>(at, roi.extentLike(x[3], at));
      at = b.make<AddOp>(at, ofColumn(isRight ? columns.high : columns.low));
      auto share = [&](Value part, bool isFar) {
        return isFar ? part : b.make<SubOp>(roi.like(1, part), part);
      };
      Value weight =
          b.make<MulOp>(ofRow(share(rows.part, isLower)), ofColumn(share(columns.part, isRight)));
      Value element =
          b.make<TakeOp>(pixels, at, builder.getI64IntegerAttr(0), builder.getUnitAttr());
      element = b.cast(element, Build::elementOf(weight));
      Value part = b.make<MulOp>(spread(weight), element);
      sum = sum ? b.make<AddOp>(sum, part) : part;
    }
  Value isInside = b.make<LogicalAndOp>(ofRow(rows.isInside), ofColumn(columns.isInside));
  sum = b.make<WhereOp>(spread(isInside), sum, roi.like(0, sum));
  Value cells =
      b.make<SumOp>(sum, builder.getDenseI64ArrayAttr({2, 4}), builder.getBoolAttr(false));
  cells = b.make<DivOp>(cells, roi.like(double(getSamplingRatio() * getSamplingRatio()), cells));
  cells = b.make<PermuteOp>(cells, builder.getDenseI64ArrayAttr({0, 3, 1, 2}));
  return {b.cast(cells, b.elementOf(getX()))};
}
