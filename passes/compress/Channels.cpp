//===- Channels.cpp - which channels of a module go together ----------------===//

#include "passes/compress/Channels.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

Channels::Channels(ModuleOp module) {
  llvm::StringMap<WeightOp> weights;
  for (auto weight : module.getOps<WeightOp>()) {
    number(weight.getOperation(), weight.getType());
    weights[weight.getSymName()] = weight;
  }
  module.walk([&](Operation *op) {
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments()) {
          number(argument.getAsOpaquePointer(), argument.getType());
          bool isOfFunction = isa<func::FuncOp>(op);
          fixAll(argument, isOfFunction ? "its channels are those of an argument"
                                        : "its channels are those of a value that a loop carries");
        }
    for (Value result : op->getResults())
      number(result.getAsOpaquePointer(), result.getType());
  });
  module.walk([&](Operation *op) {
    auto get = dyn_cast<GetOp>(op);
    if (!get)
      return visit(op);
    WeightOp weight = weights.lookup(get.getWeight());
    for (unsigned i = 0, e = dimsOf(get.getType()).size(); weight && i < e; ++i)
      tie(axis(weight, i), axis(get.getResult(), i));
  });
  for (const Factors &factors : deferred)
    decide(factors);
}

void Channels::number(const void *tensor, Type type) {
  SmallVector<Axis, 4> list;
  if (isa<RankedTensorType>(type))
    for (const DimExpr &dim : dimsOf(type)) {
      std::optional<int64_t> extent = dim.constantValue();
      Axis axis;
      if (extent) {
        axis = {static_cast<int64_t>(parents.size()), *extent};
        for (int64_t i = 0; i < *extent; ++i)
          parents.push_back(axis.first + i);
      }
      list.push_back(axis);
    }
  axes[tensor] = std::move(list);
  reasonOf.resize(parents.size(), 0);
}

Axis Channels::axis(Value value, unsigned number) const {
  return axes.find(value.getAsOpaquePointer())->second[number];
}

Axis Channels::axis(WeightOp weight, unsigned number) const {
  return axes.find(weight.getOperation())->second[number];
}

int64_t Channels::find(int64_t position) const {
  while (parents[position] != position)
    position = parents[position] = parents[parents[position]];
  return position;
}

void Channels::tie(int64_t a, int64_t b) {
  a = find(a), b = find(b);
  if (a == b)
    return;
  parents[std::max(a, b)] = std::min(a, b);
  uint32_t &reason = reasonOf[std::min(a, b)];
  reason = reason ? reason : reasonOf[std::max(a, b)];
}

void Channels::tie(Axis a, Axis b) {
  if (a.extent != b.extent) {
    fix(a, "its channels meet as many only by requirement");
    return fix(b, "its channels meet as many only by requirement");
  }
  for (int64_t i = 0; a.isKnown() && i < a.extent; ++i)
    tie(a.first + i, b.first + i);
}

void Channels::tieAll(Value a, Value b) {
  for (unsigned i = 0, e = dimsOf(a.getType()).size(); i < e; ++i)
    tie(axis(a, i), axis(b, i));
}

void Channels::fix(Axis axis, const Twine &reason) {
  if (!axis.isKnown() || axis.extent == 0)
    return;
  std::string text = reason.str();
  auto found = llvm::find(reasons, text);
  auto number = static_cast<uint32_t>(found - reasons.begin());
  if (found == reasons.end())
    reasons.push_back(text);
  for (int64_t i = 0; i < axis.extent; ++i)
    if (uint32_t &of = reasonOf[find(axis.first + i)]; !of)
      of = number;
}

void Channels::fixAll(Value value, const Twine &reason) {
  if (isa<RankedTensorType>(value.getType()))
    for (unsigned i = 0, e = dimsOf(value.getType()).size(); i < e; ++i)
      fix(axis(value, i), reason);
}

