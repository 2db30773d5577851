//===- Rowwise.cpp - reductions of rows and what follows them -------------===//
//
// All stages are computed row by row of the last one: a reduction in `lanes` accumulators, which
// are then folded in a fixed tree; an intermediate row that several stages read is kept on the
// stack if it is dear to compute and short enough.
//
//===----------------------------------------------------------------------===//

#include "codegen/halide/Build.h"

#include <limits>

using namespace kiln;
using namespace kiln::halide;
using namespace kiln::spec;
using Halide::Func;
using Halide::Var;
using HExpr = Halide::Expr;

namespace {
constexpr int64_t maxRowBytes = 32 << 10, maxStackBytes = 64 << 10;
constexpr size_t dearNodes = 12;
constexpr int64_t serialWork = 1 << 15; ///< elements below which a kernel runs in one task

/// A value, or a value with its position, as Halide's tuples.
using Values = std::vector<HExpr>;

class RowwiseTemplate {
public:
  explicit RowwiseTemplate(Builder &builder) : builder(builder) {}
  void run();

private:
  void reduce(const Stage &stage);
  void intermediate(const Stage &stage, size_t position);
  void scheduleOutput(Func out, const Stage &stage);
  Values item(const Stage &stage, const Coordinates &domain, const HExpr &inner,
              const std::vector<HExpr> &outer);
  Func fold(Func from, const Stage &stage, const std::vector<Var> &rows, int width, int parts);
  void keep(Func func, bool isVector, int width);
  int64_t rowBytes(const Stage &stage) const;

  Builder &builder;
  size_t rowRank = 0;
  int64_t stackBytes = 0;
  std::vector<std::pair<Func, int>> kept; ///< functions computed for each row; width of vectors
};
} // namespace

static bool isPosition(const Stage &stage) {
  return stage.combiner == Combiner::ArgMax || stage.combiner == Combiner::ArgMin;
}

static Values parts(const Halide::FuncRef &ref, bool isTuple) {
  return isTuple ? Values{ref[0], ref[1]} : Values{HExpr(ref)};
}

/// One step of a reduction of values or of (value, position).
static Values merge(const Stage &stage, const Values &a, const Values &b) {
  if (!isPosition(stage))
    return {combine(stage.combiner, a[0], b[0], stage.body->strict)};
  HExpr isMore = stage.combiner == Combiner::ArgMax ? b[0] > a[0] : b[0] < a[0];
  HExpr isSame = a[0] == b[0];
  if (a[0].type().is_float()) {
    HExpr aIsNan = isNaN(a[0]), bIsNan = isNaN(b[0]);
    isMore = isMore || (bIsNan && !aIsNan);
    isSame = isSame || (aIsNan && bIsNan);
  }
  HExpr takes = Halide::strict_float(isMore || (isSame && b[1] < a[1]));
  return {select(takes, b[0], a[0]), select(takes, b[1], a[1])};
}

static Values start(const Stage &stage, int64_t lanes) {
  if (!isPosition(stage))
    return {identity(stage.combiner, accumulatorType(stage, lanes))};
  Combiner like = stage.combiner == Combiner::ArgMax ? Combiner::Max : Combiner::Min;
  return {identity(like, stage.body->type), HExpr(std::numeric_limits<int32_t>::max())};
}

static void assign(const Halide::FuncRef &ref, const Values &values) {
  Halide::FuncRef target = ref;
  if (values.size() == 1)
    target = values[0];
  else
    target = Halide::Tuple(values);
}

void RowwiseTemplate::keep(Func func, bool isVector, int width) {
  kept.push_back({func, isVector ? width : 0});
}

Values RowwiseTemplate::item(const Stage &stage, const Coordinates &domain, const HExpr &inner,
                             const std::vector<HExpr> &outer) {
  Coordinates all = domain;
  HExpr position = 0;
  for (size_t i = 0; i < stage.reduction.size(); ++i) {
    HExpr at = i + 1 == stage.reduction.size() ? inner : outer[i];
    all.push_back(at);
    position = position * builder.extent(stage.reduction[i]) + at;
  }
  HExpr value = builder.value(stage.body, stage, all);
  if (value.type().is_bool())
    value = Halide::cast<uint8_t>(value) != Halide::cast<uint8_t>(0);
  return isPosition(stage) ? Values{value, position} : Values{value};
}

