//===- Contraction.cpp - stages of matrix products and convolutions ---------===//

#include "codegen/lower/Builder.h"

#include <numeric>
#include <type_traits>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::lower;
using namespace mlir;
using spec::ExprPtr;

/// A sum of relaxed products.
static spec::Stage sumOfProducts(Type result, std::vector<DimExpr> reduction, const ExprPtr &a,
                                 const ExprPtr &b) {
  SmallVector<DimExpr> dims = dimsOf(result);
  spec::Stage stage;
  stage.domain.assign(dims.begin(), dims.end());
  stage.reduction = std::move(reduction);
  stage.combiner = spec::Combiner::Add;
  stage.body = spec::relaxed(spec::apply(spec::Op::Mul, {a, b}));
  stage.type = stage.body->type;
  stage.init = spec::constant(int64_t(0), stage.type);
  return stage;
}

namespace {
/// A depth in runs of equal length, each within one group. The last group may be shorter.
struct Runs {
  DimExpr count;
  int64_t length = 0, inGroup = 1;

  static std::optional<Runs> of(const DimExpr &depth, int64_t group) {
    if (DimExpr groups = DimExpr::floorDiv(depth, group); depth == groups * DimExpr(group))
      return Runs{groups, group, 1};
    std::optional<int64_t> known = depth.constantValue();
    if (!known || *known == 0)
      return std::nullopt;
    if (*known < group)
      return Runs{1, *known, 1};
    int64_t length = std::gcd(*known, group);
    return Runs{*known / length, length, group / length};
  }
  /// The group of the run at a dimension.
  spec::Index groupAt(int dim) const {
    if (inGroup == 1)
      return spec::index(dim);
    spec::Index result;
    result.indirect =
        spec::apply(spec::Op::FloorDiv, {spec::dim(dim), spec::constant(inGroup, DType::I64)});
    return result;
  }
};

/// Whether the scales may multiply sums: 0 times an infinite one is NaN, and so is each sum that
/// has it.
bool isFactor(DequantizeOp op) { return op->hasAttr("kiln.finite"); }

/// A weight in integers. Its scale is a factor of whole sums if it is that of an output channel; in
/// groups along the depth it is one of each number.
struct Integers {
  Value numbers, scale;
  int64_t group = 0;

  /// Nothing for other weights, those with zero points among them.
  static std::optional<Integers> of(SpecBuilder &builder, Value weight, int64_t channels,
                                    int64_t depth) {
    auto op = weight.getDefiningOp<DequantizeOp>();
    if (!op || builder.isStored(weight) || op.getZeroPoint() || op.getBits() != 8 ||
        dtypeOf(weight.getType()) == DType::F64)
      return std::nullopt;
    Integers result{op.getX(), op.getScale(), static_cast<int64_t>(op.getGroup())};
    int64_t axis = op.getAxis();
    SmallVector<DimExpr> shape = dimsOf(weight.getType());
    bool isChannels = result.group == 0 && axis == channels &&
                      !dimsOf(op.getScale().getType()).empty() && isFactor(op);
    bool isGroups = result.group > 0 && axis == depth && shape.size() == 2 &&
                    Runs::of(shape[depth], result.group);
    return isChannels || isGroups ? std::optional(result) : std::nullopt;
  }
  ExprPtr load(SpecBuilder &builder, const At &at) const {
    return spec::cast(builder.load(numbers, at), DType::F32);
  }
  ExprPtr times(SpecBuilder &builder, const ExprPtr &sum, const At &at) const {
    return spec::apply(spec::Op::Mul, {sum, builder.load(scale, at)});
  }
};
} // namespace

/// The depth falls into runs within groups, a dimension each.
static void lowerGroupedMatmul(SpecBuilder &builder, MatmulOp op, const Integers &weight) {
  DimExpr depth = dimsOf(op.getA().getType()).back();
  Runs runs = *Runs::of(depth, weight.group);
  int rank = static_cast<int>(dimsOf(op.getA().getType()).size());
  spec::Index position = affine({{rank, runs.length}, {rank + 1, 1}});
  At atA = identity(rank), atB(2), atScale(2);
  int64_t n = op.getTransposeB() ? 0 : 1;
  atA[rank - 1] = position;
  atB[n] = atScale[n] = spec::index(rank - 1);
  atB[1 - n] = position;
  atScale[1 - n] = runs.groupAt(rank);
  ExprPtr right = weight.times(builder, weight.load(builder, atB), atScale);
  builder.appendAnchor(op, sumOfProducts(op.getType(), {runs.count, runs.length},
                                         builder.load(op.getA(), atA), right));
}