void Channels::visit(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case<WeightOp, FullOp, ZerosOp, OnesOp>([](auto) {})
      .Case<Conv2dOp, Conv3dOp>([&](auto conv) {
        visitConvolution(conv, static_cast<int64_t>(conv.getGroups()), conv.getChannelsLast());
      })
      .Case<MaxPool2dOp, MaxPool3dOp, AvgPool2dOp, AvgPool3dOp, AdaptiveAvgPool2dOp,
            AdaptiveAvgPool3dOp, AdaptiveMaxPool2dOp, AdaptiveMaxPool3dOp, InterpolateOp>(
          [&](auto pool) { visitWindow(pool, pool.getChannelsLast()); })
      .Case<MatmulOp>([&](MatmulOp matmul) { visitMatmul(matmul); })
      .Case<SumOp, MeanOp, ProdOp, MaxOp, MinOp, AnyOp, AllOp, VarOp, LogSumExpOp>(
          [&](auto reduction) {
            visitReduction(reduction, reduction.getAxis(), reduction.getKeepdims());
          })
      .Case<ArgmaxOp, ArgminOp>([&](auto reduction) {
        visitReduction(reduction, {static_cast<int64_t>(reduction.getAxis())},
                       reduction.getKeepdims());
      })
      .Case<SoftmaxOp, LogSoftmaxOp>([&](auto softmax) {
        visitReduction(softmax, {static_cast<int64_t>(softmax.getAxis())}, true);
      })
      .Case<PermuteOp>([&](PermuteOp permute) {
        for (auto [to, from] : llvm::enumerate(permute.getAxes()))
          tie(axis(permute.getX(), from), axis(permute.getResult(), to));
      })
      .Case<BroadcastToOp>([&](BroadcastToOp broadcast) { visitBroadcast(broadcast); })
      .Case<ReshapeOp>([&](ReshapeOp reshape) { visitReshape(reshape); })
      .Case<ConcatOp>([&](ConcatOp concat) { visitConcat(concat); })
      .Case<SliceOp>([&](SliceOp slice) { visitSlice(slice); })
      .Case<PadOp>([&](PadOp pad) { visitPad(pad); })
      .Case<TakeOp>([&](TakeOp take) { visitTake(take); })
      .Default([&](Operation *other) { visitOther(other); });
}

/// Elementwise ops, and those of which nothing is known.
void Channels::visitOther(Operation *op) {
  auto fusable = dyn_cast<Fusable>(op);
  auto sameShape = [&](Value operand) {
    return dimsOf(operand.getType()) == dimsOf(op->getResult(0).getType());
  };
  if (fusable && fusable.getFusionRole() == FusionRole::Pointwise && op->getNumResults() == 1 &&
      llvm::all_of(op->getOperands(), sameShape)) {
    for (Value operand : op->getOperands())
      tieAll(operand, op->getResult(0));
    return;
  }
  std::string reason = isa<func::ReturnOp>(op) ? "its channels reach a result"
                       : isa<SetStateOp>(op)   ? "its channels reach a state"
                       : isa<YieldOp, ScanOp, WhileOp>(op)
                           ? "its channels reach a value that a loop carries"
                           : ("its channels reach '" + op->getName().stripDialect() + "'").str();
  for (Value operand : op->getOperands())
    fixAll(operand, reason);
  for (Value result : op->getResults())
    fixAll(result, reason);
}

void Channels::visitConvolution(Operation *op, int64_t groups, bool channelsLast) {
  Value x = op->getOperand(0), weight = op->getOperand(1), y = op->getResult(0);
  unsigned rank = dimsOf(x.getType()).size();
  unsigned channel = channelsLast ? rank - 1 : 1;
  for (unsigned i = 0; i < rank; ++i)
    if (i != 0 && i != channel)
      for (Value value : {x, weight, y})
        fix(axis(value, i), "a kernel moves along them");
  tie(axis(x, 0), axis(y, 0));
  tie(axis(weight, 0), axis(y, channel));
  if (op->getNumOperands() > 2)
    tie(axis(op->getOperand(2), 0), axis(y, channel));
  Axis in = axis(x, channel), depth = axis(weight, channel), out = axis(y, channel);
  if (groups == 1)
    return tie(in, depth);
  if (in.extent != groups || depth.extent != 1 || out.extent % groups != 0) {
    fix(in, "its channels reach a convolution in groups");
    return fix(out, "its convolution is in groups");
  }
  for (int64_t i = 0; i < out.extent; ++i)
    tie(in.first + i / (out.extent / groups), out.first + i);
}

