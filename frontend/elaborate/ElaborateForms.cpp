//===- ElaborateForms.cpp - what functions take beyond their ops' attributes ===//
//
// Counts, shifts and bounds that are dimensions, lists or tensors, attention of fewer dimensions,
// and convolutions channel by channel where a call tells how many: what PyTorch's function of the
// name takes and the op has no attribute for becomes several ops.
//
//===----------------------------------------------------------------------===//
#include "frontend/elaborate/Elaborator.h"

#include "ir/KilnDialect.h"

#include <cmath>

using namespace llvm;
using namespace kiln;

/// The functions that are called otherwise than their ops; nothing if a call is of the op's own
/// form.
struct Elaborator::Forms {
  Elaborator &self;
  Bound bound;
  SMRange place;

  ir::TensorBuilder here() { return self.at(place); }
  std::optional<Value> tile();
  std::optional<Value> expand();
  std::optional<Value> nonzero();
  std::optional<Value> larger(StringRef op);
  std::optional<Value> roll();
  std::optional<Value> clamp();
  std::optional<Value> flat(const Primitive &primitive);
  std::optional<Value> full();
  std::optional<Value> arange();
  std::optional<Value> attention(const Primitive &primitive);
  std::optional<Value> depthwise(const Primitive &primitive);
};

static int64_t rankOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType()).getRank();
}

static SmallVector<Value> elements(const Value &value) {
  auto *list = value.as<ListPtr>();
  return list ? SmallVector<Value>((*list)->begin(), (*list)->end()) : SmallVector<Value>{value};
}

/// tile(x, repeats): what is missing in front, of the repeats or of x's dimensions, is 1.
std::optional<Value> Elaborator::Forms::tile() {
  auto *x = bound[0]->value.as<mlir::Value>();
  std::optional<Dims> repeats = dimList(bound[1]->value);
  if (!x || !repeats)
    return std::nullopt;
  Dims dims = ir::dimsOf(x->getType());
  bool isKnown = all_of(*repeats, [](const DimExpr &dim) { return dim.isConstant(); });
  if (isKnown && bound[1]->value.as<ListPtr>() && repeats->size() == dims.size())
    return std::nullopt; // the op's own
  size_t rank = std::max(dims.size(), repeats->size());
  dims.insert(dims.begin(), rank - dims.size(), DimExpr(1));
  repeats->insert(repeats->begin(), rank - repeats->size(), DimExpr(1));
  Dims apart, wide, whole;
  for (auto [dim, count] : zip(dims, *repeats)) {
    if (!self.at(bound[1]->range)
             .require({count, Relation::AtLeast, DimExpr(0), "a repeat of 'tile'"},
                      ir::BuildError::Value))
      return Value();
    apart.append({DimExpr(1), dim});
    wide.append({count, dim});
    whole.push_back(count * dim);
  }
  mlir::Value y = here().reshape(*x, apart);
  y = y ? here().broadcastTo(y, wide) : nullptr;
  y = y ? here().reshape(y, whole) : nullptr;
  return y ? Value(y) : Value();
}

/// expand(x, shape), where -1 keeps an extent.
std::optional<Value> Elaborator::Forms::expand() {
  auto *x = bound[0]->value.as<mlir::Value>();
  std::optional<Dims> shape = dimList(bound[1]->value);
  if (!x || !shape || !is_contained(*shape, DimExpr(-1)))
    return std::nullopt;
  Dims own = ir::dimsOf(x->getType());
  if (own.size() > shape->size())
    return std::nullopt;
  for (auto [mine, wanted] : zip(own, MutableArrayRef(*shape).take_back(own.size())))
    wanted = wanted == DimExpr(-1) ? mine : wanted;
  mlir::NamedAttrList attributes;
  attributes.set("shape", self.dimsAttr(*shape));
  mlir::Value y = here().create("expand", *x, attributes);
  return y ? Value(y) : Value();
}

std::optional<Value> Elaborator::Forms::nonzero() {
  mlir::Value mask = self.toTensor(bound[0]->value, std::nullopt, bound[0]->range);
  mlir::Value rows = mask ? self.positionsOf(mask, place) : nullptr;
  return rows ? Value(rows) : Value();
}

