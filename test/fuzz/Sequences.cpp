//===- Sequences.cpp - random steps that sort, take and normalise ---------===//

#include "test/fuzz/Maker.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace kiln;
using namespace kiln::fuzz;

static bool isNumeric(const Type &type) {
  return !type.shape.empty() && (isFloat(type.element) || isInteger(type.element));
}

static bool sorting(Maker &maker) {
  auto x = maker.find(isNumeric);
  if (!x)
    return false;
  Type type = maker.typeOf(*x);
  unsigned axis = maker.below(type.shape.size());
  std::string number = std::to_string(axis);
  Extent &extent = type.shape[axis];
  if (extent.least() >= 1 && maker.oneIn(2)) {
    extent = std::min<int64_t>(extent.least(), 1 + maker.below(4));
    Type positions{DType::I64, type.shape};
    maker.addSeveral("topk($0, " + extent.text + ", axis = " + number +
                         (maker.oneIn(3) ? ", largest = false)" : ")"),
                     {*x}, {type, positions});
    return true;
  }
  const std::string tail = ", axis = " + number + (maker.oneIn(2) ? ", descending = true)" : ")");
  const Type positions{DType::I64, type.shape};
  if (maker.oneIn(3))
    maker.add("argsort($0" + tail, {*x}, positions);
  else
    maker.addSeveral("sort($0" + tail, {*x}, {type, positions});
  return true;
}

static bool cumsum(Maker &maker) {
  auto x = maker.find(isNumeric);
  if (!x)
    return false;
  const Type type = maker.typeOf(*x);
  const std::vector<std::string> tails = {")", ", reverse = true)", ", exclusive = true)",
                                          ", reverse = true, exclusive = true)"};
  maker.add("cumsum($0, " + std::to_string(maker.below(type.shape.size())) + maker.among(tails),
            {*x}, type);
  return true;
}

/// Positions modulo the extent, from the front or from the end.
static bool indexing(Maker &maker) {
  auto x = maker.find([](const Type &type) {
    return llvm::any_of(type.shape, [](const Extent &e) { return e.canBeWritten() && e.least(); });
  });
  if (!x)
    return false;
  Type type = maker.typeOf(*x);
  unsigned axis = maker.below(type.shape.size());
  while (!type.shape[axis].canBeWritten() || !type.shape[axis].least())
    axis = maker.below(type.shape.size());
  const std::string extent = type.shape[axis].text;
  std::string positions = "$1 % " + extent + (maker.oneIn(3) ? " - " + extent : "");
  std::string tail = ", axis = " + std::to_string(axis) + ")";
  Shape shape = maker.anyShape(maker.below(3));
  bool gathers = maker.oneIn(2);
  if (gathers) { // one position for each element of the other axes
    shape = type.shape;
    shape[axis] = maker.anyShape(1)[0];
  }
  if (!canBeWritten(shape) || mostElements(shape) > elementLimit)
    return false;
  if (gathers) {
    type.shape = shape;
  } else {
    type.shape.erase(type.shape.begin() + axis);
    type.shape.insert(type.shape.begin() + axis, shape.begin(), shape.end());
  }
  if (mostElements(type.shape) > elementLimit || type.shape.size() > 5)
    return false;
  Type wanted{DType::I64, shape};
  auto known = maker.find([&](const Type &other) { return other == wanted; });
  unsigned indices = known ? *known : maker.fresh(wanted);
  maker.add((gathers ? "gather($0, " : "take($0, ") + positions + tail, {*x, indices}, type);
  return true;
}

