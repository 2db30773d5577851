//===- KernelSpec.cpp - building and walking kernel specs -----------------===//

#include "codegen/spec/KernelSpec.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::spec;

static constexpr std::string_view opTexts[] = {
#define KILN_SPEC_OP(Name, text, arity) text,
#include "codegen/spec/Ops.def"
};

static constexpr int opArities[] = {
#define KILN_SPEC_OP(Name, text, arity) arity,
#include "codegen/spec/Ops.def"
};

std::string_view spec::text(Op op) { return opTexts[static_cast<int>(op)]; }

int spec::arity(Op op) { return opArities[static_cast<int>(op)]; }

std::string_view spec::text(Combiner combiner) {
  constexpr std::string_view texts[] = {"none", "add", "mul",    "max",   "min",
                                        "and",  "or",  "argmax", "argmin"};
  return texts[static_cast<int>(combiner)];
}

std::string_view spec::text(Role role) {
  constexpr std::string_view texts[] = {"prologue", "anchor", "epilogue"};
  return texts[static_cast<int>(role)];
}

std::vector<DimExpr> Operand::packedShape() const {
  std::vector<DimExpr> result = shape;
  result.front() = DimExpr::floorDiv(shape.front() + DimExpr(panel->width - 1), panel->width);
  result.back() = DimExpr::floorDiv(shape.back() + DimExpr(panel->group - 1), panel->group);
  result.push_back(panel->width);
  if (panel->group > 1)
    result.push_back(panel->group);
  return result;
}

const Operand *KernelSpec::findOperand(std::string_view name) const {
  auto it = std::find_if(operands.begin(), operands.end(),
                         [&](const Operand &operand) { return operand.name == name; });
  return it == operands.end() ? nullptr : &*it;
}

const Stage *KernelSpec::findStage(std::string_view name) const {
  auto it = std::find_if(stages.begin(), stages.end(),
                         [&](const Stage &stage) { return stage.name == name; });
  return it == stages.end() ? nullptr : &*it;
}

const Stage *KernelSpec::anchor() const {
  auto it = std::find_if(stages.begin(), stages.end(),
                         [](const Stage &stage) { return stage.role == Role::Anchor; });
  return it == stages.end() ? nullptr : &*it;
}

void spec::visitPostOrder(const ExprPtr &root, std::set<const Expr *> &seen,
                          const std::function<void(const ExprPtr &)> &visit) {
  if (!root || !seen.insert(root.get()).second)
    return;
  for (const ExprPtr &arg : root->args)
    visitPostOrder(arg, seen, visit);
  for (const Index &index : root->read.indices)
    visitPostOrder(index.indirect, seen, visit);
  visit(root);
}

static std::shared_ptr<Expr> make(Op op, DType type) {
  auto expr = std::make_shared<Expr>();
  expr->op = op;
  expr->type = type;
  return expr;
}

ExprPtr spec::constant(double value, DType type) {
  auto expr = make(Op::Const, type);
  if (isFloat(type))
    expr->constant = value;
  else
    expr->constant = static_cast<int64_t>(value);
  return expr;
}

ExprPtr spec::constant(int64_t value, DType type) {
  auto expr = make(Op::Const, type);
  if (isFloat(type))
    expr->constant = static_cast<double>(value);
  else
    expr->constant = value;
  return expr;
}

ExprPtr spec::read(std::string source, std::vector<Index> indices, DType type,
                   std::optional<double> outside) {
  auto expr = make(Op::Read, type);
  expr->read = {std::move(source), std::move(indices), outside};
  return expr;
}

ExprPtr spec::dim(int number) {
  auto expr = make(Op::Dim, DType::I64);
  expr->dim = number;
  return expr;
}

ExprPtr spec::extent(DimExpr value) {
  auto expr = make(Op::Extent, DType::I64);
  expr->extent = std::move(value);
  return expr;
}

ExprPtr spec::apply(Op op, std::vector<ExprPtr> args) {
  DType type = args[op == Op::Select ? 1 : 0]->type;
  if (op == Op::Eq || op == Op::Ne || op == Op::Lt || op == Op::Le)
    type = DType::Bool;
  auto expr = make(op, type);
  expr->args = std::move(args);
  return expr;
}

static ExprPtr convert(Op op, ExprPtr value, DType type) {
  auto expr = make(op, type);
  expr->args = {std::move(value)};
  return expr;
}

ExprPtr spec::cast(ExprPtr value, DType type) { return convert(Op::Cast, std::move(value), type); }

ExprPtr spec::bitcast(ExprPtr value, DType type) {
  return convert(Op::Bitcast, std::move(value), type);
}

ExprPtr spec::relaxed(const ExprPtr &value) {
  auto expr = std::make_shared<Expr>(*value);
  expr->strict = false;
  return expr;
}

Index spec::index(int dim, int64_t coefficient, DimExpr offset) {
  Index result;
  if (coefficient != 0)
    result.terms.push_back({dim, coefficient});
  result.offset = std::move(offset);
  return result;
}
