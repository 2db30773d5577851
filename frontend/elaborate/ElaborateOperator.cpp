//===- ElaborateOperator.cpp - operators, broadcasting, literals ----------===//
#include "frontend/elaborate/Elaborator.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>

using namespace llvm;
using namespace kiln;

namespace {
struct Operator {
  TokenKind kind;
  StringRef op;
};
} // namespace

static constexpr Operator operators[] = {{TokenKind::Plus, "add"},
                                         {TokenKind::Minus, "sub"},
                                         {TokenKind::Star, "mul"},
                                         {TokenKind::Slash, "div"},
                                         {TokenKind::SlashSlash, "floordiv"},
                                         {TokenKind::Percent, "mod"},
                                         {TokenKind::StarStar, "pow"},
                                         {TokenKind::At, "matmul"},
                                         {TokenKind::EqualEqual, "eq"},
                                         {TokenKind::NotEqual, "ne"},
                                         {TokenKind::Less, "lt"},
                                         {TokenKind::LessEqual, "le"},
                                         {TokenKind::Greater, "gt"},
                                         {TokenKind::GreaterEqual, "ge"},
                                         {TokenKind::Ampersand, "bitwise_and"},
                                         {TokenKind::Pipe, "bitwise_or"},
                                         {TokenKind::Caret, "bitwise_xor"},
                                         {TokenKind::ShiftLeft, "shift_left"},
                                         {TokenKind::ShiftRight, "shift_right"},
                                         {TokenKind::kw_and, "logical_and"},
                                         {TokenKind::kw_or, "logical_or"}};

Value Elaborator::binary(TokenKind op, const Value &lhs, const Value &rhs, SMRange place) {
  if (lhs.isError() || rhs.isError())
    return Value();
  auto *ta = lhs.as<mlir::Value>(), *tb = rhs.as<mlir::Value>();
  if (!lhs.isArithmetic() || !rhs.isArithmetic()) {
    if (auto *a = lhs.as<std::string>(), *b = rhs.as<std::string>();
        a && b && (op == TokenKind::EqualEqual || op == TokenKind::NotEqual))
      return (*a == *b) == (op == TokenKind::EqualEqual);
    if (auto *a = lhs.as<DType>(), *b = rhs.as<DType>();
        a && b && (op == TokenKind::EqualEqual || op == TokenKind::NotEqual))
      return (*a == *b) == (op == TokenKind::EqualEqual);
    if (auto *a = lhs.as<ListPtr>(), *b = rhs.as<ListPtr>(); a && b && op == TokenKind::Plus) {
      std::vector<Value> joined = **a;
      joined.insert(joined.end(), (*b)->begin(), (*b)->end());
      return Value::list(std::move(joined));
    }
    return fail(place, DiagCode::TypeMismatch,
                spelling(op) + " is not defined on " + describe(lhs) + " and " + describe(rhs));
  }
  if (!ta && !tb) {
    if (lhs.isNumber() && rhs.isNumber())
      return foldNumbers(op, lhs, rhs, place);
    std::optional<DimExpr> a = lhs.asDim(), b = rhs.asDim();
    if (a && b)
      if (Value folded = foldDims(op, *a, *b, place); !folded.isError())
        return folded;
  }
  std::optional<DType> like;
  if (ta || tb)
    like = ir::dtypeOf((ta ? *ta : *tb).getType());
  else if (lhs.as<double>() || rhs.as<double>())
    like = DType::F32; // a dimension beside a float
  mlir::Value a = toTensor(lhs, like, place), b = toTensor(rhs, like, place);
  if (!a || !b)
    return Value();
  if (op == TokenKind::At)
    return matmul(a, b, place);
  if (op == TokenKind::Slash && !isFloat(*ir::dtypeOf(a.getType())))
    return fail(place, DiagCode::TypeMismatch,
                "'/' is for floats, got " + ir::typeText(a.getType()) + "; '//' is floor division");
  mlir::Value both[] = {a, b};
  if (!broadcastAll(both, place))
    return Value();
  const Operator *found = find_if(operators, [&](const Operator &o) { return o.kind == op; });
  mlir::Value result = createNamed(found->op, both, {}, place);
  return result ? Value(result) : Value();
}