/// A function of width / parts lanes that merges `parts` slices of `from`.
Func RowwiseTemplate::fold(Func from, const Stage &stage, const std::vector<Var> &rows, int width,
                           int parts) {
  Func result(stage.name + "_fold" + std::to_string(width));
  Var lane("l");
  std::vector<Var> vars{lane};
  vars.insert(vars.end(), rows.begin(), rows.end());
  int step = width / parts;
  Values sum;
  for (int i = 0; i < parts; ++i) {
    std::vector<HExpr> args{lane + i * step};
    args.insert(args.end(), rows.begin(), rows.end());
    Values slice = ::parts(from(args), isPosition(stage));
    sum = i ? merge(stage, sum, slice) : slice;
  }
  assign(result(vars), sum);
  keep(result, step > 1, step);
  return result;
}

void RowwiseTemplate::reduce(const Stage &stage) {
  if (stage.type == DType::Bool)
    throw Unsupported("a reduction of bools");
  std::vector<Var> rows;
  Coordinates domain(stage.domain.size());
  for (size_t d = stage.domain.size(); d-- > 0;) {
    rows.push_back(Var("d" + std::to_string(d)));
    domain[d] = HExpr(rows.back());
  }
  const DimExpr &length = stage.reduction.back();
  int64_t known = length.constantValue().value_or(1 << 20);
  int lanes = static_cast<int>(builder.parameter("lanes", known >= 128  ? 64
                                                          : known >= 16 ? 16
                                                                        : 4));
  if (lanes != 4 && lanes != 16 && lanes != 64)
    throw Unsupported("expected 4, 16 or 64 lanes");
  Func part(stage.name + "_part");
  Var lane("l");
  std::vector<Var> vars{lane};
  vars.insert(vars.end(), rows.begin(), rows.end());
  assign(part(vars), start(stage, lanes));
  // Whole groups of lanes, then the elements left over in the first lanes.
  DimExpr groups = DimExpr::floorDiv(length, lanes);
  for (bool isRest : {false, true}) {
    DimExpr extent = isRest ? length - groups * DimExpr(lanes) : groups;
    if (extent == DimExpr(0))
      continue;
    Halide::Region bounds{{0, builder.extent(extent)}};
    for (size_t i = stage.reduction.size() - 1; i-- > 0;)
      bounds.push_back({0, builder.extent(stage.reduction[i])});
    Halide::RDom r(bounds);
    std::vector<HExpr> outer;
    for (size_t i = 0; i + 1 < stage.reduction.size(); ++i)
      outer.push_back(r[static_cast<int>(stage.reduction.size() - 1 - i)]);
    HExpr inner = isRest ? builder.extent(groups * DimExpr(lanes)) + r[0] : r[0] * lanes + lane;
    std::vector<HExpr> at{isRest ? HExpr(r[0]) : HExpr(lane)};
    at.insert(at.end(), rows.begin(), rows.end());
    Values next = item(stage, domain, inner, outer);
    next[0] = Builder::term(r, next[0]);
    if (accumulatorType(stage, lanes) == DType::F64)
      next = {Halide::cast<double>(next[0])};
    assign(part(at), merge(stage, parts(part(at), isPosition(stage)), next));
    Halide::Stage update = part.update(part.num_update_definitions() - 1);
    if (!isRest)
      update.vectorize(lane, lanes);
    else if (extent.isConstant())
      update.vectorize(r[0], static_cast<int>(*extent.constantValue()));
  }
  // What is left over is less than the lanes, which Halide does not see of a run-time length.
  part.bound(lane, 0, lanes);
  keep(part, true, lanes);
  Func last = part;
  for (int width = lanes; width > 1; width /= 4)
    last = fold(last, stage, rows, width, 4);
  std::vector<HExpr> args{0};
  args.insert(args.end(), rows.begin(), rows.end());
  Values total = parts(last(args), isPosition(stage));
  Func result(stage.name);
  if (isPosition(stage))
    result(rows) = Halide::cast<int64_t>(total[1]);
  else
    result(rows) = combine(stage.combiner, builder.value(stage.init, stage, domain),
                           Halide::cast(valueType(stage.type), total[0]), stage.body->strict);
  builder.define(stage.name, {result, -1, -1, &stage});
  if (!builder.writesOperand(stage))
    keep(result, false, 0);
}

/// Bytes of one row of a stage, or more than the stack takes.
int64_t RowwiseTemplate::rowBytes(const Stage &stage) const {
  int64_t bytes = byteSize(stage.type);
  for (size_t i = rowRank; i < stage.domain.size(); ++i)
    bytes = std::min<int64_t>(bytes * stage.domain[i].constantValue().value_or(maxStackBytes + 1),
                              maxStackBytes + 1);
  return bytes;
}

