//===- Movement.cpp - reading through ops that move data --------------------===//

#include "codegen/lower/Builder.h"
#include "ir/Winograd.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::lower;
using namespace mlir;
using spec::ExprPtr;

static ExprPtr loadPermute(SpecBuilder &builder, PermuteOp op, const At &at,
                           std::optional<double> outside) {
  At inner(at.size());
  for (auto [i, axis] : llvm::enumerate(op.getAxes()))
    inner[axis] = at[i];
  return builder.load(op.getX(), inner, outside);
}

static ExprPtr loadBroadcast(SpecBuilder &builder, BroadcastToOp op, const At &at,
                             std::optional<double> outside) {
  if (outside)
    return nullptr; // positions outside of the result are not outside of the operand
  SmallVector<DimExpr> from = dimsOf(op.getX().getType()), to = dimsOf(op.getType());
  At inner;
  for (size_t i = 0, skip = to.size() - from.size(); i < from.size(); ++i)
    inner.push_back(from[i] == to[i + skip] ? at[i + skip] : spec::Index());
  return builder.load(op.getX(), inner);
}

/// Where the slice's element lies in x.
static At throughSlice(SliceOp op, const At &at) {
  SmallVector<DimExpr> starts = op.getStarts().getDims();
  At inner;
  for (size_t i = 0; i < at.size(); ++i)
    inner.push_back(scaled(at[i], op.getSteps()[i], starts[i]));
  return inner;
}

static ExprPtr loadSlice(SpecBuilder &builder, SliceOp op, const At &at,
                         std::optional<double> outside) {
  if (outside)
    return nullptr;
  return builder.load(op.getX(), throughSlice(op, at));
}

/// What is read at computed positions lies in memory, or is computed from the position alone.
static ExprPtr loadAt(SpecBuilder &builder, Value x, const At &at) {
  auto fusable = x.getDefiningOp<Fusable>();
  if (!fusable || fusable.getFusionRole() != FusionRole::Constant)
    builder.store(x);
  return builder.load(x, at);
}

/// The position in x's extent n that `at`, before its first element or behind its last one, stands
/// for. That the border is not too large is required.
static ExprPtr withinBorder(StringRef mode, const ExprPtr &at, const DimExpr &n) {
  using spec::apply;
  using SpecOp = spec::Op;
  ExprPtr zero = spec::constant(int64_t(0), DType::I64);
  if (mode == "replicate")
    return at; // an indirect coordinate is brought into the extent
  if (mode == "reflect") {
    ExprPtr fromFirst = apply(SpecOp::Max, {at, apply(SpecOp::Sub, {zero, at})});
    ExprPtr mirrored = number((n - DimExpr(1)) * DimExpr(2), DType::I64);
    return apply(SpecOp::Min, {fromFirst, apply(SpecOp::Sub, {mirrored, fromFirst})});
  }
  ExprPtr extent = number(n, DType::I64);
  ExprPtr again = apply(SpecOp::Select,
                        {apply(SpecOp::Lt, {at, extent}), at, apply(SpecOp::Sub, {at, extent})});
  return apply(SpecOp::Select,
               {apply(SpecOp::Lt, {at, zero}), apply(SpecOp::Add, {at, extent}), again});
}

/// A border of x's own elements.
static ExprPtr loadContinued(SpecBuilder &builder, PadOp op, const At &at) {
  SmallVector<DimExpr> padding = op.getPadding().getDims(), dims = dimsOf(op.getX().getType());
  At inner = at;
  for (size_t i = 0; i < at.size(); ++i) {
    if (padding[2 * i] == DimExpr(0) && padding[2 * i + 1] == DimExpr(0))
      continue;
    ExprPtr position = valueOf(scaled(at[i], 1, -padding[2 * i]));
    inner[i] = spec::Index();
    inner[i].indirect = withinBorder(op.getMode(), position, dims[i]);
  }
  return loadAt(builder, op.getX(), inner);
}

static ExprPtr loadPad(SpecBuilder &builder, PadOp op, const At &at,
                       std::optional<double> outside) {
  if (!op.isConstant())
    return outside ? nullptr : loadContinued(builder, op, at);
  double value = op.getValue().convertToDouble();
  if (outside && *outside != value)
    return nullptr;
  SmallVector<DimExpr> padding = op.getPadding().getDims();
  At inner;
  for (size_t i = 0; i < at.size(); ++i)
    inner.push_back(scaled(at[i], 1, -padding[2 * i]));
  return builder.load(op.getX(), inner, value);
}

