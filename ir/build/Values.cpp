//===- Values.cpp - numbers, dimensions and shapes as tensors -------------===//
#include "ir/Tensor.h"
#include "ir/Text.h"
#include "ir/build/TensorBuilder.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ir;

std::string ir::describe(const Number &number) {
  if (auto *integer = std::get_if<int64_t>(&number))
    return "the integer " + std::to_string(*integer);
  if (auto *flag = std::get_if<bool>(&number))
    return *flag ? "true" : "false";
  std::string text;
  raw_string_ostream(text) << "the float " << format("%g", std::get<double>(number));
  return text;
}

static bool isFraction(const Number &number) { return std::holds_alternative<double>(number); }

std::optional<DType> ir::commonType(ArrayRef<Operand> operands) {
  std::optional<DType> type;
  for (const Operand &operand : operands) {
    if (auto *tensor = std::get_if<mlir::Value>(&operand))
      return dtypeOf(tensor->getType());
    auto *number = std::get_if<Number>(&operand);
    auto *table = std::get_if<Table>(&operand);
    if (number ? isFraction(*number) : table && any_of(table->numbers, isFraction))
      type = DType::F32;
  }
  return type;
}

//===----------------------------------------------------------------------===//
// Numbers and dimensions
//===----------------------------------------------------------------------===//

/// The attribute of a number; null if it does not fit the type.
static mlir::Attribute contentOf(const Number &number, DType type, mlir::Builder &builder) {
  auto *integer = std::get_if<int64_t>(&number);
  if (auto *flag = std::get_if<bool>(&number))
    return type == DType::Bool ? builder.getI64IntegerAttr(*flag) : nullptr;
  if (isFloat(type)) {
    if (!integer) // rounded
      return builder.getF64FloatAttr(std::get<double>(number));
    APFloat narrow(static_cast<double>(*integer));
    bool loses = false;
    narrow.convert(
        mlir::cast<mlir::FloatType>(elementType(builder.getContext(), type)).getFloatSemantics(),
        APFloat::rmNearestTiesToEven, &loses);
    bool exact = !loses && static_cast<__int128>(static_cast<double>(*integer)) == *integer;
    return exact ? builder.getF64FloatAttr(static_cast<double>(*integer)) : nullptr;
  }
  if (!isInteger(type) || !integer)
    return nullptr;
  bool fits =
      type == DType::U8 ? *integer >= 0 && *integer < 256 : isIntN(8 * byteSize(type), *integer);
  return fits ? builder.getI64IntegerAttr(*integer) : nullptr;
}

static std::string doesNotFit(const Number &number, DType type) {
  return (Twine(describe(number)) + " does not fit " + name(type) +
          "; convert the tensor with 'as'")
      .str();
}

mlir::Value TensorBuilder::scalar(const Number &number, DType type) {
  mlir::Attribute content = contentOf(number, type, builder);
  if (!content)
    return fail(BuildError::Type, doesNotFit(number, type));
  mlir::NamedAttrList attributes;
  attributes.set("shape", dimsAttr({}));
  attributes.set("value", content);
  attributes.set("dtype", mlir::TypeAttr::get(elementType(builder.getContext(), type)));
  return create("full", {}, attributes);
}

mlir::Value TensorBuilder::table(const Table &table, DType type) {
  int64_t size = table.numbers.size() * byteSize(type);
  if (size > maxConstantBytes)
    return fail(BuildError::Value, "a list of " + std::to_string(table.numbers.size()) + " " +
                                       name(type) + " takes " + std::to_string(size) +
                                       " bytes, at most " + std::to_string(maxConstantBytes) +
                                       " stand in a model; declare a 'buffer'");
  Tensor value(type, table.shape);
  for (auto [i, number] : enumerate(table.numbers)) {
    mlir::Attribute content = contentOf(number, type, builder);
    if (!content)
      return fail(BuildError::Type, doesNotFit(number, type));
    if (auto fraction = mlir::dyn_cast<mlir::FloatAttr>(content))
      value.floats[i] = roundTo(type, fraction.getValueAsDouble());
    else
      value.ints[i] = mlir::cast<mlir::IntegerAttr>(content).getInt();
  }
  std::vector<uint8_t> bytes(size);
  value.toBytes(bytes.data());
  mlir::NamedAttrList attributes;
  attributes.set("value", constantOf(mlir::RankedTensorType::get(
                                         table.shape, elementType(builder.getContext(), type)),
                                     bytes));
  return create("constant", {}, attributes);
}

mlir::Value TensorBuilder::extent(const DimExpr &dim, std::optional<DType> like) {
  mlir::NamedAttrList attributes;
  attributes.set("value", dimsAttr(dim));
  mlir::Value made = create("extent", {}, attributes);
  if (!made || !like || *like == DType::I64)
    return made;
  if (!isFloat(*like))
    return fail(BuildError::Type, "the dimension " + inQuotes(dim.str()) + " is an i64 beside " +
                                      name(*like) + "; convert one with 'as'");
  return cast(made, *like);
}