/// How many products of numbers of fewer bits than a byte are added at most before the scale
/// multiplies their sum: whole blocks of any bits. Of runs that it does not divide fewer.
static constexpr int64_t mostAtOnce = 8;
static int64_t productsAtOnce(const Runs &runs) { return std::gcd(runs.length, mostAtOnce); }

/// The weight in parts of bytes, where runs along the depth have whole blocks of them.
static DequantizeOp partsOf(SpecBuilder &builder, MatmulOp op) {
  auto weight = op.getB().getDefiningOp<DequantizeOp>();
  int64_t depthAxis = op.getTransposeB() ? 1 : 0;
  if (!weight || builder.isStored(op.getB()) || weight.getBits() == 8 ||
      dtypeOf(op.getB().getType()) != DType::F32 || dimsOf(op.getB().getType()).size() != 2 ||
      static_cast<int64_t>(weight.getAxis()) != depthAxis)
    return {};
  int64_t group = weight.getGroup();
  NumberBlock block{static_cast<int64_t>(weight.getBits())};
  auto runs = group ? Runs::of(dimsOf(op.getB().getType())[depthAxis], group) : std::nullopt;
  bool isWhole = runs && productsAtOnce(*runs) % block.numbers() == 0;
  return isWhole ? weight : DequantizeOp();
}

/// Sums over runs and the products at once in them; those are written out, so that parts of bytes
/// are known places and their scale is one factor, or of each if it is not known to be finite.
static void lowerParts(SpecBuilder &builder, MatmulOp op, DequantizeOp weight) {
  DimExpr depth = dimsOf(op.getA().getType()).back();
  int rank = static_cast<int>(dimsOf(op.getA().getType()).size());
  Runs runs = *Runs::of(depth, weight.getGroup());
  int64_t atOnce = productsAtOnce(runs), n = op.getTransposeB() ? 0 : 1;
  NumberBlock block{static_cast<int64_t>(weight.getBits())};
  bool isSigned = dtypeOf(weight.getX().getType()) == DType::I8;
  At atA = identity(rank), atB(2), atScale(2);
  atB[n] = atScale[n] = spec::index(rank - 1);
  atScale[1 - n] = runs.groupAt(rank);
  ExprPtr zero, bytes, sum, scale = builder.load(weight.getScale(), atScale);
  if (weight.getZeroPoint())
    zero = spec::cast(builder.load(weight.getZeroPoint(), atScale), DType::I32);
  for (int64_t i = 0; i < atOnce; ++i) {
    atA[rank - 1] = affine({{rank, runs.length}, {rank + 1, atOnce}}, i);
    int64_t part = i % block.numbers();
    if (part == 0)
      bytes =
          loadBlock(builder, weight.getX(), atB, 1 - n,
                    affine({{rank, block.bytesOf(runs.length)}, {rank + 1, block.bytesOf(atOnce)}},
                           block.bytesOf(i)),
                    block);
    ExprPtr q = numberOf(bytes, spec::constant(part, DType::I32), block, isSigned);
    if (zero)
      q = spec::apply(spec::Op::Sub, {q, zero});
    ExprPtr right = spec::cast(q, DType::F32);
    if (!isFactor(weight))
      right = spec::apply(spec::Op::Mul, {right, scale});
    ExprPtr product =
        spec::relaxed(spec::apply(spec::Op::Mul, {builder.load(op.getA(), atA), right}));
    sum = sum ? spec::apply(spec::Op::Add, {sum, product}) : product;
  }
  ExprPtr factor = isFactor(weight) ? scale : spec::constant(1.0, DType::F32);
  builder.appendAnchor(
      op, sumOfProducts(op.getType(), {runs.count, runs.length / atOnce}, sum, factor));
}

/// Small integers are multiplied as i32.
static ExprPtr loadInteger(SpecBuilder &builder, Value value, const At &at,
                           std::optional<double> outside = std::nullopt) {
  return spec::cast(builder.load(value, at, outside), DType::I32);
}

/// Where the element of a product reads both matrices.
template <typename Op> static std::pair<At, At> positionsOf(Op op) {
  SmallVector<DimExpr> a = dimsOf(op.getA().getType()), b = dimsOf(op.getB().getType());
  int rank = static_cast<int>(a.size()), k = rank;
  At atA = identity(rank), atB = identity(rank);
  atA[rank - 1] = spec::index(k);
  atB.erase(atB.begin(), atB.begin() + (rank - b.size()));
  size_t last = b.size() - 1;
  atB[last] = spec::index(rank - 1);
  atB[last - 1] = spec::index(k);
  if (op.getTransposeB())
    std::swap(atB[last], atB[last - 1]);
  return {std::move(atA), std::move(atB)};
}

