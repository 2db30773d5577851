//===- Elementwise.cpp - random steps that keep a shape -------------------===//

#include "test/fuzz/Maker.h"

#include "llvm/ADT/STLExtras.h"

using namespace kiln;
using namespace kiln::fuzz;

/// A shape that broadcasts to `shape`, or `shape` itself.
static Shape narrower(Maker &maker, Shape shape) {
  if (maker.oneIn(2) && canBeWritten(shape))
    return shape;
  if (!shape.empty() && maker.oneIn(2))
    shape.erase(shape.begin(), shape.begin() + maker.below(shape.size()));
  for (Extent &extent : shape)
    if (maker.oneIn(3) || !extent.canBeWritten())
      extent = 1;
  return shape;
}

/// Whether a value of the shape stretches to the other.
static bool broadcasts(const Shape &from, const Shape &to) {
  if (from.size() > to.size())
    return false;
  for (size_t i = 0; i < from.size(); ++i)
    if (const Extent &extent = from[from.size() - 1 - i];
        extent.text != "1" && !(extent == to[to.size() - 1 - i]))
      return false;
  return true;
}

/// A value of the element type that stretches to the shape: one that is there, or a new one.
static unsigned beside(Maker &maker, DType element, const Shape &shape) {
  auto found = maker.find(
      [&](const Type &type) { return type.element == element && broadcasts(type.shape, shape); });
  return found && !maker.oneIn(4) ? *found : maker.fresh({element, narrower(maker, shape)});
}

static bool pointwise(Maker &maker) {
  auto first = maker.find([](const Type &) { return true; });
  const Type type = maker.typeOf(*first);
  std::vector<const Pointwise *> fits;
  for (const Pointwise &row : maker.pointwise)
    if (row.type == type.element && (!type.shape.empty() || row.takesScalars))
      fits.push_back(&row);
  const Pointwise &row = *maker.among(fits);
  std::vector<unsigned> operands = {*first};
  while (operands.size() < row.arity)
    operands.push_back(beside(maker, row.type, type.shape));
  if (operands.size() == 2 && maker.oneIn(2))
    std::swap(operands[0], operands[1]);
  const char *lists[] = {"", "$0", "$0, $1", "$0, $1, $2"};
  maker.add(row.op + "(" + lists[row.arity] + ")", operands, {row.result, type.shape});
  return true;
}

static bool arithmetic(Maker &maker) {
  auto first =
      maker.find([](const Type &type) { return isFloat(type.element) || isInteger(type.element); });
  if (!first)
    return false;
  const Type type = maker.typeOf(*first);
  std::vector<std::string> signs = {" + ", " - ", " * "};
  if (isFloat(type.element))
    signs.push_back(" / ");
  std::string sign = maker.among(signs);
  if (maker.oneIn(3)) { // a literal
    std::string literal = isFloat(type.element) ? "0.5" : "3";
    bool left = maker.oneIn(2);
    maker.add(left ? literal + sign + "$0" : "$0" + sign + literal, {*first}, type);
    return true;
  }
  std::vector<unsigned> operands = {*first, beside(maker, type.element, type.shape)};
  if (maker.oneIn(2))
    std::swap(operands[0], operands[1]);
  maker.add("$0" + sign + "$1", operands, type);
  return true;
}

static bool cast(Maker &maker) {
  auto x = maker.find([](const Type &) { return true; });
  DType to = maker.oneIn(2) ? maker.floatType() : DType(maker.below(numDTypes));
  maker.add("$0 as " + std::string(name(to)), {*x}, {to, maker.typeOf(*x).shape});
  return true;
}

static bool clamp(Maker &maker) {
  auto x = maker.find(
      [](const Type &type) { return isFloat(type.element) || type.element == DType::I32; });
  if (!x)
    return false;
  const std::vector<std::string> texts = {"clamp($0, min = 0, max = 6)", "clamp($0, min = -1)",
                                          "clamp($0, max = 2)"};
  maker.add(maker.among(texts), {*x}, maker.typeOf(*x));
  return true;
}

static bool choice(Maker &maker) {
  auto condition = maker.find([](const Type &type) { return type.element == DType::Bool; });
  if (!condition)
    return false;
  const Shape shape = maker.typeOf(*condition).shape;
  auto a = maker.find([&](const Type &type) { return type.shape == shape; });
  DType element = maker.typeOf(*a).element;
  unsigned b = beside(maker, element, shape);
  maker.add(maker.oneIn(2) ? "where($0, $1, $2)" : "where($0, $2, $1)", {*condition, *a, b},
            {element, shape});
  return true;
}

/// A dimension as a number among tensors.
static bool dimension(Maker &maker) {
  const std::vector<std::string> texts = {"N", "(N + 1)", "(2 * M + 3)", "(N // 2)", "(N * M)"};
  std::string text = maker.among(texts);
  auto x = maker.find([&](const Type &type) { return isFloat(type.element); });
  if (!x || maker.oneIn(3)) {
    maker.add("extent(" + text + ")", {}, {DType::I64, {}});
    return true;
  }
  const std::vector<std::string> signs = {" * ", " + ", " - "};
  const Type type = maker.typeOf(*x);
  maker.add("$0" + maker.among(signs) + text, {*x}, type);
  return true;
}

static bool constant(Maker &maker) {
  std::string type(name(maker.floatType()));
  Shape shape = maker.anyShape(1 + maker.below(2));
  switch (maker.below(4)) {
  case 0:
    maker.add("full(" + text(shape) + ", 0.5, dtype = " + type + ")", {},
              {maker.floatType(), shape});
    return true;
  case 1:
    maker.add("arange(" + shape[0].text + ", start = 2, step = 3)", {}, {DType::I64, {shape[0]}});
    return true;
  case 2:
    maker.add("eye(" + shape[0].text + ", dtype = " + type + ")", {},
              {maker.floatType(), {shape[0], shape[0]}});
    return true;
  default:
    maker.add((maker.oneIn(2) ? "zeros(" : "ones(") + text(shape) + ", dtype = " + type + ")", {},
              {maker.floatType(), shape});
    return true;
  }
}

llvm::ArrayRef<Family> fuzz::elementwiseFamilies() {
  static const Family families[] = {{12, pointwise}, {10, arithmetic}, {4, cast},    {2, clamp},
                                    {5, choice},     {3, dimension},   {2, constant}};
  return families;
}
