//===- Build.cpp - kernel specs as Halide functions -----------------------===//

#include "codegen/halide/Build.h"

#include <algorithm>
#include <limits>

using namespace kiln;
using namespace kiln::halide;
using namespace kiln::spec;
using HExpr = Halide::Expr;

/// Whether a product is not strict, and no factor is chosen: of a chosen 0 or 1 Halide would make a
/// choice of the product, which loses 0 * NaN.
static bool canRelax(const KernelSpec &spec) {
  bool isRelaxed = false, chooses = false;
  for (const Stage &stage : spec.stages) {
    std::set<const Expr *> seen;
    visitPostOrder(stage.body, seen, [&](const ExprPtr &node) {
      isRelaxed |= !node->strict;
      chooses |= stage.role != Role::Epilogue &&
                 (node->op == Op::Select || (node->op == Op::Cast && !node->args[0]->args.empty() &&
                                             node->args[0]->type == DType::Bool));
    });
  }
  return isRelaxed && !chooses;
}

Builder::Builder(const KernelSpec &spec, const target::Target &target)
    : spec(spec), target(target) {
  isRelaxed = canRelax(spec);
  for (const Symbol &symbol : spec.symbols)
    symbols.emplace(symbol.name, Halide::Param<int32_t>("s_" + symbol.name));
  for (size_t i = 0; i < spec.operands.size(); ++i) {
    const Operand &operand = spec.operands[i];
    if (operand.use != Operand::Use::Input)
      continue;
    bool isPanel = operand.panel.has_value();
    if (isPanel && *operand.panel != Panel())
      throw Unsupported("a weight lies in other panels than of 16 columns");
    int rank = static_cast<int>(operand.shape.size());
    Halide::ImageParam image(memoryType(operand.type), rank + (isPanel ? 1 : 0),
                             "b" + std::to_string(i));
    // A panel is dense: lane, K from the last, panel.
    HExpr stride = 1;
    for (int d = 0; d < image.dimensions(); ++d) {
      HExpr size;
      if (isPanel) {
        size = d == 0      ? HExpr(16)
               : d == rank ? extent(DimExpr::floorDiv(operand.shape[0] + 15, 16))
                           : extent(operand.shape[rank - d]);
      } else {
        size = extent(operand.shape[rank - 1 - d]);
        stride = extent(operand.strides[rank - 1 - d]);
      }
      image.dim(d).set_min(0).set_extent(size).set_stride(Halide::Internal::simplify(stride));
      if (isPanel)
        stride = stride * size;
    }
    images.emplace(operand.name, image);
  }
}

HExpr Builder::extent(const DimExpr &value) {
  if (std::optional<int64_t> number = value.constantValue()) {
    if (*number < std::numeric_limits<int32_t>::min() ||
        *number > std::numeric_limits<int32_t>::max())
      throw Unsupported("an extent or stride needs more than 31 bits");
    return HExpr(static_cast<int32_t>(*number));
  }
  HExpr sum = 0;
  for (const auto &[monomial, coefficient] : value.monomials()) {
    HExpr product = extent(DimExpr(coefficient));
    for (const DimAtom &atom : monomial) {
      if (atom.kind == DimAtom::Kind::Symbol) {
        product = product * symbols.at(atom.symbol);
        continue;
      }
      HExpr left = extent(*atom.left), right = extent(*atom.right);
      // Verified specs divide by positive numbers only where the quotient is an extent.
      product = product * (atom.kind == DimAtom::Kind::Quotient ? left / right
                           : atom.kind == DimAtom::Kind::Min    ? Halide::min(left, right)
                                                                : Halide::max(left, right));
    }
    sum = sum + product;
  }
  return Halide::Internal::simplify(sum);
}

HExpr Builder::term(const Halide::RDom &reduction, const HExpr &value) {
  return Halide::select(HExpr(reduction[0]) < 0, Halide::Internal::make_zero(value.type()), value);
}

HExpr Builder::opaque(const HExpr &value) {
  usesZero = true;
  Halide::Type bits = Halide::UInt(value.type().bits());
  return Halide::reinterpret(value.type(),
                             Halide::reinterpret(bits, value) ^ Halide::cast(bits, zero));
}

HExpr Builder::factor(const HExpr &chosen) {
  bool isReal = chosen.type().is_float() || chosen.type().is_bfloat();
  return isRelaxed && isReal ? opaque(chosen) : chosen;
}

int64_t Builder::parameter(const char *name, int64_t otherwise) {
  auto it = spec.schedule.parameters.find(name);
  return it == spec.schedule.parameters.end() ? otherwise : it->second;
}

