//===- Widen.cpp - weights of small numbers, widened once for many rows ---===//
//
// A weight in parts of bytes, or in groups of bytes, takes several operations a number before it is
// a factor. The rows of a tile share them: a vector of numbers is widened in registers, and
// multiplies all rows before the next. Where more rows read the weight, the panels of a tile's
// vectors are widened into f32 in memory of the task, for all tiles of rows: the whole reduction of
// them where that is small, else a slice of it at a time.
//
//===----------------------------------------------------------------------===//

#include "codegen/llvm/Emitter.h"

#include "llvm/ADT/STLExtras.h"

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

/// Bytes of a whole reduction that a task keeps where its sums cannot wait for slices.
static constexpr int64_t mostKeptBytes = 320 << 10;

/// Whether a dimension is part of the value, not only of the coordinates of what it reads.
static bool hasDim(const ExprPtr &expr, std::set<const Expr *> &seen) {
  return seen.insert(expr.get()).second &&
         (expr->op == Op::Dim ||
          any_of(expr->args, [&](const ExprPtr &arg) { return hasDim(arg, seen); }));
}

static bool isProduct(const ExprPtr &expr) { return expr->op == Op::Mul && !expr->strict; }

/// Whether a factor is that of all rows: it reads what lies in panels, at coordinates of the
/// vectors and of the reduction alone.
bool Emitter::isOfVectors(const Plan &plan, const ExprPtr &factor) {
  const Placed &core = *coreOf(plan);
  std::set<const Expr *> seen;
  bool isSo = !hasDim(factor, seen), readsPanel = false;
  walk(factor, frameOf(*core.stage, withReduction(*core.stage, core.at)),
       [&](const Read &read, DType, const Coordinates &at, const Frame &frame) {
         const Operand *operand = spec.findOperand(read.source);
         readsPanel |= operand && operand->panel;
         isSo &= operand && frame.guards.empty();
         for (const DimExpr &value : at) {
           std::set<std::string> names;
           value.collectSymbols(names);
           for (const std::string &name : names)
             isSo &= !StringRef(name).starts_with("%x") &&
                     (!StringRef(name).starts_with("%d") ||
                      name == "%d" + std::to_string(plan.vectorDim));
         }
       });
  return isSo && readsPanel;
}

/// The products of the core's body, if one factor of each is a weight that takes more than a
/// conversion.
std::optional<Widened> Emitter::widenedOf(const Plan &plan) {
  const Placed *core = coreOf(plan);
  if (!core || core->stage->combiner != Combiner::Add || core->lanesAlong >= 0 ||
      plan.vectorDim < 0)
    return std::nullopt;
  const ExprPtr &body = core->stage->body;
  if (!isProduct(body) || body->type != DType::F32)
    return std::nullopt;
  Widened result;
  auto add = [&](const ExprPtr &product) {
    for (int i : {0, 1})
      if (isOfVectors(plan, product->args[i])) {
        result.terms.push_back({product->args[1 - i], product->args[i]});
        return true;
      }
    return false;
  };
  if (body->args[0]->op != Op::Add) {
    bool isComputed = add(body) && result.terms[0].weight->op != Op::Read &&
                      result.terms[0].weight->op != Op::Cast;
    return isComputed ? std::optional(result) : std::nullopt;
  }
  result.scale = body->args[1];
  if (!isOfVectors(plan, result.scale))
    return std::nullopt;
  std::function<bool(const ExprPtr &)> addAll = [&](const ExprPtr &sum) {
    if (sum->op == Op::Add)
      return addAll(sum->args[0]) && addAll(sum->args[1]);
    return isProduct(sum) && add(sum);
  };
  return addAll(body->args[0]) ? std::optional(result) : std::nullopt;
}

/// The rows that one widening serves.
DimExpr Emitter::rowsBehind(const Plan &plan, size_t level) const {
  DimExpr rows = 1;
  for (const Level &inner : drop_begin(plan.levels, level))
    rows = rows * extentOf(plan, inner.dim);
  return rows;
}

/// Keeps the whole reduction of `steps` steps, `each` bytes a step.
void Emitter::keepWhole(Plan &plan, size_t level, int64_t steps, int64_t each) {
  if (steps * each > mostKeptBytes)
    return;
  Slicing slicing{level};
  slicing.steps = steps;
  slicing.slots = 0;
  if (plan.parallelLevels >= level) {
    plan.parallelLevels = level;
    plan.splitsNext = true;
    int64_t tile = plan.levels[level].kind == Level::Kind::Rows ? plan.rows : 1;
    slicing.capacity = (plan.blockTiles + 1) * tile;
  }
  plan.slicing = slicing;
}

/// The steps of the reduction before a position.
static DimExpr stepsBefore(const Stage &stage, ArrayRef<DimExpr> at) {
  DimExpr steps;
  for (auto [i, extent] : enumerate(stage.reduction))
    steps = steps * extent + (i < at.size() ? at[i] : DimExpr(0));
  return steps;
}

/// Where the value of a term lies for a vector at a position of the reduction.
Value *Emitter::keptPlace(ArrayRef<DimExpr> at, size_t term, int64_t vector) {
  const Stage &stage = *kept->core->stage;
  DimExpr step = stepsBefore(stage, at) - (slice ? stepsBefore(stage, slice->at) : DimExpr(0));
  DimExpr place = (step * DimExpr(static_cast<int64_t>(kept->core->widened->terms.size())) +
                   DimExpr(static_cast<int64_t>(term))) *
                      DimExpr(kept->vectors * lanes) +
                  DimExpr(vector * lanes);
  return b.CreateGEP(b.getFloatTy(), kept->memory, emit(place));
}

