//===- Evaluate.cpp - bodies of stages at a point -------------------------===//

#include "codegen/llvm/Body.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

const Coordinates &Body::shapeOf(const Read &read) {
  const Operand *operand = spec.findOperand(read.source);
  return operand ? operand->shape : spec.findStage(read.source)->domain;
}

/// An integer expression of dimensions and constants as a polynomial.
static std::optional<DimExpr> polynomial(const ExprPtr &expr, const Coordinates &at) {
  if (expr->type != DType::I64)
    return std::nullopt;
  if (expr->op == Op::Dim)
    return at[expr->dim];
  if (expr->op == Op::Extent)
    return expr->extent;
  if (const int64_t *value = std::get_if<int64_t>(&expr->constant); value && expr->op == Op::Const)
    return DimExpr(*value);
  if (expr->op != Op::Add && expr->op != Op::Mul && expr->op != Op::FloorDiv)
    return std::nullopt;
  std::optional<DimExpr> x = polynomial(expr->args[0], at), y = polynomial(expr->args[1], at);
  if (!x || !y)
    return std::nullopt;
  if (expr->op == Op::FloorDiv) {
    std::optional<int64_t> divisor = y->constantValue();
    return divisor && *divisor > 0 ? std::optional(DimExpr::floorDiv(*x, *y)) : std::nullopt;
  }
  return expr->op == Op::Add ? *x + *y : *x * *y;
}

/// An indirect coordinate as a polynomial, if it is one that stays within the extent at all points
/// of the stage, so that nothing is clamped.
std::optional<DimExpr> Body::computed(const Index &index, const DimExpr &extent,
                                      const Frame &frame) const {
  if (!index.indirect || !frame.guards.empty())
    return std::nullopt;
  Coordinates points;
  DimExpr::BoundsMap ranges = bounds;
  auto add = [&](const DimExpr &size) {
    std::string name = "%p" + std::to_string(points.size());
    auto upper = size.bounds(bounds).upper;
    ranges[name] = {0, upper ? std::optional(*upper - 1) : std::nullopt};
    points.push_back(DimExpr::symbol(name));
  };
  llvm::for_each(frame.stage->domain, add);
  llvm::for_each(frame.stage->reduction, add);
  std::optional<DimExpr> value = polynomial(index.indirect, points);
  if (!value)
    return std::nullopt;
  auto low = value->bounds(ranges).lower, room = (extent - 1 - *value).bounds(ranges).lower;
  return low && *low >= 0 && room && *room >= 0 ? polynomial(index.indirect, frame.at)
                                                : std::nullopt;
}

/// The coordinate of an index at a frame. An indirect part is evaluated, clamped and bound to a
/// fresh symbol; when planning (`emits` false) the symbol "%x" stands for it.
DimExpr Body::coordinate(const Index &index, const DimExpr &extent, const Frame &frame,
                         bool emits) {
  DimExpr result = index.offset;
  for (auto [dim, coefficient] : index.terms)
    result = result + frame.at[dim] * DimExpr(coefficient);
  if (!index.indirect)
    return result;
  if (std::optional<DimExpr> value = computed(index, extent, frame))
    return result + *value;
  if (!emits)
    return result + DimExpr::symbol("%x");
  Value *zero = b.getInt64(0), *last = emit(extent - DimExpr(1));
  Value *args[] = {evaluate(index.indirect, frame), zero, last};
  values.unify(args);
  Value *clamped = b.CreateBinaryIntrinsic(Intrinsic::smin, args[0], args[2]);
  clamped = b.CreateBinaryIntrinsic(Intrinsic::smax, clamped, args[1]);
  std::optional<int64_t> size = extent.constantValue();
  return result + bind(clamped, "%x", {0, size ? std::optional(*size - 1) : std::nullopt});
}

/// Positions in the last dimension that are computed lane by lane may follow each other all the
/// same, as those of a reflected border do within it: then one load reads them. Null for others.
Value *Body::loadNeighbours(const Memory &memory, const Coordinates &at,
                            const std::vector<Guard> &guards, double outside) {
  if (lanes == 1 || !mayBranch || memory.facts->panel || at.empty() || !isVarying(at.back()) ||
      llvm::any_of(ArrayRef(at).drop_back(), [&](const DimExpr &dim) { return isVarying(dim); }))
    return nullptr;
  auto split = at.back().splitLinear(laneName);
  if (!split || split->first != 0)
    return nullptr;
  Value *positions = emit(at.back()), *first = b.CreateExtractElement(positions, uint64_t(0));
  Value *next = b.CreateAdd(values.splat(first, lanes), emit(DimExpr::symbol(laneName)));
  Coordinates there = at;
  there.back() = bind(first, "%x", at.back().bounds(bounds)) + DimExpr::symbol(laneName);
  std::vector<Guard> checked = guards;
  for (Guard &guard : checked)
    if (guard.coordinate == at.back())
      guard.coordinate = there.back();
  std::pair<Value *, BasicBlock *> arms[2];
  auto arm = [&](int i) {
    Value *value = load(memory, i ? at : there, i ? guards : checked, outside);
    arms[i] = {value, b.GetInsertBlock()};
  };
  branch(b.CreateAndReduce(b.CreateICmpEQ(positions, next)), [&] { arm(0); }, [&] { arm(1); });
  PHINode *result = b.CreatePHI(arms[0].first->getType(), 2);
  for (auto [value, block] : arms)
    result->addIncoming(value, block);
  return result;
}

