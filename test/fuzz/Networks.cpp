//===- Networks.cpp - random steps that add up ----------------------------===//

#include "test/fuzz/Maker.h"

#include "llvm/ADT/STLExtras.h"

using namespace kiln;
using namespace kiln::fuzz;

static bool reduce(Maker &maker) {
  auto x = maker.find([](const Type &type) {
    return !type.shape.empty() &&
           (isFloat(type.element) || type.element == DType::Bool || isInteger(type.element));
  });
  if (!x)
    return false;
  Type type = maker.typeOf(*x);
  std::vector<std::string> ops = {"sum", "prod", "max", "min", "argmax", "argmin"};
  if (isFloat(type.element))
    ops.insert(ops.end(), {"mean", "var", "logsumexp", "sum", "mean"});
  if (type.element == DType::Bool)
    ops = {"any", "all"};
  std::string op = maker.among(ops);
  unsigned axis = maker.below(type.shape.size());
  if (op == "prod" && type.shape[axis].most() > 17)
    return false; // the order would decide which partial products leave the range
  bool isPosition = llvm::StringRef(op).starts_with("arg"), keeps = maker.oneIn(2);
  bool wantsOne = isPosition || op == "max" || op == "min";
  if (wantsOne && type.shape[axis].least() < 1 && (type.shape[axis].isNumber() || !maker.oneIn(4)))
    return false; // a call with an empty axis is refused
  std::string axes = std::to_string(axis);
  if (isPosition)
    type.element = DType::I64;
  if (keeps)
    type.shape[axis] = 1;
  else
    type.shape.erase(type.shape.begin() + axis);
  maker.add(op + "($0, axis = " + axes + (keeps ? ", keepdims = true)" : ")"), {*x}, type);
  return true;
}

static bool reduceAll(Maker &maker) {
  auto x = maker.find([](const Type &type) { return isFloat(type.element); });
  if (!x)
    return false;
  const std::vector<std::string> ops = {"sum", "mean", "var"};
  maker.add(maker.among(ops) + "($0)", {*x}, {maker.typeOf(*x).element, {}});
  return true;
}

static bool softmax(Maker &maker) {
  auto x =
      maker.find([](const Type &type) { return isFloat(type.element) && !type.shape.empty(); });
  if (!x)
    return false;
  const Type type = maker.typeOf(*x);
  std::string axis = std::to_string(maker.below(type.shape.size()));
  maker.add((maker.oneIn(2) ? "softmax" : "log_softmax") + ("($0, axis = " + axis + ")"), {*x},
            type);
  return true;
}

static bool matmul(Maker &maker) {
  auto x = maker.find([](const Type &type) {
    return type.shape.size() > 1 && (isFloat(type.element) || type.element == DType::I32);
  });
  if (!x)
    return false;
  const Type type = maker.typeOf(*x);
  const Extent inner = type.shape.back();
  Type result = type;
  if (maker.oneIn(3)) { // with a value of the same rows: x @ transpose(y)
    auto y = maker.find([&](const Type &other) {
      return other.element == type.element && other.shape.size() == 2 && other.shape[1] == inner;
    });
    if (!y)
      return false;
    result.shape.back() = maker.typeOf(*y).shape[0];
    maker.add("$0 @ transpose($1)", {*x, *y}, result);
    return true;
  }
  Type other{type.element, {inner, maker.anyShape(1)[0]}};
  if (maker.oneIn(3) && type.shape.size() == 3)
    other.shape.insert(other.shape.begin(), type.shape[0]);
  result.shape.back() = other.shape.back();
  if (mostElements(other.shape) > elementLimit || mostElements(result.shape) > elementLimit ||
      !canBeWritten(other.shape))
    return false;
  unsigned weight = maker.fresh(other);
  maker.add(maker.oneIn(2) ? "$0 @ $1" : "matmul($0, $1)", {*x, weight}, result);
  return true;
}

/// Whether it is an image of few channels with room for a window of 3.
static bool isImage(const Type &type) {
  const Shape &shape = type.shape;
  return isFloat(type.element) && shape.size() == 4 && shape[1].isNumber() &&
         shape[1].least() > 0 && shape[1].most() <= 64 && shape[2].least() >= 3 &&
         shape[3].least() >= 3 && canBeWritten(shape);
}

static unsigned image(Maker &maker) {
  if (auto found = maker.find(isImage))
    return *found;
  const std::vector<Extent> batches = {1, 2, Extent("N", {0, 1, 16, 33})};
  const std::vector<Extent> channels = {1, 3, 4, 8, 16}, sizes = {3, 5, 7, 8, 9};
  const std::vector<Extent> heights = {3, 7, Extent("(M + 3)", {3, 4, 6, 10})};
  return maker.fresh(
      {maker.floatType(),
       {maker.among(batches), maker.among(channels), maker.among(heights), maker.among(sizes)}});
}

/// The extent of a window's positions.
static Extent positions(const Extent &extent, int64_t reach, int64_t padding, int64_t stride) {
  Extent room = extent + Extent(2 * padding);
  Extent result("", room.sizes);
  for (int64_t &size : result.sizes)
    size = (size - reach) / stride + 1;
  if (room.isNumber())
    return result.most();
  // As the unique text of an expression that may be written.
  std::string shift = std::to_string(reach - stride);
  result.text = "((" + room.text + " - " + shift + ") // " + std::to_string(stride) + ")";
  return result;
}