static Value compare(TokenKind op, auto a, auto b) {
  switch (op) {
  case TokenKind::EqualEqual:
    return a == b;
  case TokenKind::NotEqual:
    return a != b;
  case TokenKind::Less:
    return a < b;
  case TokenKind::LessEqual:
    return a <= b;
  case TokenKind::Greater:
    return a > b;
  case TokenKind::GreaterEqual:
    return a >= b;
  default:
    return Value();
  }
}

/// a ** b, a * b and the like on 64 bits; nothing on overflow or where undefined.
static std::optional<int64_t> foldIntegers(TokenKind op, int64_t a, int64_t b) {
  int64_t r = 0;
  bool zero = b == 0, overflow = a == INT64_MIN && b == -1;
  switch (op) {
  case TokenKind::Plus:
    return __builtin_add_overflow(a, b, &r) ? std::nullopt : std::optional(r);
  case TokenKind::Minus:
    return __builtin_sub_overflow(a, b, &r) ? std::nullopt : std::optional(r);
  case TokenKind::Star:
    return __builtin_mul_overflow(a, b, &r) ? std::nullopt : std::optional(r);
  case TokenKind::SlashSlash:
    return zero || overflow ? std::nullopt
                            : std::optional(a / b - (a % b != 0 && (a < 0) != (b < 0)));
  case TokenKind::Percent:
    return zero || overflow ? std::nullopt : std::optional((a % b + b) % b);
  case TokenKind::Ampersand:
    return a & b;
  case TokenKind::Pipe:
    return a | b;
  case TokenKind::Caret:
    return a ^ b;
  case TokenKind::ShiftLeft:
    return b < 0 || b > 63 ? 0 : static_cast<int64_t>(static_cast<uint64_t>(a) << b);
  case TokenKind::ShiftRight:
    return a >> (b < 0 || b > 63 ? 63 : b);
  case TokenKind::StarStar:
    if (b < 0)
      return std::nullopt;
    for (r = 1; b; b >>= 1) {
      if ((b & 1) && __builtin_mul_overflow(r, a, &r))
        return std::nullopt;
      if (b > 1 && __builtin_mul_overflow(a, a, &a))
        return std::nullopt;
    }
    return r;
  default:
    return std::nullopt;
  }
}

Value Elaborator::foldNumbers(TokenKind op, const Value &lhs, const Value &rhs, SMRange place) {
  auto *a = lhs.as<int64_t>(), *b = rhs.as<int64_t>();
  auto undefined = [&] {
    return fail(place, DiagCode::TypeMismatch,
                spelling(op) + " is not defined on " + describe(lhs) + " and " + describe(rhs));
  };
  if (auto *p = lhs.as<bool>(), *q = rhs.as<bool>(); p || q) {
    if (!p || !q)
      return undefined();
    if (op == TokenKind::kw_and || op == TokenKind::kw_or)
      return op == TokenKind::kw_and ? *p && *q : *p || *q;
    return op == TokenKind::EqualEqual ? Value(*p == *q)
           : op == TokenKind::NotEqual ? Value(*p != *q)
                                       : undefined();
  }
  double x = a ? static_cast<double>(*a) : *lhs.as<double>(),
         y = b ? static_cast<double>(*b) : *rhs.as<double>();
  if (Value result = a && b ? compare(op, *a, *b) : compare(op, x, y); !result.isError())
    return result;
  if (op == TokenKind::kw_and || op == TokenKind::kw_or || op == TokenKind::At)
    return undefined();
  if (a && b) {
    if (op == TokenKind::Slash)
      return fail(place, DiagCode::TypeMismatch,
                  "'/' is for floats, got two integers; '//' is floor division");
    std::optional<int64_t> result = foldIntegers(op, *a, *b);
    return result ? Value(*result)
                  : fail(place, DiagCode::InvalidValue,
                         *b == 0 ? "division by zero"
                                 : "the result does not fit an integer of 64 bits");
  }
  switch (op) {
  case TokenKind::Plus:
    return x + y;
  case TokenKind::Minus:
    return x - y;
  case TokenKind::Star:
    return x * y;
  case TokenKind::Slash:
    return x / y;
  case TokenKind::SlashSlash:
    return std::floor(x / y);
  case TokenKind::Percent:
    return x - y * std::floor(x / y);
  case TokenKind::StarStar:
    return std::pow(x, y);
  default:
    return undefined();
  }
}

