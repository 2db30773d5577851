//===- Resize.cpp - elements of resized images ------------------------------===//

#include "codegen/lower/Builder.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::lower;
using namespace mlir;
using spec::apply;
using spec::ExprPtr;
using SpecOp = spec::Op;

namespace {
/// What is read along one spatial dimension: elements from `base` on, by the part of an element
/// that the position lies behind it.
struct Place {
  int axis, taps;
  spec::Index index; ///< of the position, where it is an element's: no other is read
  ExprPtr base, part, isElement;
};
} // namespace

static ExprPtr whole(int64_t value) { return spec::constant(value, DType::I64); }

static Place placeOf(const Sampling &sampling, int axis, const spec::Index &at, DType type) {
  Place place{axis, sampling.taps, at, {}, {}, {}};
  if (sampling.isIdentity()) {
    place.taps = 1;
    return place;
  }
  ExprPtr divisor = number(sampling.divisor, DType::I64);
  ExprPtr scaled = apply(SpecOp::Mul, {valueOf(at), number(sampling.scale, DType::I64)});
  if (sampling.offset != DimExpr(0))
    scaled = apply(SpecOp::Add, {scaled, number(sampling.offset, DType::I64)});
  if (sampling.taps == 2)
    scaled = apply(SpecOp::Max, {scaled, whole(0)});
  place.base = apply(SpecOp::FloorDiv, {scaled, divisor});
  place.index = spec::Index();
  place.index.indirect = place.base;
  if (sampling.taps == 1)
    return place;
  ExprPtr rest = apply(SpecOp::Sub, {scaled, apply(SpecOp::Mul, {place.base, divisor})});
  place.isElement = apply(SpecOp::Eq, {rest, whole(0)});
  place.part = apply(SpecOp::Div, {spec::cast(rest, type), spec::cast(divisor, type)});
  return place;
}

/// Keys' kernel of a = -0.75 at the distances 1 + t, t, 1 - t and 2 - t, without what cancels:
/// a t (1 - t)^2 and (1 - t) (1 + t - (a + 2) t^2), and these of 1 - t.
static std::vector<ExprPtr> cubicWeights(const ExprPtr &t, DType type) {
  ExprPtr one = spec::constant(1.0, type), a = spec::constant(-0.75, type);
  ExprPtr rest = apply(SpecOp::Sub, {one, t});
  auto product = [](const ExprPtr &x, const ExprPtr &y) { return apply(SpecOp::Mul, {x, y}); };
  auto far = [&](const ExprPtr &x, const ExprPtr &y) {
    return product(product(a, x), product(y, y));
  };
  auto near = [&](const ExprPtr &x, const ExprPtr &y) {
    ExprPtr square = product(spec::constant(1.25, type), product(x, x));
    return product(y, apply(SpecOp::Sub, {apply(SpecOp::Add, {one, x}), square}));
  };
  return {far(t, rest), near(t, rest), near(rest, t), far(rest, t)};
}

/// The mixture along the places of what lies along the later ones. An indirect coordinate is
/// brought into the extent: beyond an end lies the element at the end.
static ExprPtr mix(SpecBuilder &builder, Value x, At at, ArrayRef<Place> places, DType type) {
  if (places.empty())
    return builder.load(x, at);
  const Place &place = places.front();
  at[place.axis] = place.index;
  ExprPtr element = mix(builder, x, at, places.drop_front(), type);
  if (place.taps == 1)
    return element;
  auto tap = [&](int64_t offset, const ExprPtr &weight) {
    at[place.axis].indirect = apply(SpecOp::Add, {place.base, whole(offset)});
    ExprPtr there = offset ? mix(builder, x, at, places.drop_front(), type) : element;
    return apply(SpecOp::Mul, {there, weight});
  };
  ExprPtr sum;
  if (place.taps == 2) {
    ExprPtr rest = apply(SpecOp::Sub, {spec::constant(1.0, type), place.part});
    sum = apply(SpecOp::Add, {tap(0, rest), tap(1, place.part)});
  } else {
    std::vector<ExprPtr> weights = cubicWeights(place.part, type);
    for (int64_t i = 0; i < 4; ++i) {
      ExprPtr part = tap(i - 1, weights[i]);
      sum = sum ? apply(SpecOp::Add, {sum, part}) : part;
    }
  }
  return apply(SpecOp::Select, {place.isElement, element, sum});
}

void lower::lowerInterpolation(SpecBuilder &builder, InterpolateOp op) {
  builder.store(op.getX());
  builder.derive(op.getResult(), [&builder, op](const At &at) mutable {
    DType type = computeType(*dtypeOf(op.getType()));
    int first = op.getChannelsLast() ? 1 : 2;
    SmallVector<Place> places;
    for (auto [i, sampling] : llvm::enumerate(op.getSampling()))
      places.push_back(placeOf(sampling, first + i, at[first + i], type));
    return mix(builder, op.getX(), at, places, type);
  });
  if (!op.getResult().hasOneUse())
    builder.store(op.getResult());
}
