//===- Verify.cpp - well-formedness of kernel specs -----------------------===//

#include "codegen/spec/KernelSpec.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::spec;

static std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

static bool isArithmetic(DType type) {
  return type == DType::F64 || type == DType::F32 || isInteger(type);
}

namespace {
class Verifier {
public:
  explicit Verifier(const KernelSpec &spec) : spec(spec) {}
  std::string run();

private:
  void fail(std::string text) {
    if (message.empty())
      message = std::move(text);
  }
  void check(bool condition, std::string_view text) {
    if (!condition)
      fail(std::string(text));
  }
  void symbols();
  void operand(const Operand &operand);
  void procedure(const Procedure &procedure);
  void stage(const Stage &stage, size_t position);
  void reduction(const Stage &stage);
  void node(const Expr &node, const Stage &stage, size_t position);
  void types(const Expr &node, const std::string &where);
  void index(const Index &index, size_t rank, const std::string &where);
  void bounds(const Index &index, const Stage &stage, const DimExpr &extent,
              const std::string &where);
  void known(const DimExpr &value, const std::string &where);
  const std::vector<DimExpr> *shapeOf(std::string_view source, DType &type, size_t position);

  const KernelSpec &spec;
  std::set<std::string, std::less<>> names, symbolNames;
  DimExpr::BoundsMap symbolBounds;
  std::string message;
};
} // namespace

void Verifier::symbols() {
  for (const Symbol &symbol : spec.symbols) {
    check(symbolNames.insert(symbol.name).second,
          "symbol " + quoted(symbol.name) + " is declared twice");
    check(!symbol.upper || *symbol.upper >= symbol.lower,
          "symbol " + quoted(symbol.name) + " has an empty range");
    symbolBounds[symbol.name] = {symbol.lower, symbol.upper};
  }
}

void Verifier::known(const DimExpr &value, const std::string &where) {
  check(value.isValid(), where + ": an extent overflows");
  std::set<std::string> used;
  value.collectSymbols(used);
  for (const std::string &name : used)
    check(symbolNames.count(name), where + ": unknown symbol " + quoted(name));
}

void Verifier::operand(const Operand &operand) {
  std::string where = "operand " + quoted(operand.name);
  check(!operand.name.empty(), "an operand has no name");
  check(names.insert(operand.name).second, where + " is declared twice");
  for (const DimExpr &extent : operand.shape)
    known(extent, where);
  for (const DimExpr &stride : operand.strides)
    known(stride, where);
  check(operand.alignment > 0 && (operand.alignment & (operand.alignment - 1)) == 0,
        where + ": expected an alignment that is a power of two");
  if (operand.panel) {
    auto isFine = [](int64_t value) { return value > 0 && value <= 64 && !(value & (value - 1)); };
    check(isFine(operand.panel->width) && isFine(operand.panel->group),
          where + ": width and group of a panel are powers of two, at most 64");
    check(operand.strides.empty(), where + ": a panel has no strides");
    check(operand.shape.size() >= 2, where + ": a panel has at least two dimensions");
    check(operand.use == Operand::Use::Input, where + ": only an input is a panel");
  } else {
    check(operand.strides.size() == operand.shape.size(),
          where + ": expected " + std::to_string(operand.shape.size()) + " strides, got " +
              std::to_string(operand.strides.size()));
  }
  if (!operand.mayAlias.empty()) {
    const Operand *other = spec.findOperand(operand.mayAlias);
    check(operand.use == Operand::Use::Output && other && other->use == Operand::Use::Input,
          where + ": expected an output that aliases an input");
  }
}

const std::vector<DimExpr> *Verifier::shapeOf(std::string_view source, DType &type,
                                              size_t position) {
  const Operand *operand = spec.findOperand(source);
  if (operand && operand->use == Operand::Use::Input) {
    type = operand->type;
    return &operand->shape;
  }
  for (size_t i = 0; i < position; ++i)
    if (spec.stages[i].name == source) {
      type = operand ? operand->type : spec.stages[i].type;
      return operand ? &operand->shape : &spec.stages[i].domain;
    }
  return nullptr;
}