mlir::Value TensorBuilder::cast(mlir::Value value, DType type) {
  if (dtypeOf(value.getType()) == type)
    return value;
  mlir::NamedAttrList attributes;
  attributes.set("dtype", mlir::TypeAttr::get(elementType(builder.getContext(), type)));
  return create("cast", value, attributes);
}

mlir::Value TensorBuilder::tensor(const Operand &operand, std::optional<DType> like) {
  if (auto *made = std::get_if<mlir::Value>(&operand))
    return *made;
  if (auto *dim = std::get_if<DimExpr>(&operand))
    return extent(*dim, like);
  constexpr DType alone[] = {DType::I64, DType::F32, DType::Bool}; // in the order of Number
  auto *list = std::get_if<Table>(&operand);
  const Number &number = list ? list->numbers.front() : std::get<Number>(operand);
  if (!like)
    like = commonType(operand).value_or(alone[number.index()]);
  return list ? table(*list, *like) : scalar(number, *like);
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

static std::string shapeText(ArrayRef<DimExpr> dims) {
  return "[" + join(map_range(dims, [](const DimExpr &dim) { return dim.str(); }), ", ") + "]";
}

std::optional<Dims> TensorBuilder::broadcastShape(ArrayRef<Dims> shapes) {
  size_t rank = 0;
  for (const Dims &shape : shapes)
    rank = std::max(rank, shape.size());
  Dims result(rank, DimExpr(1));
  for (const Dims &shape : shapes)
    for (auto [i, extent] : enumerate(shape)) {
      DimExpr &known = result[rank - shape.size() + i];
      if (known == DimExpr(1)) {
        known = extent;
      } else if (extent != DimExpr(1) && extent != known) {
        auto texts = map_range(shapes, [](const Dims &each) { return shapeText(each); });
        if (!require({extent, Relation::Equal, known,
                      "the shapes " + join(texts, " and ") + " do not match"}))
          return std::nullopt;
        if (extent.isConstant())
          known = extent;
      }
    }
  return result;
}

mlir::Value TensorBuilder::broadcastTo(mlir::Value value, ArrayRef<DimExpr> dims) {
  Dims own = dimsOf(value.getType());
  for (auto [mine, target] : zip(own, dims.take_back(own.size())))
    mine = mine == DimExpr(1) ? mine : target;
  value = reshape(value, own);
  if (!value || own == Dims(dims))
    return value;
  mlir::NamedAttrList attributes;
  attributes.set("shape", dimsAttr(dims));
  return create("broadcast_to", value, attributes);
}

mlir::Value TensorBuilder::reshape(mlir::Value value, ArrayRef<DimExpr> dims) {
  if (dimsOf(value.getType()) == Dims(dims))
    return value;
  mlir::NamedAttrList attributes;
  attributes.set("shape", dimsAttr(dims));
  return create("reshape", value, attributes);
}

bool TensorBuilder::broadcastAll(MutableArrayRef<mlir::Value> values) {
  SmallVector<Dims> shapes;
  for (mlir::Value value : values)
    shapes.push_back(dimsOf(value.getType()));
  std::optional<Dims> shape = broadcastShape(shapes);
  if (!shape)
    return false;
  for (mlir::Value &value : values)
    if (value = broadcastTo(value, *shape); !value)
      return false;
  return true;
}

mlir::Value TensorBuilder::matmul(mlir::Value a, mlir::Value b) {
  Dims da = dimsOf(a.getType()), db = dimsOf(b.getType());
  if (da.empty() || db.empty())
    return fail(BuildError::Shape, "'@' expected tensors of at least one dimension, got " +
                                       typeText(a.getType()) + " and " + typeText(b.getType()));
  bool row = da.size() == 1, column = db.size() == 1;
  if (row)
    da.insert(da.begin(), 1);
  if (column)
    db.push_back(1);
  a = reshape(a, da);
  b = reshape(b, db);
  std::string what = "the inner extents of " + shapeText(da) + " @ " + shapeText(db);
  DimExpr &inner = db[db.size() - 2];
  if (!a || !b || !require({inner, Relation::Equal, da.back(), what}))
    return nullptr;
  inner = da.back();
  b = reshape(b, db);
  if (a && b && db.size() > 2) {
    std::optional<Dims> batch =
        broadcastShape({Dims(ArrayRef(da).drop_back(2)), Dims(ArrayRef(db).drop_back(2))});
    if (!batch)
      return nullptr;
    auto whole = [&](const Dims &dims) {
      Dims all = *batch;
      all.append(dims.end() - 2, dims.end());
      return all;
    };
    a = broadcastTo(a, whole(da));
    b = broadcastTo(b, whole(db));
  }
  mlir::Value product = a && b ? create("matmul", {a, b}) : nullptr;
  if (!product)
    return nullptr;
  Dims dims = dimsOf(product.getType());
  if (column)
    dims.pop_back();
  if (row)
    dims.erase(dims.end() - (column ? 1 : 2));
  return reshape(product, dims);
}