/// max(x, y) and min(x, y) of two tensors, element by element; of a scalar, which has no axes, and
/// a number or dimension too.
std::optional<Value> Elaborator::Forms::larger(StringRef op) {
  if (!bound[1] || bound[2])
    return std::nullopt;
  auto isScalar = [](const Value &value) {
    auto *tensor = value.as<mlir::Value>();
    return tensor && rankOf(*tensor) == 0;
  };
  const Value &x = bound[0]->value, &y = bound[1]->value;
  bool isOther = isScalar(x) && bound[1]->name.empty() && (y.isNumber() || y.as<DimExpr>());
  if (!y.as<mlir::Value>() && !isOther)
    return std::nullopt;
  Args both = {{"", bound[0]->value, bound[0]->range}, {"", bound[1]->value, bound[1]->range}};
  return self.callPrimitive(*self.primitives.find(op), both, place);
}

/// roll(x, shift, axis) with dimensions or integers that a call computes, or lists of shifts and
/// axes, one after another: element i of the result is (i - shift) modulo the extent of x.
std::optional<Value> Elaborator::Forms::roll() {
  auto *x = bound[0]->value.as<mlir::Value>();
  if (!x || (bound[1]->value.as<int64_t>() && bound[2]->value.as<int64_t>()))
    return std::nullopt;
  SmallVector<Value> shifts = elements(bound[1]->value), axes = elements(bound[2]->value);
  if (shifts.size() != axes.size())
    return self.fail(bound[1]->range, DiagCode::BadArgument,
                     "'roll' expected as many shifts as axes, got " + Twine(shifts.size()) +
                         " and " + Twine(axes.size()));
  mlir::Value y = *x;
  for (auto [shift, axis] : zip(shifts, axes)) {
    auto *known = axis.as<int64_t>();
    bool isInteger = shift.asDim().has_value();
    if (auto *tensor = shift.as<mlir::Value>())
      isInteger = rankOf(*tensor) == 0 && ir::elementType(&self.context, DType::I64) ==
                                              mlir::getElementTypeOrSelf(tensor->getType());
    if (!known || !isInteger)
      return std::nullopt; // the op's own complaint
    int64_t which = ir::normalizedAxes({*known}, rankOf(y))[0];
    if (which < 0 || which >= rankOf(y))
      return self.fail(bound[2]->range, DiagCode::OpError,
                       "'roll' expected an axis of " + ir::typeText(y.getType()) + ", got " +
                           Twine(*known));
    mlir::NamedAttrList attributes;
    attributes.set("axis", self.builder.getI64IntegerAttr(which));
    if (auto *fixed = shift.as<int64_t>()) {
      attributes.set("shift", self.builder.getI64IntegerAttr(*fixed));
      y = here().create("roll", {y}, attributes);
      if (!y)
        return Value();
      continue;
    }
    DimExpr extent = ir::dimsOf(y.getType())[which];
    Value from = self.binary(
        TokenKind::Percent,
        self.binary(TokenKind::Minus, Value(self.multiples(1, extent, place)), shift, place),
        Value::dim(extent), place);
    auto *where = from.as<mlir::Value>();
    if (!where)
      return Value();
    y = here().create("take", {y, *where}, attributes);
    if (!y)
      return Value();
  }
  return Value(y);
}

/// clamp(x, min, max) where a bound is no number: min(max(x, min), max), element by element.
std::optional<Value> Elaborator::Forms::clamp() {
  auto isWider = [](const Arg *arg) {
    return arg &&
           (arg->value.as<mlir::Value>() || arg->value.as<DimExpr>() || spellsTensor(arg->value));
  };
  auto *x = bound[0]->value.as<mlir::Value>();
  if (!x || !(isWider(bound[1]) || isWider(bound[2])))
    return std::nullopt;
  mlir::Value y = *x;
  std::optional<DType> type = ir::dtypeOf(y.getType());
  for (auto [arg, name] : {std::pair(bound[1], "maximum"), std::pair(bound[2], "minimum")}) {
    if (!arg)
      continue;
    mlir::Value limit = self.toTensor(arg->value, type, arg->range);
    y = limit ? here().elementwise(name, {y, limit}) : nullptr;
    if (!y)
      return Value();
  }
  return Value(y);
}