/// Arithmetic that stays a polynomial, and comparisons that can be proved; the empty value else.
Value Elaborator::foldDims(TokenKind op, const DimExpr &a, const DimExpr &b, SMRange place) {
  std::optional<int64_t> constant = b.constantValue();
  switch (op) {
  case TokenKind::Plus:
    return Value::dim(a + b);
  case TokenKind::Minus:
    return Value::dim(a - b);
  case TokenKind::Star:
    return Value::dim(a * b);
  case TokenKind::SlashSlash:
  case TokenKind::Percent:
    if (constant == 0)
      return Value();
    return Value::dim(op == TokenKind::Percent ? DimExpr::mod(a, b) : DimExpr::floorDiv(a, b));
  case TokenKind::StarStar: {
    if (!constant || *constant < 0 || *constant > 8)
      return Value();
    DimExpr power(1);
    for (int64_t i = 0; i < *constant; ++i)
      power = power * a;
    return Value::dim(power);
  }
  default:
    break;
  }
  DimBounds range = (a - b).bounds(bounds);
  if (!range.lower || !range.upper || *range.lower == *range.upper) {
    if (a == b)
      return compare(op, 0, 0);
  }
  bool above = range.lower && *range.lower > 0, below = range.upper && *range.upper < 0;
  if (above || below)
    return compare(op, above ? 1 : -1, 0);
  if (op == TokenKind::GreaterEqual && range.lower && *range.lower >= 0)
    return true;
  if (op == TokenKind::LessEqual && range.upper && *range.upper <= 0)
    return true;
  return Value();
}

/// A scalar of a compile-time number; reports if the number does not fit the type exactly.
mlir::Value Elaborator::scalar(const Value &value, DType type, SMRange place) {
  mlir::Attribute content;
  auto *integer = value.as<int64_t>();
  if (auto *flag = value.as<bool>()) {
    if (type == DType::Bool)
      content = builder.getI64IntegerAttr(*flag);
  } else if (isFloat(type)) {
    double number = integer ? static_cast<double>(*integer) : *value.as<double>();
    bool exact = true;
    if (integer) { // a float literal is rounded, an integer is exact or refused
      APFloat narrow(number);
      bool loses = false;
      narrow.convert(
          mlir::cast<mlir::FloatType>(ir::elementType(&context, type)).getFloatSemantics(),
          APFloat::rmNearestTiesToEven, &loses);
      exact = !loses && static_cast<__int128>(number) == *integer;
    }
    if (exact)
      content = builder.getF64FloatAttr(number);
  } else if (isInteger(type) && integer) {
    unsigned bits = 8 * byteSize(type);
    bool fits = type == DType::U8 ? *integer >= 0 && *integer < 256 : isIntN(bits, *integer);
    if (fits)
      content = builder.getI64IntegerAttr(*integer);
  }
  if (!content) {
    fail(place, DiagCode::TypeMismatch,
         describe(value) + " does not fit " + name(type) + "; convert the tensor with 'as'");
    return nullptr;
  }
  mlir::NamedAttrList attributes;
  attributes.set("shape", dimsAttr({}));
  attributes.set("value", content);
  attributes.set("dtype", mlir::TypeAttr::get(ir::elementType(&context, type)));
  return createNamed("full", {}, attributes, place);
}

mlir::Value Elaborator::toTensor(const Value &value, std::optional<DType> like, SMRange place) {
  if (auto *tensor = value.as<mlir::Value>())
    return *tensor;
  if (frame->inLayer) {
    fail(place, DiagCode::NotCompileTime, "a tensor is not known when the model is compiled");
    return nullptr;
  }
  if (auto *weight = value.as<Weight *>())
    return get(*weight, place);
  if (auto *dim = value.as<DimExpr>()) {
    mlir::NamedAttrList attributes;
    attributes.set("value", dimsAttr(*dim));
    mlir::Value extent = createNamed("extent", {}, attributes, place);
    if (!extent || !like || *like == DType::I64)
      return extent;
    if (!isFloat(*like)) {
      fail(place, DiagCode::TypeMismatch,
           "the dimension " + inQuotes(dimText(*dim)) + " is an i64 beside " + name(*like) +
               "; convert one with 'as'");
      return nullptr;
    }
    mlir::NamedAttrList to;
    to.set("dtype", mlir::TypeAttr::get(ir::elementType(&context, *like)));
    return createNamed("cast", extent, to, place);
  }
  if (value.isNumber()) {
    DType alone = value.as<int64_t>() ? DType::I64 : value.as<double>() ? DType::F32 : DType::Bool;
    return scalar(value, like.value_or(alone), place);
  }
  if (!value.isError())
    fail(place, DiagCode::TypeMismatch, "expected a tensor, got " + describe(value));
  return nullptr;
}

