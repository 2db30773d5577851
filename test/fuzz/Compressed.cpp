//===- Compressed.cpp - random products with weights in few bits ----------===//

#include "test/fuzz/Maker.h"

#include "ir/NumberBlock.h"

using namespace kiln;
using namespace kiln::fuzz;

namespace {
/// A step's text and what it reads, part by part.
class Text {
public:
  explicit Text(Maker &maker) : maker(maker) {}
  std::string reads(unsigned value) {
    operands.push_back(value);
    return "$" + std::to_string(operands.size() - 1);
  }
  /// Mostly a weight.
  std::string part(const Type &type) {
    return reads(maker.oneIn(6) ? maker.fresh(type) : maker.weight(type));
  }

  Maker &maker;
  std::vector<unsigned> operands;
};

/// How numbers are stored along an axis, and where their scales are.
struct Form {
  ir::NumberBlock block{8};
  unsigned axis = 0;
  int64_t group = 0; ///< 0: one scale a position of the axis, or `isWhole`
  bool isWhole = false;
  DType stored = DType::I8, scale = DType::F32;

  static Form any(Maker &maker, llvm::ArrayRef<int64_t> shape, unsigned channels, unsigned depth);
  std::string str(const std::string &numbers, const std::string &scales,
                  const std::string &zeros) const;
  Shape numbersOf(llvm::ArrayRef<int64_t> shape) const;
  Shape scalesOf(llvm::ArrayRef<int64_t> shape) const;
};
} // namespace

Form Form::any(Maker &maker, llvm::ArrayRef<int64_t> shape, unsigned channels, unsigned depth) {
  Form form;
  const std::vector<int64_t> bits = {8, 4, 4, 3, 3}, groups = {4, 16, 24, 32, 32, 64};
  bool isGrouped = maker.oneIn(2);
  form.block.bits = maker.among(bits);
  if (form.block.bits < 8)
    isGrouped |= maker.oneIn(2);
  form.group = isGrouped ? maker.among(groups) : 0;
  form.axis = isGrouped != maker.oneIn(6) ? depth : channels;
  if (shape[form.axis] % form.block.numbers() != 0)
    form.block.bits = 8;
  form.isWhole = !isGrouped && maker.oneIn(4);
  form.stored = maker.oneIn(2) ? DType::I8 : DType::U8;
  form.scale = maker.oneIn(2) ? DType::F32 : maker.floatType();
  return form;
}

Shape Form::numbersOf(llvm::ArrayRef<int64_t> shape) const {
  Shape result(shape.begin(), shape.end());
  result[axis] = block.bytesOf(shape[axis]);
  return result;
}

Shape Form::scalesOf(llvm::ArrayRef<int64_t> shape) const {
  if (!group)
    return isWhole ? Shape() : Shape{shape[axis]};
  Shape result(shape.begin(), shape.end());
  result[axis] = (shape[axis] + group - 1) / group;
  return result;
}

std::string Form::str(const std::string &numbers, const std::string &scales,
                      const std::string &zeros) const {
  auto argument = [](const char *name, int64_t value, int64_t usual) {
    return value == usual ? "" : std::string(", ") + name + " = " + std::to_string(value);
  };
  return "dequantize(" + numbers + ", " + scales + (zeros.empty() ? "" : ", ") + zeros +
         argument("axis", axis, 0) + argument("group", group, 0) + argument("bits", block.bits, 8) +
         ")";
}

static std::string asType(const std::string &value, DType from, DType to) {
  return from == to ? value : "cast(" + value + ", " + std::string(name(to)) + ")";
}

/// A new weight of the shape in any form, widened to the type.
static std::string weight(Text &text, llvm::ArrayRef<int64_t> shape, unsigned channels,
                          unsigned depth, DType type) {
  Form form = Form::any(text.maker, shape, channels, depth);
  std::string numbers = text.part({form.stored, form.numbersOf(shape)});
  std::string scales = text.part({form.scale, form.scalesOf(shape)}), zeros;
  if (text.maker.oneIn(3))
    zeros = text.part({form.stored, form.scalesOf(shape)});
  return asType(form.str(numbers, scales, zeros), form.scale, type);
}

/// Rows of an activation with a known depth that is not tiny.
static unsigned rows(Maker &maker) {
  auto found = maker.oneIn(2) ? maker.find([](const Type &type) {
    return isFloat(type.element) && type.shape.size() > 1 && type.shape.back().isNumber() &&
           type.shape.back().most() >= 7;
  })
                              : std::nullopt;
  if (found)
    return *found;
  const std::vector<Extent> depths = {8, 16, 24, 33, 36, 40, 64, 80};
  Type type{maker.floatType(), maker.anyShape(1 + maker.below(2))};
  if (mostElements(type.shape) > 120)
    type.shape = {3};
  type.shape.push_back(maker.among(depths));
  return maker.fresh(type);
}

static int64_t outputs(Maker &maker) {
  const std::vector<int64_t> all = {1, 5, 8, 16, 17, 24, 33, 40};
  return maker.among(all);
}

