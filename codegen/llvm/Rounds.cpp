//===- Rounds.cpp - stages that are kept for a round of the outer loops ----===//
//
// A stage that others read along a reduction is neither stored nor computed where it is read: its
// values are kept on the stack. Where all stored and kept stages of a kernel share their leading
// dimensions, one loop nest over those computes all stages for a block of rows at a time, and
// memory for that block is enough: softmax takes each exponential once, attention has its scores
// and weights for 16 queries in the first caches, not in memory for all.
//
//===----------------------------------------------------------------------===//

#include "codegen/llvm/Emitter.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

/// What a task may take of its thread's stack.
static constexpr int64_t mostStackBytes = 65536;
/// Rows of a block where matrices are multiplied: full tiles, whose factors are read once for all.
static constexpr int64_t mostRows = 16;
/// Bytes of a block elsewhere: they stay in the first cache.
static constexpr int64_t fewBytes = 8192;
/// Nodes of a body from which on keeping its value is cheaper than computing it twice.
static constexpr size_t manyNodes = 12;
/// The rows of a round, where the last may have less.
static constexpr std::string_view countName = "%rows";

static bool isProduct(const Stage &stage) {
  return stage.combiner == Combiner::Add && stage.body->op == Op::Mul && !stage.body->strict;
}

/// Whether the body is more than a value of memory in another type.
static bool computes(const ExprPtr &body) {
  return body->op == Op::Cast ? computes(body->args[0]) : body->op != Op::Read;
}

/// The pointwise stages in between that are worth keeping: factors of products, and what is long to
/// compute and read both along a reduction and elsewhere.
std::set<std::string> Emitter::worthKeeping() {
  std::map<std::string, std::pair<int, bool>> readers; // number, any along a reduction
  std::set<std::string> result;
  for (const Stage &stage : spec.stages) {
    std::set<const Expr *> seen;
    visitPostOrder(stage.body, seen, [&](const ExprPtr &node) {
      const Stage *source = node->op == Op::Read ? spec.findStage(node->read.source) : nullptr;
      if (!source || source->combiner != Combiner::None || spec.findOperand(source->name))
        return;
      auto &[count, isAlong] = readers[source->name];
      ++count;
      isAlong |= !stage.reduction.empty();
      if (isProduct(stage) && computes(source->body))
        result.insert(source->name);
    });
  }
  for (auto &[name, reads] : readers) {
    std::set<const Expr *> nodes;
    visitPostOrder(spec.findStage(name)->body, nodes, [](const ExprPtr &) {});
    if (reads.first > 1 && reads.second && nodes.size() >= manyNodes)
      result.insert(name);
  }
  return result;
}

/// The stages with loops of their own: results, and what is kept.
std::vector<const Stage *> Emitter::rootStages() const {
  std::vector<const Stage *> roots;
  for (const Stage &stage : spec.stages)
    if (spec.findOperand(stage.name) || wholeStages.count(stage.name))
      roots.push_back(&stage);
  return roots;
}

/// Adds what must be kept because a stage cannot be computed where it is read.
void Emitter::keepUnplaced() {
  for (bool isSettled = false; !isSettled;) {
    isSettled = true;
    for (const Stage *root : rootStages()) {
      Plan plan;
      plan.root = root;
      unplaced = nullptr;
      if (findPlaced(plan, root->body, frameOf(*root, withReduction(*root, rootDims(*root)))))
        continue;
      wholeStages[unplaced->name];
      isSettled = false;
      break;
    }
  }
}

/// Visits the reads of kept stages by a root, at coordinates of its dimensions; `row` is the place
/// of the reduction that reads, or null where the root's own body does.
void Emitter::visitKept(const Stage &root, KeptVisitor visit) {
  Plan plan;
  plan.root = &root;
  Frame frame = frameOf(root, withReduction(root, rootDims(root)));
  findPlaced(plan, root.body, frame);
  auto look = [&](const ExprPtr &body, const Frame &at, const Coordinates *row) {
    walk(body, at, [&](const Read &read, DType, const Coordinates &where, const Frame &) {
      if (wholeStages.count(read.source))
        visit(read.source, where, row);
    });
  };
  look(root.body, frame, root.combiner == Combiner::None ? nullptr : &frame.at);
  for (const Placed &placed : plan.placed)
    look(placed.stage->body, frameOf(*placed.stage, withReduction(*placed.stage, placed.at)),
         &placed.at);
}

