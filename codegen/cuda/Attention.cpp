//===- Attention.cpp - which stages are attention -------------------------===//
//
// What ends in a product whose first factor is a softmax of another product's sums, whatever is
// done to them at each point in between: masks, scales, biases.
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/Generate.h"
#include "codegen/cuda/Plan.h"

#include <algorithm>
#include <cmath>

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::spec;

/// Rows or keys below which most of a tile would be empty.
static constexpr int64_t leastExtent = 16;
/// Columns of the result that a block has, at most: 32 sums a thread.
static constexpr int mostColumns = 128;

namespace {
/// Whether two expressions are the same but for one node of each, which stand for one another.
class Comparison {
public:
  Comparison(const Expr *left = nullptr, const Expr *right = nullptr) : left(left), right(right) {}
  bool areSame(const ExprPtr &x, const ExprPtr &y);

private:
  bool areSame(const Read &x, const Read &y);

  const Expr *left, *right;
  std::set<std::pair<const Expr *, const Expr *>> known;
};

class Matcher {
public:
  Matcher(const KernelSpec &spec, const Stage &last) : spec(spec), last(last) {}
  /// Whether it is attention, as it is computed in one grid.
  bool run();
  Attention result;

private:
  const Stage *stageOf(const ExprPtr &read, const std::vector<int> &dims) const;
  std::vector<int> firstDims(size_t count) const;
  bool findWeights();
  bool findPower(const ExprPtr &read);
  bool findAbsorbed();
  void findLimit();
  bool areReadAtTheirPoint() const;
  bool readsOnly(const ExprPtr &root, const Stage *allowed) const;
  bool hasRowsAndKeys(const Stage &stage, Combiner combiner) const;

  const KernelSpec &spec;
  const Stage &last;
  size_t rank = 0; ///< of scores: rows and batches, keys
};
} // namespace

bool Comparison::areSame(const Read &x, const Read &y) {
  if (x.source != y.source || x.outside != y.outside || x.indices.size() != y.indices.size())
    return false;
  for (size_t i = 0; i < x.indices.size(); ++i) {
    const Index &a = x.indices[i], &c = y.indices[i];
    if (a.terms != c.terms || a.offset != c.offset || !a.indirect != !c.indirect ||
        (a.indirect && !areSame(a.indirect, c.indirect)))
      return false;
  }
  return true;
}

bool Comparison::areSame(const ExprPtr &x, const ExprPtr &y) {
  if ((left && x.get() == left) || (right && y.get() == right))
    return x.get() == left && y.get() == right;
  if (known.count({x.get(), y.get()}))
    return true;
  bool result = x->op == y->op && x->type == y->type && x->constant == y->constant &&
                x->dim == y->dim && x->extent == y->extent && x->strict == y->strict &&
                x->args.size() == y->args.size() && areSame(x->read, y->read);
  for (size_t i = 0; result && i < x->args.size(); ++i)
    result = areSame(x->args[i], y->args[i]);
  if (result)
    known.insert({x.get(), y.get()});
  return result;
}

/// Whether the expression is exp of the node, with functions expanded.
static bool isPower(const ExprPtr &root, const ExprPtr &node) {
  KernelSpec spec;
  ExprPtr any = read("x", {}, node->type);
  Stage stage;
  stage.name = "y";
  stage.type = node->type;
  stage.body = apply(Op::Exp, {any});
  spec.stages = {stage};
  expandMath(spec, mathSupport);
  ExprPtr hole;
  std::set<const Expr *> seen;
  visitPostOrder(spec.stages[0].body, seen, [&](const ExprPtr &each) {
    if (each->op == Op::Read)
      hole = each;
  });
  return hole && Comparison(node.get(), hole.get()).areSame(root, spec.stages[0].body);
}

static bool isNumber(const ExprPtr &expr, double value) {
  const double *number = expr ? std::get_if<double>(&expr->constant) : nullptr;
  return number && expr->op == Op::Const && *number == value;
}

std::vector<int> Matcher::firstDims(size_t count) const {
  std::vector<int> dims;
  for (size_t i = 0; i < count; ++i)
    dims.push_back(static_cast<int>(i));
  return dims;
}

