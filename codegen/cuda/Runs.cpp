//===- Runs.cpp - neighbours that steps of a sum read ---------------------===//

#include "codegen/cuda/Runs.h"

#include "codegen/cuda/Plan.h"

#include <algorithm>
#include <numeric>

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::spec;

namespace {
/// How one coordinate of a read moves along the steps.
enum class Motion : uint8_t {
  None,
  Steps,  ///< by `width` elements a step
  Groups, ///< with the outer of two dimensions alone
  Other
};

struct Moved {
  Motion motion = Motion::None;
  int64_t width = 0;
};
} // namespace

static Moved motionOf(const Index &index, const Stage &stage) {
  int first = static_cast<int>(stage.domain.size()), last = first;
  last += static_cast<int>(stage.reduction.size()) - 1;
  int64_t outer = 0, inner = 0;
  bool isAlone = true;
  for (auto [dim, coefficient] : index.terms) {
    if (dim < first)
      isAlone = false;
    else
      (dim == last ? inner : outer) = coefficient;
  }
  if (!inner && !outer)
    return {};
  if (!inner)
    return {Motion::Groups};
  int64_t extent = last == first ? 0 : *stage.reduction.back().constantValue();
  if (!isAlone || inner < 0 || outer != inner * extent || !index.offset.constantValue())
    return {Motion::Other};
  return {Motion::Steps, inner};
}

namespace {
class Finder {
public:
  Finder(const KernelSpec &spec, const Stage &stage) : spec(spec), stage(stage) {}
  std::vector<Run> find();

private:
  struct Found {
    Run run;
    size_t moving; ///< the coordinate that moves
    int64_t least; ///< its least offset
    std::set<int64_t> offsets;
  };
  bool add(const ExprPtr &node);
  bool place(const ExprPtr &node, size_t moving, int64_t width);

  const KernelSpec &spec;
  const Stage &stage;
  std::vector<Found> found;
};
} // namespace

/// Whether two reads differ at most in the offset of one coordinate.
static bool isSameBut(const Read &x, const Read &y, size_t moving) {
  for (size_t i = 0; i < x.indices.size(); ++i) {
    const Index &a = x.indices[i], &b = y.indices[i];
    if (a.terms != b.terms || a.indirect != b.indirect || (i != moving && !(a.offset == b.offset)))
      return false;
  }
  return x.source == y.source;
}

/// Puts the read in its run.
bool Finder::place(const ExprPtr &node, size_t moving, int64_t width) {
  int64_t offset = *node->read.indices[moving].offset.constantValue();
  auto known = std::find_if(found.begin(), found.end(), [&](const Found &other) {
    return other.moving == moving && isSameBut(other.run.first->read, node->read, moving);
  });
  if (known == found.end()) {
    found.push_back({{{}, node.get(), width}, moving, offset, {}});
    known = std::prev(found.end());
  }
  known->offsets.insert(offset);
  known->run.reads.push_back({node.get(), offset});
  if (offset < known->least) {
    known->least = offset;
    known->run.first = node.get();
  }
  return true;
}

/// Whether a computed coordinate stays the same in some neighbouring steps: it does not depend on
/// them, or is the number of a group of them.
static bool isSlow(const ExprPtr &coordinate, const Stage &stage) {
  bool isGroup = coordinate->op == Op::FloorDiv && coordinate->args[0]->op == Op::Dim &&
                 coordinate->args[1]->op == Op::Const;
  std::set<int> dims = dimsOf(coordinate);
  return isGroup || dims.lower_bound(static_cast<int>(stage.domain.size())) == dims.end();
}

/// Whether the read allows runs: it is part of one, or loaded alone.
bool Finder::add(const ExprPtr &node) {
  const Operand *operand = spec.findOperand(node->read.source);
  if (!operand)
    return true;
  std::optional<std::pair<size_t, int64_t>> moving;
  bool isComputed = false;
  for (size_t i = 0; i < node->read.indices.size(); ++i) {
    const Index &index = node->read.indices[i];
    if (index.indirect && !isSlow(index.indirect, stage))
      return false;
    isComputed |= index.indirect != nullptr;
    Moved moved = motionOf(index, stage);
    if (moved.motion == Motion::Other || (moved.motion == Motion::Steps && moving))
      return false;
    if (moved.motion != Motion::Steps)
      continue;
    if (operand->panel || operand->strides[i] != DimExpr(1))
      return false;
    moving = {i, moved.width};
  }
  if (!moving)
    return true;
  bool isPlain = !isComputed && !node->read.outside;
  return isPlain && node->type != DType::Bool && place(node, moving->first, moving->second);
}

std::vector<Run> Finder::find() {
  bool isFine = true;
  std::set<const Expr *> seen;
  visitPostOrder(stage.body, seen,
                 [&](const ExprPtr &node) { isFine &= node->op != Op::Read || add(node); });
  std::vector<Run> runs;
  for (Found &each : found) {
    // What no read has asked for may not be there.
    isFine &= each.offsets.size() == static_cast<size_t>(each.run.width) &&
              *each.offsets.rbegin() - each.least == each.run.width - 1;
    for (auto &[read, at] : each.run.reads)
      at -= each.least;
    runs.push_back(std::move(each.run));
  }
  return isFine ? runs : std::vector<Run>();
}

std::vector<Run> cuda::runsOf(const KernelSpec &spec, const Stage &stage) {
  size_t count = stage.reduction.size();
  bool isSum = stage.combiner == Combiner::Add && stage.body->op == Op::Mul && !stage.body->strict;
  bool isFlat = count == 1 || (count == 2 && stage.reduction[1].constantValue().value_or(0) > 0);
  return isSum && isFlat ? Finder(spec, stage).find() : std::vector<Run>();
}

int64_t cuda::stepsTogether(const std::vector<Run> &runs, const Stage &stage, int64_t most,
                            int members) {
  int64_t steps = 1;
  for (const Run &run : runs)
    steps = std::lcm(steps, 16 / std::gcd(int64_t(16), run.bytes()));
  int64_t inner = stage.reduction.size() == 2 ? *stage.reduction[1].constantValue() : steps;
  while (steps > 1 && (most < steps * members || (inner % steps && steps % inner)))
    steps /= 2;
  return steps;
}