/// What values decide the extent of, in front of the whole, as much of both as the whole is.
static bool choosing(Maker &maker) {
  auto x = maker.find([](const Type &type) {
    return !type.shape.empty() && type.shape[0].canBeWritten() &&
           2 * mostElements(type.shape) <= elementLimit;
  });
  if (!x)
    return false;
  const Type type = maker.typeOf(*x);
  const std::string extent = type.shape[0].text;
  auto inFront = [&](const std::string &part, std::vector<unsigned> operands) {
    maker.add("concat([" + part + ", $0], axis = 0)[:" + extent + "]", std::move(operands), type);
    return true;
  };
  auto beside = [&](const Type &wanted) {
    auto known = maker.find([&](const Type &other) { return other == wanted; });
    return known ? *known : maker.fresh(wanted);
  };
  switch (maker.below(4)) {
  case 0:
    if (type.shape.size() == 1 && isInteger(type.element))
      return inFront("unique($0)", {*x});
    [[fallthrough]];
  case 1:
    return inFront("$0[$1]", {*x, beside({DType::Bool, {type.shape[0]}})});
  case 2: {
    const std::vector<std::string> parts = {"$0[$1 % " + extent + ":]", "$0[:$1 % " + extent + "]"};
    return inFront(maker.among(parts), {*x, beside({DType::I64, {}})});
  }
  default:
    if (!isFloat(type.element))
      return false;
    maker.add("sum($0[$1], axis = 0)", {*x, beside({DType::Bool, {type.shape[0]}})},
              {type.element, {type.shape.begin() + 1, type.shape.end()}});
    return true;
  }
}

static bool norm(Maker &maker) {
  auto x = maker.find([](const Type &type) {
    return isFloat(type.element) && type.shape.size() > 1 && type.shape.back().isNumber() &&
           type.shape.back().most() && type.shape[1].isNumber() && type.shape[1].most();
  });
  if (!x)
    return false;
  const Type type = maker.typeOf(*x);
  bool groups = maker.oneIn(2);
  const Extent &scaled = groups ? type.shape[1] : type.shape.back();
  std::vector<unsigned> operands = {*x};
  bool affine = maker.oneIn(2);
  if (affine)
    for (int i = 0; i < 2; ++i)
      operands.push_back(maker.weight({type.element, {scaled}}));
  std::string tail = std::string(affine ? ", $1, $2" : "") + ", eps = 0.01)";
  bool even = scaled.most() % 2 == 0;
  maker.add((groups ? even && maker.oneIn(2) ? "group_norm($0, 2" : "group_norm($0, 1"
                    : "layer_norm($0") +
                tail,
            operands, type);
  return true;
}

static bool convolution(Maker &maker) {
  unsigned dims = maker.oneIn(2) ? 1 : 3;
  auto x = maker.find([&](const Type &type) {
    const Shape &shape = type.shape;
    return isFloat(type.element) && shape.size() == dims + 2 && shape[1].isNumber() &&
           shape[1].most() > 0 && shape[1].most() <= 16 && canBeWritten(shape) &&
           llvm::all_of(llvm::ArrayRef(shape).drop_front(2),
                        [](const Extent &e) { return e.least() >= 1; });
  });
  Shape shape = {maker.among(std::vector<Extent>{1, 2, Extent("N", {0, 1, 16, 33})}),
                 maker.among(std::vector<Extent>{1, 3, 4})};
  while (shape.size() < dims + 2)
    shape.push_back(maker.among(std::vector<Extent>{3, 5, Extent("(M + 3)", {3, 4, 6, 10})}));
  if (!x && mostElements(shape) > elementLimit)
    return false;
  unsigned image = x ? *x : maker.fresh({maker.floatType(), shape});
  Type type = maker.typeOf(image);
  const int64_t out = 1 + maker.below(5);
  Shape kernel = {out, type.shape[1]};
  kernel.insert(kernel.end(), dims, 3);
  std::vector<unsigned> operands = {image, maker.fresh({type.element, kernel})};
  if (maker.oneIn(2))
    operands.push_back(maker.fresh({type.element, {out}}));
  type.shape[1] = out;
  if (mostElements(type.shape) > elementLimit)
    return false;
  maker.add("conv" + std::to_string(dims) + (operands.size() > 2 ? "d($0, $1, $2" : "d($0, $1") +
                ", padding = 1)",
            operands, type);
  return true;
}

llvm::ArrayRef<Family> fuzz::sequenceFamilies() {
  static const Family families[] = {{3, sorting},  {3, cumsum}, {5, indexing},
                                    {3, choosing}, {3, norm},   {2, convolution}};
  return families;
}