DimExpr::BoundsMap Builder::symbolBounds() const {
  DimExpr::BoundsMap result;
  for (const Symbol &symbol : spec.symbols)
    result[symbol.name] = {symbol.lower, symbol.upper};
  return result;
}

/// A factor of 0 would be all that Halide keeps of a relaxed product, and 0 * NaN be lost.
static void checkProduct(const Expr &node) {
  bool isConstant =
      std::ranges::any_of(node.args, [](const ExprPtr &factor) { return factor->op == Op::Const; });
  if (!node.strict && node.op == Op::Mul && isConstant)
    throw Unsupported("a sum of products with a constant");
}

void Builder::checkReductions() const {
  DimExpr::BoundsMap bounds = symbolBounds();
  for (const Stage &stage : spec.stages) {
    bool mayBeEmpty = std::ranges::any_of(stage.reduction, [&](const DimExpr &extent) {
      return extent.bounds(bounds).lower.value_or(0) < 1;
    });
    bool depends = false;
    std::set<const Expr *> seen;
    auto isReduced = [&](int dim) { return dim >= static_cast<int>(stage.domain.size()); };
    visitPostOrder(stage.body, seen, [&](const ExprPtr &node) {
      checkProduct(*node);
      depends |= node->op == Op::Dim && isReduced(node->dim);
      for (const Index &index : node->read.indices)
        for (auto [dim, coefficient] : index.terms)
          depends |= isReduced(dim);
    });
    if (mayBeEmpty && !depends)
      throw Unsupported("a reduction that may be empty, of one value");
  }
}

/// Whether 0 <= index < extent at every point of the stage, as far as constants tell.
static bool isInside(const Index &index, const Stage &stage, const DimExpr &extent,
                     const DimExpr::BoundsMap &bounds) {
  if (index.indirect)
    return false;
  DimExpr least = index.offset, most = index.offset;
  for (auto [dim, coefficient] : index.terms) {
    size_t at = dim;
    const DimExpr &size =
        at < stage.domain.size() ? stage.domain[at] : stage.reduction[at - stage.domain.size()];
    DimExpr last = (size - 1) * DimExpr(coefficient);
    (coefficient > 0 ? most : least) = (coefficient > 0 ? most : least) + last;
  }
  std::optional<int64_t> low = least.bounds(bounds).lower;
  std::optional<int64_t> room = (extent - 1 - most).bounds(bounds).lower;
  return low && *low >= 0 && room && *room >= 0;
}

/// Address of an element of an input.
HExpr Builder::address(const Operand &operand, Halide::ImageParam &image, const Expr &node,
                       const Coordinates &coordinates, const std::vector<HExpr> &indices) {
  std::vector<HExpr> args(indices.rbegin(), indices.rend());
  if (!operand.panel)
    return image(args);
  const Index &column = node.read.indices[0];
  HExpr lane, panel = 0;
  for (auto [dim, coefficient] : column.terms) {
    if (coordinates[dim].lane.defined() && coefficient == 1) {
      lane = coordinates[dim].lane;
      panel = panel + coordinates[dim].panel + coordinates[dim].firstPanel;
    } else if (coefficient % 16 == 0) {
      panel = panel + static_cast<int32_t>(coefficient / 16) * coordinates[dim].value;
    } else {
      throw Unsupported("a packed weight is read across its panels");
    }
  }
  std::optional<int64_t> offset = column.offset.constantValue();
  if (!lane.defined() || !offset || *offset % 16 != 0 || column.indirect)
    throw Unsupported("a packed weight is read across its panels");
  args.back() = Halide::Internal::simplify(panel + static_cast<int32_t>(*offset / 16));
  args.insert(args.begin(), lane);
  return image(args);
}

/// The dimension that an index is, without offset; -1 if it is more than that.
static int plainDim(const Index &index) {
  bool isPlain = index.terms.size() == 1 && index.terms[0].second == 1 &&
                 index.offset == DimExpr(0) && !index.indirect;
  return isPlain ? index.terms[0].first : -1;
}

std::vector<HExpr> Builder::stageArguments(const StageFunc &source, const Expr &node,
                                           const Coordinates &coordinates,
                                           const std::vector<HExpr> &indices) {
  std::vector<HExpr> args, lanes;
  for (size_t i = indices.size(); i-- > 0;) {
    int at = static_cast<int>(i), dim = plainDim(node.read.indices[i]);
    if (at != source.blockedDim && at != source.tiledDim) {
      args.push_back(indices[i]);
      continue;
    }
    // Divided dimensions are read at the same point only: their parts are passed on.
    bool isLane = at == source.blockedDim;
    if (dim < 0 || !(isLane ? coordinates[dim].lane : coordinates[dim].row).defined())
      throw Unsupported("the anchor is read at another point");
    const Coordinate &point = coordinates[dim];
    args.push_back(isLane ? point.lane : point.row);
    args.push_back(isLane ? point.panel : point.tile);
  }
  return args;
}