/// Chooses the piece by the coordinate; the pieces not chosen are read outside of their shape, or
/// somewhere in what they are slices of.
static ExprPtr loadConcat(SpecBuilder &builder, ConcatOp op, const At &at,
                          std::optional<double> outside) {
  if (outside)
    return nullptr;
  size_t axis = op.getAxis();
  SmallVector<DimExpr> begins{DimExpr(0)};
  for (Value x : op.getXs())
    begins.push_back(begins.back() + dimsOf(x.getType())[axis]);
  ExprPtr position = valueOf(at[axis]);
  auto piece = [&](size_t i) {
    At inner = at;
    inner[axis] = scaled(at[axis], 1, -begins[i]);
    Value x = op.getXs()[i];
    for (auto slice = x.getDefiningOp<SliceOp>(); slice && !builder.isStored(x);
         slice = x.getDefiningOp<SliceOp>()) {
      inner = throughSlice(slice, inner);
      x = slice.getX();
    }
    return builder.load(x, inner, op.getXs().size() > 1 ? std::optional(0.0) : std::nullopt);
  };
  // Halves of halves: a position is found by few comparisons.
  std::function<ExprPtr(size_t, size_t)> among = [&](size_t from, size_t to) {
    if (to - from == 1)
      return piece(from);
    size_t middle = from + (to - from) / 2;
    ExprPtr isBefore = spec::apply(spec::Op::Lt, {position, number(begins[middle], DType::I64)});
    return spec::apply(spec::Op::Select, {isBefore, among(from, middle), among(middle, to)});
  };
  return among(0, op.getXs().size());
}

spec::Index lower::positionOf(const ExprPtr &index, const DimExpr &extent) {
  ExprPtr value = spec::cast(index, DType::I64), zero = spec::constant(int64_t(0), DType::I64);
  ExprPtr fromEnd = spec::apply(spec::Op::Add, {value, number(extent, DType::I64)});
  spec::Index position;
  position.indirect =
      spec::apply(spec::Op::Select, {spec::apply(spec::Op::Lt, {value, zero}), fromEnd, value});
  return position;
}

static ExprPtr loadTake(SpecBuilder &builder, TakeOp op, const At &at,
                        std::optional<double> outside) {
  if (outside)
    return nullptr;
  size_t axis = op.getAxis(), rank = dimsOf(op.getIndices().getType()).size();
  At which(at.begin() + axis, at.begin() + axis + rank), inner(at.begin(), at.begin() + axis);
  inner.push_back(positionOf(builder.load(op.getIndices(), which), op.getIndexedExtent()));
  inner.insert(inner.end(), at.begin() + axis + rank, at.end());
  return loadAt(builder, op.getX(), inner);
}

static ExprPtr loadGather(SpecBuilder &builder, GatherOp op, const At &at,
                          std::optional<double> outside) {
  if (outside)
    return nullptr;
  At inner = at;
  inner[op.getAxis()] = positionOf(builder.load(op.getIndices(), at), op.getIndexedExtent());
  return loadAt(builder, op.getX(), inner);
}

/// Which tap it is decides which elements of the transform it is made of.
static ExprPtr loadWinogradFilter(SpecBuilder &builder, WinogradFilterOp op, const At &at,
                                  std::optional<double> outside) {
  using spec::apply;
  using SpecOp = spec::Op;
  if (outside)
    return nullptr;
  const WinogradTap *inverse = winogradInverse(op.getTile());
  auto number = [](int64_t value) { return spec::constant(value, DType::I64); };
  auto read = [&](int row, int column) {
    At inner = at;
    inner[1] = spec::Index{{}, DimExpr(row), nullptr};
    inner[2] = spec::Index{{}, DimExpr(column), nullptr};
    return builder.load(op.getX(), inner);
  };
  auto across = [&](int row, const WinogradTap &tap) {
    ExprPtr value = read(row, tap.first);
    return tap.second < 0 ? value : apply(SpecOp::Sub, {value, read(row, tap.second)});
  };
  auto tap = [&](int64_t y, int64_t x) {
    ExprPtr value = across(inverse[y].first, inverse[x]);
    if (inverse[y].second >= 0)
      value = apply(SpecOp::Sub, {value, across(inverse[y].second, inverse[x])});
    ExprPtr factor = spec::constant(inverse[y].factor * inverse[x].factor, DType::F32);
    return apply(SpecOp::Mul, {value, factor});
  };
  auto choose = [&](const spec::Index &position, auto make) {
    ExprPtr result = make(winogradTaps - 1), where = valueOf(position);
    for (int64_t i = winogradTaps - 1; i-- > 0;)
      result = apply(SpecOp::Select, {apply(SpecOp::Eq, {where, number(i)}), make(i), result});
    return result;
  };
  return choose(at[1],
                [&](int64_t y) { return choose(at[2], [&](int64_t x) { return tap(y, x); }); });
}

ExprPtr lower::loadMovement(SpecBuilder &builder, Operation *op, const At &at,
                            std::optional<double> outside) {
  return llvm::TypeSwitch<Operation *, ExprPtr>(op)
      .Case([&](PermuteOp op) { return loadPermute(builder, op, at, outside); })
      .Case([&](BroadcastToOp op) { return loadBroadcast(builder, op, at, outside); })
      .Case([&](SliceOp op) { return loadSlice(builder, op, at, outside); })
      .Case([&](PadOp op) { return loadPad(builder, op, at, outside); })
      .Case([&](ConcatOp op) { return loadConcat(builder, op, at, outside); })
      .Case([&](TakeOp op) { return loadTake(builder, op, at, outside); })
      .Case([&](GatherOp op) { return loadGather(builder, op, at, outside); })
      .Case([&](WinogradFilterOp op) { return loadWinogradFilter(builder, op, at, outside); })
      .Default([](Operation *) { return nullptr; });
}