static void lowerQMatmul(SpecBuilder &builder, QMatmulOp op) {
  auto [atA, atB] = positionsOf(op);
  ExprPtr left = loadInteger(builder, op.getA(), atA);
  builder.appendAnchor(op, sumOfProducts(op.getType(), {dimsOf(op.getA().getType()).back()}, left,
                                         loadInteger(builder, op.getB(), atB)));
}

/// A factor that is computed within the kernel is computed once, not at each of its products.
static void storeComputed(SpecBuilder &builder, Value factor) {
  auto op = dyn_cast_or_null<Fusable>(factor.getDefiningOp());
  FusionRole role = op ? op.getFusionRole() : FusionRole::Constant;
  bool isWidened = isa_and_nonnull<CastOp, DequantizeOp>(factor.getDefiningOp());
  if (role == FusionRole::RowWise || (role == FusionRole::Pointwise && !isWidened))
    builder.store(factor);
}

/// Sums over `depth` of products with elements of the op's second operand, whose scales, if it is
/// one of integers, are those of the result's dimension `channel`.
static void appendProduct(SpecBuilder &builder, Operation *op, const ExprPtr &left,
                          const std::optional<Integers> &integers, const At &atWeight,
                          const DimExpr &depth, size_t channel) {
  Value weight = op->getOperand(1), result = op->getResult(0);
  ExprPtr right = integers ? integers->load(builder, atWeight) : builder.load(weight, atWeight);
  spec::Stage stage = sumOfProducts(result.getType(), {depth}, left, right);
  if (!integers)
    return builder.appendAnchor(op, std::move(stage));
  std::string sum = builder.append(std::move(stage), /*isAnchor=*/true);
  builder.derive(result, [&builder, integers, sum, channel](const At &at) {
    return integers->times(builder, builder.readStage(sum, at), {at[channel]});
  });
}

static void lowerMatmul(SpecBuilder &builder, MatmulOp op) {
  storeComputed(builder, op.getA());
  if (DequantizeOp weight = partsOf(builder, op))
    return lowerParts(builder, op, weight);
  int64_t channels = op.getTransposeB() ? 0 : 1;
  auto integers = Integers::of(builder, op.getB(), channels, 1 - channels);
  if (integers && integers->group)
    return lowerGroupedMatmul(builder, op, *integers);
  auto [atA, atB] = positionsOf(op);
  DimExpr depth = dimsOf(op.getA().getType()).back();
  size_t channel = dimsOf(op.getType()).size() - 1;
  appendProduct(builder, op, builder.load(op.getA(), atA), integers, atB, depth, channel);
}

/// The inputs of a block are those at its positions.
static void lowerSparseMatmul(SpecBuilder &builder, SparseMatmulOp op) {
  builder.store(op.getX());
  int rank = static_cast<int>(dimsOf(op.getType()).size());
  int n = op.getColumns() ? 0 : rank - 1, block = static_cast<int>(op.getBlock());
  spec::Index of = spec::index(n);
  if (block > 1) {
    of = spec::Index();
    of.indirect =
        spec::apply(spec::Op::FloorDiv, {spec::dim(n), spec::constant(int64_t(block), DType::I64)});
  }
  At atX = identity(rank);
  atX[n] =
      positionOf(builder.load(op.getPositions(), {of, spec::index(rank)}), op.getIndexedExtent());
  appendProduct(builder, op, builder.load(op.getX(), atX),
                Integers::of(builder, op.getWeight(), /*channels=*/0, /*depth=*/-1),
                {spec::index(n), spec::index(rank)}, dimsOf(op.getWeight().getType())[1], n);
}

/// The input channel: in a group, its first channel plus the reduction's `inner` (none: depthwise).
static spec::Index inputChannel(int channels, int64_t groups, const DimExpr &outputs,
                                const DimExpr &perGroup, int inner) {
  if (groups == 1)
    return spec::index(inner);
  DimExpr perOutput = DimExpr::floorDiv(outputs, groups);
  if (inner < 0 && perOutput == DimExpr(1))
    return spec::index(channels);
  ExprPtr channel =
      spec::apply(spec::Op::FloorDiv, {spec::dim(channels), number(perOutput, DType::I64)});
  if (inner >= 0)
    channel = spec::apply(
        spec::Op::Add,
        {spec::apply(spec::Op::Mul, {channel, number(perGroup, DType::I64)}), spec::dim(inner)});
  spec::Index index;
  index.indirect = channel;
  return index;
}

