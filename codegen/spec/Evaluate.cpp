//===- Evaluate.cpp - reference evaluation of kernel specs ----------------===//

#include "codegen/spec/Evaluate.h"
#include "codegen/spec/Numbers.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::spec;

namespace {
using Point = std::vector<int64_t>;

/// Where elements of an operand or of an intermediate stage lie.
struct Memory {
  DType type;
  Point shape, strides; ///< strides in elements; empty beside a panel
  std::optional<Panel> panel;
  uint8_t *bytes;
  std::vector<uint8_t> owned; ///< of an intermediate stage

  bool contains(const Point &at) const {
    for (size_t i = 0; i < at.size(); ++i)
      if (at[i] < 0 || at[i] >= shape[i])
        return false;
    return true;
  }
  uint8_t *element(const Point &at) const {
    int64_t offset = 0;
    if (!panel) {
      for (size_t i = 0; i < at.size(); ++i)
        offset += at[i] * strides[i];
    } else {
      auto [width, group] = *panel;
      offset = at[0] / width;
      for (size_t i = 1; i + 1 < at.size(); ++i)
        offset = offset * shape[i] + at[i];
      offset = offset * ((shape.back() + group - 1) / group) + at.back() / group;
      offset = (offset * width + at[0] % width) * group + at.back() % group;
    }
    return bytes + offset * byteSize(type);
  }
};

class Evaluator {
public:
  Evaluator(const KernelSpec &spec, const std::vector<int64_t> &symbols) : spec(spec) {
    for (size_t i = 0; i < spec.symbols.size(); ++i)
      symbolValues[spec.symbols[i].name] = symbols[i];
  }
  std::string run(const std::vector<void *> &buffers);
  int64_t value(const DimExpr &expr) {
    auto find = [&](std::string_view name) -> std::optional<int64_t> {
      auto it = symbolValues.find(name);
      return it == symbolValues.end() ? std::nullopt : std::optional(it->second);
    };
    std::optional<int64_t> result = expr.evaluate(find);
    if (!result)
      fail("an extent has no value: " + expr.str());
    return result.value_or(0);
  }
  Point values(const std::vector<DimExpr> &exprs) {
    Point result;
    for (const DimExpr &expr : exprs)
      result.push_back(value(expr));
    return result;
  }
  std::string message;

private:
  void fail(std::string text) {
    if (message.empty())
      message = std::move(text);
  }
  void runStage(const Stage &stage);
  Number reduce(const Stage &stage, const Point &reduction, Point &at);
  Number evaluate(size_t root, const Point &at);
  Number evaluateNode(const Expr &node, const Point &at);
  Number readFrom(const Expr &node, const Point &at);
  Point resolve(const std::vector<Index> &indices, const Point &at, const Memory &memory);
  void flatten(const ExprPtr &root);

  const KernelSpec &spec;
  std::map<std::string, int64_t, std::less<>> symbolValues;
  std::map<std::string, Memory, std::less<>> memories;
  std::vector<const Expr *> order; ///< the nodes of the stage, in post-order
  std::map<const Expr *, size_t> slots;
  std::vector<Number> slotValues;
};
} // namespace

/// Advances to the next point in row-major order, over coordinates first..first+extents.size().
static bool advance(Point &at, const Point &extents, size_t first) {
  for (size_t i = extents.size(); i-- > 0;) {
    if (++at[first + i] < extents[i])
      return true;
    at[first + i] = 0;
  }
  return false;
}

static bool isEmpty(const Point &extents) {
  return std::any_of(extents.begin(), extents.end(), [](int64_t n) { return n <= 0; });
}

void Evaluator::flatten(const ExprPtr &root) {
  order.clear();
  slots.clear();
  std::set<const Expr *> seen;
  visitPostOrder(root, seen, [&](const ExprPtr &node) {
    slots[node.get()] = order.size();
    order.push_back(node.get());
  });
  slotValues.assign(order.size(), {});
}

Point Evaluator::resolve(const std::vector<Index> &indices, const Point &at, const Memory &memory) {
  Point result;
  for (size_t i = 0; i < indices.size(); ++i) {
    int64_t coordinate = value(indices[i].offset);
    for (auto [dim, coefficient] : indices[i].terms)
      coordinate += coefficient * at[dim];
    if (indices[i].indirect) {
      int64_t extra = slotValues[slots[indices[i].indirect.get()]].i;
      coordinate += std::clamp<int64_t>(extra, 0, std::max<int64_t>(memory.shape[i] - 1, 0));
    }
    result.push_back(coordinate);
  }
  return result;
}

Number Evaluator::readFrom(const Expr &node, const Point &at) {
  const Memory &memory = memories.find(node.read.source)->second;
  Point where = resolve(node.read.indices, at, memory);
  if (memory.contains(where))
    return loadNumber(memory.element(where), memory.type);
  if (!node.read.outside) {
    fail("read of '" + node.read.source + "' out of bounds");
    return {};
  }
  return convertNumber({*node.read.outside, 0}, DType::F64, node.type);
}

Number Evaluator::evaluateNode(const Expr &node, const Point &at) {
  switch (node.op) {
  case Op::Const:
    if (const double *real = std::get_if<double>(&node.constant))
      return convertNumber({*real, 0}, DType::F64, node.type);
    return convertNumber({0, std::get<int64_t>(node.constant)}, DType::I64, node.type);
  case Op::Read:
    return readFrom(node, at);
  case Op::Dim:
    return {0, at[node.dim]};
  case Op::Extent:
    return {0, value(node.extent)};
  default:
    break;
  }
  Number args[3];
  for (size_t i = 0; i < node.args.size(); ++i)
    args[i] = slotValues[slots[node.args[i].get()]];
  std::optional<Number> result = applyNumbers(node.op, node.args[0]->type, node.type, args);
  if (!result)
    fail("cannot evaluate '" + std::string(text(node.op)) + "': expand functions first");
  return result.value_or(Number{});
}

