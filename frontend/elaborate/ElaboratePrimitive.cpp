//===- ElaboratePrimitive.cpp - calls of primitive functions --------------===//
#include "frontend/elaborate/Elaborator.h"

#include "ir/KilnDialect.h"

#include <limits>

using namespace llvm;
using namespace kiln;

mlir::Attribute Elaborator::dimsAttr(ArrayRef<DimExpr> dims) {
  return ir::DimsAttr::get(&context, dims);
}

/// Operands whose numbers stand for themselves, whatever the tensors beside them are.
static bool standsApart(StringRef name) {
  return is_contained({"condition", "indices", "positions", "offsets", "key_length", "seed"}, name);
}

/// Tensors that stand last may be given one by one: makes a list of them.
static void packLast(const Primitive &primitive, Args &args) {
  size_t first = primitive.slots.size() - 1;
  if (primitive.slots.size() < 2 || !primitive.slots[first].variadic || args.size() <= first ||
      args[first].value.as<ListPtr>())
    return;
  auto end = std::find_if(args.begin() + first, args.end(),
                          [](const Arg &arg) { return !arg.name.empty(); });
  std::vector<Value> values;
  for (auto it = args.begin() + first; it != end; ++it)
    values.push_back(it->value);
  if (values.empty())
    return;
  args[first].value = Value::list(std::move(values));
  args.erase(args.begin() + first + 1, end);
}

/// What may be left out is, where None is given for it.
static void leaveOut(const Primitive &primitive, MutableArrayRef<const Arg *> bound) {
  for (auto [slot, arg] : zip(primitive.slots, bound))
    if (arg && arg->value.as<None>() && slot.optional)
      arg = nullptr;
}

/// What negative numbers of a padding leave of x, as PyTorch's `pad`; they become 0.
static mlir::Value cutBorders(ir::TensorBuilder here, mlir::Value x,
                              mlir::NamedAttrList &attributes) {
  auto padding = mlir::dyn_cast_or_null<ir::DimsAttr>(attributes.get("padding"));
  auto mode = mlir::dyn_cast_or_null<mlir::StringAttr>(attributes.get("mode"));
  Dims shape = ir::dimsOf(x.getType()), border = padding ? Dims(padding.getDims()) : Dims();
  if (border.size() != 2 * shape.size() || (mode && mode.getValue() != "constant"))
    return x;
  SmallVector<ir::AxisPart> parts;
  bool isCut = false;
  for (auto [axis, extent] : enumerate(shape)) {
    int64_t cut[2] = {0, 0};
    for (int side : {0, 1})
      if (auto known = border[2 * axis + side].constantValue(); known && *known < 0) {
        cut[side] = -*known;
        border[2 * axis + side] = DimExpr(0);
        isCut = true;
      }
    parts.push_back({cut[0], extent - DimExpr(cut[0]) - DimExpr(cut[1])});
  }
  if (!isCut)
    return x;
  attributes.set("padding", ir::DimsAttr::get(padding.getContext(), border));
  return here.slice(x, parts);
}

/// What an argument must be that is no attribute.
static std::string expectedOf(const Primitive::Slot &slot, const Value &value) {
  if (slot.kind == "shape" && value.as<ListPtr>())
    return "numbers and dimensions, which are known before a call";
  if (!value.as<mlir::Value>() && !value.as<DimExpr>())
    return slot.kind == "pads" ? "a pair [before, after] for each dimension" : slot.kind;
  return slot.kind + " that is known when compiled" +
         (slot.name == "groups" && value.as<DimExpr>() ? ", or the channels of x for kernels of one"
                                                       : "");
}

/// The list's first element that no shape can have, as a call alone knows it; else the value.
static Value firstTensor(const Value &value) {
  if (auto *list = value.as<ListPtr>())
    for (const Value &each : **list)
      if (each.as<mlir::Value>())
        return each;
  return value;
}

