//===- Plan.cpp - which stages are stored, and by which loops -------------===//

#include "codegen/llvm/Emitter.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

/// Lanes below which a gather is as good.
static constexpr int leastLanes = 4;
/// Rows below which those of another dimension are better.
static constexpr int64_t fewRows = 4;
/// Second caches that a result fills from which on it comes and goes by main memory.
static constexpr int64_t farAway = 4;
/// Steps of a reduction in which memory answers.
static constexpr int64_t leastSteps = 32;
/// Rows that compute for longer than their weight takes to come.
static constexpr int64_t manyRows = 32;

int64_t codegen::partsOf(int64_t lanes, int64_t divisor) {
  if (lanes % divisor == 0 || divisor % lanes == 0)
    return 1;
  return (lanes + divisor - 2) / divisor + 1;
}

static std::string dimName(int dim) { return "%d" + std::to_string(dim); }
static std::string reductionName(int dim) { return "%r" + std::to_string(dim); }

static bool mentions(const DimExpr &expr, std::string_view prefix) {
  std::set<std::string> names;
  expr.collectSymbols(names);
  return llvm::any_of(names, [&](const std::string &name) { return name.starts_with(prefix); });
}

Coordinates Emitter::withReduction(const Stage &stage, Coordinates at) {
  for (size_t i = 0; i < stage.reduction.size(); ++i)
    at.push_back(DimExpr::symbol(reductionName(i)));
  return at;
}

bool Emitter::isUnit(const DimExpr &extent) const { return extent == DimExpr(1); }

Coordinates Emitter::rootDims(const Stage &stage) {
  Coordinates at;
  for (size_t i = 0; i < stage.domain.size(); ++i)
    at.push_back(DimExpr::symbol(dimName(i)));
  return at;
}

/// Visits the reads of memory and of reducing stages, through inlined stages.
void Emitter::walk(const ExprPtr &root, const Frame &frame, ReadVisitor visit) {
  std::set<const Expr *> seen;
  visitPostOrder(root, seen, [&](const ExprPtr &node) {
    if (node->op != Op::Read)
      return;
    const Coordinates &shape = shapeOf(node->read);
    Coordinates at;
    std::vector<Guard> guards = frame.guards;
    for (size_t i = 0; i < shape.size(); ++i) {
      at.push_back(coordinate(node->read.indices[i], shape[i], frame, false));
      const Index &index = node->read.indices[i];
      bool isInside =
          index.terms.empty() && index.offset == DimExpr(0) && computed(index, shape[i], frame);
      if (node->read.outside && !isInside)
        guards.push_back({&node->read.indices[i], at.back(), shape[i]});
    }
    const Stage *stage = spec.findStage(node->read.source);
    bool isInlined = stage && stage->combiner == Combiner::None && !spec.findOperand(stage->name) &&
                     !wholeStages.count(stage->name);
    if (isInlined)
      return walk(stage->body, frameOf(*stage, std::move(at), std::move(guards)), visit);
    Frame reached = frame;
    reached.guards = std::move(guards);
    visit(node->read, node->type, at, reached);
  });
}

/// Collects the reducing stages that `body` reads, dependencies first. Fails, naming the stage in
/// `unplaced`, where one is read along another's reduction, indirectly or outside of its domain.
bool Emitter::findPlaced(Plan &plan, const ExprPtr &body, const Frame &frame) {
  bool isFine = true;
  walk(body, frame, [&](const Read &read, DType, const Coordinates &at, const Frame &reached) {
    if (!isFine || spec.findOperand(read.source) || wholeStages.count(read.source))
      return;
    const Stage &stage = *spec.findStage(read.source);
    bool isFixed = reached.guards.empty() && llvm::none_of(at, [](const DimExpr &value) {
                     return mentions(value, "%r") || mentions(value, "%x");
                   });
    if (!isFixed) {
      unplaced = &stage;
      isFine = false;
      return;
    }
    if (llvm::any_of(plan.placed, [&](const Placed &p) { return p.stage == &stage && p.at == at; }))
      return;
    isFine = findPlaced(plan, stage.body, frameOf(stage, withReduction(stage, at)));
    plan.placed.push_back({&stage, at, {}});
  });
  return isFine;
}