void RowwiseTemplate::intermediate(const Stage &stage, size_t position) {
  definePointwise(builder, stage);
  size_t readers = 0, nodes = 0;
  std::set<const Expr *> own;
  visitPostOrder(stage.body, own, [&](const ExprPtr &) { ++nodes; });
  for (size_t i = position + 1; i < builder.spec.stages.size(); ++i) {
    bool isRead = false;
    std::set<const Expr *> seen;
    visitPostOrder(builder.spec.stages[i].body, seen, [&](const ExprPtr &node) {
      isRead |= node->op == Op::Read && node->read.source == stage.name;
    });
    readers += isRead;
  }
  int64_t bytes = rowBytes(stage);
  if (readers < 2 || nodes < dearNodes || bytes > maxRowBytes || stackBytes + bytes > maxStackBytes)
    return;
  stackBytes += bytes;
  keep(builder.function(stage.name), true, builder.target.lanesF32);
}

void RowwiseTemplate::scheduleOutput(Func out, const Stage &stage) {
  std::vector<Var> vars = out.args();
  size_t columns = stage.domain.size() - std::min(rowRank, stage.domain.size());
  Halide::LoopLevel level(out, Var::outermost());
  if (columns < vars.size()) {
    Var fused = vars[columns], outer("o"), row("w");
    for (size_t i = columns + 1; i < vars.size(); ++i) {
      Var next("f" + std::to_string(i));
      out.fuse(fused, vars[i], next);
      fused = next;
    }
    // About 64 blocks of rows, the same for any number of threads.
    int64_t rows = 1, work = 1;
    for (size_t i = 0; i < stage.domain.size(); ++i) {
      int64_t extent = std::min<int64_t>(stage.domain[i].constantValue().value_or(256), 1 << 20);
      work = std::min<int64_t>(work * extent, int64_t(1) << 40);
      rows = i < stage.domain.size() - columns ? work : rows;
    }
    for (const Stage &other : builder.spec.stages)
      for (const DimExpr &extent : other.reduction)
        work = std::min<int64_t>(work * extent.constantValue().value_or(256), int64_t(1) << 40);
    int block = static_cast<int>(std::clamp<int64_t>(rows / 64, 1, 4096));
    out.split(fused, outer, row, block, Halide::TailStrategy::GuardWithIf);
    if (work > serialWork && rows > 1)
      out.parallel(outer);
    level = Halide::LoopLevel(out, row);
  }
  if (columns) {
    int64_t inner = stage.domain.back().constantValue().value_or(1 << 20);
    out.vectorize(vars[0], static_cast<int>(std::clamp<int64_t>(inner, 1, builder.target.lanesF32)),
                  Halide::TailStrategy::GuardWithIf);
  }
  for (auto &[func, width] : kept) {
    func.compute_at(level).store_in(Halide::MemoryType::Register);
    if (width)
      func.vectorize(func.args()[0], width, Halide::TailStrategy::GuardWithIf);
  }
}

void RowwiseTemplate::run() {
  const std::vector<Stage> &stages = builder.spec.stages;
  for (const Stage &stage : stages) {
    if (stage.combiner == Combiner::None)
      continue;
    size_t rank = stage.domain.size();
    while (rank && stage.domain[rank - 1] == DimExpr(1))
      --rank;
    rowRank = std::max(rowRank, rank);
  }
  for (size_t i = 0; i < stages.size(); ++i) {
    bool isLast = i + 1 == stages.size();
    if (builder.writesOperand(stages[i]) != isLast)
      throw Unsupported("expected the last stage, and no other, to write an operand");
    if (stages[i].combiner != Combiner::None)
      reduce(stages[i]);
    else if (isLast)
      builder.defineStage(stages[i]);
    else
      intermediate(stages[i], i);
  }
  Func out = builder.function(stages.back().name);
  builder.output(out, stages.back());
  scheduleOutput(out, stages.back());
}

/// Whether the columns of the domain are contiguous and the reduced elements are not.
static bool reducesAcross(const Builder &builder) {
  const Stage *anchor = builder.spec.anchor();
  if (!anchor || anchor->domain.size() < 2 || anchor->reduction.empty() || !anchor->init)
    return false;
  bool result = false;
  std::set<const Expr *> seen;
  visitPostOrder(anchor->body, seen, [&](const ExprPtr &node) {
    const Operand *operand =
        node->op == Op::Read ? builder.spec.findOperand(node->read.source) : nullptr;
    if (!operand || operand->panel || operand->shape.empty())
      return;
    for (auto [dim, coefficient] : node->read.indices.back().terms)
      result |= static_cast<size_t>(dim) + 1 == anchor->domain.size() && coefficient == 1 &&
                operand->strides.back() == DimExpr(1);
  });
  return result;
}

void halide::buildRowwise(Builder &builder) {
  size_t reductions = 0;
  for (const Stage &stage : builder.spec.stages)
    reductions += stage.combiner != Combiner::None;
  if (reductions == 1 && reducesAcross(builder))
    return buildTiled(builder);
  RowwiseTemplate(builder).run();
}