/// argmax(x) and argmin(x): the position in x as one row of elements.
std::optional<Value> Elaborator::Forms::flat(const Primitive &primitive) {
  auto *x = bound[0]->value.as<mlir::Value>();
  if (!x || bound[1])
    return std::nullopt;
  DimExpr count(1);
  for (const DimExpr &extent : ir::dimsOf(x->getType()))
    count = count * extent;
  mlir::Value row = here().reshape(*x, count);
  if (!row)
    return Value();
  Args args = {{"x", row, bound[0]->range}, {"axis", int64_t(0), place}};
  Value position = self.callPrimitive(primitive, args, place);
  auto *y = position.as<mlir::Value>();
  auto *keeps = bound[2] ? bound[2]->value.as<bool>() : nullptr;
  if (!y || !keeps || !*keeps)
    return position;
  mlir::Value kept = here().reshape(*y, Dims(rankOf(*x), DimExpr(1)));
  return kept ? Value(kept) : Value();
}

/// full(shape, value) with a tensor, whose type it keeps unless another one is given, or a
/// dimension.
std::optional<Value> Elaborator::Forms::full() {
  auto *tensor = bound[1]->value.as<mlir::Value>();
  std::optional<Dims> shape = dimList(bound[0]->value);
  auto *given = bound[2] ? bound[2]->value.as<DType>() : nullptr;
  if (!shape || !(tensor || bound[1]->value.as<DimExpr>()) || (bound[2] && !given))
    return std::nullopt;
  mlir::Value value = self.toTensor(bound[1]->value, std::nullopt, bound[1]->range);
  if (value && (given || !tensor))
    value = here().cast(value, given ? *given : DType::F32);
  mlir::Value y = value ? here().broadcastTo(value, *shape) : nullptr;
  return y ? Value(y) : Value();
}

/// arange(count, start, step) where a dimension or a tensor tells the start or the step:
/// start + i * step, in the type of the tensors.
std::optional<Value> Elaborator::Forms::arange() {
  std::optional<DimExpr> count = bound[0]->value.asDim();
  auto *given = bound[3] ? bound[3]->value.as<DType>() : nullptr;
  auto isWider = [](const Arg *arg) {
    return arg && (arg->value.as<mlir::Value>() || arg->value.as<DimExpr>());
  };
  if (!count || !(isWider(bound[1]) || isWider(bound[2])) || (bound[3] && !given))
    return std::nullopt;
  DType type = DType::I64;
  for (const Arg *arg : {bound[1], bound[2]}) {
    auto *tensor = arg ? arg->value.as<mlir::Value>() : nullptr;
    if (tensor && rankOf(*tensor) != 0)
      return std::nullopt; // the op's own complaint
    if (tensor)
      type = *ir::dtypeOf(tensor->getType());
    else if (arg && arg->value.as<double>() && !isFloat(type))
      type = DType::F32;
  }
  mlir::Value positions = self.multiples(1, *count, place);
  Value y = positions ? Value(here().cast(positions, type)) : Value();
  if (bound[2])
    y = self.binary(TokenKind::Star, y, bound[2]->value, bound[2]->range);
  if (bound[1])
    y = self.binary(TokenKind::Plus, bound[1]->value, y, bound[1]->range);
  auto *made = y.as<mlir::Value>();
  if (!made)
    return Value();
  mlir::Value cast = given ? here().cast(*made, *given) : *made;
  return cast ? Value(cast) : Value();
}

/// attention on [B, T, D] or [T, D], which has one head.
std::optional<Value> Elaborator::Forms::attention(const Primitive &primitive) {
  Args args;
  int64_t rank = 0;
  for (auto [slot, arg] : zip(primitive.slots, bound)) {
    if (!arg)
      continue;
    args.push_back(*arg);
    args.back().name = slot.name;
    auto *tensor = arg->value.as<mlir::Value>();
    bool isMain = args.size() <= 3;
    if (!tensor && isMain)
      return std::nullopt;
    if (isMain && args.size() > 1 && rankOf(*tensor) != rank)
      return std::nullopt;
    if (args.size() == 1)
      rank = rankOf(*tensor);
    if (rank != 2 && rank != 3)
      return std::nullopt;
    if (!tensor || !(isMain || (slot.name == "mask" && rankOf(*tensor) == 3)))
      continue;
    Dims dims = ir::dimsOf(tensor->getType());
    dims.insert(dims.end() - 2, isMain ? 4 - rank : 1, DimExpr(1));
    args.back().value = self.at(arg->range).reshape(*tensor, dims);
  }
  Value result = self.callPrimitive(primitive, args, place);
  auto *heads = result.as<mlir::Value>();
  if (!heads)
    return Value();
  Dims dims = ir::dimsOf(heads->getType());
  dims.erase(dims.end() - 2 - (4 - rank), dims.end() - 2);
  mlir::Value y = here().reshape(*heads, dims);
  return y ? Value(y) : Value();
}