/// The divisor of a quotient of the symbol, if a position holds it in no other form.
static std::optional<int64_t> stepAlong(const DimExpr &position, const std::string &symbol) {
  std::optional<int64_t> result;
  for (const auto &[monomial, coefficient] : position.monomials())
    for (const DimAtom &atom : monomial) {
      if (atom.symbol == symbol)
        return std::nullopt;
      if (atom.kind == DimAtom::Kind::Symbol || !mentions(*atom.left, symbol))
        continue;
      if (atom.kind != DimAtom::Kind::Quotient || *atom.left != DimExpr::symbol(symbol) || result)
        return std::nullopt;
      result = atom.right->constantValue();
    }
  return result;
}

Strides Emitter::stridesAlong(const std::string &symbol, const ExprPtr &body, const Frame &frame) {
  Strides result;
  walk(body, frame, [&](const Read &read, DType, const Coordinates &at, const Frame &) {
    auto whole = wholeStages.find(read.source);
    const Operand *facts =
        whole != wholeStages.end() ? &whole->second.facts : spec.findOperand(read.source);
    if (!facts)
      return;
    bool isPanel = facts->panel.has_value();
    bool inRest = isPanel && llvm::any_of(llvm::drop_begin(at), [&](const DimExpr &value) {
                    return mentions(value, symbol);
                  });
    DimExpr place = isPanel ? at[0] : position(*facts, at);
    auto split = place.splitLinear(symbol);
    if (std::optional<int64_t> divisor = split ? std::nullopt : stepAlong(place, symbol);
        divisor && !isPanel && partsOf(lanes, *divisor) <= mostParts)
      ++(*divisor % lanes ? result.contiguous : result.uniform);
    else if (!split || inRest || (split->first != 0 && split->first != 1))
      ++result.scattered;
    else
      ++(split->first ? result.contiguous : result.uniform);
  });
  return result;
}

/// The stage computed at each point of the tile: the kernel's inner loop is its.
const Placed *Emitter::coreOf(const Plan &plan) const {
  if (plan.placed.empty())
    return nullptr;
  const Placed &last = plan.placed.back();
  for (size_t i = 0; i < plan.root->domain.size(); ++i)
    if (!isUnit(extentOf(plan, i)) && !llvm::is_contained(last.dims, static_cast<int>(i)))
      return nullptr;
  return &last;
}

int Emitter::bestDim(const Plan &plan, const ExprPtr &body, const Frame &frame, bool &isClean) {
  int best = -1, bestScore = 0;
  const Stage &root = *plan.root;
  auto whole = wholeStages.find(root.name);
  const Operand &facts =
      whole != wholeStages.end() ? whole->second.facts : *spec.findOperand(root.name);
  Frame rootFrame = frameOf(root, rootDims(root));
  DimExpr place = position(facts, storedAt(root, facts, rootFrame, false));
  for (int dim = root.domain.size() - 1; dim >= 0; --dim) {
    if (isUnit(extentOf(root, dim)))
      continue;
    Strides loads = stridesAlong(dimName(dim), body, frame);
    auto split = place.splitLinear(dimName(dim));
    int score = 2 * loads.contiguous + loads.uniform - 3 * loads.scattered +
                (split && split->first == 1 ? 2 : -2);
    std::optional<int64_t> extent = extentOf(root, dim).constantValue();
    score -= extent && *extent < 4 ? 3 : 0;
    if (best >= 0 && score <= bestScore)
      continue;
    best = dim;
    bestScore = score;
    isClean = loads.scattered == 0;
  }
  return best;
}

/// As many lanes as the widest type in the inner loop leaves room for: an epilogue, run once for
/// many steps of a sum, may take several registers a value.
int Emitter::lanesFor(const Plan &plan) {
  const Placed *core = coreOf(plan);
  int64_t width = 1;
  std::set<const Expr *> seen;
  int64_t most = target.vectorBytes;
  std::function<void(const Stage &)> visitStage = [&](const Stage &stage) {
    visitPostOrder(stage.body, seen, [&](const ExprPtr &node) {
      if (node->type != DType::I64)
        width = std::max(width, byteSize(node->type));
      if (node->op != Op::Read)
        return;
      const Operand *operand = spec.findOperand(node->read.source);
      most = operand && operand->panel ? std::min(most, operand->panel->width) : most;
      if (!operand)
        visitStage(*spec.findStage(node->read.source));
    });
  };
  visitStage(core && isFloat(core->stage->type) ? *core->stage : *plan.root);
  return std::max<int64_t>(std::min(target.vectorBytes / width, most), 2);
}