/// Function over a source's coordinates that gives the outside value beyond its shape.
Halide::Func Builder::padding(const Expr &node, const Operand &operand, Halide::ImageParam &image) {
  double outside = node.read.outside.value_or(0);
  std::string key = operand.name + " " + std::to_string(outside);
  if (auto it = paddings.find(key); it != paddings.end())
    return it->second;
  Halide::Func func("pad" + std::to_string(paddings.size()));
  std::vector<Halide::Var> vars;
  std::vector<HExpr> args;
  HExpr guard = Halide::Internal::const_true();
  for (size_t i = operand.shape.size(); i-- > 0;) {
    Halide::Var var("q" + std::to_string(i));
    HExpr size = extent(operand.shape[i]);
    vars.push_back(var);
    guard = guard && var >= 0 && var < size;
    args.push_back(Halide::clamp(var, 0, size - 1));
  }
  HExpr value = image(args);
  func(vars) = factor(select(guard, value, Halide::Internal::make_const(value.type(), outside)));
  padded.emplace_back(operand.name, func);
  return paddings[key] = func;
}

HExpr Builder::load(const Expr &node, const Stage &stage, const Coordinates &coordinates,
                    const std::function<HExpr(const ExprPtr &)> &evaluate) {
  const Operand *operand = spec.findOperand(node.read.source);
  auto image = images.find(node.read.source);
  auto inner = stages.find(node.read.source);
  bool isInput = image != images.end();
  if (!isInput && inner == stages.end())
    throw Unsupported("stage '" + node.read.source + "' cannot be read here");
  if (!isInput && operand && !inner->second.stage->store.empty())
    throw Unsupported("'" + node.read.source + "' is read after it was stored by a map");
  const std::vector<DimExpr> &shape = isInput ? operand->shape : inner->second.stage->domain;
  DimExpr::BoundsMap bounds = symbolBounds();
  std::vector<HExpr> indices;
  HExpr guard = Halide::Internal::const_true();
  bool canCopy = usesPadding && isInput && !operand->panel;
  bool isPadded = canCopy && copies && copies(node);
  for (size_t i = 0; i < shape.size(); ++i) {
    const Index &index = node.read.indices[i];
    HExpr at = extent(index.offset), size = extent(shape[i]);
    for (auto [dim, coefficient] : index.terms)
      at = at + static_cast<int32_t>(coefficient) * coordinates[dim].value;
    at = Halide::Internal::simplify(at);
    // A clamped coordinate is read whether it counts or not: there must be an element.
    bool isClamped =
        index.indirect || (node.read.outside && !isInside(index, stage, shape[i], bounds));
    if (isClamped && shape[i].bounds(bounds).lower.value_or(0) < 1)
      throw Unsupported("a guarded read of '" + node.read.source + "', which may be empty");
    if (index.indirect) {
      HExpr extra = evaluate(index.indirect);
      HExpr last = Halide::cast<int64_t>(Halide::max(size - 1, 0));
      at = at + Halide::cast<int32_t>(Halide::clamp(extra, Halide::cast<int64_t>(0), last));
    }
    if (node.read.outside && !isInside(index, stage, shape[i], bounds)) {
      isPadded |= canCopy;
      if (canCopy) {
        indices.push_back(at);
        continue;
      }
      guard = guard && at >= 0 && at < size;
      at = Halide::clamp(at, 0, Halide::max(size - 1, 0));
    }
    indices.push_back(at);
  }
  HExpr value;
  if (isPadded) {
    std::vector<HExpr> args(indices.rbegin(), indices.rend());
    value = padding(node, *operand, image->second)(args);
  } else if (isInput) {
    value = address(*operand, image->second, node, coordinates, indices);
  } else {
    value = inner->second.func(stageArguments(inner->second, node, coordinates, indices));
    if (node.type == DType::F32) // a long sum is kept in f64
      value = Halide::cast(valueType(node.type), value);
    if (!inner->second.stage->body->strict && value.type().is_float())
      value = opaque(value);
  }
  if (node.type == DType::Bool)
    value = value != Halide::cast<uint8_t>(0);
  if (Halide::Internal::is_const_one(guard))
    return value;
  HExpr outside = node.type == DType::Bool
                      ? Halide::Internal::make_bool(*node.read.outside != 0)
                      : Halide::Internal::make_const(value.type(), *node.read.outside);
  return factor(select(guard, value, outside));
}

