//===- ElaborateOperator.cpp - operators and tensors of values ------------===//
#include "frontend/elaborate/Elaborator.h"

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

/// Operators that look like what is written elsewhere for elements of another kind.
struct OtherKind {
  TokenKind op;
  bool (*isWrong)(DType type);
  const char *takes, *instead;
};

static bool isNoFloat(DType type) { return !isFloat(type); }
static bool isBool(DType type) { return type == DType::Bool; }
static bool isNoBool(DType type) { return !isBool(type); }

static constexpr OtherKind otherKinds[] = {
    {TokenKind::Slash, isNoFloat, "floats", "'//' is floor division"},
    {TokenKind::Ampersand, isBool, "integers", "'and' is for bools"},
    {TokenKind::Pipe, isBool, "integers", "'or' is for bools"},
    {TokenKind::Caret, isBool, "integers", "'!=' is for bools"},
    {TokenKind::kw_and, isNoBool, "bools", "'!= 0' makes bools, '&' is for integers"},
    {TokenKind::kw_or, isNoBool, "bools", "'!= 0' makes bools, '|' is for integers"}};

/// Whether two compile-time values are the same: numbers by value, lists element by element, and
/// values of two kinds never. None is equal to itself only. Nothing of what only a call tells, and
/// of layers.
static std::optional<bool> areEqual(const Value &lhs, const Value &rhs) {
  if (lhs.as<None>() || rhs.as<None>())
    return lhs.as<None>() && rhs.as<None>();
  auto *a = lhs.as<ListPtr>(), *b = rhs.as<ListPtr>();
  auto isKnown = [](const Value &value) {
    return value.isNumber() || value.as<std::string>() || value.as<DType>() || value.as<ListPtr>();
  };
  if (!isKnown(lhs) || !isKnown(rhs))
    return std::nullopt;
  if (a && b) {
    bool equal = (*a)->size() == (*b)->size();
    for (auto [x, y] : zip(**a, **b)) {
      std::optional<bool> same = areEqual(x, y);
      if (!same)
        return std::nullopt;
      equal &= *same;
    }
    return equal;
  }
  auto same = [&]<typename T>(const T *x) { return rhs.as<T>() && *x == *rhs.as<T>(); };
  if (auto *text = lhs.as<std::string>())
    return same(text);
  if (auto *type = lhs.as<DType>())
    return same(type);
  if (auto *flag = lhs.as<bool>())
    return same(flag);
  bool areNumbers = lhs.isNumber() && rhs.isNumber() && !rhs.as<bool>();
  auto valueOf = [](const Value &v) { return v.as<double>() ? *v.as<double>() : *v.as<int64_t>(); };
  return areNumbers && (lhs.as<int64_t>() && rhs.as<int64_t>() ? same(lhs.as<int64_t>())
                                                               : valueOf(lhs) == valueOf(rhs));
}