Value Elaborator::callPrimitive(const Primitive &primitive, Args &args, SMRange place) {
  SmallVector<Formal> formals;
  bool ofAll = is_contained({"argmax", "argmin"}, primitive.op.stripDialect());
  for (const Primitive::Slot &slot : primitive.slots)
    formals.push_back({slot.name, !slot.optional && !(ofAll && slot.name == "axis"), slot.byName});
  std::vector<const Arg *> bound;
  std::string name = inQuotes(primitive.op.stripDialect());
  bool takesList = !primitive.slots.empty() && primitive.slots[0].variadic;
  if (takesList && !args.empty() && args[0].name.empty() && args[0].value.as<mlir::Value>())
    return failWith(args[0].range, DiagCode::BadArgument,
                    name + " takes its tensors as a list: write " + primitive.op.stripDialect() +
                        "([a, b])",
                    Note{{}, "the function is " + primitive.signature});
  if (std::optional<Value> made = respelled(primitive, args, place))
    return *made;
  packLast(primitive, args);
  if (!bindArguments(formals, args, place, {name, {}, primitive.signature}, bound))
    return Value();
  leaveOut(primitive, bound);
  if (std::optional<Value> made = widerForm(primitive, bound, place))
    return *made;
  SmallVector<mlir::Value> operands;
  SmallVector<int32_t> segments;
  if (!gatherOperands(primitive, bound, place, operands, segments))
    return Value();
  if (primitive.op.getStringRef() == "kiln.matmul") {
    mlir::Value product = at(place).matmul(operands[0], operands[1]);
    return product ? Value(product) : Value();
  }
  mlir::NamedAttrList attributes;
  if (primitive.op.hasTrait<mlir::OpTrait::AttrSizedOperandSegments>())
    attributes.set("operandSegmentSizes", builder.getDenseI32ArrayAttr(segments));
  // Paddings and parts need strides and axes, so they come last.
  for (bool late : {false, true})
    for (auto [slot, arg] : zip(primitive.slots, bound)) {
      if (slot.isOperand() || late != (slot.kind == "padding" || slot.kind == "parts"))
        continue;
      if (!arg && slot.defaultText == "none")
        continue;
      SMRange at = arg ? arg->range : place;
      mlir::Attribute same = arg ? mlir::Attribute() : attributes.get(slot.defaultText);
      Value value = arg ? arg->value : defaultValue(slot);
      if (value.isError() && !same)
        return Value();
      unsigned before = diags.numErrors();
      mlir::Attribute made = same ? same : attribute(slot, value, at, operands, attributes);
      if (!made)
        return diags.numErrors() != before
                   ? Value()
                   : failWith(at, DiagCode::BadArgument,
                              inQuotes(slot.name) + " of " + name + ": expected " +
                                  expectedOf(slot, value) + ", got " + describe(firstTensor(value)),
                              Note{{}, "the function is " + primitive.signature});
      attributes.set(slot.name, made);
    }
  if (primitive.op.getStringRef() == "kiln.pad")
    operands[0] = cutBorders(at(place), operands[0], attributes);
  mlir::Operation *op = is_contained(operands, nullptr)
                            ? nullptr
                            : at(place).create(primitive.op, operands, attributes);
  if (!op)
    return Value();
  if (mlir::isa<ir::Counted>(op))
    return countedResults(op, place);
  if (op->getNumResults() == 1 && primitive.op.stripDialect() != "split")
    return op->getResult(0);
  std::vector<Value> results(op->result_begin(), op->result_end());
  return Results{*Value::list(std::move(results)).as<ListPtr>()};
}

/// Operands as tensors: numbers take the type of the first tensor beside them (one that stands
/// apart does not count), and those of elementwise functions are broadcast to one shape.
bool Elaborator::gatherOperands(const Primitive &primitive, ArrayRef<const Arg *> bound,
                                SMRange place, SmallVectorImpl<mlir::Value> &operands,
                                SmallVectorImpl<int32_t> &segments) {
  struct Given {
    Value value;
    SMRange range;
    bool isApart;
  };
  SmallVector<Given> given;
  for (auto [slot, arg] : zip(primitive.slots, bound)) {
    if (!slot.isOperand())
      continue;
    size_t before = given.size();
    if (arg && slot.variadic) {
      auto *list = arg->value.as<ListPtr>();
      if (!list) {
        fail(arg->range, DiagCode::TypeMismatch,
             inQuotes(slot.name) + " expected a list of tensors, got " + describe(arg->value));
        return false;
      }
      for (const Value &element : **list)
        given.push_back({element, arg->range, false});
    } else if (arg) {
      given.push_back({arg->value, arg->range, standsApart(slot.name)});
    }
    segments.push_back(static_cast<int32_t>(given.size() - before));
  }
  std::optional<DType> beside; // of the first tensor
  for (const Given &each : given)
    if (auto *tensor = each.value.as<mlir::Value>(); tensor && !each.isApart && !beside)
      beside = ir::dtypeOf(tensor->getType());
  SmallVector<ir::Operand> all, values; // the latter without those
  for (const Given &each : given) {
    std::optional<ir::Operand> made =
        operand(each.value, each.isApart ? std::nullopt : beside, each.range);
    if (!made)
      return false;
    all.push_back(*made);
    if (!each.isApart)
      values.push_back(*made);
  }
  std::optional<DType> like = ir::commonType(values);
  for (auto [each, made] : zip(given, all)) {
    mlir::Value tensor = at(each.range).tensor(made, each.isApart ? std::nullopt : like);
    if (!tensor)
      return false;
    operands.push_back(tensor);
  }
  bool elementwise = primitive.op.hasTrait<mlir::OpTrait::Elementwise>();
  return !elementwise || operands.size() < 2 || at(place).broadcastAll(operands);
}