Value *Body::evaluateRead(const Expr &expr, const Frame &frame) {
  const Read &read = expr.read;
  const Coordinates &shape = shapeOf(read);
  Coordinates at;
  std::vector<Guard> guards = frame.guards;
  for (size_t i = 0; i < shape.size(); ++i) {
    at.push_back(coordinate(read.indices[i], shape[i], frame, true));
    // A clamped index into nothing lies outside too.
    auto least = shape[i].bounds(bounds).lower;
    const Index &index = read.indices[i];
    bool isHollow = index.indirect && (!least || *least < 1);
    bool isInside =
        index.terms.empty() && index.offset == DimExpr(0) && computed(index, shape[i], frame);
    if ((read.outside || isHollow) && !isInside)
      guards.push_back({&read.indices[i], at.back(), shape[i]});
  }
  if (auto it = memories.find(read.source); it != memories.end()) {
    double outside = read.outside.value_or(0);
    Value *value = loadNeighbours(it->second, at, guards, outside);
    return value ? value : load(it->second, at, guards, outside);
  }
  const Stage &stage = *spec.findStage(read.source);
  Value *value;
  if (stage.combiner == Combiner::None) {
    value = evaluate(stage.body, frameOf(stage, at, guards));
  } else {
    auto it = placedValues.find(frameOf(stage, at).key);
    if (it == placedValues.end()) {
      message = "stage '" + stage.name + "' is read at points it is not computed for";
      return UndefValue::get(values.type(expr.type));
    }
    value = it->second;
  }
  if (!read.outside)
    return value;
  Value *scalarTest = nullptr, *laneTest = nullptr;
  checks({guards.begin() + frame.guards.size(), guards.end()}, scalarTest, laneTest);
  for (Value *test : {scalarTest, laneTest}) {
    if (!test)
      continue;
    Value *args[] = {test, value, values.constant(*read.outside, expr.type)};
    values.unify(args);
    value = b.CreateSelect(args[0], args[1], args[2]);
  }
  return value;
}

/// Reads in an expression of selects alone.
static size_t choices(const Expr &expr) {
  return expr.op == Op::Select ? choices(*expr.args[1]) + choices(*expr.args[2])
                               : expr.op == Op::Read;
}

/// A choice among several reads by one condition for all lanes branches: only what is chosen is
/// read. Null for others.
Value *Body::evaluateBranch(const Expr &expr, const Frame &frame) {
  if (lanes == 1 || !mayBranch || choices(expr) < fewChoices)
    return nullptr;
  Value *test = evaluate(expr.args[0], frame);
  if (test->getType()->isVectorTy() || isa<Constant>(test))
    return nullptr;
  auto before = memo;
  std::pair<Value *, BasicBlock *> arms[2];
  auto arm = [&](int i) {
    memo = before;
    Value *value = evaluate(expr.args[1 + i], frame);
    value = value->getType()->isVectorTy() ? value : values.splat(value, lanes);
    arms[i] = {value, b.GetInsertBlock()};
  };
  branch(test, [&] { arm(0); }, [&] { arm(1); });
  memo = std::move(before);
  PHINode *result = b.CreatePHI(arms[0].first->getType(), 2);
  for (auto [value, block] : arms)
    result->addIncoming(value, block);
  return result;
}

Value *Body::evaluateNode(const Expr &expr, const Frame &frame) {
  switch (expr.op) {
  case Op::Const:
    return values.constant(expr);
  case Op::Dim:
    return emit(frame.at[expr.dim]);
  case Op::Extent:
    return emit(expr.extent);
  case Op::Read:
    return evaluateRead(expr, frame);
  case Op::Select:
    if (Value *value = evaluateBranch(expr, frame))
      return value;
    [[fallthrough]];
  default: {
    SmallVector<Value *, 3> args;
    for (const ExprPtr &arg : expr.args)
      args.push_back(evaluate(arg, frame));
    return values.apply(expr, std::move(args));
  }
  }
}

Value *Body::evaluate(const ExprPtr &expr, const Frame &frame) {
  auto key = std::pair(static_cast<const Expr *>(expr.get()), frame.key);
  if (auto it = memo.find(key); it != memo.end())
    return it->second;
  Value *value = evaluateNode(*expr, frame);
  memo[key] = value;
  return value;
}