/// The stage, no operand, that is read at these dimensions, none of them outside.
const Stage *Matcher::stageOf(const ExprPtr &read, const std::vector<int> &dims) const {
  bool isRead = read->op == Op::Read && !read->read.outside && !spec.findOperand(read->read.source);
  if (!isRead || read->read.indices.size() != dims.size())
    return nullptr;
  for (size_t i = 0; i < dims.size(); ++i) {
    const Index &index = read->read.indices[i];
    if (index.terms != decltype(index.terms){{dims[i], 1}} || index.offset != DimExpr(0) ||
        index.indirect)
      return nullptr;
  }
  return spec.findStage(read->read.source);
}

/// Whether a stage has a value for each row, of all its keys.
bool Matcher::hasRowsAndKeys(const Stage &stage, Combiner combiner) const {
  std::vector<DimExpr> rows(last.domain.begin(), last.domain.end() - 1);
  return stage.combiner == combiner && stage.type == DType::F32 && stage.domain == rows &&
         stage.reduction == last.reduction;
}

/// From the last product back to the powers: the choice, and the scale.
bool Matcher::findWeights() {
  std::vector<int> dims = firstDims(rank);
  dims.back() = static_cast<int>(rank); // the reduction of `last`
  const Stage *stage = stageOf(last.body->args[0], dims);
  std::vector<DimExpr> points(last.domain.begin(), last.domain.end() - 1);
  points.push_back(last.reduction[0]);
  while (stage && stage->combiner == Combiner::None && stage->domain == points) {
    ExprPtr body = stage->body;
    if (body->op == Op::Select && isNumber(body->args[2], 0) && !result.sees) {
      result.weight = stage;
      result.sees = body->args[0];
      body = body->args[1];
    }
    if (body->op == Op::Mul || body->op == Op::Div) {
      result.scaled = stage;
      result.scale = body->args[1];
      result.divides = body->op == Op::Div;
      return findPower(body->args[0]);
    }
    stage = stageOf(body, firstDims(rank));
  }
  return false;
}

bool Matcher::findPower(const ExprPtr &read) {
  result.power = stageOf(read, firstDims(rank));
  if (!result.power || result.power->combiner != Combiner::None)
    return false;
  std::set<const Expr *> seen;
  visitPostOrder(result.power->body, seen, [&](const ExprPtr &node) {
    const Stage *top = node->op == Op::Sub ? stageOf(node->args[1], firstDims(rank - 1)) : nullptr;
    if (!top || result.top || !hasRowsAndKeys(*top, Combiner::Max))
      return;
    result.top = top;
    result.difference = node;
  });
  return result.top && isNumber(result.top->init, -INFINITY) &&
         Comparison().areSame(result.top->body, result.difference->args[0]) &&
         isPower(result.power->body, result.difference);
}

/// The choice that excludes keys before softmax. It tells which tiles of keys add nothing, if that
/// behind softmax is the same.
void Matcher::findLimit() {
  const Stage *stage = result.top;
  ExprPtr body = stage->body;
  while (const Stage *inner = stageOf(body, firstDims(rank))) {
    if (inner->combiner != Combiner::None)
      return;
    stage = inner;
    body = stage->body;
  }
  bool isChoice = body->op == Op::Select && isNumber(body->args[2], -INFINITY) &&
                  readsOnly(body->args[0], nullptr);
  if (!isChoice || (result.sees && !Comparison().areSame(body->args[0], result.sees)))
    return;
  result.limited = stage;
  result.isLimit = body->args[0];
}