void Verifier::index(const Index &index, size_t rank, const std::string &where) {
  known(index.offset, where);
  int previous = -1;
  for (auto [dim, coefficient] : index.terms) {
    check(dim > previous && coefficient != 0, where + ": coordinates of an index are not sorted");
    check(dim >= 0 && static_cast<size_t>(dim) < rank, where + ": expected a dimension below " +
                                                           std::to_string(rank) + ", got " +
                                                           std::to_string(dim));
    previous = dim;
  }
  check(!index.indirect || index.indirect->type == DType::I64,
        where + ": expected an i64 as indirect coordinate");
}

/// Whether the index stays within [0, extent): decided where its interval is known.
void Verifier::bounds(const Index &index, const Stage &stage, const DimExpr &extent,
                      const std::string &where) {
  DimExpr least = index.offset, most = index.offset;
  for (auto [dim, coefficient] : index.terms) {
    size_t at = dim;
    const DimExpr &size =
        at < stage.domain.size() ? stage.domain[at] : stage.reduction[at - stage.domain.size()];
    DimExpr last = (size - 1) * DimExpr(coefficient);
    (coefficient > 0 ? most : least) = (coefficient > 0 ? most : least) + last;
  }
  std::optional<int64_t> low = least.bounds(symbolBounds).upper;
  std::optional<int64_t> high = (extent - 1 - most).bounds(symbolBounds).upper;
  if ((low && *low < 0) || (high && *high < 0))
    fail(where + ": coordinate leaves the extent " + extent.str());
}

void Verifier::types(const Expr &node, const std::string &where) {
  std::string what = where + ": " + quoted(text(node.op));
  auto argType = [&](size_t i) { return node.args[i]->type; };
  switch (node.op) {
  case Op::Const:
    check(std::holds_alternative<double>(node.constant) == isFloat(node.type) &&
              !std::holds_alternative<std::monostate>(node.constant),
          what + " does not hold a value of its type");
    return;
  case Op::Read:
    return;
  case Op::Dim:
  case Op::Extent:
    check(node.type == DType::I64, what + " is an i64");
    return;
  case Op::Cast:
    return;
  case Op::Bitcast:
    check(byteSize(argType(0)) == byteSize(node.type), what + " changes the size");
    return;
  case Op::Select:
    check(argType(0) == DType::Bool && argType(1) == node.type && argType(2) == node.type,
          what + " expects a bool and two values of its type");
    return;
  case Op::Ldexp:
    check(node.type == DType::F32   ? argType(1) == DType::I32
          : node.type == DType::F64 ? argType(1) == DType::I64
                                    : false,
          what + " expects a float and an integer of its size");
    return;
  case Op::Eq:
  case Op::Ne:
  case Op::Lt:
  case Op::Le:
    check(node.type == DType::Bool && argType(0) == argType(1) &&
              (isArithmetic(argType(0)) || argType(0) == DType::Bool),
          what + " expects two equal types and gives a bool");
    return;
  default:
    break;
  }
  for (const ExprPtr &arg : node.args)
    check(arg->type == node.type, what + " expects operands of its type");
  bool isBits = node.op >= Op::And && node.op <= Op::Not;
  bool isShift = node.op == Op::Shl || node.op == Op::Shr;
  bool isWhole = node.op == Op::FloorDiv || node.op == Op::Mod;
  bool isReal = node.op == Op::Div || node.op == Op::Sqrt || node.op == Op::Floor ||
                node.op == Op::Ceil || node.op == Op::Round || node.op == Op::MulAdd ||
                node.op >= Op::Exp;
  bool isFloatType = node.type == DType::F32 || node.type == DType::F64;
  bool fits = isBits    ? isInteger(node.type) || node.type == DType::Bool
              : isShift ? isInteger(node.type)
              : isWhole ? isArithmetic(node.type)
              : isReal  ? isFloatType
                        : isArithmetic(node.type);
  check(fits, what + " does not take " + std::string(name(node.type)));
}