static std::string shapeText(ArrayRef<DimExpr> dims) {
  return "[" + join(map_range(dims, dimText), ", ") + "]";
}

/// NumPy's common shape. Extents that may differ are compared at entry; only the constant 1 is
/// repeated.
std::optional<Dims> Elaborator::broadcastShape(ArrayRef<Dims> shapes, SMRange place) {
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
        std::string what = "the shapes " + join(texts, " and ") + " do not match";
        if (!requireEqual({known, extent, place, SMRange(), what}))
          return std::nullopt;
        if (extent.isConstant())
          known = extent;
      }
    }
  return result;
}

/// The value under extents that are required to equal its own.
mlir::Value Elaborator::assumeShape(mlir::Value value, ArrayRef<DimExpr> dims, SMRange place) {
  if (ir::dimsOf(value.getType()) == Dims(dims))
    return value;
  return reshape(value, dims, place);
}

mlir::Value Elaborator::broadcastTo(mlir::Value value, ArrayRef<DimExpr> dims, SMRange place) {
  Dims own = ir::dimsOf(value.getType());
  for (auto [mine, target] : zip(own, dims.take_back(own.size())))
    mine = mine == DimExpr(1) ? mine : target;
  value = assumeShape(value, own, place);
  if (!value || own == Dims(dims))
    return value;
  mlir::NamedAttrList attributes;
  attributes.set("shape", dimsAttr(dims));
  return createNamed("broadcast_to", value, attributes, place);
}

mlir::Value Elaborator::reshape(mlir::Value value, ArrayRef<DimExpr> dims, SMRange place) {
  if (ir::dimsOf(value.getType()) == Dims(dims))
    return value;
  mlir::NamedAttrList attributes;
  attributes.set("shape", dimsAttr(dims));
  return createNamed("reshape", value, attributes, place);
}

bool Elaborator::broadcastAll(MutableArrayRef<mlir::Value> values, SMRange place) {
  SmallVector<Dims> shapes;
  for (mlir::Value value : values)
    shapes.push_back(ir::dimsOf(value.getType()));
  std::optional<Dims> shape = broadcastShape(shapes, place);
  if (!shape)
    return false;
  for (mlir::Value &value : values)
    if (value = broadcastTo(value, *shape, place); !value)
      return false;
  return true;
}

/// NumPy's matmul: a vector is a row on the left and a column on the right; leading dimensions are
/// broadcast, but a lone matrix on the right serves all.
Value Elaborator::matmul(mlir::Value a, mlir::Value b, SMRange place) {
  Dims da = ir::dimsOf(a.getType()), db = ir::dimsOf(b.getType());
  if (da.empty() || db.empty())
    return fail(place, DiagCode::ShapeMismatch,
                "'@' expected tensors of at least one dimension, got " + ir::typeText(a.getType()) +
                    " and " + ir::typeText(b.getType()));
  bool row = da.size() == 1, column = db.size() == 1;
  if (row)
    da.insert(da.begin(), 1);
  if (column)
    db.push_back(1);
  a = reshape(a, da, place);
  b = reshape(b, db, place);
  std::string what = "the inner extents of " + shapeText(da) + " @ " + shapeText(db);
  DimExpr &inner = db[db.size() - 2];
  if (!a || !b || !requireEqual({da.back(), inner, place, SMRange(), what}))
    return Value();
  inner = da.back();
  b = assumeShape(b, db, place);
  if (a && b && db.size() > 2) {
    std::optional<Dims> batch =
        broadcastShape({Dims(ArrayRef(da).drop_back(2)), Dims(ArrayRef(db).drop_back(2))}, place);
    if (!batch)
      return Value();
    auto whole = [&](const Dims &dims) {
      Dims all = *batch;
      all.append(dims.end() - 2, dims.end());
      return all;
    };
    a = broadcastTo(a, da = whole(da), place);
    b = broadcastTo(b, db = whole(db), place);
  }
  mlir::Value product = a && b ? createNamed("matmul", {a, b}, {}, place) : nullptr;
  if (!product)
    return Value();
  Dims dims = ir::dimsOf(product.getType());
  if (column)
    dims.pop_back();
  if (row)
    dims.erase(dims.end() - (column ? 1 : 2));
  product = reshape(product, dims, place);
  return product ? Value(product) : Value();
}