/// The value of a default's text in a signature.
Value Elaborator::defaultValue(const Primitive::Slot &slot) {
  StringRef text = slot.defaultText;
  int64_t integer;
  double number;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (text.consume_front("'"))
    return text.drop_back().str();
  if (text == "true" || text == "false")
    return text == "true";
  if (text == "[]")
    return Value::list({});
  if (text == "inf" || text == "-inf")
    return text == "inf" ? infinity : -infinity;
  if (!text.getAsInteger(10, integer))
    return slot.kind == "float" ? Value(static_cast<double>(integer)) : Value(integer);
  if (!text.getAsDouble(number))
    return number;
  if (std::optional<DType> dtype = parseDType({text.data(), text.size()}))
    return *dtype;
  return text.str(); // "all", or the name of another attribute
}

std::optional<SmallVector<DimExpr>> kiln::dimList(const Value &value) {
  if (std::optional<DimExpr> single = value.asDim())
    return SmallVector<DimExpr>{*single};
  auto *list = value.as<ListPtr>();
  if (!list)
    return std::nullopt;
  SmallVector<DimExpr> dims;
  for (const Value &element : **list) {
    std::optional<DimExpr> dim = element.asDim();
    if (!dim)
      return std::nullopt;
    dims.push_back(*dim);
  }
  return dims;
}

static std::optional<SmallVector<int64_t>> integerList(const Value &value) {
  std::optional<SmallVector<DimExpr>> dims = dimList(value);
  if (!dims || !all_of(*dims, [](const DimExpr &dim) { return dim.isConstant(); }))
    return std::nullopt;
  return map_to_vector(*dims, [](const DimExpr &dim) { return *dim.constantValue(); });
}

/// A number, or a list of them.
static std::optional<SmallVector<double>> numberList(const Value &value) {
  auto *list = value.as<ListPtr>();
  SmallVector<double> numbers;
  for (const Value &element : list ? **list : std::vector<Value>{value}) {
    auto *integer = element.as<int64_t>();
    auto *number = element.as<double>();
    if (!integer && !number)
      return std::nullopt;
    numbers.push_back(integer ? static_cast<double>(*integer) : *number);
  }
  return numbers;
}

mlir::Attribute Elaborator::axisAttribute(const Primitive::Slot &slot, const Value &value,
                                          mlir::ValueRange operands) {
  if (operands.empty())
    return nullptr;
  int64_t rank = mlir::cast<mlir::RankedTensorType>(operands[0].getType()).getRank() +
                 (slot.kind == "new_axis");
  SmallVector<int64_t> axes;
  if (auto *text = value.as<std::string>(); text && *text == "all" && slot.kind == "axes")
    axes = to_vector(seq<int64_t>(0, rank));
  else if (std::optional<SmallVector<int64_t>> given = integerList(value);
           given && (slot.kind == "axes" || value.as<int64_t>()))
    axes = *given;
  else
    return nullptr;
  axes = ir::normalizedAxes(axes, rank);
  return slot.kind == "axes" ? mlir::Attribute(builder.getDenseI64ArrayAttr(axes))
                             : builder.getI64IntegerAttr(axes[0]);
}

/// The sizes of split(x, 3): that many equal parts of the axis, which must divide it.
std::optional<Dims> Elaborator::equalParts(int64_t count, SMRange place, mlir::ValueRange operands,
                                           const mlir::NamedAttrList &others) {
  auto axis = mlir::dyn_cast_or_null<mlir::IntegerAttr>(others.get("axis"));
  Dims shape = ir::dimsOf(operands[0].getType());
  if (count < 1 || count > maxRounds || !axis || axis.getInt() < 0 ||
      axis.getInt() >= static_cast<int64_t>(shape.size()))
    return std::nullopt;
  std::optional<DimExpr> part = at(place).equalPart(shape[axis.getInt()], count);
  return part ? std::optional(Dims(count, *part)) : std::nullopt;
}