namespace {
/// A convolution of each channel with kernels of its own.
struct Depthwise {
  ir::TensorBuilder here;
  mlir::Value x, weight;
  Dims padding;
  ArrayRef<int64_t> stride, dilation;

  size_t spatial() const { return stride.size(); }
  int64_t taps(size_t i) const {
    return ir::dimsOf(weight.getType())[2 + i].constantValue().value_or(0);
  }
  /// How many results a channel has: at most 8, 0 if the kernels are not of this form.
  static int64_t resultsOf(ArrayRef<DimExpr> kernel, const DimExpr &channels) {
    for (int64_t count = 1; count <= 8; ++count)
      if (kernel[0] == channels * DimExpr(count) && kernel[1] == DimExpr(1))
        return count;
    return 0;
  }

  /// Each channel so many times, one behind the other.
  void repeatChannels(int64_t count) {
    Dims dims = ir::dimsOf(x.getType()), wide = dims, whole = dims;
    dims.insert(dims.begin() + 2, DimExpr(1));
    wide.insert(wide.begin() + 2, DimExpr(count));
    whole[1] = whole[1] * DimExpr(count);
    x = here.reshape(here.broadcastTo(here.reshape(x, dims), wide), whole);
  }
  bool pad(mlir::OpBuilder &builder) {
    Dims border(4, DimExpr(0));
    border.append(padding);
    mlir::NamedAttrList attributes;
    attributes.set("padding", ir::DimsAttr::get(builder.getContext(), border));
    attributes.set("value", builder.getF64FloatAttr(0));
    x = here.create("pad", x, attributes);
    return x != nullptr;
  }
  /// The products with one element of each kernel.
  mlir::Value tap(ArrayRef<int64_t> at, ArrayRef<DimExpr> sizes) {
    Dims dims = ir::dimsOf(x.getType());
    SmallVector<ir::AxisPart> from = {{0, dims[0]}, {0, dims[1]}}, of = {{0, dims[1]}, {0, 1}};
    for (auto [i, position] : enumerate(at)) {
      from.push_back({position * dilation[i], sizes[i], stride[i]});
      of.push_back({position, 1});
    }
    mlir::Value part = here.slice(x, from), factor = here.slice(weight, of);
    Dims perChannel(1 + spatial(), DimExpr(1));
    perChannel[0] = dims[1];
    factor = factor ? here.reshape(factor, perChannel) : nullptr;
    return part && factor ? here.elementwise("mul", {part, factor}) : nullptr;
  }
  mlir::Value sum() {
    Dims dims = ir::dimsOf(x.getType()), sizes;
    for (size_t i = 0; i < spatial(); ++i) {
      DimExpr room = dims[2 + i] - DimExpr((taps(i) - 1) * dilation[i] + 1);
      if (!here.require({room, Relation::AtLeast, 0, "the room of a kernel in the padded x"}))
        return nullptr;
      sizes.push_back(DimExpr::floorDiv(room, DimExpr(stride[i])) + DimExpr(1));
    }
    mlir::Value total;
    SmallVector<int64_t> at(spatial(), 0);
    for (bool isLast = false; !isLast;) {
      mlir::Value product = tap(at, sizes);
      total = product && total ? here.elementwise("add", {total, product}) : product;
      if (!total)
        return nullptr;
      size_t i = spatial();
      while (i > 0 && ++at[i - 1] == taps(i - 1))
        at[--i] = 0;
      isLast = i == 0;
    }
    return total;
  }
};
} // namespace

