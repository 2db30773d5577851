//===- ElaborateForms.cpp - what functions take beyond their ops' attributes ===//
//
// Counts, shifts and bounds that are dimensions, lists or tensors, and attention of fewer
// dimensions: what PyTorch's function of the name takes and the op has no attribute for becomes
// several ops.
//
//===----------------------------------------------------------------------===//
#include "frontend/elaborate/Elaborator.h"

#include "ir/KilnDialect.h"

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
  std::optional<Value> attention(const Primitive &primitive);
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

/// max(x, y) and min(x, y) of two tensors, element by element.
std::optional<Value> Elaborator::Forms::larger(StringRef op) {
  if (!bound[1] || !bound[1]->value.as<mlir::Value>() || bound[2])
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
    DimExpr extent = ir::dimsOf(y.getType())[which];
    Value from = self.binary(
        TokenKind::Percent,
        self.binary(TokenKind::Minus, Value(self.multiples(1, extent, place)), shift, place),
        Value::dim(extent), place);
    auto *where = from.as<mlir::Value>();
    if (!where)
      return Value();
    mlir::NamedAttrList attributes;
    attributes.set("axis", self.builder.getI64IntegerAttr(which));
    y = here().create("take", {y, *where}, attributes);
    if (!y)
      return Value();
  }
  return Value(y);
}

/// clamp(x, min, max) where a bound is no number: min(max(x, min), max), element by element.
std::optional<Value> Elaborator::Forms::clamp() {
  auto isWider = [](const Arg *arg) {
    return arg && (arg->value.as<mlir::Value>() || arg->value.as<DimExpr>() || tableOf(arg->value));
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

std::optional<Value> Elaborator::widerForm(const Primitive &primitive, Bound bound, SMRange place) {
  StringRef name = primitive.op.stripDialect();
  Forms forms{*this, bound, place};
  return name == "tile"        ? forms.tile()
         : name == "expand"    ? forms.expand()
         : name == "nonzero"   ? forms.nonzero()
         : name == "max"       ? forms.larger("maximum")
         : name == "min"       ? forms.larger("minimum")
         : name == "roll"      ? forms.roll()
         : name == "clamp"     ? forms.clamp()
         : name == "attention" ? forms.attention(primitive)
                               : std::nullopt;
}