/// Widens what the tiles of rows are going to read: of the slice, or all.
void Emitter::widen(const Plan &plan) {
  const Widened &weight = *coreOf(plan)->widened;
  int64_t bytes = plan.slicing->steps * static_cast<int64_t>(weight.terms.size()) * plan.vectors *
                  plan.lanes * byteSize(DType::F32);
  if (!keptMemory) {
    BasicBlock &entry = b.GetInsertBlock()->getParent()->getEntryBlock();
    IRBuilder<> top(&entry, entry.begin());
    keptMemory = top.CreateAlloca(ArrayType::get(b.getInt8Ty(), bytes));
    keptMemory->setAlignment(Align(64));
    keptBytes = std::max(keptBytes, bytes);
  }
  kept = {coreOf(plan), keptMemory, plan.vectors};
  Coordinates at;
  widenLevel(plan, at);
}

void Emitter::widenLevel(const Plan &plan, Coordinates &at) {
  const Stage &stage = *kept->core->stage;
  size_t level = at.size();
  if (level == stage.reduction.size())
    return widenStep(plan, at);
  auto next = [&](const DimExpr &position) {
    at.push_back(position);
    widenLevel(plan, at);
    at.pop_back();
  };
  bool isSliced = slice && level < slice->at.size();
  if (isSliced && level + 1 < slice->at.size())
    return next(slice->at[level]);
  DimExpr start = isSliced ? slice->at[level] : DimExpr(0);
  DimExpr extent = isSliced ? slice->extent : stage.reduction[level];
  loop(b.getInt64(0), emit(extent), [&](Value *i) {
    auto last = extent.bounds(bounds).upper;
    next(start + bind(i, "%i", {0, last ? std::optional(*last - 1) : std::nullopt}));
  });
}

void Emitter::widenStep(const Plan &plan, const Coordinates &at) {
  const Placed &core = *coreOf(plan);
  for (auto [vector, point] : enumerate(tilePoints(plan))) {
    Coordinates where = placedAt(core, point.first);
    where.insert(where.end(), at.begin(), at.end());
    Frame frame = frameOf(*core.stage, std::move(where));
    memo.clear();
    mask = point.second;
    Value *scale =
        kept->core->widened->scale ? evaluate(kept->core->widened->scale, frame) : nullptr;
    SmallVector<Value *> factors;
    for (const Widened::Term &term : kept->core->widened->terms) {
      Value *factor = evaluate(term.weight, frame);
      factors.push_back(values.splat(scale ? b.CreateFMul(factor, scale) : factor, lanes));
    }
    for (auto [i, factor] : enumerate(factors))
      b.CreateAlignedStore(factor, keptPlace(at, i, vector), Align(4 * lanes));
  }
  mask = nullptr;
}

/// The products of one step, of all points of the tile a term after the other: with what is kept,
/// or with numbers that are widened here. There a scale multiplies the sum of each point where
/// registers hold that too, else the numbers.
void Emitter::widenedStep(const Placed &placed, std::vector<Instance> &instances) {
  const Widened &weight = *placed.widened;
  auto evaluateAt = [&](const ExprPtr &expr, const Instance &instance) {
    memo.clear();
    mask = instance.mask;
    return values.splat(evaluate(expr, frameOf(*placed.stage, instance.frame.at)), lanes);
  };
  auto columns = ArrayRef(instances).take_front(tileVectors);
  SmallVector<Value *> scales, sums(instances.size());
  for (const Instance &column : columns)
    scales.push_back(weight.scale && !kept ? evaluateAt(weight.scale, column) : nullptr);
  int64_t registers = 2 * static_cast<int64_t>(instances.size() + columns.size() + 1);
  bool scalesSums = scales[0] && registers <= target.vectorRegisters;
  auto loadSum = [&](const Instance &instance) {
    return b.CreateLoad(instance.values[0]->getAllocatedType(), instance.values[0]);
  };
  auto factorAt = [&](size_t term, size_t column) -> Value * {
    auto *type = FixedVectorType::get(b.getFloatTy(), lanes);
    ArrayRef<DimExpr> at = ArrayRef(columns[column].frame.at).drop_front(placed.at.size());
    if (kept)
      return b.CreateAlignedLoad(type, keptPlace(at, term, column), Align(4 * lanes));
    Value *factor = evaluateAt(weight.terms[term].weight, columns[column]);
    return scales[column] && !scalesSums ? b.CreateFMul(factor, scales[column]) : factor;
  };
  for (auto [i, term] : enumerate(weight.terms)) {
    SmallVector<Value *> factors;
    for (size_t column = 0; column < columns.size(); ++column)
      factors.push_back(factorAt(i, column));
    for (auto [point, instance] : enumerate(instances)) {
      Value *factor = factors[point % columns.size()], *x = evaluateAt(term.x, instance);
      Value *sum = i || scalesSums ? sums[point] : loadSum(instance);
      sums[point] = sum ? values.multiplyAdd(x, factor, sum) : b.CreateFMul(x, factor);
    }
  }
  for (auto [point, instance] : enumerate(instances)) {
    if (scalesSums)
      sums[point] =
          values.multiplyAdd(sums[point], scales[point % columns.size()], loadSum(instance));
    b.CreateStore(sums[point], instance.values[0]);
  }
  mask = nullptr;
}