void Verifier::node(const Expr &node, const Stage &stage, size_t position) {
  std::string where = "stage " + quoted(stage.name);
  check(node.args.size() == static_cast<size_t>(arity(node.op)),
        where + ": " + quoted(text(node.op)) + " has a wrong number of operands");
  check(std::find(node.args.begin(), node.args.end(), nullptr) == node.args.end(),
        where + ": an operand is missing");
  if (!message.empty())
    return;
  types(node, where);
  size_t rank = stage.domain.size() + stage.reduction.size();
  if (node.op == Op::Dim)
    check(node.dim >= 0 && static_cast<size_t>(node.dim) < rank,
          where + ": unknown dimension " + std::to_string(node.dim));
  if (node.op == Op::Extent)
    known(node.extent, where);
  if (node.op != Op::Read)
    return;
  DType type = DType::F32;
  const std::vector<DimExpr> *shape = shapeOf(node.read.source, type, position);
  where += ", read of " + quoted(node.read.source);
  if (!shape)
    return fail(where + ": neither an input nor an earlier stage");
  check(type == node.type,
        where + ": expected " + std::string(name(type)) + ", got " + std::string(name(node.type)));
  if (shape->size() != node.read.indices.size())
    return fail(where + ": expected " + std::to_string(shape->size()) + " coordinates, got " +
                std::to_string(node.read.indices.size()));
  for (size_t i = 0; i < shape->size(); ++i) {
    index(node.read.indices[i], rank, where);
    if (message.empty() && !node.read.outside && !node.read.indices[i].indirect)
      bounds(node.read.indices[i], stage, (*shape)[i], where);
  }
}

void Verifier::reduction(const Stage &stage) {
  std::string where = "stage " + quoted(stage.name);
  if (stage.combiner == Combiner::None) {
    check(stage.reduction.empty() && !stage.init, where + ": a reduction without a combiner");
    check(stage.body->type == stage.type, where + ": the body has another type");
    return;
  }
  check(!stage.reduction.empty(), where + ": a combiner without a reduction");
  bool isArg = stage.combiner == Combiner::ArgMax || stage.combiner == Combiner::ArgMin;
  bool isLogic = stage.combiner == Combiner::And || stage.combiner == Combiner::Or;
  if (isArg) {
    check(stage.type == DType::I64 && isArithmetic(stage.body->type),
          where + ": a position is an i64 and its body a number");
    check(!stage.init, where + ": a position has no initial value");
    return;
  }
  check(stage.init && stage.init->op == Op::Const && stage.init->type == stage.type,
        where + ": expected a constant of its type as initial value");
  check(stage.body->type == stage.type, where + ": the body has another type");
  check(isLogic ? stage.type == DType::Bool || isInteger(stage.type) : isArithmetic(stage.type),
        where + ": " + quoted(text(stage.combiner)) + " does not take " +
            std::string(name(stage.type)));
}

