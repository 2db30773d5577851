//===- Shapes.cpp - random steps that move elements -----------------------===//

#include "test/fuzz/Maker.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace kiln;
using namespace kiln::fuzz;

static bool hasRank(const Type &type) { return !type.shape.empty(); }

/// A value of rank 1 or more, and one of its axes.
static std::optional<std::pair<unsigned, unsigned>> valueAndAxis(Maker &maker) {
  auto x = maker.find(hasRank);
  if (!x)
    return std::nullopt;
  return std::make_pair(*x, maker.below(maker.typeOf(*x).shape.size()));
}

/// An axis from the front or from the end.
static std::string axisText(Maker &maker, unsigned axis, size_t rank) {
  return std::to_string(maker.oneIn(3) ? int(axis) - int(rank) : int(axis));
}

static bool permute(Maker &maker) {
  auto x = maker.find([](const Type &type) { return type.shape.size() > 1; });
  if (!x)
    return false;
  const Type type = maker.typeOf(*x);
  std::vector<unsigned> order(type.shape.size());
  for (unsigned i = 0; i < order.size(); ++i)
    order[i] = i;
  if (maker.oneIn(2)) {
    std::swap(order[order.size() - 1], order[order.size() - 2]);
  } else {
    for (unsigned i = 1; i < order.size(); ++i)
      std::swap(order[i], order[maker.below(i + 1)]);
  }
  bool swapsLast = std::is_sorted(order.begin(), order.end() - 2) &&
                   order[order.size() - 1] == order.size() - 2 &&
                   order[order.size() - 2] == order.size() - 1;
  Type result{type.element, {}};
  std::vector<std::string> numbers;
  for (unsigned axis : order) {
    result.shape.push_back(type.shape[axis]);
    numbers.push_back(std::to_string(axis));
  }
  maker.add(swapsLast ? "transpose($0)" : "permute($0, [" + llvm::join(numbers, ", ") + "])", {*x},
            result);
  return true;
}

/// Joins two neighbouring axes, parts one, or drops and adds axes of extent 1.
static bool reshape(Maker &maker) {
  auto chosen = valueAndAxis(maker);
  if (!chosen)
    return false;
  auto [x, axis] = *chosen;
  Type type = maker.typeOf(x);
  std::string number = std::to_string(axis);
  Shape &shape = type.shape;
  if (shape[axis].text == "1" && maker.oneIn(2)) {
    shape.erase(shape.begin() + axis);
    maker.add("squeeze($0, " + number + ")", {x}, type);
    return true;
  }
  if (shape.size() < 5 && maker.oneIn(4)) {
    shape.insert(shape.begin() + axis, 1);
    maker.add("unsqueeze($0, " + number + ")", {x}, type);
    return true;
  }
  if (axis + 1 < shape.size()) {
    shape[axis] = shape[axis] * shape[axis + 1];
    shape.erase(shape.begin() + axis + 1);
    maker.add(maker.oneIn(2) || !canBeWritten(shape)
                  ? "flatten($0, " + number + ", " + std::to_string(axis + 1) + ")"
                  : "reshape($0, " + text(shape) + ")",
              {x}, type);
    return true;
  }
  if (canBeWritten(shape) && shape[axis].isNumber() && shape[axis].most() % 2 == 0 &&
      shape[axis].most()) {
    int64_t half = shape[axis].most() / 2;
    shape[axis] = 2;
    shape.insert(shape.begin() + axis + 1, half);
    maker.add("reshape($0, " + text(shape) + ")", {x}, type);
    return true;
  }
  return false;
}

/// Joins along an axis: with itself, a like value or a new one.
static bool concat(Maker &maker) {
  auto chosen = valueAndAxis(maker);
  if (!chosen)
    return false;
  auto [x, axis] = *chosen;
  Type type = maker.typeOf(x);
  auto alike = [&, axis = axis](const Type &other) {
    if (other.element != type.element || other.shape.size() != type.shape.size())
      return false;
    for (size_t i = 0; i < type.shape.size(); ++i)
      if (i != axis && !(other.shape[i] == type.shape[i]))
        return false;
    return true;
  };
  Type more = type;
  more.shape[axis] = maker.anyShape(1)[0];
  bool isNew =
      maker.oneIn(3) && mostElements(more.shape) < elementLimit && canBeWritten(more.shape);
  unsigned y = isNew ? maker.fresh(more) : *maker.find(alike);
  const Shape other = maker.typeOf(y).shape;
  if (other == type.shape && type.shape.size() < 5 && maker.oneIn(3)) {
    type.shape.insert(type.shape.begin() + axis, 2);
    maker.add("stack([$0, $1], axis = " + std::to_string(axis) + ")", {x, y}, type);
    return true;
  }
  std::string text = "concat([$0, $1], axis = " + axisText(maker, axis, type.shape.size()) + ")";
  type.shape[axis] = type.shape[axis] + other[axis];
  maker.add(text, {x, y}, type);
  return true;
}