/// How many leading dimensions the roots share: equal extents, and kept values are read at the
/// reader's own coordinates.
size_t Emitter::sharedDims() {
  std::vector<const Stage *> roots = rootStages();
  size_t shared = roots.front()->domain.size();
  for (const Stage *root : roots) {
    size_t same = 0;
    while (same < std::min(shared, root->domain.size()) &&
           root->domain[same] == roots.front()->domain[same])
      ++same;
    shared = same;
    Coordinates own = rootDims(*root);
    visitKept(*root, [&](StringRef, const Coordinates &at, const Coordinates *) {
      for (size_t i = 0; i < shared; ++i)
        if (i >= at.size() || at[i] != own[i])
          shared = i;
    });
  }
  return shared;
}

/// The kept stage whose memory a pointwise one takes over, element for element, if there is one:
/// nothing reads that later, and reductions of it are made for whole rows before the row changes.
std::string Emitter::takenOver(const Stage &stage, size_t shared) {
  std::vector<const Stage *> roots = rootStages();
  Coordinates own = rootDims(stage);
  std::string taken;
  if (stage.combiner != Combiner::None)
    return taken;
  std::set<std::string> refused;
  for (const Stage *root : llvm::reverse(roots)) {
    if (root == &stage)
      break;
    visitKept(*root, [&](StringRef name, const Coordinates &, const Coordinates *) {
      refused.insert(name.str()); // read by a later stage
    });
  }
  visitKept(stage, [&](StringRef name, const Coordinates &at, const Coordinates *row) {
    const Stage &source = *spec.findStage(name.str());
    bool isSame = source.domain == stage.domain && byteSize(source.type) == byteSize(stage.type);
    bool isRow = row && row->size() <= shared && std::equal(row->begin(), row->end(), own.begin());
    if (!isSame || (row ? !isRow : at != own))
      refused.insert(name.str());
    taken = name.str();
  });
  return refused.count(taken) ? "" : taken;
}

/// Gives kept stages their memory, for a block of rows of the shared dimensions or, with none, for
/// all. False if that is too much.
bool Emitter::layOut(size_t shared) {
  int64_t each = 0; // bytes a row
  bool hasProducts = llvm::any_of(spec.stages, isProduct);
  std::map<std::string, std::string> takes;
  for (const Stage &stage : spec.stages) {
    if (!wholeStages.count(stage.name))
      continue;
    if (shared > 0 && !(takes[stage.name] = takenOver(stage, shared)).empty())
      continue;
    DimExpr count = 1;
    for (size_t i = shared; i < stage.domain.size(); ++i)
      count = count * stage.domain[i];
    std::optional<int64_t> most = count.bounds(bounds).upper;
    if (!most || *most > mostStackBytes)
      return false;
    each += alignTo(*most * byteSize(stage.type), 64);
  }
  if (each > mostStackBytes)
    return false;
  int64_t rows = 1;
  if (shared > 0) {
    DimExpr extent = rootStages().front()->domain[shared - 1];
    int64_t most = extent.bounds(bounds).upper.value_or(mostRows);
    int64_t wanted = hasProducts ? mostRows : fewBytes / std::max<int64_t>(each, 1);
    wanted = std::min({wanted, mostRows, most});
    while (rows * 2 <= wanted && rows * 2 * each <= mostStackBytes)
      rows *= 2;
    bounds[std::string(countName)] = {0, rows};
    bool isWhole = extent == DimExpr::floorDiv(extent, rows) * DimExpr(rows);
    rounds = {shared, rows, isWhole ? DimExpr(rows) : DimExpr::symbol(std::string(countName)), {}};
  }
  stackBytes = 0;
  for (const Stage &stage : spec.stages) {
    auto whole = wholeStages.find(stage.name);
    if (whole == wholeStages.end())
      continue;
    Operand facts{stage.name,   stage.type, stage.domain,          {},
                  std::nullopt, 64,         Operand::Use::Scratch, ""};
    facts.strides.assign(stage.domain.size(), DimExpr(0));
    DimExpr count = 1;
    for (size_t i = stage.domain.size(); i-- > (shared > 0 ? shared - 1 : 0);) {
      facts.strides[i] = count;
      count = count * (i + 1 == shared ? DimExpr(rows) : stage.domain[i]);
    }
    if (const std::string &taken = takes[stage.name]; !taken.empty()) {
      whole->second = {facts, wholeStages.find(taken)->second.offset};
      continue;
    }
    whole->second = {facts, stackBytes};
    stackBytes += alignTo(*count.bounds(bounds).upper * byteSize(stage.type), 64);
  }
  return true;
}