/// All that the weights are made of: three reductions, whom nobody else reads.
bool Matcher::findAbsorbed() {
  std::vector<const Stage *> found = {&last};
  for (size_t i = 0; i < found.size(); ++i) {
    const ExprPtr &root = found[i] == &last ? last.body->args[0] : found[i]->body;
    std::set<const Expr *> seen;
    visitPostOrder(root, seen, [&](const ExprPtr &node) {
      const Stage *stage = node->op == Op::Read ? spec.findStage(node->read.source) : nullptr;
      if (stage && result.absorbed.insert(stage).second)
        found.push_back(stage);
    });
  }
  for (const Stage *stage : result.absorbed) {
    if (spec.findOperand(stage->name))
      return false;
    if (stage->combiner == Combiner::None || stage == result.top)
      continue;
    const Stage *&place = stage->body->op == Op::Read ? result.sum : result.scores.stage;
    if (place)
      return false;
    place = stage;
  }
  for (const Stage &stage : spec.stages) {
    std::set<const Expr *> seen;
    bool isApart = true, isOther = &stage != &last && !result.absorbed.count(&stage);
    visitPostOrder(stage.body, seen, [&](const ExprPtr &node) {
      const Stage *source = node->op == Op::Read ? spec.findStage(node->read.source) : nullptr;
      isApart &= !isOther || !result.absorbed.count(source);
    });
    if (!isApart)
      return false;
  }
  return result.sum && result.scores.stage;
}

/// Whether stages behind the scores are read at their reader's point alone.
bool Matcher::areReadAtTheirPoint() const {
  bool isFine = true;
  for (const Stage *stage : result.absorbed) {
    std::set<const Expr *> seen;
    visitPostOrder(stage->body, seen, [&](const ExprPtr &node) {
      const Stage *source = node->op == Op::Read ? spec.findStage(node->read.source) : nullptr;
      if (source && stage != result.scores.stage && result.absorbed.count(source))
        isFine &= stageOf(node, firstDims(source->domain.size())) != nullptr;
    });
  }
  return isFine;
}

/// Whether an expression depends on no reduction but `allowed`, and on that alone if there is one.
bool Matcher::readsOnly(const ExprPtr &root, const Stage *allowed) const {
  bool isFine = true;
  std::set<const Expr *> seen;
  visitPostOrder(root, seen, [&](const ExprPtr &node) {
    if (node->op == Op::Dim)
      isFine &= !allowed;
    if (node->op != Op::Read)
      return;
    const Stage *source = spec.findStage(node->read.source);
    if (!source || spec.findOperand(node->read.source))
      isFine &= !allowed;
    else if (source->combiner != Combiner::None)
      isFine &= source == allowed;
    else
      isFine &= readsOnly(source->body, allowed);
  });
  return isFine;
}

bool Matcher::run() {
  bool isProduct = last.combiner == Combiner::Add && last.body->op == Op::Mul &&
                   !last.body->strict && last.type == DType::F32;
  rank = last.domain.size();
  if (!isProduct || last.reduction.size() != 1 || rank < 2 || !findWeights() || !findAbsorbed())
    return false;
  const Stage &sum = *result.sum, &scores = *result.scores.stage;
  bool isSoftmax =
      hasRowsAndKeys(sum, Combiner::Add) && isNumber(sum.init, 0) &&
      stageOf(sum.body, firstDims(rank)) == result.power && readsOnly(result.scale, result.sum) &&
      (!result.sees || readsOnly(result.sees, nullptr)) && readsOnly(last.body->args[1], nullptr);
  findLimit();
  return isSoftmax && scores.combiner == Combiner::Add && scores.body->op == Op::Mul &&
         !scores.body->strict && scores.type == DType::F32 &&
         scores.domain == result.power->domain && areReadAtTheirPoint();
}

/// The dimensions of a product whose last columns the second factor alone has.
static void setDims(Tile &tile, const std::set<int> &batches) {
  int last = static_cast<int>(tile.stage->domain.size()) - 1;
  for (int dim = 0; dim < last; ++dim)
    (batches.count(dim) ? tile.batches : tile.rows).push_back(dim);
  tile.columns = {last};
}

/// The coordinates of a read in a stage that is itself read at `outer`.
static std::optional<std::vector<Index>> composed(const Read &inner,
                                                  const std::vector<Index> &outer) {
  std::vector<Index> result;
  for (const Index &index : inner.indices) {
    if (index.indirect)
      return std::nullopt;
    Index &made = result.emplace_back();
    made.offset = index.offset;
    std::map<int, int64_t> terms;
    for (auto [dim, coefficient] : index.terms) {
      if (outer[dim].indirect)
        return std::nullopt;
      made.offset = made.offset + outer[dim].offset * DimExpr(coefficient);
      for (auto [each, times] : outer[dim].terms)
        terms[each] += times * coefficient;
    }
    for (auto [dim, coefficient] : terms)
      if (coefficient)
        made.terms.push_back({dim, coefficient});
  }
  return result;
}

