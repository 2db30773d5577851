//===- KilnDialect.cpp - dialect, attributes, types -----------------------===//

#include "ir/KilnDialect.h"
#include "ir/KilnOps.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

#include "ir/KilnDialect.cpp.inc"
#include "ir/KilnInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "ir/KilnAttrs.cpp.inc"

void KilnDialect::initialize() {
  weights = std::make_shared<WeightStore>();
  addOperations<
#define GET_OP_LIST
#include "ir/KilnOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "ir/KilnAttrs.cpp.inc"
      >();
}

Operation *KilnDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type,
                                            Location loc) {
  auto elements = dyn_cast<DenseElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, loc, type, elements);
}

//===----------------------------------------------------------------------===//
// #kiln.dims
//===----------------------------------------------------------------------===//

DimsAttr DimsAttr::get(MLIRContext *context, ArrayRef<DimExpr> dims) {
  SmallVector<StringAttr> texts;
  for (const DimExpr &dim : dims)
    texts.push_back(StringAttr::get(context, dim.str()));
  return get(context, texts);
}

SmallVector<DimExpr> DimsAttr::getDims() const {
  SmallVector<DimExpr> dims;
  for (StringAttr text : getTexts()) {
    int64_t value;
    if (!text.getValue().getAsInteger(10, value))
      dims.push_back(DimExpr(value));
    else
      dims.push_back(DimExpr::parse(text.getValue()).value_or(DimExpr(0)));
  }
  return dims;
}

/// Reads one polynomial, token by token, into its text.
static ParseResult parseDimText(AsmParser &parser, std::string &text) {
  int depth = 0;
  while (true) {
    APInt integer;
    StringRef name;
    if (OptionalParseResult number = parser.parseOptionalInteger(integer); number.has_value()) {
      if (failed(*number))
        return failure();
      SmallString<24> digits;
      integer.toStringSigned(digits);
      text += digits;
    } else if (succeeded(parser.parseOptionalKeyword(&name))) {
      text += name.str();
    } else if (succeeded(parser.parseOptionalPlus())) {
      text += "+";
    } else if (succeeded(parser.parseOptionalMinus())) {
      text += "-";
    } else if (succeeded(parser.parseOptionalStar())) {
      text += "*";
    } else if (succeeded(parser.parseOptionalSlash())) {
      if (parser.parseSlash())
        return failure();
      text += "//";
    } else if (succeeded(parser.parseOptionalLParen())) {
      text += "(";
      ++depth;
    } else if (depth > 0 && succeeded(parser.parseOptionalRParen())) {
      text += ")";
      --depth;
    } else {
      return success();
    }
  }
}

Attribute DimsAttr::parse(AsmParser &parser, Type) {
  SmallVector<DimExpr> dims;
  auto element = [&]() -> ParseResult {
    llvm::SMLoc loc = parser.getCurrentLocation();
    // A quoted form serves texts that the MLIR lexer would split wrongly ("//" starts a comment).
    std::string text;
    if (failed(parser.parseOptionalString(&text)) && parseDimText(parser, text))
      return failure();
    std::optional<DimExpr> dim = DimExpr::parse(text);
    if (!dim)
      return parser.emitError(loc, "expected a polynomial over dimension names, got '")
             << text << "'";
    dims.push_back(*dim);
    return success();
  };
  if (parser.parseLess() || parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, element) ||
      parser.parseGreater())
    return {};
  return get(parser.getContext(), dims);
}

/// Whether MLIR's lexer would split the text wrongly: "//" starts a comment, a minus wants a
/// number.
static bool needsQuotes(StringRef text) {
  bool minus = false;
  for (char c : text) {
    if (c == '/' || c == ',' || (minus && c != ' ' && !llvm::isDigit(c)))
      return true;
    minus = c == '-' || (minus && c == ' ');
  }
  return false;
}

void DimsAttr::print(AsmPrinter &printer) const {
  printer << "<[";
  llvm::interleaveComma(getTexts(), printer, [&](StringAttr text) {
    bool quote = needsQuotes(text.getValue());
    printer << (quote ? "\"" : "") << text.getValue() << (quote ? "\"" : "");
  });
  printer << "]>";
}