void Builder::defineStage(const Stage &stage) {
  if (stage.combiner != Combiner::None)
    throw Unsupported("stage '" + stage.name + "' has a reduction");
  std::vector<Halide::Var> vars;
  Coordinates point(stage.domain.size());
  for (size_t d = stage.domain.size(); d-- > 0;) {
    vars.push_back(Halide::Var("d" + std::to_string(d)));
    point[d] = HExpr(vars.back());
  }
  Halide::Func func(stage.name);
  HExpr result = value(stage.body, stage, point);
  func(vars) = stage.type == DType::Bool ? Halide::cast<uint8_t>(result) : result;
  define(stage.name, {func, -1, -1, &stage});
}

DimExpr Builder::outputStride(const Stage &stage, size_t dim) const {
  const Operand &operand = *spec.findOperand(stage.name);
  if (stage.store.empty())
    return operand.strides[dim];
  DimExpr stride = 0;
  for (size_t i = 0; i < stage.store.size(); ++i)
    for (auto [term, coefficient] : stage.store[i].terms)
      if (static_cast<size_t>(term) == dim)
        stride = stride + DimExpr(coefficient) * operand.strides[i];
  return stride;
}

DimExpr Builder::outputOffset(const Stage &stage) const {
  const Operand &operand = *spec.findOperand(stage.name);
  DimExpr offset = 0;
  for (size_t i = 0; i < stage.store.size(); ++i) {
    if (stage.store[i].indirect)
      throw Unsupported("an indirect store needs an order of its points");
    offset = offset + stage.store[i].offset * operand.strides[i];
  }
  return offset;
}

void Builder::output(Halide::Func func, const Stage &stage) {
  Piece piece{func, &stage, outputOffset(stage), {}, {}};
  for (size_t d = stage.domain.size(); d-- > 0;) {
    piece.extents.push_back(stage.domain[d]);
    piece.strides.push_back(outputStride(stage, d));
  }
  output(std::move(piece));
}

void Builder::output(Piece piece) {
  Halide::OutputImageParam buffer = piece.func.output_buffer();
  for (size_t d = 0; d < piece.extents.size(); ++d)
    buffer.dim(static_cast<int>(d))
        .set_min(0)
        .set_extent(extent(piece.extents[d]))
        .set_stride(extent(piece.strides[d]));
  pieces.push_back(std::move(piece));
}

std::vector<Halide::Argument> Builder::arguments() {
  std::vector<Halide::Argument> result{
      Halide::Argument("__user_context", Halide::Argument::InputScalar, Halide::type_of<void *>(),
                       0, Halide::ArgumentEstimates{})};
  for (const Operand &operand : spec.operands)
    if (auto it = images.find(operand.name); it != images.end())
      result.push_back(it->second);
  for (const Symbol &symbol : spec.symbols)
    result.push_back(symbols.at(symbol.name));
  if (usesZero)
    result.push_back(zero);
  return result;
}

static std::string braced(const std::vector<DimExpr> &values) {
  std::string out = " [";
  for (size_t i = 0; i < values.size(); ++i)
    out += (i ? ", " : "") + values[i].str();
  return out + "]";
}

std::string Builder::describeArguments() {
  std::string out;
  auto number = [&](std::string_view name) {
    return std::to_string(spec.findOperand(name) - spec.operands.data());
  };
  for (const Operand &operand : spec.operands) {
    if (operand.use != Operand::Use::Input)
      continue;
    std::vector<DimExpr> extents(operand.shape.rbegin(), operand.shape.rend());
    std::vector<DimExpr> strides(operand.strides.rbegin(), operand.strides.rend());
    if (operand.panel) {
      extents.back() = DimExpr::floorDiv(operand.shape[0] + 15, 16);
      extents.insert(extents.begin(), DimExpr(16));
      DimExpr stride = 1;
      for (const DimExpr &extent : extents) {
        strides.push_back(stride);
        stride = stride * extent;
      }
    }
    out += "buffer " + number(operand.name) + " {0}" + braced(extents) + braced(strides) + "\n";
  }
  for (size_t i = 0; i < spec.symbols.size(); ++i)
    out += "symbol " + std::to_string(i) + "\n";
  if (usesZero)
    out += "zero\n";
  for (const Piece &piece : pieces)
    out += "buffer " + number(piece.stage->name) + " {" + piece.offset.str() + "}" +
           braced(piece.extents) + braced(piece.strides) + "\n";
  return out;
}

Halide::Pipeline Builder::pipeline() {
  std::vector<Halide::Func> funcs;
  for (const Piece &piece : pieces)
    funcs.push_back(piece.func);
  if (funcs.empty())
    throw Unsupported("the kernel writes nothing");
  return Halide::Pipeline(funcs);
}