/// The halves of which a factor is made, times a number that sums are multiplied by instead; null
/// for other factors.
static ExprPtr halvesOf(const KernelSpec &spec, const ExprPtr &factor, ExprPtr &number) {
  if (ExprPtr half = narrowed(factor))
    return half;
  if (factor->op == Op::Mul && factor->args[1]->op == Op::Const) {
    number = factor->args[1];
    return narrowed(factor->args[0]);
  }
  bool isPlain = factor->op == Op::Read && !factor->read.outside;
  const Stage *stage = isPlain ? spec.findStage(factor->read.source) : nullptr;
  if (!stage || stage->combiner != Combiner::None || spec.findOperand(stage->name))
    return nullptr;
  ExprPtr inner = halvesOf(spec, stage->body, number);
  if (!inner || inner->op != Op::Read)
    return nullptr;
  auto indices = composed(inner->read, factor->read.indices);
  return indices ? read(inner->read.source, *indices, inner->type, inner->read.outside) : nullptr;
}

/// Takes tensor cores, if all factors are halves of one type.
static void takeHalves(const KernelSpec &spec, Attention &attention) {
  Tile &scores = attention.scores, &result = attention.result;
  ExprPtr number, none;
  ExprPtr query = halvesOf(spec, scores.first, number), key = halvesOf(spec, scores.second, none);
  ExprPtr value = halvesOf(spec, result.second, none);
  bool isFine = query && key && value && !none && !isEighth(value->type);
  for (const ExprPtr &half : {query, key, value})
    isFine = isFine && half->type == value->type;
  if (!isFine)
    return;
  attention.factor = number;
  scores.first = query;
  scores.second = key;
  result.second = value;
  for (Tile *tile : {&scores, &result}) {
    tile->type = value->type;
    tile->m = 128;
    tile->k = 32;
    tile->stages = 3;
  }
  setCopies(spec, scores);
  result.first = result.second;
  setCopies(spec, result);
  result.k = 16; // of 32, addresses and parts together take more registers than there are
  result.stages = 2;
  result.first = nullptr;
  result.copiesRows = false; // the weights are there
}

std::optional<Attention> cuda::makeAttention(const KernelSpec &spec, const Stage &last,
                                             const DimExpr::BoundsMap &bounds, std::string &why) {
  Matcher matcher(spec, last);
  if (!matcher.run())
    return std::nullopt;
  Attention &found = matcher.result;
  Tile &scores = found.scores, &result = found.result;
  const ExprPtr *factors = scores.stage->body->args.data();
  int key = static_cast<int>(last.domain.size()) - 1;
  bool isTurned = dimsOf(factors[0]).count(key);
  scores.first = factors[isTurned];
  scores.second = factors[!isTurned];
  result.stage = &last;
  result.second = last.body->args[1];
  std::set<int> ofQueries = dimsOf(scores.first), batches = dimsOf(scores.second);
  std::set<int> ofValues = dimsOf(result.second);
  batches.insert(ofValues.begin(), ofValues.end());
  setDims(scores, batches);
  setDims(result, batches);
  auto most = [&](const DimExpr &extent) {
    return extent.bounds(bounds).upper.value_or(mostColumns);
  };
  if (ofQueries.count(key) || most(product(extentsOf(last, result.rows))) < leastExtent ||
      most(last.reduction[0]) < leastExtent)
    return why = "its attention has less than 16 queries or keys", std::nullopt;
  takeHalves(spec, found);
  if (scores.stages > 1)
    return std::move(found);
  result.n = most(last.domain.back()) <= result.n ? result.n : mostColumns;
  scores.readsAcross = readsAcross(spec, scores);
  result.readsAcross = readsAcross(spec, result);
  return std::move(found);
}