Number Evaluator::evaluate(size_t root, const Point &at) {
  for (size_t i = 0; i < order.size(); ++i)
    slotValues[i] = evaluateNode(*order[i], at);
  return slotValues[root];
}

Number Evaluator::reduce(const Stage &stage, const Point &reduction, Point &at) {
  size_t root = slots[stage.body.get()], rank = stage.domain.size();
  if (stage.combiner == Combiner::None)
    return evaluate(root, at);
  Number kept, best;
  if (stage.init)
    kept = stage.init->op == Op::Const ? evaluateNode(*stage.init, at) : Number{};
  if (isEmpty(reduction))
    return kept;
  bool isFirst = true;
  int64_t position = 0;
  do {
    Number item = evaluate(root, at);
    if (stage.combiner == Combiner::ArgMax || stage.combiner == Combiner::ArgMin) {
      bool isMax = stage.combiner == Combiner::ArgMax;
      if (isFirst || isMoreExtreme(item, best, stage.body->type, isMax)) {
        best = item;
        kept.i = position;
      }
    } else {
      kept = combineNumbers(stage.combiner, stage.type, kept, item);
    }
    isFirst = false;
    ++position;
  } while (advance(at, reduction, rank));
  return kept;
}

void Evaluator::runStage(const Stage &stage) {
  Point domain = values(stage.domain), reduction = values(stage.reduction);
  bool isOperand = spec.findOperand(stage.name);
  if (!isOperand) {
    Memory memory{stage.type, domain, Point(domain.size(), 1), std::nullopt, nullptr, {}};
    int64_t count = 1;
    for (size_t i = domain.size(); i-- > 0;) {
      memory.strides[i] = count;
      count *= std::max<int64_t>(domain[i], 0);
    }
    memory.owned.resize(std::max<int64_t>(count, 1) * byteSize(stage.type));
    auto &kept = memories[stage.name] = std::move(memory);
    kept.bytes = kept.owned.data();
  }
  if (isEmpty(domain) || !message.empty())
    return;
  flatten(stage.body);
  const Memory &target = memories.find(stage.name)->second;
  Point at(domain.size() + reduction.size(), 0);
  do {
    Number result = reduce(stage, reduction, at);
    Point where(at.begin(), at.begin() + domain.size());
    if (!stage.store.empty())
      where = resolve(stage.store, at, target);
    if (!target.contains(where))
      fail("store to '" + stage.name + "' out of bounds");
    if (!message.empty())
      return;
    storeNumber(target.element(where), target.type, result);
  } while (advance(at, domain, 0));
}

std::string Evaluator::run(const std::vector<void *> &buffers) {
  for (size_t i = 0; i < spec.operands.size(); ++i) {
    const Operand &operand = spec.operands[i];
    memories[operand.name] = {operand.type,
                              values(operand.shape),
                              values(operand.strides),
                              operand.panel,
                              static_cast<uint8_t *>(buffers[i]),
                              {}};
  }
  for (const Stage &stage : spec.stages)
    if (message.empty())
      runStage(stage);
  return message;
}

int64_t spec::bufferBytes(const KernelSpec &spec, const Operand &operand,
                          const std::vector<int64_t> &symbols) {
  Evaluator evaluator(spec, symbols);
  Point shape = evaluator.values(operand.shape), strides = evaluator.values(operand.strides);
  int64_t last = 1;
  for (int64_t extent : shape)
    if (extent < 0)
      return -1;
  if (isEmpty(shape) && !shape.empty())
    return 0;
  if (operand.panel) {
    for (int64_t extent : evaluator.values(operand.packedShape()))
      last *= extent;
  } else {
    for (size_t i = 0; i < shape.size(); ++i) {
      if (strides[i] < 0)
        return -1;
      last += (shape[i] - 1) * strides[i];
    }
  }
  return evaluator.message.empty() ? last * byteSize(operand.type) : -1;
}

void spec::clearMissing(const KernelSpec &spec, const Operand &operand,
                        const std::vector<int64_t> &symbols, void *bytes) {
  if (!operand.panel)
    return;
  Evaluator evaluator(spec, symbols);
  Point shape = evaluator.values(operand.shape), all = evaluator.values(operand.packedShape());
  auto [width, group] = *operand.panel;
  Memory memory{operand.type, shape, {}, operand.panel, static_cast<uint8_t *>(bytes), {}};
  Point rounded(all.begin(), all.begin() + shape.size()), at(shape.size(), 0);
  rounded.front() *= width;
  rounded.back() *= group;
  if (isEmpty(rounded))
    return;
  do {
    if (!memory.contains(at))
      storeNumber(memory.element(at), operand.type, {});
  } while (advance(at, rounded, 0));
}

std::string spec::evaluate(const KernelSpec &spec, const std::vector<void *> &buffers,
                           const std::vector<int64_t> &symbols) {
  if (buffers.size() != spec.operands.size() || symbols.size() != spec.symbols.size())
    return "expected a buffer for each operand and a value for each symbol";
  if (spec.procedure)
    return "procedure '" + spec.procedure->name + "' has no stages to evaluate";
  return Evaluator(spec, symbols).run(buffers);
}