void Channels::visitWindow(Operation *op, bool channelsLast) {
  Value x = op->getOperand(0), y = op->getResult(0);
  unsigned rank = dimsOf(x.getType()).size();
  unsigned channel = channelsLast ? rank - 1 : 1;
  for (unsigned i = 0; i < rank; ++i) {
    if (i == 0 || i == channel) {
      tie(axis(x, i), axis(y, i));
      continue;
    }
    fix(axis(x, i), "a window moves along them");
    fix(axis(y, i), "a window moves along them");
  }
}

void Channels::visitMatmul(MatmulOp op) {
  Value a = op.getA(), b = op.getB(), y = op.getResult();
  unsigned rank = dimsOf(a.getType()).size(), rankB = dimsOf(b.getType()).size();
  for (unsigned i = 0; i + 2 < rank; ++i) {
    tie(axis(a, i), axis(y, i));
    if (rankB > 2)
      tie(axis(b, i), axis(y, i));
  }
  unsigned depth = op.getTransposeB() ? rankB - 1 : rankB - 2;
  unsigned columns = op.getTransposeB() ? rankB - 2 : rankB - 1;
  tie(axis(a, rank - 2), axis(y, rank - 2));
  tie(axis(a, rank - 1), axis(b, depth));
  tie(axis(b, columns), axis(y, rank - 1));
}

void Channels::visitReduction(Operation *op, ArrayRef<int64_t> reduced, bool keepdims) {
  Value x = op->getOperand(0), y = op->getResult(0);
  bool isSoftmax = isa<SoftmaxOp, LogSoftmaxOp>(op);
  for (unsigned i = 0, to = 0, e = dimsOf(x.getType()).size(); i < e; ++i) {
    bool isReduced = llvm::is_contained(reduced, i);
    if (isReduced)
      fix(axis(x, i), "'" + op->getName().stripDialect() + "' is over its channels");
    if (isSoftmax || !isReduced)
      tie(axis(x, i), axis(y, to));
    to += keepdims || !isReduced;
  }
}

void Channels::visitBroadcast(BroadcastToOp op) {
  unsigned rank = dimsOf(op.getX().getType()).size();
  unsigned more = dimsOf(op.getType()).size() - rank;
  for (unsigned i = 0; i < rank; ++i)
    if (Axis from = axis(op.getX(), i);
        from.extent != 1 || axis(op.getResult(), more + i).extent == 1)
      tie(from, axis(op.getResult(), more + i));
}

/// Equal extents at both ends are the same axes; what lies between is split into runs of equal
/// products.
void Channels::visitReshape(ReshapeOp op) {
  Value x = op.getX(), y = op.getResult();
  SmallVector<DimExpr> from = dimsOf(x.getType()), to = dimsOf(y.getType());
  unsigned i = 0, j = 0, endI = from.size(), endJ = to.size();
  while (endI > 0 && endJ > 0 && from[endI - 1] == to[endJ - 1]) {
    tie(axis(x, --endI), axis(y, --endJ));
  }
  while (i < endI || j < endJ) {
    SmallVector<unsigned> run, into;
    DimExpr have = 1, want = 1;
    do {
      std::optional<int64_t> a = have.constantValue(), b = want.constantValue();
      bool takesX = j == endJ || (i < endI && (run.empty() || (a && b && *a < *b)));
      if (takesX)
        have = have * from[i], run.push_back(i++);
      else
        want = want * to[j], into.push_back(j++);
    } while (have != want && (i < endI || j < endJ));
    tieSegment(x, run, y, into);
  }
}

void Channels::tieSegment(Value x, ArrayRef<unsigned> from, Value y, ArrayRef<unsigned> to) {
  SmallVector<Axis> left, right;
  bool isKnown = true;
  for (auto [value, numbers, list] :
       {std::make_tuple(x, from, &left), std::make_tuple(y, to, &right)})
    for (unsigned number : numbers) {
      Axis one = axis(value, number);
      isKnown &= one.isKnown();
      if (one.extent != 1)
        list->push_back(one);
    }
  int64_t have = 1, want = 1;
  for (Axis one : left)
    have *= one.extent;
  for (Axis one : right)
    want *= one.extent;
  isKnown &= have == want && have > 0;
  if (isKnown && left.size() == 1 && right.size() == 1)
    return tie(left[0], right[0]);
  if (isKnown && left.size() == 1)
    return deferred.push_back({left[0], right});
  if (isKnown && right.size() == 1)
    return deferred.push_back({right[0], left});
  for (Axis one : llvm::concat<Axis>(left, right))
    fix(one, "its channels reach a reshape that mixes them");
}