Value Elaborator::binary(TokenKind op, const Value &lhs, const Value &rhs, SMRange place) {
  if (lhs.isError() || rhs.isError())
    return Value();
  auto *ta = lhs.as<mlir::Value>(), *tb = rhs.as<mlir::Value>();
  auto isOperand = [](const Value &value, bool besideTensor) {
    return value.isArithmetic() || (besideTensor && spellsTensor(value));
  };
  if (!isOperand(lhs, tb) || !isOperand(rhs, ta)) {
    if (op == TokenKind::EqualEqual || op == TokenKind::NotEqual)
      if (std::optional<bool> equal = areEqual(lhs, rhs))
        return *equal == (op == TokenKind::EqualEqual);
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
  auto typeOf = [](const mlir::Value *v) { return v ? ir::dtypeOf(v->getType()) : std::nullopt; };
  std::optional<ir::Operand> given[] = {operand(lhs, typeOf(tb), place),
                                        operand(rhs, typeOf(ta), place)};
  if (!given[0] || !given[1])
    return Value();
  std::optional<DType> like = ir::commonType({*given[0], *given[1]});
  ir::TensorBuilder here = at(place);
  mlir::Value a = here.tensor(*given[0], like), b = a ? here.tensor(*given[1], like) : nullptr;
  if (!a || !b)
    return Value();
  DType type = *ir::dtypeOf(a.getType());
  for (const OtherKind &row : otherKinds)
    if (row.op == op && row.isWrong(type))
      return fail(place, DiagCode::TypeMismatch,
                  spelling(op) + " is for " + row.takes + ", got " + ir::typeText(a.getType()) +
                      "; " + row.instead);
  const Operator *found = find_if(operators, [&](const Operator &o) { return o.kind == op; });
  mlir::Value result =
      op == TokenKind::At ? here.matmul(a, b) : here.elementwise(found->op, {a, b});
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
  DimBounds range = (a - b).bounds(scope.bounds());
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

namespace {
/// The scalars that a list holds, row-major, and the shape of the tensor that it spells.
struct Spelt {
  SmallVector<int64_t, 4> shape;
  std::vector<Value> scalars;
};
} // namespace

/// Adds the scalars of a list; false if lists at one depth differ in length or hold anything else.
static bool spell(const Value &value, size_t depth, Spelt &spelt) {
  auto *list = value.as<ListPtr>();
  bool isNew = spelt.scalars.empty() && depth == spelt.shape.size();
  if (list && isNew && !(*list)->empty())
    spelt.shape.push_back((*list)->size());
  if (!list || depth >= spelt.shape.size()) {
    auto *tensor = value.as<mlir::Value>();
    bool isScalar =
        value.isArithmetic() &&
        (!tensor || mlir::cast<mlir::RankedTensorType>(tensor->getType()).getRank() == 0);
    if (!isScalar || depth != spelt.shape.size())
      return false;
    spelt.scalars.push_back(value);
    return true;
  }
  return static_cast<int64_t>((*list)->size()) == spelt.shape[depth] &&
         all_of(**list, [&](const Value &each) { return spell(each, depth + 1, spelt); });
}

static std::optional<Spelt> speltBy(const Value &value) {
  Spelt spelt;
  return value.as<ListPtr>() && spell(value, 0, spelt) ? std::optional(spelt) : std::nullopt;
}

bool kiln::spellsTensor(const Value &value) { return speltBy(value).has_value(); }

std::optional<ir::Table> kiln::tableOf(const Value &value) {
  std::optional<Spelt> spelt = speltBy(value);
  if (!spelt || !all_of(spelt->scalars, [](const Value &v) { return v.isNumber(); }))
    return std::nullopt;
  ir::Table table = {spelt->shape, {}};
  for (const Value &scalar : spelt->scalars)
    table.numbers.push_back(*scalar.asNumber());
  return table;
}

/// The tensor that scalars of a call make, of the first tensor's type; dimensions and numbers alone
/// take that of the tensor beside them.
mlir::Value Elaborator::join(const Value &list, std::optional<DType> beside, SMRange place) {
  std::optional<Spelt> spelt = speltBy(list);
  SmallVector<ir::Operand> scalars;
  for (const Value &scalar : spelt->scalars)
    scalars.push_back(*operand(scalar, std::nullopt, place));
  bool holdsTensor = any_of(spelt->scalars, [](const Value &v) { return v.as<mlir::Value>(); });
  std::optional<DType> like = holdsTensor || !beside ? ir::commonType(scalars) : beside;
  SmallVector<mlir::Value> elements;
  for (const ir::Operand &scalar : scalars) {
    if (auto *own = std::get_if<mlir::Value>(&scalar); own && ir::dtypeOf(own->getType()) != like) {
      fail(place, DiagCode::TypeMismatch,
           "the scalars of a list have one type, got " +
               ir::typeText(mlir::RankedTensorType::get({}, ir::elementType(&context, *like))) +
               " and " + ir::typeText(own->getType()) + "; convert one with 'as'");
      return nullptr;
    }
    mlir::Value element = at(place).tensor(scalar, like);
    element = element ? at(place).reshape(element, Dims(1, DimExpr(1))) : nullptr;
    if (!element)
      return nullptr;
    elements.push_back(element);
  }
  mlir::NamedAttrList attributes;
  attributes.set("axis", builder.getI64IntegerAttr(0));
  mlir::Value all = at(place).create("concat", elements, attributes);
  Dims shape(spelt->shape.begin(), spelt->shape.end());
  return all ? at(place).reshape(all, shape) : nullptr;
}

static bool holdsTensor(const Value &value) {
  auto *list = value.as<ListPtr>();
  return list && any_of(**list, [](const Value &v) { return v.as<mlir::Value>() != nullptr; });
}

/// What the builder makes a tensor of; reports what is none. `like` is the type of a tensor beside
/// it.
std::optional<ir::Operand> Elaborator::operand(const Value &value, std::optional<DType> like,
                                               SMRange place) {
  if (auto *tensor = value.as<mlir::Value>())
    return ir::Operand(*tensor);
  if (frame->inLayer) {
    failAt(place, DiagCode::NotCompileTime, "a tensor is not known when the model is compiled",
           frame->self->decl->name.range, "this is the body of a layer, which has no tensors");
    return std::nullopt;
  }
  if (auto *weight = value.as<Weight *>())
    return ir::Operand(get(*weight, place));
  if (auto *dim = value.as<DimExpr>())
    return ir::Operand(*dim);
  if (auto number = value.asNumber())
    return ir::Operand(*number);
  if (std::optional<ir::Table> table = tableOf(value))
    return ir::Operand(*table);
  if (spellsTensor(value)) {
    mlir::Value joined = join(value, like, place);
    return joined ? std::optional(ir::Operand(joined)) : std::nullopt;
  }
  if (!value.isError())
    fail(place, DiagCode::TypeMismatch,
         "expected a tensor, got " + describe(value) +
             (holdsTensor(value) ? "; 'stack' makes one of several" : ""));
  return std::nullopt;
}

mlir::Value Elaborator::toTensor(const Value &value, std::optional<DType> like, SMRange place) {
  std::optional<ir::Operand> given = operand(value, like, place);
  return given ? at(place).tensor(*given, like) : nullptr;
}
