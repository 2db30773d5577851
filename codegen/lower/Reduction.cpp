//===- Reduction.cpp - stages of reductions and softmax ---------------------===//

#include "codegen/lower/Builder.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::lower;
using namespace mlir;
using spec::apply;
using spec::Combiner;
using spec::ExprPtr;
using SpecOp = spec::Op;

namespace {
/// A tensor's dimensions divided into kept and reduced ones. With `keepdims` the results of stages
/// have an extent of 1 in place of each reduced dimension.
class Rows {
public:
  Rows(Type type, ArrayRef<int64_t> axes, bool keepdims) : keepdims(keepdims) {
    SmallVector<DimExpr> dims = dimsOf(type);
    for (auto [i, extent] : llvm::enumerate(dims)) {
      bool isReduced = llvm::is_contained(axes, static_cast<int64_t>(i));
      reduced.push_back(isReduced);
      (isReduced ? reduction : domain).push_back(extent);
      if (isReduced && keepdims)
        domain.push_back(1);
    }
  }

  /// A position in the tensor, from within a stage that reduces it.
  At element() const {
    At at;
    int kept = 0, inner = static_cast<int>(domain.size());
    for (bool isReduced : reduced) {
      at.push_back(spec::index(isReduced ? inner++ : kept++));
      if (isReduced && keepdims)
        ++kept;
    }
    return at;
  }
  /// A position in the results of such a stage that belongs to a position in the tensor.
  At row(const At &at) const {
    At result;
    for (size_t i = 0; i < at.size(); ++i) {
      if (!reduced[i])
        result.push_back(at[i]);
      else if (keepdims)
        result.push_back(spec::Index());
    }
    return result;
  }
  /// A position in the tensor from within such a stage, its results' row of which is the identity.
  At rowOfElement() const { return row(element()); }
  DimExpr count() const {
    DimExpr product(1);
    for (const DimExpr &extent : reduction)
      product = product * extent;
    return product;
  }
  spec::Stage stage(Combiner combiner, ExprPtr init, ExprPtr body) const {
    spec::Stage result;
    result.type = init ? init->type : body->type;
    result.domain = domain;
    result.reduction = reduction;
    result.combiner = combiner;
    result.init = std::move(init);
    result.body = std::move(body);
    return result;
  }

  std::vector<DimExpr> domain, reduction;

private:
  bool keepdims;
  SmallVector<bool> reduced;
};
} // namespace

static ExprPtr exponential(const ExprPtr &x, const ExprPtr &top) {
  return apply(SpecOp::Exp, {apply(SpecOp::Sub, {x, top})});
}

/// One stage. A reduction over no axis is the operand itself.
static void lowerPlain(SpecBuilder &builder, Operation *op, ArrayRef<int64_t> axes, bool keepdims,
                       Combiner combiner, double init) {
  Value x = op->getOperand(0);
  if (axes.empty())
    return builder.derive(op->getResult(0),
                          [&builder, x](const At &at) { return builder.load(x, at); });
  Rows rows(x.getType(), axes, keepdims);
  ExprPtr body = builder.load(x, rows.element());
  ExprPtr start = saturated(init, body->type);
  builder.appendAnchor(op, rows.stage(combiner, start, body));
}

static void lowerMean(SpecBuilder &builder, MeanOp op) {
  if (op.getAxis().empty())
    return lowerPlain(builder, op, {}, op.getKeepdims(), Combiner::Add, 0);
  Rows rows(op.getX().getType(), op.getAxis(), op.getKeepdims());
  ExprPtr body = builder.load(op.getX(), rows.element());
  ExprPtr zero = spec::constant(0.0, body->type), count = number(rows.count(), body->type);
  std::string sum = builder.append(rows.stage(Combiner::Add, zero, body), /*isAnchor=*/true);
  builder.derive(op.getResult(), [=, &builder](const At &at) {
    return apply(SpecOp::Div, {builder.readStage(sum, at), count});
  });
}