/// Of floats, with a bias and with weights in integers.
template <typename Op>
static void lowerSum(SpecBuilder &builder, Op op, std::vector<DimExpr> reduction, const At &atX,
                     const At &atW, bool isPadded) {
  size_t channels = op.getChannelsLast() ? atX.size() - 1 : 1;
  ExprPtr x = builder.load(op.getX(), atX, isPadded ? std::optional(0.0) : std::nullopt);
  auto integers = Integers::of(builder, op.getWeight(), /*channels=*/0, /*depth=*/-1);
  ExprPtr weight = integers ? integers->load(builder, atW) : builder.load(op.getWeight(), atW);
  spec::Stage stage = sumOfProducts(op.getType(), std::move(reduction), x, weight);
  if (!op.getBias() && !integers)
    return builder.appendAnchor(op, std::move(stage));
  std::string sum = builder.append(std::move(stage), /*isAnchor=*/true);
  builder.derive(op.getResult(), [&builder, op, integers, sum, channels](const At &at) mutable {
    ExprPtr value = builder.readStage(sum, at);
    if (integers)
      value = integers->times(builder, value, {at[channels]});
    return op.getBias()
               ? spec::apply(spec::Op::Add, {value, builder.load(op.getBias(), {at[channels]})})
               : value;
  });
}

/// Of any number of spatial dimensions.
template <typename Op> static void lowerConvolution(SpecBuilder &builder, Op op) {
  SmallVector<DimExpr> w = dimsOf(op.getWeight().getType()), pad = op.getPadding().getDims();
  int rank = static_cast<int>(w.size()), channels = op.getChannelsLast() ? rank - 1 : 1,
      first = op.getChannelsLast() ? 1 : 2;
  int64_t groups = op.getGroups();
  bool hasInner = groups == 1 || w[channels] != DimExpr(1);
  // The reduction's dimensions stand in the order of the weight's.
  std::vector<DimExpr> reduction;
  SmallVector<int> number(rank, -1);
  for (int axis = 1; axis < rank; ++axis)
    if (axis != channels || hasInner) {
      number[axis] = rank + static_cast<int>(reduction.size());
      reduction.push_back(w[axis]);
    }
  At atX(rank), atW(rank);
  atX[0] = spec::index(0);
  atW[0] = spec::index(channels);
  for (int i = 0; i < rank - 2; ++i) {
    int axis = first + i;
    atX[axis] =
        affine({{axis, op.getStride()[i]}, {number[axis], op.getDilation()[i]}}, -pad[2 * i]);
    atW[axis] = spec::index(number[axis]);
  }
  atX[channels] = inputChannel(channels, groups, w[0], w[channels], number[channels]);
  atW[channels] = hasInner ? spec::index(number[channels]) : spec::Index();
  if (atX[channels].indirect)
    builder.store(op.getX());
  bool isPadded = llvm::any_of(pad, [](const DimExpr &p) { return p != DimExpr(0); });
  if constexpr (std::is_same_v<Op, QConv2dOp>) {
    std::optional<double> border;
    if (isPadded)
      border = static_cast<double>(op.getBorder());
    ExprPtr x = loadInteger(builder, op.getX(), atX, border);
    builder.appendAnchor(
        op, sumOfProducts(op.getType(), reduction, x, loadInteger(builder, op.getWeight(), atW)));
  } else {
    lowerSum(builder, op, reduction, atX, atW, isPadded);
  }
}

bool lower::lowerContraction(SpecBuilder &builder, Operation *op) {
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return lowerMatmul(builder, matmul), true;
  if (auto matmul = dyn_cast<SparseMatmulOp>(op))
    return lowerSparseMatmul(builder, matmul), true;
  if (auto conv = dyn_cast<Conv2dOp>(op))
    return lowerConvolution(builder, conv), true;
  if (auto conv = dyn_cast<Conv3dOp>(op))
    return lowerConvolution(builder, conv), true;
  if (auto matmul = dyn_cast<QMatmulOp>(op))
    return lowerQMatmul(builder, matmul), true;
  if (auto conv = dyn_cast<QConv2dOp>(op))
    return lowerConvolution(builder, conv), true;
  return false;
}