mlir::Attribute Elaborator::attribute(const Primitive::Slot &slot, const Value &value,
                                      SMRange place, mlir::ValueRange operands,
                                      const mlir::NamedAttrList &others) {
  StringRef kind = slot.kind;
  auto *integer = value.as<int64_t>();
  auto *number = value.as<double>();
  if (kind == "int" || (kind == "number" && integer))
    return integer ? builder.getI64IntegerAttr(*integer) : nullptr;
  if (kind == "float" || kind == "number") {
    if (auto *flag = value.as<bool>(); flag && kind == "number")
      return builder.getI64IntegerAttr(*flag);
    return integer  ? builder.getF64FloatAttr(static_cast<double>(*integer))
           : number ? builder.getF64FloatAttr(*number)
                    : nullptr;
  }
  if (kind == "bool")
    return value.as<bool>() ? builder.getBoolAttr(*value.as<bool>()) : nullptr;
  if (kind == "str")
    return value.as<std::string>() ? builder.getStringAttr(*value.as<std::string>()) : nullptr;
  if (kind == "dtype")
    return value.as<DType>() ? mlir::TypeAttr::get(ir::elementType(&context, *value.as<DType>()))
                             : nullptr;
  if (kind == "axis" || kind == "new_axis" || kind == "axes")
    return axisAttribute(slot, value, operands);
  if (kind == "padding") {
    std::optional<Dims> padding = paddingOf(value, operands, others);
    return padding ? dimsAttr(*padding) : nullptr;
  }
  if (kind == "floats") {
    std::optional<SmallVector<double>> list = numberList(value);
    return list ? builder.getDenseF64ArrayAttr(*list) : nullptr;
  }
  size_t copies = kind == "single" ? 1 : kind == "pair" ? 2 : kind == "triple" ? 3 : 0;
  if (kind == "ints" || copies) {
    std::optional<SmallVector<int64_t>> list = integerList(value);
    if (!list || (copies && list->size() != 1 && list->size() != copies))
      return nullptr;
    if (copies && list->size() == 1)
      list->assign(copies, int64_t(list->front()));
    if (kind == "ints" && integer && !operands.empty()) // one number for each dimension
      list->assign(mlir::cast<mlir::RankedTensorType>(operands[0].getType()).getRank(), *integer);
    return builder.getDenseI64ArrayAttr(*list);
  }
  if (kind == "pads") {
    Dims flat;
    auto *pairs = value.as<ListPtr>();
    for (const Value &pair : pairs ? **pairs : std::vector<Value>()) {
      std::optional<Dims> two = dimList(pair);
      if (!two || two->size() != 2)
        return nullptr;
      flat.append(*two);
    }
    return pairs ? dimsAttr(flat) : nullptr;
  }
  std::optional<Dims> dims = dimList(value);
  if (!dims || (kind == "extent" && dims->size() != 1))
    return nullptr;
  if (kind == "parts" && value.asDim()) {
    dims = integer ? equalParts(*integer, place, operands, others) : std::nullopt;
    if (!dims)
      return nullptr;
  }
  if (kind == "shape" && slot.name == "shape" && operands.size() == 1)
    ir::fillOpenExtent(*dims, ir::dimsOf(operands[0].getType()));
  return dimsAttr(*dims);
}

/// A pair for each stride, [top, bottom, left, right] say, from a number, a number a dimension,
/// pairs, or "same", which growing images have not.
std::optional<Dims> Elaborator::paddingOf(const Value &value, mlir::ValueRange operands,
                                          const mlir::NamedAttrList &others) {
  auto stride = mlir::dyn_cast_or_null<mlir::DenseI64ArrayAttr>(others.get("stride"));
  size_t axes = stride ? stride.size() : 2;
  if (auto *text = value.as<std::string>())
    return *text == "same" && !others.get("output_padding") ? samePadding(operands, others)
                                                            : std::nullopt;
  if (std::optional<Dims> dims = dimList(value))
    return ir::evenPadding(*dims, axes);
  auto *pairs = value.as<ListPtr>();
  Dims flat;
  for (const Value &pair : pairs ? **pairs : std::vector<Value>()) {
    std::optional<Dims> two = dimList(pair);
    if (!two || two->size() != 2)
      return std::nullopt;
    flat.append(*two);
  }
  return flat.size() == 2 * axes ? std::optional(flat) : std::nullopt;
}

std::optional<Dims> Elaborator::samePadding(mlir::ValueRange operands,
                                            const mlir::NamedAttrList &others) {
  auto integers = [&](StringRef name) {
    auto list = mlir::dyn_cast_or_null<mlir::DenseI64ArrayAttr>(others.get(name));
    return list ? SmallVector<int64_t>(list.asArrayRef()) : SmallVector<int64_t>();
  };
  SmallVector<int64_t> kernel = integers("kernel_size"), dilation = integers("dilation");
  if (kernel.empty() && operands.size() > 1)
    for (auto [i, dim] : enumerate(ir::dimsOf(operands[1].getType())))
      if (i >= 2)
        kernel.push_back(dim.constantValue().value_or(0));
  if (dilation.empty())
    dilation.assign(kernel.size(), 1);
  return ir::samePadding(ir::dimsOf(operands[0].getType()), kernel, integers("stride"), dilation);
}