static void lowerArg(SpecBuilder &builder, Operation *op, int64_t axis, bool keepdims,
                     Combiner combiner) {
  Rows rows(op->getOperand(0).getType(), axis, keepdims);
  spec::Stage stage =
      rows.stage(combiner, nullptr, builder.load(op->getOperand(0), rows.element()));
  stage.type = DType::I64;
  builder.appendAnchor(op, std::move(stage));
}

/// The largest element of each row.
static std::string appendTop(SpecBuilder &builder, Value x, const Rows &rows) {
  ExprPtr body = builder.load(x, rows.element());
  ExprPtr init = saturated(lowest(body->type), body->type);
  return builder.append(rows.stage(Combiner::Max, init, body), /*isAnchor=*/true);
}

/// Stages: maximum, exponential, sum, its reciprocal; the result is a product. For the logarithm:
/// maximum, sum of exponentials, its logarithm; the result is a difference.
static void lowerSoftmax(SpecBuilder &builder, Operation *op, int64_t axis, bool isLog) {
  Value x = op->getOperand(0), y = op->getResult(0);
  builder.store(x);
  Rows rows(x.getType(), axis, /*keepdims=*/false);
  SmallVector<DimExpr> dims = dimsOf(x.getType());
  std::string top = appendTop(builder, x, rows);
  auto shifted = [=, &builder](const At &at) {
    return apply(SpecOp::Sub, {builder.load(x, at), builder.readStage(top, rows.row(at))});
  };
  std::string exponentials;
  ExprPtr summand = apply(SpecOp::Exp, {shifted(rows.element())});
  if (!isLog) {
    spec::Stage stage;
    stage.domain.assign(dims.begin(), dims.end());
    stage.body = apply(SpecOp::Exp, {shifted(identity(dims.size()))});
    stage.type = stage.body->type;
    exponentials = builder.append(std::move(stage));
    summand = builder.readStage(exponentials, rows.element());
  }
  ExprPtr zero = spec::constant(0.0, summand->type);
  std::string sum = builder.append(rows.stage(Combiner::Add, zero, summand));
  if (!isLog) {
    // The sum is at least 1 and at most the row's length: its reciprocal is a normal number.
    spec::Stage inverse;
    inverse.domain = rows.domain;
    inverse.type = zero->type;
    inverse.body = apply(SpecOp::Div, {spec::constant(1.0, zero->type),
                                       builder.readStage(sum, identity(rows.domain.size()))});
    std::string scale = builder.append(std::move(inverse));
    return builder.derive(y, [=, &builder](const At &at) {
      return apply(SpecOp::Mul,
                   {builder.readStage(exponentials, at), builder.readStage(scale, rows.row(at))});
    });
  }
  spec::Stage logarithm;
  logarithm.domain = rows.domain;
  logarithm.type = zero->type;
  logarithm.body = apply(SpecOp::Log, {builder.readStage(sum, identity(rows.domain.size()))});
  std::string scale = builder.append(std::move(logarithm));
  builder.derive(y, [=, &builder](const At &at) {
    return apply(SpecOp::Sub, {shifted(at), builder.readStage(scale, rows.row(at))});
  });
}