LogicalResult DimsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                       function_ref<InFlightDiagnostic()> emitError) const {
  SmallVector<DimExpr> dims = getDims();
  if (dims.size() != shape.size())
    return emitError() << "expected " << shape.size() << " extents in #kiln.dims, got "
                       << dims.size();
  for (auto [extent, dim] : llvm::zip(shape, dims)) {
    std::optional<int64_t> value = dim.constantValue();
    if (ShapedType::isDynamic(extent) == value.has_value() || (value && *value != extent))
      return emitError() << "extent '" << dim.str() << "' in #kiln.dims does not match the shape";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Type ir::elementType(MLIRContext *context, DType type) {
  Builder b(context);
  switch (type) {
  case DType::F64:
    return b.getF64Type();
  case DType::F32:
    return b.getF32Type();
  case DType::F16:
    return b.getF16Type();
  case DType::BF16:
    return b.getBF16Type();
  case DType::F8E4M3:
    return Float8E4M3FNType::get(context);
  case DType::F8E5M2:
    return Float8E5M2Type::get(context);
  case DType::I64:
    return b.getI64Type();
  case DType::I32:
    return b.getI32Type();
  case DType::I16:
    return b.getIntegerType(16);
  case DType::I8:
    return b.getI8Type();
  case DType::U8:
    return b.getIntegerType(8, /*isSigned=*/false);
  case DType::Bool:
    return b.getI1Type();
  }
  return {};
}

std::optional<DType> ir::dtypeOf(Type type) {
  if (auto shaped = dyn_cast<ShapedType>(type))
    type = shaped.getElementType();
  for (int i = 0; i < numDTypes; ++i)
    if (elementType(type.getContext(), static_cast<DType>(i)) == type)
      return static_cast<DType>(i);
  return std::nullopt;
}

RankedTensorType ir::tensorType(Type element, ArrayRef<DimExpr> dims) {
  SmallVector<int64_t> shape;
  bool dynamic = false;
  for (const DimExpr &dim : dims) {
    std::optional<int64_t> value = dim.constantValue();
    shape.push_back(value.value_or(ShapedType::kDynamic));
    dynamic |= !value;
  }
  Attribute encoding;
  if (dynamic)
    encoding = DimsAttr::get(element.getContext(), dims);
  return RankedTensorType::get(shape, element, encoding);
}

RankedTensorType ir::tensorType(MLIRContext *context, DType type, ArrayRef<DimExpr> dims) {
  return tensorType(elementType(context, type), dims);
}

SmallVector<DimExpr> ir::dimsOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  if (auto encoding = dyn_cast_or_null<DimsAttr>(tensor.getEncoding()))
    return encoding.getDims();
  return llvm::map_to_vector(tensor.getShape(), [](int64_t n) { return DimExpr(n); });
}

DimExpr ir::numElements(ArrayRef<DimExpr> dims) {
  DimExpr product(1);
  for (const DimExpr &dim : dims)
    product = product * dim;
  return product;
}

std::string ir::typeText(Type type) {
  std::optional<DType> dtype = dtypeOf(type);
  std::string text(dtype ? name(*dtype) : "?");
  SmallVector<DimExpr> dims = dimsOf(type);
  if (dims.empty())
    return text;
  return text + "[" +
         llvm::join(llvm::map_range(dims, [](const DimExpr &d) { return d.str(); }), ", ") + "]";
}

DimExpr::BoundsMap ir::declaredBounds(Operation *op) {
  DimExpr::BoundsMap map;
  auto dictionary = op->getAttrOfType<DictionaryAttr>("kiln.dims");
  if (!dictionary)
    return map;
  for (NamedAttribute entry : dictionary) {
    auto range = cast<DenseI64ArrayAttr>(entry.getValue());
    DimBounds bounds{range[0], std::nullopt};
    if (range.size() > 1)
      bounds.upper = range[1];
    map[entry.getName().str()] = bounds;
  }
  return map;
}

DimExpr::BoundsMap ir::enclosingBounds(Operation *op) {
  for (; op; op = op->getParentOp())
    if (op->hasAttr("kiln.dims"))
      return declaredBounds(op);
  return {};
}