/// conv1d, conv2d and conv3d with as many groups as channels, where only a call tells how many: the
/// sum of the products with each of at most 64 elements of the kernels, in f32 or more.
std::optional<Value> Elaborator::Forms::depthwise(const Primitive &primitive) {
  const Arg *groups = bound.back(), *bias = bound[2];
  auto *channels = groups ? groups->value.as<DimExpr>() : nullptr;
  auto *x = bound[0]->value.as<mlir::Value>(), *weight = bound[1]->value.as<mlir::Value>();
  auto *shift = bias ? bias->value.as<mlir::Value>() : nullptr;
  if (!channels || !x || !weight || (bias && !shift))
    return std::nullopt;
  Dims image = ir::dimsOf(x->getType()), kernel = ir::dimsOf(weight->getType());
  std::optional<DType> type = ir::dtypeOf(x->getType());
  mlir::NamedAttrList attributes;
  for (StringRef name : {"stride", "dilation", "padding"})
    for (auto [slot, arg] : zip(primitive.slots, bound))
      if (slot.name == name)
        if (mlir::Attribute made =
                self.attribute(slot, arg ? arg->value : self.defaultValue(slot),
                               arg ? arg->range : place, {*x, *weight}, attributes))
          attributes.set(name, made);
  auto stride = mlir::dyn_cast_or_null<mlir::DenseI64ArrayAttr>(attributes.get("stride"));
  auto dilation = mlir::dyn_cast_or_null<mlir::DenseI64ArrayAttr>(attributes.get("dilation"));
  auto padding = mlir::dyn_cast_or_null<ir::DimsAttr>(attributes.get("padding"));
  auto isPositive = [](int64_t number) { return number > 0; };
  if (!stride || !dilation || !padding || image.size() != stride.asArrayRef().size() + 2 ||
      kernel.size() != image.size() || image[1] != *channels || !type || !isFloat(*type) ||
      type != ir::dtypeOf(weight->getType()) || !all_of(stride.asArrayRef(), isPositive) ||
      !all_of(dilation.asArrayRef(), isPositive))
    return std::nullopt;
  int64_t results = Depthwise::resultsOf(kernel, *channels), taps = 1;
  for (const DimExpr &extent : ArrayRef(kernel).drop_front(2))
    taps *= std::clamp<int64_t>(extent.constantValue().value_or(0), 0, 65);
  if (results == 0 || taps < 1 || taps > 64)
    return std::nullopt;
  DType wide = *type == DType::F64 ? DType::F64 : DType::F32;
  Depthwise each{
      here(),  here().cast(*x, wide), here().cast(*weight, wide), Dims(padding.getDims()), stride,
      dilation};
  if (results > 1)
    each.repeatChannels(results);
  mlir::Value y = each.pad(self.builder) ? each.sum() : nullptr;
  if (y && shift) {
    Dims alone(image.size() - 1, DimExpr(1));
    alone[0] = kernel[0];
    mlir::Value row = here().reshape(here().cast(*shift, wide), alone);
    y = row ? here().elementwise("add", {y, row}) : nullptr;
  }
  y = y ? here().cast(y, *type) : nullptr;
  return y ? Value(y) : Value();
}

/// arange(start, stop, step) as a count, a start and a step; false if those are no numbers or
/// dimensions.
static bool countSteps(Args &args, ir::DimScope &scope) {
  Value start = args[0].value, stop = args[1].value;
  size_t given = args.size() > 2 && args[2].name.empty() ? 3 : 2;
  auto byName = find_if(args, [](const Arg &arg) { return arg.name == "step"; });
  Value step = given == 3 ? args[2].value : byName != args.end() ? byName->value : int64_t(1);
  auto numberOf = [](const Value &value) {
    return value.as<int64_t>()  ? static_cast<double>(*value.as<int64_t>())
           : value.as<double>() ? *value.as<double>()
                                : std::nan("");
  };
  std::optional<DimExpr> from = start.asDim(), to = stop.asDim();
  auto *stride = step.as<int64_t>();
  DimExpr count;
  bool isFloat = false;
  if (from && to && stride && *stride != 0 && *stride != INT64_MIN) {
    DimExpr distance = *stride > 0 ? *to - *from : *from - *to;
    DimBounds range = scope.requirements().boundsOf(distance);
    if (!range.lower || *range.lower < 0)
      distance = DimExpr::max(distance, 0);
    count = DimExpr::floorDiv(distance + (std::abs(*stride) - 1), std::abs(*stride));
  } else {
    double steps = std::ceil((numberOf(stop) - numberOf(start)) / numberOf(step));
    if (!(std::fabs(steps) <= maxRounds))
      return false;
    count = static_cast<int64_t>(std::max(steps, 0.0));
    isFloat = true;
  }
  Arg first = args[0];
  std::vector<Arg> others(args.begin() + given, args.end());
  auto has = [&](StringRef name) {
    return any_of(others, [&](const Arg &arg) { return arg.name == name; });
  };
  SMRange stepPlace = given == 3 ? args[2].range : first.range;
  args = {{"", Value::dim(count), first.range}, {"start", start, first.range}};
  if (given == 3)
    args.push_back({"step", step, stepPlace});
  if (isFloat && !has("dtype"))
    args.push_back({"dtype", DType::F32, first.range});
  args.insert(args.end(), others.begin(), others.end());
  return true;
}