/// What fills the lanes: a dimension of the root, or for a stage without such one its reduction.
void Emitter::chooseLanes(Plan &plan) {
  const Placed *core = coreOf(plan);
  const Stage &stage = core ? *core->stage : *plan.root;
  Frame frame = frameOf(stage, core ? withReduction(stage, core->at) : rootDims(stage));
  bool isClean = true;
  plan.lanes = lanes = lanesFor(plan);
  // Fewer lanes where they would read of too many groups of a convolution.
  walk(stage.body, frame, [&](const Read &read, DType, const Coordinates &at, const Frame &) {
    const Operand *facts = spec.findOperand(read.source);
    bool isStrided = facts && !facts->panel;
    for (size_t dim = 0; isStrided && dim < plan.root->domain.size(); ++dim)
      if (auto divisor = stepAlong(position(*facts, at), dimName(dim)))
        while (plan.lanes > leastLanes && partsOf(plan.lanes, *divisor) > mostParts)
          plan.lanes /= 2;
  });
  lanes = plan.lanes;
  plan.vectorDim = bestDim(plan, stage.body, frame, isClean);
  for (Placed &placed : plan.placed) {
    bool isCore = &placed == core;
    if (llvm::is_contained(placed.dims, plan.vectorDim) && (!isCore || isClean))
      continue;
    int best = -1, bestScore = 0;
    Frame at = frameOf(*placed.stage, withReduction(*placed.stage, placed.at));
    for (int dim = placed.stage->reduction.size() - 1; dim >= 0; --dim) {
      std::optional<int64_t> extent = placed.stage->reduction[dim].constantValue();
      Strides loads = stridesAlong(reductionName(dim), placed.stage->body, at);
      int score = 2 * loads.contiguous + loads.uniform - 3 * loads.scattered;
      if ((extent && *extent < 4) || (isCore && plan.vectorDim >= 0 && loads.scattered) ||
          (best >= 0 && score <= bestScore))
        continue;
      best = dim;
      bestScore = score;
    }
    placed.lanesAlong = best;
    if (isCore && best >= 0)
      plan.vectorDim = -1;
  }
}

/// Vectors and rows of a tile so that accumulators, one row of vectors and a factor fit into the
/// registers.
void Emitter::chooseTile(Plan &plan) {
  const Placed *core = coreOf(plan);
  const Stage &root = *plan.root;
  std::set<const Expr *> nodes;
  visitPostOrder(root.body, nodes, [](const ExprPtr &) {});
  plan.vectors = plan.vectorDim < 0 ? 1 : nodes.size() > 40 ? 2 : 4;
  if (!core)
    return;
  const Stage &stage = *core->stage;
  Frame frame = frameOf(stage, withReduction(stage, core->at));
  bool hasReuse = false;
  int64_t reach = 0;
  for (int dim = root.domain.size() - 1; dim >= 0; --dim) {
    if (dim == plan.vectorDim || isUnit(extentOf(root, dim)))
      continue;
    bool reuses = stridesAlong(dimName(dim), stage.body, frame).uniform > 0;
    int64_t most = extentOf(root, dim).bounds(bounds).upper.value_or(INT64_MAX);
    bool isLonger = hasReuse && reuses && reach < fewRows && most > reach;
    if (plan.rowDim < 0 || (!hasReuse && reuses) || isLonger) {
      plan.rowDim = dim;
      reach = most;
    }
    hasReuse |= reuses;
  }
  bool isArg = stage.combiner == Combiner::ArgMax || stage.combiner == Combiner::ArgMin;
  int64_t bytes = plan.lanes * byteSize(stage.body->type);
  int cost = divideCeil(bytes, target.vectorBytes) * (isArg ? 3 : 1);
  int registers = std::max(target.vectorRegisters / cost, 4);
  std::optional<int64_t> n, m;
  if (plan.vectorDim >= 0)
    n = extentOf(root, plan.vectorDim).constantValue();
  if (plan.rowDim >= 0)
    m = plan.rowDim + 1 == static_cast<int>(rounds.dims)
            ? rounds.block
            : extentOf(root, plan.rowDim).constantValue();
  bool isDense = hasReuse && plan.vectorDim >= 0;
  int factors = core->dot && !core->dot->isLean() ? 2 : 1;
  chooseTileSize(plan, n, m, registers, isDense ? 8 : 4, factors);
}