/// Mean, the mean of what differs from it (its error, if finite), then that of the squares of what
/// differs from both.
static void lowerVariance(SpecBuilder &builder, VarOp op) {
  Value x = op.getX();
  builder.store(x);
  Rows rows(x.getType(), op.getAxis(), op.getKeepdims());
  if (rows.reduction.empty())
    return builder.derive(op.getResult(), [&builder, x](const At &at) {
      ExprPtr value = builder.load(x, at);
      return apply(SpecOp::Sub, {value, value});
    });
  ExprPtr value = builder.load(x, rows.element());
  ExprPtr zero = spec::constant(0.0, value->type), count = number(rows.count(), value->type);
  std::string sum = builder.append(rows.stage(Combiner::Add, zero, value), /*isAnchor=*/true);
  ExprPtr mean = apply(SpecOp::Div, {builder.readStage(sum, rows.rowOfElement()), count});
  ExprPtr difference = apply(SpecOp::Sub, {value, mean});
  std::string differences = builder.append(rows.stage(Combiner::Add, zero, difference));
  ExprPtr error = apply(SpecOp::Div, {builder.readStage(differences, rows.rowOfElement()), count});
  ExprPtr infinity = spec::constant(INFINITY, value->type);
  ExprPtr isFinite = apply(SpecOp::Lt, {apply(SpecOp::Abs, {error}), infinity});
  error = apply(SpecOp::Select, {isFinite, error, zero});
  ExprPtr centred = apply(SpecOp::Sub, {difference, error});
  ExprPtr square = apply(SpecOp::Mul, {centred, centred});
  std::string squares = builder.append(rows.stage(Combiner::Add, zero, square));
  builder.derive(op.getResult(), [=, &builder](const At &at) {
    return apply(SpecOp::Div, {builder.readStage(squares, at), count});
  });
}

/// The maximum is subtracted first, unless it is infinite.
static void lowerLogSumExp(SpecBuilder &builder, LogSumExpOp op) {
  Value x = op.getX();
  builder.store(x);
  Rows rows(x.getType(), op.getAxis(), op.getKeepdims());
  if (rows.reduction.empty())
    return builder.derive(op.getResult(),
                          [&builder, x](const At &at) { return builder.load(x, at); });
  std::string top = appendTop(builder, x, rows);
  auto finite = [&builder, top](const At &at) {
    ExprPtr value = builder.readStage(top, at);
    ExprPtr size = apply(SpecOp::Abs, {value}), zero = spec::constant(0.0, value->type);
    ExprPtr isInfinite = apply(SpecOp::Eq, {size, spec::constant(INFINITY, value->type)});
    return apply(SpecOp::Select, {isInfinite, zero, value});
  };
  ExprPtr body = exponential(builder.load(x, rows.element()), finite(rows.rowOfElement()));
  ExprPtr zero = spec::constant(0.0, body->type);
  std::string sum = builder.append(rows.stage(Combiner::Add, zero, body));
  builder.derive(op.getResult(), [=, &builder](const At &at) {
    return apply(SpecOp::Add, {apply(SpecOp::Log, {builder.readStage(sum, at)}), finite(at)});
  });
}

bool lower::lowerReduction(SpecBuilder &builder, Operation *op) {
  auto plain = [&](auto op, Combiner combiner, double init) {
    lowerPlain(builder, op, op.getAxis(), op.getKeepdims(), combiner, init);
    return true;
  };
  DType type = computeType(*dtypeOf(op->getOperand(0).getType()));
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](SumOp op) { return plain(op, Combiner::Add, 0); })
      .Case([&](ProdOp op) { return plain(op, Combiner::Mul, 1); })
      .Case([&](MaxOp op) { return plain(op, Combiner::Max, lowest(type)); })
      .Case([&](MinOp op) { return plain(op, Combiner::Min, largest(type)); })
      .Case([&](AnyOp op) { return plain(op, Combiner::Or, 0); })
      .Case([&](AllOp op) { return plain(op, Combiner::And, 1); })
      .Case([&](MeanOp op) { return lowerMean(builder, op), true; })
      .Case([&](VarOp op) { return lowerVariance(builder, op), true; })
      .Case([&](LogSumExpOp op) { return lowerLogSumExp(builder, op), true; })
      .Case([&](SoftmaxOp op) { return lowerSoftmax(builder, op, op.getAxis(), false), true; })
      .Case([&](LogSoftmaxOp op) { return lowerSoftmax(builder, op, op.getAxis(), true), true; })
      .Case([&](ArgmaxOp op) {
        return lowerArg(builder, op, op.getAxis(), op.getKeepdims(), Combiner::ArgMax), true;
      })
      .Case([&](ArgminOp op) {
        return lowerArg(builder, op, op.getAxis(), op.getKeepdims(), Combiner::ArgMin), true;
      })
      .Default(false);
}