/// Channels are along the first of the factors that need not stay.
void Channels::decide(const Factors &factors) {
  Axis whole = factors.whole;
  auto isFree = [&](Axis axis) {
    for (int64_t i = 0; i < axis.extent; ++i)
      if (!isFixed(axis.first + i))
        return true;
    return false;
  };
  const auto *chosen = llvm::find_if(factors.parts, isFree);
  int64_t inner = 1;
  for (const auto *part = factors.parts.end(); part-- != factors.parts.begin();) {
    if (part != chosen)
      fix(*part, "a reshape keeps them whole");
    else
      for (int64_t i = 0; i < whole.extent; ++i)
        tie(part->first + i / inner % part->extent, whole.first + i);
    inner *= part->extent;
  }
  if (chosen == factors.parts.end())
    fix(whole, "its channels reach a reshape that mixes them");
}

void Channels::visitConcat(ConcatOp op) {
  auto along = static_cast<unsigned>(op.getAxis());
  unsigned rank = dimsOf(op.getType()).size();
  Axis whole = axis(op.getResult(), along);
  int64_t at = whole.first;
  bool isKnown = llvm::all_of(op.getXs(), [&](Value x) { return axis(x, along).isKnown(); });
  if (!isKnown)
    fix(whole, "its channels reach a concatenation of unknown extent");
  for (Value x : op.getXs()) {
    for (unsigned i = 0; i < rank; ++i)
      if (i != along)
        tie(axis(x, i), axis(op.getResult(), i));
    Axis part = axis(x, along);
    if (isKnown)
      tie(part, {at, part.extent});
    else
      fix(part, "its channels reach a concatenation of unknown extent");
    at += part.extent;
  }
}

void Channels::visitSlice(SliceOp op) {
  SmallVector<DimExpr> starts = op.getStarts().getDims(), dims = dimsOf(op.getX().getType()),
                       sizes = op.getSizes().getDims();
  for (unsigned i = 0; i < dims.size(); ++i) {
    Axis from = axis(op.getX(), i), to = axis(op.getResult(), i);
    std::optional<int64_t> start = starts[i].constantValue();
    bool isPart = start && op.getSteps()[i] == 1 && to.isKnown();
    if (from.isKnown() && isPart) {
      tie({from.first + *start, to.extent}, to);
      continue;
    }
    fix(from, "its channels reach a slice with steps, or of unknown extent");
    fix(to, "its channels reach a slice with steps, or of unknown extent");
  }
}

void Channels::visitPad(PadOp op) {
  SmallVector<DimExpr> padding = op.getPadding().getDims();
  for (unsigned i = 0, e = dimsOf(op.getType()).size(); i < e; ++i) {
    if (padding[2 * i] == DimExpr(0) && padding[2 * i + 1] == DimExpr(0)) {
      tie(axis(op.getX(), i), axis(op.getResult(), i));
      continue;
    }
    fix(axis(op.getX(), i), "its channels get a border");
    fix(axis(op.getResult(), i), "its channels get a border");
  }
}

void Channels::visitTake(TakeOp op) {
  auto along = static_cast<unsigned>(op.getAxis());
  unsigned rank = dimsOf(op.getX().getType()).size(),
           more = dimsOf(op.getIndices().getType()).size();
  fix(axis(op.getX(), along), "'take' picks among its channels");
  for (unsigned i = 0; i < rank; ++i)
    if (i != along)
      tie(axis(op.getX(), i), axis(op.getResult(), i < along ? i : i + more - 1));
  for (unsigned i = 0; i < more; ++i)
    tie(axis(op.getIndices(), i), axis(op.getResult(), along + i));
}
