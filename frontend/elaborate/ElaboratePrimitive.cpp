//===- ElaboratePrimitive.cpp - calls of primitive functions --------------===//
#include "frontend/elaborate/Elaborator.h"

#include "ir/Requirements.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "llvm/ADT/ScopeExit.h"

#include <limits>

using namespace llvm;
using namespace kiln;

mlir::Attribute Elaborator::dimsAttr(ArrayRef<DimExpr> dims) {
  return ir::DimsAttr::get(&context, dims);
}

mlir::Value Elaborator::createNamed(StringRef op, mlir::ValueRange operands,
                                    mlir::NamedAttrList attributes, SMRange place) {
  auto name = mlir::RegisteredOperationName::lookup(("kiln." + op).str(), &context);
  mlir::Operation *made = create(*name, operands, std::move(attributes), place);
  return made ? made->getResult(0) : mlir::Value();
}

/// Views operands under the extents that the op wants to be equal; false after an error.
bool Elaborator::align(mlir::RegisteredOperationName op, SmallVectorImpl<mlir::Value> &operands,
                       mlir::DictionaryAttr attributes, SMRange place) {
  auto *aligning = op.getInterface<ir::Aligning>();
  if (!aligning)
    return true;
  SmallVector<Dims> shapes =
      map_to_vector(operands, [](mlir::Value v) { return ir::dimsOf(v.getType()); });
  bool ok = true;
  aligning->alignShapes(
      shapes, attributes, [&](const DimExpr &got, const DimExpr &expected, StringRef subject) {
        std::string what = inQuotes(op.stripDialect()) + ": " + subject.str();
        return ok = require({got, Relation::Equal, expected, what}, place, {}, DiagCode::OpError);
      });
  for (auto [operand, shape] : zip(operands, shapes))
    if (ok && !(operand = assumeShape(operand, shape, place)))
      return false;
  return ok;
}

/// Infers the results' types, builds and verifies the op; its complaints become errors at `place`.
mlir::Operation *Elaborator::create(mlir::RegisteredOperationName op, mlir::ValueRange given,
                                    mlir::NamedAttrList attributes, SMRange place) {
  SmallVector<mlir::Value> operands(given);
  mlir::DictionaryAttr dictionary = attributes.getDictionary(&context);
  if (!align(op, operands, dictionary, place))
    return nullptr;
  mlir::Location loc = location(place);
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (message.empty())
      message = diagnostic.str();
    return mlir::success();
  });
  auto report = [&]() -> mlir::Operation * {
    StringRef text = message;
    std::string own = "'" + op.getStringRef().str() + "' op ";
    if (text.consume_front(own))
      text = text.trim();
    StringRef function = op.stripDialect();
    std::string prefix = text.starts_with("'") ? "" : inQuotes(function) + ": ";
    fail(place, DiagCode::OpError,
         text.empty() ? inQuotes(function) + " does not accept these arguments"
                      : prefix + text.str());
    return nullptr;
  };
  // Properties as shape inference wants them: the op's own struct, filled from the attributes.
  std::vector<std::max_align_t> storage(op.getOpPropertyByteSize() / sizeof(std::max_align_t) + 1);
  mlir::OpaqueProperties properties(op.getOpPropertyByteSize() ? storage.data() : nullptr);
  if (properties)
    op.initOpProperties(properties, mlir::OpaqueProperties(nullptr));
  llvm::scope_exit destroy([&] {
    if (properties)
      op.destroyOpProperties(properties);
  });
  auto emitError = [&] { return mlir::emitError(loc); };
  SmallVector<mlir::Type> types;
  auto *inference = op.getInterface<mlir::InferTypeOpInterface>();
  if ((properties &&
       failed(op.setOpPropertiesFromAttribute(op, properties, dictionary, emitError))) ||
      !inference ||
      failed(
          inference->inferReturnTypes(&context, loc, operands, dictionary, properties, {}, types)))
    return report();
  mlir::OperationState state(loc, op);
  state.addOperands(operands);
  state.addTypes(types);
  if (properties)
    state.propertiesAttr = dictionary;
  mlir::Operation *made = builder.create(state);
  if (failed(mlir::verify(made, /*verifyRecursively=*/false))) {
    made->erase();
    return report();
  }
  for (mlir::Type type : made->getResultTypes())
    if (!fitsMemory(*ir::dtypeOf(type), ir::dimsOf(type))) {
      fail(place, DiagCode::InvalidValue,
           inQuotes(op.stripDialect()) + ": a tensor is expected to take less than 1 TiB, got " +
               ir::typeText(type));
      return nullptr;
    }
  for (const Requirement &requirement : ir::requirementsOf(made))
    if (!require(requirement, place, {}, DiagCode::OpError))
      return nullptr;
  return made;
}