static bool split(Maker &maker) {
  auto x = maker.find([](const Type &type) {
    return llvm::any_of(type.shape, [](const Extent &e) { return e.isNumber() && e.most() > 1; });
  });
  if (!x)
    return false;
  Type first = maker.typeOf(*x), second = first;
  unsigned axis = maker.below(first.shape.size());
  while (!first.shape[axis].isNumber() || first.shape[axis].most() < 2)
    axis = maker.below(first.shape.size());
  int64_t extent = first.shape[axis].most(), part = maker.below(extent + 1);
  bool even = extent % 2 == 0 && maker.oneIn(2);
  part = even ? extent / 2 : part;
  first.shape[axis] = part;
  second.shape[axis] = extent - part;
  std::string parts =
      even ? "2" : "[" + std::to_string(part) + ", " + std::to_string(extent - part) + "]";
  maker.addSeveral("split($0, " + parts + ", axis = " + std::to_string(axis) + ")", {*x},
                   {first, second});
  return true;
}

static bool slice(Maker &maker) {
  auto chosen = valueAndAxis(maker);
  if (!chosen)
    return false;
  auto [x, axis] = *chosen;
  Type type = maker.typeOf(x);
  Extent &extent = type.shape[axis];
  std::string range;
  bool drops = false;
  switch (maker.below(5)) {
  case 0:
    range = "::2";
    extent = everyOf(extent, 2);
    break;
  case 1: { // clips as NumPy does
    Extent clipped("min(3, " + extent.text + ")", extent.sizes);
    for (int64_t &size : clipped.sizes)
      size = std::min<int64_t>(3, size);
    range = ":3";
    extent = extent.isNumber() ? Extent(clipped.most()) : clipped;
    break;
  }
  case 2: // the last ones
    if (extent.least() < 1 && (extent.isNumber() || !maker.oneIn(4)))
      return false; // a call with an empty axis is refused
    range = maker.oneIn(2) ? "-1" : "0";
    drops = true;
    break;
  case 3:
    if (!extent.isNumber() || extent.most() < 3)
      return false;
    range = "1:-1";
    extent = extent.most() - 2;
    break;
  default:
    if (extent.text != "N")
      return false;
    range = "N // 2 : N";
    extent = Extent("(N - N // 2)", {0, 1, 8, 17});
    break;
  }
  std::string text = "$0[";
  for (unsigned i = 0; i < axis; ++i)
    text += ":, ";
  text += range + (axis + 1 < type.shape.size() && maker.oneIn(2) ? ", ...]" : "]");
  if (drops)
    type.shape.erase(type.shape.begin() + axis);
  maker.add(text, {x}, type);
  return true;
}

static bool enlarge(Maker &maker) {
  auto chosen = valueAndAxis(maker);
  if (!chosen)
    return false;
  auto [x, axis] = *chosen;
  Type type = maker.typeOf(x);
  bool tiles = maker.oneIn(2);
  std::vector<std::string> parts(type.shape.size(), tiles ? "1" : "[0, 0]");
  parts[axis] = tiles ? "2" : "[1, 2]";
  Extent &extent = type.shape[axis];
  extent = tiles ? Extent(2) * extent : extent + Extent(3);
  if (mostElements(type.shape) > elementLimit)
    return false;
  std::string list = "[" + llvm::join(parts, ", ") + "]";
  const std::vector<std::string> pads = {")", ", value = 1)", ", value = -2)"};
  bool canBeNegative = type.element != DType::U8 && type.element != DType::Bool;
  maker.add(tiles ? "tile($0, " + list + ")"
                  : "pad($0, " + list + pads[canBeNegative ? maker.below(3) : 0],
            {x}, type);
  return true;
}

static bool turn(Maker &maker) {
  auto chosen = valueAndAxis(maker);
  if (!chosen)
    return false;
  auto [x, axis] = *chosen;
  const Type type = maker.typeOf(x);
  std::string number = axisText(maker, axis, type.shape.size());
  std::vector<std::string> texts = {"flip($0, " + number + ")"};
  if (type.shape[axis].isNumber())
    texts.insert(texts.end(),
                 {"roll($0, 2, axis = " + number + ")", "roll($0, -3, axis = " + number + ")"});
  maker.add(maker.among(texts), {x}, type);
  return true;
}

static bool expand(Maker &maker) {
  auto x = maker.find(
      [](const Type &type) { return type.shape.size() < 4 && canBeWritten(type.shape); });
  if (!x)
    return false;
  Type type = maker.typeOf(*x);
  for (Extent &extent : type.shape)
    if (extent.text == "1")
      extent = maker.anyShape(1)[0];
  if (maker.oneIn(2))
    type.shape.insert(type.shape.begin(), maker.anyShape(1)[0]);
  if (mostElements(type.shape) > elementLimit || type.shape == maker.typeOf(*x).shape)
    return false;
  maker.add("broadcast_to($0, " + text(type.shape) + ")", {*x}, type);
  return true;
}

llvm::ArrayRef<Family> fuzz::shapeFamilies() {
  static const Family families[] = {{7, permute}, {7, reshape}, {5, concat}, {3, split},
                                    {6, slice},   {3, enlarge}, {2, turn},   {3, expand}};
  return families;
}