/// The tile whose multiply-adds cost least over the whole extents, where they are known; of equals
/// the one of most vectors, whose rows reuse more. A factor takes `factors` registers.
void Emitter::chooseTileSize(Plan &plan, std::optional<int64_t> n, std::optional<int64_t> m,
                             int registers, int mostRows, int factors) {
  int most = plan.vectorDim < 0 ? 1 : registers >= 32 ? 4 : registers >= 16 ? 3 : 1;
  int64_t total = n ? std::max<int64_t>(divideCeil(*n, plan.lanes), 1) : 24;
  int64_t extent = plan.rowDim < 0 ? 1 : m ? std::max<int64_t>(*m, 1) : 96;
  // Weights that one tile reads stream from memory: fewer streams run faster.
  bool isAlone = true;
  for (int dim = 0; dim < static_cast<int>(plan.root->domain.size()); ++dim)
    isAlone &= dim == plan.vectorDim || dim == plan.rowDim || isUnit(plan.root->domain[dim]);
  most = isAlone && m && *m <= mostRows ? std::min(most, 2) : most;
  int64_t bestCost = INT64_MAX;
  // In half cycles: fewer than eight accumulators wait for each other's latency, a vector of
  // weights takes four cycles to come from the second cache, and each row has a pointer to move. A
  // vector hides not all of its way: 8 x 3 runs faster than 6 x 4.
  auto cost = [](int64_t rows, int64_t vectors) {
    return rows && vectors
               ? std::max<int64_t>({2 * rows * vectors, 16, 8 * vectors}) + rows + 3 * vectors
               : 0;
  };
  for (int vectors = std::min<int64_t>(most, total); vectors >= 1; --vectors) {
    int limit = std::clamp((registers - factors * (1 + vectors)) / vectors, 1, mostRows);
    for (int rows = std::min<int64_t>(limit, extent); rows >= 1; --rows) {
      int64_t rest = extent % rows, restVectors = total % vectors;
      int64_t each = total / vectors * cost(rows, vectors) + cost(rows, restVectors);
      int64_t last = total / vectors * cost(rest, vectors) + cost(rest, restVectors);
      int64_t all = extent / rows * each + last;
      if (all >= bestCost)
        continue;
      bestCost = all;
      plan.vectors = vectors;
      plan.rows = rows;
    }
  }
}

/// Dimensions that placed stages need come first; then those that the vector loads of the core
/// depend on, the vectors, the rest, and rows innermost.
void Emitter::chooseLevels(Plan &plan) {
  const Placed *core = coreOf(plan);
  std::vector<std::pair<int, int>> order;
  for (int dim = 0; dim < static_cast<int>(plan.root->domain.size()); ++dim) {
    int uses = llvm::count_if(plan.placed, [&](const Placed &placed) {
      return &placed != core && llvm::is_contained(placed.dims, dim);
    });
    int place = core ? 2 : 0;
    if (dim == plan.vectorDim) {
      place = core ? 1 : plan.isTurning && !plan.storesOn ? 2 : 3;
    } else if (dim == plan.rowDim) {
      place = plan.storesOn ? 2 : 3;
    } else if (core && plan.vectorDim >= 0) {
      Frame frame = frameOf(*core->stage, withReduction(*core->stage, core->at));
      walk(core->stage->body, frame,
           [&](const Read &read, DType, const Coordinates &at, const Frame &) {
             auto has = [&](int d) {
               return llvm::any_of(at, [&](const DimExpr &v) { return mentions(v, dimName(d)); });
             };
             if (has(plan.vectorDim) && has(dim))
               place = 0;
           });
    }
    order.push_back({-uses * 4 + place, dim});
  }
  llvm::sort(order);
  for (auto [place, dim] : order)
    plan.levels.push_back({dim == plan.vectorDim                 ? Level::Kind::Vector
                           : dim == plan.rowDim && plan.rows > 1 ? Level::Kind::Rows
                                                                 : Level::Kind::Plain,
                           dim});
  plan.parallelLevels = plan.levels.empty() ? 0 : plan.levels.size() - 1;
  plan.splitsNext = !plan.levels.empty();
  for (Placed &placed : plan.placed) {
    for (size_t i = 0; i < plan.levels.size(); ++i)
      if (&placed == core || llvm::is_contained(placed.dims, plan.levels[i].dim))
        placed.depth = i + 1;
    if (placed.depth == plan.levels.size())
      continue;
    plan.parallelLevels = std::min(plan.parallelLevels, placed.depth);
    plan.splitsNext = false;
  }
}