Value Elaborator::callPrimitive(const Primitive &primitive, std::vector<Arg> &args, SMRange place) {
  SmallVector<Formal> formals;
  for (const Primitive::Slot &slot : primitive.slots)
    formals.push_back({slot.name, !slot.optional, slot.byName});
  std::vector<const Arg *> bound;
  std::string name = inQuotes(primitive.op.stripDialect());
  bool takesList = !primitive.slots.empty() && primitive.slots[0].variadic;
  if (takesList && !args.empty() && args[0].name.empty() && args[0].value.as<mlir::Value>())
    return fail(args[0].range, DiagCode::BadArgument,
                name + " takes its tensors as a list: write " + primitive.op.stripDialect() +
                    "([a, b]); the function is " + primitive.signature);
  if (!bindArguments(formals, args, place, name, bound))
    return Value();
  SmallVector<mlir::Value> operands;
  SmallVector<int32_t> segments;
  if (!gatherOperands(primitive, bound, place, operands, segments))
    return Value();
  if (primitive.op.getStringRef() == "kiln.matmul")
    return matmul(operands[0], operands[1], place);
  mlir::NamedAttrList attributes;
  if (primitive.op.hasTrait<mlir::OpTrait::AttrSizedOperandSegments>())
    attributes.set("operandSegmentSizes", builder.getDenseI32ArrayAttr(segments));
  // Paddings and parts need strides and axes, so they come last.
  for (bool late : {false, true})
    for (auto [slot, arg] : zip(primitive.slots, bound)) {
      if (slot.isOperand() || late != (slot.kind == "padding" || slot.kind == "parts"))
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
                   : fail(at, DiagCode::BadArgument,
                          inQuotes(slot.name) + " of " + name + ": expected " +
                              StringRef(slot.kind) + ", got " + describe(value) +
                              "; the function is " + primitive.signature);
      attributes.set(slot.name, made);
    }
  mlir::Operation *op = create(primitive.op, operands, attributes, place);
  if (!op)
    return Value();
  if (op->getNumResults() == 1 && primitive.op.stripDialect() != "split")
    return op->getResult(0);
  std::vector<Value> results(op->result_begin(), op->result_end());
  return Results{*Value::list(std::move(results)).as<ListPtr>()};
}

/// Operands as tensors: numbers take the type of the first tensor beside them (a condition does not
/// count), and those of elementwise functions are broadcast to one shape.
bool Elaborator::gatherOperands(const Primitive &primitive, ArrayRef<const Arg *> bound,
                                SMRange place, SmallVectorImpl<mlir::Value> &operands,
                                SmallVectorImpl<int32_t> &segments) {
  struct Given {
    Value value;
    SMRange range;
    bool isCondition;
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
      given.push_back({arg->value, arg->range, slot.name == "condition"});
    }
    segments.push_back(static_cast<int32_t>(given.size() - before));
  }
  std::optional<DType> like;
  for (const Given &each : given)
    if (auto *tensor = each.value.as<mlir::Value>(); tensor && !each.isCondition && !like)
      like = ir::dtypeOf(tensor->getType());
  if (!like && any_of(given, [](const Given &each) { return each.value.as<double>(); }))
    like = DType::F32;
  for (const Given &each : given) {
    mlir::Value tensor = toTensor(each.value, each.isCondition ? std::nullopt : like, each.range);
    if (!tensor)
      return false;
    operands.push_back(tensor);
  }
  bool elementwise = primitive.op.hasTrait<mlir::OpTrait::Elementwise>();
  return !elementwise || operands.size() < 2 || broadcastAll(operands, place);
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
  for (int64_t &axis : axes)
    axis += axis < 0 ? rank : 0;
  return slot.kind == "axes" ? mlir::Attribute(builder.getDenseI64ArrayAttr(axes))
                             : builder.getI64IntegerAttr(axes[0]);
}