static bool convolution(Maker &maker) {
  unsigned x = image(maker);
  Type type = maker.typeOf(x);
  const int64_t channels = type.shape[1].most();
  const std::vector<int64_t> sizes = {1, 3, 3}, strides = {1, 1, 2}, outputs = {1, 4, 8, 17};
  int64_t size = maker.among(sizes), stride = maker.among(strides), padding = maker.below(2);
  int64_t dilation = size == 3 && padding && maker.oneIn(4) ? 2 : 1;
  if (dilation == 2)
    padding = 2;
  int64_t groups = maker.oneIn(3) ? channels : channels % 2 == 0 && maker.oneIn(3) ? 2 : 1;
  int64_t out = groups > 1 ? groups * (1 + maker.below(2)) : maker.among(outputs);
  std::vector<unsigned> operands = {
      x, maker.fresh({type.element, {out, channels / groups, size, size}})};
  bool biased = maker.oneIn(2);
  if (biased)
    operands.push_back(maker.fresh({type.element, {out}}));
  int64_t reach = dilation * (size - 1) + 1;
  type.shape[1] = out;
  for (size_t i : {2, 3})
    type.shape[i] = positions(type.shape[i], reach, padding, stride);
  if (mostElements(type.shape) > 2 * elementLimit)
    return false;
  auto argument = [](const char *name, int64_t value, int64_t usual) {
    return value == usual ? "" : std::string(", ") + name + " = " + std::to_string(value);
  };
  maker.add(std::string(biased ? "conv2d($0, $1, $2" : "conv2d($0, $1") +
                argument("stride", stride, 1) + argument("padding", padding, 0) +
                argument("dilation", dilation, 1) + argument("groups", groups, 1) + ")",
            operands, type);
  return true;
}

/// Filters that are known, of images whose channels lie in whole vectors: Winograd's tiles.
static bool shortFilters(Maker &maker) {
  constexpr int64_t vector = 16;
  auto found = maker.find([](const Type &type) {
    return isImage(type) && type.element == DType::F32 && type.shape[1].most() % vector == 0;
  });
  const std::vector<Extent> batches = {1, 2, Extent("N", {0, 1, 16, 33})}, sizes = {3, 5, 8, 9};
  const std::vector<Extent> heights = {3, 7, Extent("(M + 3)", {3, 4, 6, 10})};
  unsigned x = found ? *found
                     : maker.fresh({DType::F32,
                                    {maker.among(batches), vector * (1 + maker.below(2)),
                                     maker.among(heights), maker.among(sizes)}});
  Type type = maker.typeOf(x);
  std::vector<unsigned> operands = {x};
  int64_t out = vector * (1 + maker.below(3)), padding = maker.below(3);
  operands.push_back(maker.weight({DType::F32, {out, type.shape[1], 3, 3}}));
  bool biased = maker.oneIn(2);
  if (biased)
    operands.push_back(maker.fresh({DType::F32, {out}}));
  type.shape[1] = out;
  for (size_t i : {2, 3})
    type.shape[i] = positions(type.shape[i], 3, padding, 1);
  if (mostElements(type.shape) > 4 * elementLimit)
    return false;
  maker.add(std::string(biased ? "conv2d($0, $1, $2" : "conv2d($0, $1") +
                ", padding = " + std::to_string(padding) + ")",
            operands, type);
  return true;
}

static bool batchNorm(Maker &maker) {
  unsigned x = image(maker);
  const Type type = maker.typeOf(x);
  std::vector<unsigned> operands = {x};
  for (unsigned i = 0; i < 4; ++i)
    operands.push_back(maker.weight({type.element, {type.shape[1]}}));
  // A variance is not negative, and here not near 0.
  maker.add(maker.oneIn(2) ? "batch_norm($0, $1, $2 * $2 + 0.5, $3, $4)"
                           : "batch_norm($0, $1, abs($2) + 0.5)",
            operands, type);
  return true;
}

static bool pool(Maker &maker) {
  unsigned x = image(maker);
  Type type = maker.typeOf(x);
  if (maker.oneIn(3)) {
    int64_t size = 1 + maker.below(2);
    for (size_t i : {2, 3})
      type.shape[i] = size;
    maker.add("adaptive_avg_pool2d($0, " + std::to_string(size) + ")", {x}, type);
    return true;
  }
  int64_t size = 2 + maker.below(2), stride = 1 + maker.below(2), padding = maker.below(2);
  for (size_t i : {2, 3})
    type.shape[i] = positions(type.shape[i], size, padding, stride);
  maker.add((maker.oneIn(2) ? "max" : "avg") + ("_pool2d($0, " + std::to_string(size)) +
                ", stride = " + std::to_string(stride) + ", padding = " + std::to_string(padding) +
                ")",
            {x}, type);
  return true;
}

llvm::ArrayRef<Family> fuzz::networkFamilies() {
  static const Family families[] = {{6, reduce}, {1, reduceAll},   {3, softmax},
                                    {7, matmul}, {4, convolution}, {2, batchNorm},
                                    {2, pool},   {2, shortFilters}};
  return families;
}