/// Bytes of the packed weight that the core reads; 0 if there is none.
int64_t Emitter::weightBytes(const Plan &plan) {
  const Placed *core = coreOf(plan);
  int64_t bytes = 0;
  if (!core || plan.vectorDim < 0)
    return bytes;
  walk(core->stage->body, frameOf(*core->stage, withReduction(*core->stage, core->at)),
       [&](const Read &read, DType, const Coordinates &, const Frame &) {
         const Operand *operand = spec.findOperand(read.source);
         DimExpr count = 1;
         for (const DimExpr &extent :
              operand && operand->panel ? operand->packedShape() : Coordinates())
           count = count * extent;
         bytes = std::max(bytes, count.constantValue().value_or(0) *
                                     (operand ? byteSize(operand->type) : 0));
       });
  return bytes;
}

/// What of the weight the second cache keeps, from one tile or round of a loop to the next.
void Emitter::chooseOrder(Plan &plan) {
  int64_t bytes = weightBytes(plan), rows = 1, steps = 1;
  if (const Placed *core = coreOf(plan))
    for (const DimExpr &extent : core->stage->reduction)
      steps *= std::min(extent.constantValue().value_or(leastSteps), leastSteps);
  for (size_t dim = 0; dim < plan.root->domain.size(); ++dim)
    if (static_cast<int>(dim) != plan.vectorDim)
      rows *= std::min(extentOf(plan, dim).bounds(bounds).upper.value_or(manyRows), manyRows);
  // A good part, read by few rows: it is there where a round begins where the last one ended.
  plan.alternates =
      rows < manyRows && bytes > target.cacheBytes / 2 && bytes < 8 * target.cacheBytes;
  DimExpr result = byteSize(plan.root->type);
  for (const DimExpr &extent : plan.root->domain)
    result = result * extent;
  plan.isFar = plan.vectorDim >= 0 && coreOf(plan) && steps >= leastSteps &&
               result.bounds(bounds).upper.value_or(0) >= farAway * target.cacheBytes;
  // All of it: rows are read once, and what they give is written whole.
  plan.vectorsLast = plan.isFar && bytes > 0 && bytes <= target.cacheBytes / 2 && !plan.slicing;
}

Plan Emitter::makePlan(const Stage &root) {
  Plan plan;
  plan.root = &root;
  Coordinates at = rootDims(root);
  if (!findPlaced(plan, root.body, frameOf(root, withReduction(root, at))))
    return plan;
  if (root.combiner != Combiner::None)
    plan.placed.push_back({&root, at, {}});
  for (Placed &placed : plan.placed)
    for (size_t i = 0; i < root.domain.size(); ++i)
      if (llvm::any_of(placed.at, [&](const DimExpr &v) { return mentions(v, dimName(i)); }))
        placed.dims.push_back(i);
  chooseLanes(plan);
  for (Placed &placed : plan.placed)
    placed.dot = dotOf(placed);
  if (!plan.placed.empty())
    plan.placed.back().widened = widenedOf(plan);
  chooseTile(plan);
  chooseTransposition(plan);
  chooseLevels(plan);
  chooseSlices(plan);
  chooseOrder(plan);
  plan.work = 1;
  for (const DimExpr &extent : root.domain)
    plan.work = plan.work * extent;
  DimExpr each = 1;
  for (const Placed &placed : plan.placed) {
    DimExpr size = 1;
    for (const DimExpr &extent : placed.stage->reduction)
      size = size * extent;
    each = each + (coreOf(plan) == &placed ? size : DimExpr(1));
  }
  plan.work = plan.work * each;
  return plan;
}