/// PyTorch's order `gather(x, 1, indices)`, `scatter(x, 1, indices, src)`: a number in front of the
/// positions is the axis, which the op takes by name.
static void axisLast(const Primitive &primitive, Args &args, size_t given) {
  ArrayRef<Primitive::Slot> slots = primitive.slots;
  bool takesAxis = slots.size() > 2 && slots[1].name == "indices" && slots.back().byName &&
                   slots.back().name == "axis";
  if (!takesAxis || given != slots.size() || !args[1].value.as<int64_t>())
    return;
  args[1].name = "axis";
  std::rotate(args.begin() + 1, args.begin() + 2, args.begin() + given);
}

/// Calls with more positional arguments than the op has: `arange(start, stop, step)` becomes the
/// op's own, `transpose(x, a, b)` a permutation.
std::optional<Value> Elaborator::respelled(const Primitive &primitive, Args &args, SMRange place) {
  StringRef name = primitive.op.stripDialect();
  size_t given = count_if(args, [](const Arg &arg) { return arg.name.empty(); });
  if (name == "arange" && given == 4 && args[3].value.as<DType>()) // NumPy's order
    args[3].name = "dtype", given = 3;
  axisLast(primitive, args, given);
  if (name == "arange" && (given == 2 || given == 3) && !countSteps(args, scope))
    return fail(place, DiagCode::BadArgument,
                "'arange' expected numbers or dimensions from the start to the stop, by a step "
                "other than 0; 'arange(count, start = x)' takes what a call computes");
  if (name != "transpose" || given != 3 || args.size() != 3 || !args[0].value.as<mlir::Value>())
    return std::nullopt;
  mlir::Value x = *args[0].value.as<mlir::Value>();
  int64_t rank = rankOf(x);
  std::vector<Value> order;
  for (int64_t axis = 0; axis < rank; ++axis)
    order.push_back(axis);
  int64_t swapped[2];
  for (int i : {0, 1}) {
    auto *axis = args[1 + i].value.as<int64_t>();
    swapped[i] = axis ? ir::normalizedAxes({*axis}, rank)[0] : -1;
    if (swapped[i] < 0 || swapped[i] >= rank)
      return fail(args[1 + i].range, axis ? DiagCode::OpError : DiagCode::BadArgument,
                  "'transpose' expected an axis of " + ir::typeText(x.getType()) + ", got " +
                      describe(args[1 + i].value));
  }
  std::swap(order[swapped[0]], order[swapped[1]]);
  Args permuted = {args[0], {"", Value::list(std::move(order)), args[1].range}};
  return callPrimitive(*primitives.find("permute"), permuted, place);
}

std::optional<Value> Elaborator::widerForm(const Primitive &primitive, Bound bound, SMRange place) {
  StringRef name = primitive.op.stripDialect();
  Forms forms{*this, bound, place};
  bool isConvolution = is_contained({"conv1d", "conv2d", "conv3d"}, name);
  return name == "tile"        ? forms.tile()
         : name == "expand"    ? forms.expand()
         : name == "nonzero"   ? forms.nonzero()
         : name == "max"       ? forms.larger("maximum")
         : name == "min"       ? forms.larger("minimum")
         : name == "argmax"    ? forms.flat(primitive)
         : name == "argmin"    ? forms.flat(primitive)
         : name == "full"      ? forms.full()
         : name == "arange"    ? forms.arange()
         : name == "roll"      ? forms.roll()
         : name == "clamp"     ? forms.clamp()
         : name == "attention" ? forms.attention(primitive)
         : isConvolution       ? forms.depthwise(primitive)
                               : std::nullopt;
}