void Verifier::stage(const Stage &stage, size_t position) {
  std::string where = "stage " + quoted(stage.name);
  if (stage.name.empty() || !stage.body)
    return fail(where + " has no name or no body");
  const Operand *target = spec.findOperand(stage.name);
  if (!target)
    check(names.insert(stage.name).second, where + " is defined twice");
  else
    check(target->use != Operand::Use::Input && names.insert(":" + stage.name).second,
          where + " writes an input, or an operand for the second time");
  for (const std::vector<DimExpr> *shape : {&stage.domain, &stage.reduction})
    for (const DimExpr &extent : *shape)
      known(extent, where);
  reduction(stage);
  std::set<const Expr *> seen;
  auto visit = [&](const ExprPtr &expr) {
    if (message.empty())
      node(*expr, stage, position);
  };
  visitPostOrder(stage.body, seen, visit);
  visitPostOrder(stage.init, seen, visit);
  for (const Index &value : stage.store) {
    visitPostOrder(value.indirect, seen, visit);
    index(value, stage.domain.size(), where + ", store");
  }
  if (!target)
    return check(stage.store.empty(), where + ": only an operand is stored");
  check(target->type == stage.type, where + ": expected the operand's type " +
                                        std::string(name(target->type)) + ", got " +
                                        std::string(name(stage.type)));
  size_t rank = stage.store.empty() ? stage.domain.size() : stage.store.size();
  check(rank == target->shape.size(), where + ": expected " + std::to_string(target->shape.size()) +
                                          " coordinates, got " + std::to_string(rank));
  for (size_t i = 0; i < rank && message.empty(); ++i) {
    if (stage.store.empty())
      check(stage.domain[i] == target->shape[i], where + ": expected the extent " +
                                                     target->shape[i].str() + ", got " +
                                                     stage.domain[i].str());
    else if (!stage.store[i].indirect)
      bounds(stage.store[i], stage, target->shape[i], where + ", store");
  }
}

namespace {
/// What operands, sizes and constants a procedure has.
struct ProcedureRow {
  std::string_view name;
  long inputs, outputs, scratch;
  size_t sizes;
  std::vector<std::string_view> constants;
};
} // namespace

static const ProcedureRow *rowOf(std::string_view name) {
  static const ProcedureRow rows[] = {
#define KILN_PROCEDURE(name, inputs, outputs, scratch, sizes, ...)                                 \
  {#name, inputs, outputs, scratch, sizes, {__VA_ARGS__}},
#include "codegen/procedures/Procedures.def"
  };
  auto row = std::find_if(std::begin(rows), std::end(rows),
                          [&](const ProcedureRow &row) { return row.name == name; });
  return row == std::end(rows) ? nullptr : row;
}

void Verifier::procedure(const Procedure &procedure) {
  std::string where = "procedure " + quoted(procedure.name);
  const ProcedureRow *row = rowOf(procedure.name);
  if (!row)
    return fail(where + " is not known");
  check(spec.stages.empty(), where + " stands beside stages");
  auto count = [&](Operand::Use use) {
    return std::count_if(spec.operands.begin(), spec.operands.end(),
                         [&](const Operand &operand) { return operand.use == use; });
  };
  check(count(Operand::Use::Input) == row->inputs && count(Operand::Use::Output) == row->outputs &&
            count(Operand::Use::Scratch) == row->scratch,
        where + " has a wrong number of operands");
  for (const Operand &operand : spec.operands)
    check(operand.mayAlias.empty() && !operand.panel,
          where + ": operand " + quoted(operand.name) + " is no dense memory of its own");
  check(procedure.sizes.size() == row->sizes, where + ": expected " + std::to_string(row->sizes) +
                                                  " sizes, got " +
                                                  std::to_string(procedure.sizes.size()));
  for (const DimExpr &size : procedure.sizes)
    known(size, where);
  check(procedure.constants.size() == row->constants.size(), where + " has other constants");
  for (std::string_view name : row->constants)
    check(procedure.constants.count(std::string(name)), where + " lacks " + quoted(name));
}

std::string Verifier::run() {
  symbols();
  for (const Operand &value : spec.operands)
    operand(value);
  if (spec.procedure) {
    procedure(*spec.procedure);
    return message;
  }
  check(std::count_if(spec.stages.begin(), spec.stages.end(),
                      [](const Stage &stage) { return stage.role == Role::Anchor; }) <= 1,
        "a kernel has more than one anchor");
  for (size_t i = 0; i < spec.stages.size() && message.empty(); ++i)
    stage(spec.stages[i], i);
  for (const Operand &value : spec.operands)
    check(value.use != Operand::Use::Output || spec.findStage(value.name),
          "output " + quoted(value.name) + " is written by no stage");
  return message;
}

std::string spec::verify(const KernelSpec &spec) { return Verifier(spec).run(); }