/// The sizes of split(x, 3): that many equal parts of the axis, which must divide it.
bool Elaborator::equalParts(Dims &dims, const int64_t *count, SMRange place,
                            mlir::ValueRange operands, const mlir::NamedAttrList &others) {
  auto axis = mlir::dyn_cast_or_null<mlir::IntegerAttr>(others.get("axis"));
  Dims shape = ir::dimsOf(operands[0].getType());
  if (!count || *count < 1 || *count > maxRounds || !axis || axis.getInt() < 0 ||
      axis.getInt() >= static_cast<int64_t>(shape.size()))
    return false;
  dims.assign(*count, DimExpr::floorDiv(shape[axis.getInt()], *count));
  if (dims[0] * DimExpr(*count) == shape[axis.getInt()])
    return true;
  std::string what = "'split': the extent, which " + std::to_string(*count) + " must divide";
  return require({shape[axis.getInt()], Relation::Equal, dims[0] * DimExpr(*count), what}, place);
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
  if (kind == "ints" || kind == "pair") {
    std::optional<SmallVector<int64_t>> list = integerList(value);
    if (!list || (kind == "pair" && list->size() > 2))
      return nullptr;
    if (kind == "pair" && list->size() == 1)
      list->push_back(list->front());
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
  if (kind == "parts" && value.asDim() && !equalParts(*dims, integer, place, operands, others))
    return nullptr;
  if (kind == "shape" && slot.name == "shape" && operands.size() == 1) { // -1: what is left
    auto *open = find(*dims, DimExpr(-1));
    if (open != dims->end()) {
      *open = 1;
      *open = DimExpr::floorDiv(ir::numElements(ir::dimsOf(operands[0].getType())),
                                ir::numElements(*dims));
    }
  }
  return dimsAttr(*dims);
}

/// [top, bottom, left, right] from a number, [vertical, horizontal], pairs, or "same".
std::optional<Dims> Elaborator::paddingOf(const Value &value, mlir::ValueRange operands,
                                          const mlir::NamedAttrList &others) {
  if (auto *text = value.as<std::string>())
    return *text == "same" ? samePadding(operands, others) : std::nullopt;
  if (std::optional<Dims> dims = dimList(value)) {
    if (dims->size() == 1)
      dims->push_back(dims->front());
    if (dims->size() != 2)
      return std::nullopt;
    return Dims{(*dims)[0], (*dims)[0], (*dims)[1], (*dims)[1]};
  }
  auto *pairs = value.as<ListPtr>();
  Dims flat;
  for (const Value &pair : pairs ? **pairs : std::vector<Value>()) {
    std::optional<Dims> two = dimList(pair);
    if (!two || two->size() != 2)
      return std::nullopt;
    flat.append(*two);
  }
  return flat.size() == 4 ? std::optional(flat) : std::nullopt;
}

/// Padding by which extents become ceil(n / stride); the odd element stands at the end. With the
/// kernel's reach k the total is max((ceil(n / stride) - 1) * stride + k - n, 0), which needs no
/// max where the reach is at least the stride.
std::optional<Dims> Elaborator::samePadding(mlir::ValueRange operands,
                                            const mlir::NamedAttrList &others) {
  auto integers = [&](StringRef name) {
    return mlir::dyn_cast_or_null<mlir::DenseI64ArrayAttr>(others.get(name));
  };
  Dims image = ir::dimsOf(operands[0].getType());
  SmallVector<int64_t> kernel;
  if (auto size = integers("kernel_size"))
    kernel.assign(size.asArrayRef().begin(), size.asArrayRef().end());
  else if (operands.size() > 1)
    for (auto [i, dim] : enumerate(ir::dimsOf(operands[1].getType())))
      if (i >= 2)
        kernel.push_back(dim.constantValue().value_or(0));
  auto stride = integers("stride"), dilation = integers("dilation");
  if (image.size() != 4 || kernel.size() != 2 || !stride || stride.size() != 2)
    return std::nullopt;
  Dims padding;
  for (int i = 0; i < 2; ++i) {
    int64_t s = stride[i], reach = (kernel[i] - 1) * (dilation ? dilation[i] : 1) + 1;
    if (s < 1 || reach < 1)
      return std::nullopt;
    DimExpr extent = DimExpr::floorDiv(image[2 + i] + (s - 1), s);
    DimExpr total = (extent - 1) * DimExpr(s) + reach - image[2 + i];
    if (reach < s) {
      total = DimExpr::max(total, 0);
    }
    DimExpr before = DimExpr::floorDiv(total, 2);
    padding.append({before, total - before});
  }
  return padding;
}
