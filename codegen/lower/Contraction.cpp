//===- Contraction.cpp - stages of matrix products and convolutions ---------===//

#include "codegen/lower/Builder.h"

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

static void lowerMatmul(SpecBuilder &builder, MatmulOp op) {
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
  ExprPtr left = builder.load(op.getA(), atA), right = builder.load(op.getB(), atB);
  builder.appendAnchor(op, sumOfProducts(op.getType(), {a.back()}, left, right));
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
  ExprPtr x = builder.load(op.getX(), atX, isPadded ? std::optional(0.0) : std::nullopt);
  spec::Stage stage = sumOfProducts(op.getType(), reduction, x, builder.load(op.getWeight(), atW));
  if (!op.getBias())
    return builder.appendAnchor(op, std::move(stage));
  std::string sum = builder.append(std::move(stage), /*isAnchor=*/true);
  builder.derive(op.getResult(), [&builder, op, sum, channels](const At &at) mutable {
    return spec::apply(spec::Op::Add,
                       {builder.readStage(sum, at), builder.load(op.getBias(), {at[channels]})});
  });
}

bool lower::lowerContraction(SpecBuilder &builder, Operation *op) {
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return lowerMatmul(builder, matmul), true;
  if (auto conv = dyn_cast<Conv2dOp>(op))
    return lowerConvolution(builder, conv), true;
  if (auto conv = dyn_cast<Conv3dOp>(op))
    return lowerConvolution(builder, conv), true;
  return false;
}