static bool matmul(Maker &maker) {
  Text text(maker);
  unsigned x = rows(maker);
  Type type = maker.typeOf(x);
  int64_t depth = type.shape.back().most(), columns = outputs(maker);
  type.shape.back() = columns;
  if (mostElements(type.shape) > elementLimit)
    return false;
  std::string left = text.reads(x);
  std::string product =
      maker.oneIn(4)
          ? left + " @ " + weight(text, {depth, columns}, 1, 0, type.element)
          : left + " @ transpose(" + weight(text, {columns, depth}, 0, 1, type.element) + ")";
  if (maker.oneIn(3))
    product += " + " + text.reads(maker.weight({type.element, {columns}}));
  maker.add(maker.oneIn(4) ? "relu(" + product + ")" : product, text.operands, type);
  return true;
}

static bool convolution(Maker &maker) {
  auto fits = [](const Type &type) {
    const Shape &shape = type.shape;
    return isFloat(type.element) && shape.size() == 4 && shape[1].isNumber() &&
           shape[1].most() > 0 && shape[1].most() <= 32 && shape[2].least() >= 1 &&
           shape[3].least() >= 1 && canBeWritten(shape);
  };
  auto found = maker.find(fits);
  const std::vector<Extent> channels = {3, 4, 8, 16, 32}, sizes = {3, 4, 7};
  const std::vector<Extent> batches = {1, 2, Extent("N", {0, 1, 16, 33})};
  unsigned x =
      found && maker.oneIn(2)
          ? *found
          : maker.fresh({maker.floatType(),
                         {maker.among(batches), maker.among(channels), maker.among(sizes), 3}});
  Type type = maker.typeOf(x);
  Text text(maker);
  int64_t in = type.shape[1].most(), size = maker.oneIn(2) ? 1 : 3;
  int64_t groups = maker.oneIn(4) ? in : in % 2 == 0 && maker.oneIn(4) ? 2 : 1;
  int64_t out = groups > 1 ? groups * (1 + maker.below(2)) : outputs(maker);
  type.shape[1] = out;
  if (mostElements(type.shape) > 2 * elementLimit)
    return false;
  std::string image = text.reads(x);
  std::string filters = weight(text, {out, in / groups, size, size}, 0, 1, type.element);
  std::string bias = maker.oneIn(2) ? ", " + text.reads(maker.weight({type.element, {out}})) : "";
  maker.add("conv2d(" + image + ", " + filters + bias + (size == 3 ? ", padding = 1" : "") +
                (groups > 1 ? ", groups = " + std::to_string(groups) : "") + ")",
            text.operands, type);
  return true;
}

/// Rows of a table: it is widened whole, or its rows and their scales are taken.
static bool embedding(Maker &maker) {
  const std::vector<int64_t> widths = {8, 16, 24, 33, 40};
  const int64_t count = 5 + maker.below(20), width = maker.among(widths);
  Shape shape = maker.anyShape(1 + maker.below(2));
  if (mostElements(shape) * width > elementLimit)
    return false;
  Type wanted{DType::I64, shape};
  auto known = maker.find([&](const Type &other) { return other == wanted; });
  Text text(maker);
  std::string at = text.reads(known ? *known : maker.fresh(wanted)) + " % " + std::to_string(count);
  unsigned last = shape.size();
  shape.push_back(width);
  auto taken = [&](const std::string &table) {
    return "take(" + table + ", " + at + ", axis = 0)";
  };
  if (maker.oneIn(2)) {
    std::string table = weight(text, {count, width}, 0, 1, maker.floatType());
    maker.add(taken(table), text.operands, {maker.floatType(), shape});
    return true;
  }
  Form form = Form::any(maker, {count, width}, 1, 1);
  if (!form.group)
    form.group = width;
  std::string numbers = text.part({form.stored, form.numbersOf({count, width})});
  const Shape scaled = form.scalesOf({count, width});
  std::string scales = taken(text.part({form.scale, scaled})), zeros;
  if (maker.oneIn(3))
    zeros = taken(text.part({form.stored, scaled}));
  form.axis = last;
  maker.add(form.str(taken(numbers), scales, zeros), text.operands, {form.scale, shape});
  return true;
}

/// A product of integers, whose rows are quantised in each call.
static bool dynamic(Maker &maker) {
  unsigned x = rows(maker);
  Type type = maker.typeOf(x);
  if (type.element != DType::F32 && type.element != DType::F64)
    return false;
  int64_t depth = type.shape.back().most(), columns = outputs(maker);
  type.shape.back() = columns;
  if (mostElements(type.shape) > elementLimit)
    return false;
  unsigned numbers = maker.weight({DType::I8, {columns, depth}});
  unsigned scales = maker.weight({type.element, {columns}});
  const std::string element(name(type.element));
  maker.add("~0low = minimum(min($0, axis = -1, keepdims = true), 0)\n"
            "    ~0high = maximum(max($0, axis = -1, keepdims = true), 0)\n"
            "    ~0step = where(~0high == ~0low, 1, (~0high - ~0low) / 255)\n"
            "    ~0zero = cast(round(-~0low / ~0step), u8)\n"
            "    ~0row = quantize($0, ~0step, ~0zero, axis = -1, group = " +
                std::to_string(depth) +
                ", dtype = u8)\n"
                "    ~0sum = qmatmul(~0row, transpose($1)) - cast(~0zero, i32) * "
                "sum(cast($1, i32), axis = 1)\n"
                "    ~0 = cast(~0sum, " +
                element + ") * ~0step * $2",
            {x, numbers, scales}, type);
  return true;
}

llvm::ArrayRef<Family> fuzz::compressedFamilies() {
  static const Family families[] = {{5, matmul}, {3, convolution}, {2, embedding}, {2, dynamic}};
  return families;
}