/// Decides what is kept and where. False, with a message, if it is too much for the stack.
bool Emitter::chooseKept() {
  auto arrange = [&](const std::set<std::string> &wanted) {
    wholeStages.clear();
    for (const std::string &name : wanted)
      wholeStages[name];
    keepUnplaced();
    if (wholeStages.empty())
      return true;
    size_t shared = sharedDims();
    DimExpr count = 1;
    for (size_t i = 0; i < shared; ++i)
      count = count * rootStages().front()->domain[i];
    // One round would leave nothing to share out among threads.
    if (count != DimExpr(1) && layOut(shared))
      return true;
    return wanted.empty() && layOut(0);
  };
  if (arrange(worthKeeping()) || arrange({}))
    return true;
  message = "stages " + llvm::join(llvm::make_first_range(wholeStages), ", ") +
            " need scratch memory: expected at most " + std::to_string(mostStackBytes) +
            " bytes of intermediate values";
  return false;
}

/// The task of all stages: one round after the other.
Function *Emitter::emitRounds(const std::vector<Plan> &plans, StringRef name) {
  Function *task = createTask(name);
  const std::vector<DimExpr> &domain = plans.front().root->domain;
  AllocaInst *stack = b.CreateAlloca(ArrayType::get(b.getInt8Ty(), stackBytes));
  stack->setAlignment(Align(64));
  auto [from, to] = shareOf(roundCount(*plans.front().root));
  loop(from, to, [&](Value *flat) {
    rounds.at.assign(rounds.dims, DimExpr(0));
    for (size_t i = rounds.dims; i-- > 0;) {
      bool isLast = i + 1 == rounds.dims;
      DimExpr count = isLast ? roundsAlong(domain[i]) : domain[i];
      Value *extent = emit(count), *at = i == 0 ? flat : b.CreateURem(flat, extent);
      flat = i == 0 ? flat : b.CreateUDiv(flat, extent);
      auto last = count.bounds(bounds).upper;
      rounds.at[i] = bind(at, "%t", {0, last ? std::optional(*last - 1) : std::nullopt}) *
                     DimExpr(isLast ? rounds.block : 1);
    }
    DimExpr left = domain[rounds.dims - 1] - rounds.at.back();
    env[std::string(countName)] = {emit(DimExpr::min(left, rounds.block)),
                                   static_cast<int>(env.size())};
    for (auto &[stage, place] : wholeStages) {
      DimExpr before = rounds.at.back() * place.facts.strides[rounds.dims - 1];
      Value *base = b.CreateConstGEP1_64(b.getInt8Ty(), stack, place.offset);
      memories[stage] = {&place.facts, b.CreateGEP(values.memoryType(place.facts.type), base,
                                                   emit(DimExpr(0) - before))};
    }
    for (const Plan &plan : plans) {
      startPlan(plan);
      block = DimExpr(0);
      blocks = DimExpr(1);
      enter(plan, 0);
    }
  });
  b.CreateRet(b.getInt32(0));
  return task;
}

DimExpr Emitter::roundsAlong(const DimExpr &extent) const {
  return DimExpr::floorDiv(extent + DimExpr(rounds.block - 1), rounds.block);
}

DimExpr Emitter::roundCount(const Stage &root) const {
  DimExpr count = 1;
  for (size_t i = 0; i < rounds.dims; ++i)
    count = count * (i + 1 == rounds.dims ? roundsAlong(root.domain[i]) : root.domain[i]);
  return count;
}

DimExpr Emitter::extentOf(const Stage &root, int dim) const {
  size_t i = dim;
  return i >= rounds.dims ? root.domain[dim] : i + 1 == rounds.dims ? rounds.count : DimExpr(1);
}
