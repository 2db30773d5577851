//===- ElaborateStmt.cpp - statements -------------------------------------===//
#include "frontend/elaborate/Elaborator.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

std::optional<bool> Elaborator::condition(const Expr *expr) {
  Value value = eval(expr);
  if (auto *known = value.as<bool>())
    return *known;
  if (value.as<mlir::Value>() || value.as<DimExpr>())
    unsupported(expr->range, "a condition that is not known when the model is compiled");
  else if (!value.isError())
    fail(expr->range, DiagCode::TypeMismatch,
         "a condition is expected to be a bool, got " + describe(value));
  return std::nullopt;
}

void Elaborator::forEach(const ForClause &clause, function_ref<bool()> body) {
  Value range = eval(clause.range);
  auto *list = range.as<ListPtr>();
  if (!list) {
    if (!range.isError())
      fail(clause.range->range, DiagCode::TypeMismatch,
           "expected a list or a range, got " + describe(range));
    return;
  }
  for (const Value &element : **list) {
    if (++frame->rounds > maxRounds) {
      fail(clause.range->range, DiagCode::LimitExceeded,
           "a function runs at most " + Twine(maxRounds) + " iterations");
      frame->result = Value(); // outer loops end too
      return;
    }
    if (clause.names.size() == 1) {
      frame->locals[clause.names[0].text] = element;
    } else {
      auto *parts = element.as<ListPtr>();
      if (!parts || (*parts)->size() != clause.names.size()) {
        fail(clause.range->range, DiagCode::TypeMismatch,
             "expected lists of " + Twine(clause.names.size()) + " elements, got " +
                 describe(element));
        return;
      }
      for (auto [name, part] : zip(clause.names, **parts))
        frame->locals[name.text] = part;
    }
    if (!body())
      return;
  }
}

void Elaborator::declareMember(StringRef name, SMRange place, Value value) {
  if (!frame->self->members.insert({name, value}).second)
    fail(place, DiagCode::DuplicateName,
         inQuotes(name) + " is declared twice in " + inQuotes(frame->self->decl->name.text));
}

void Elaborator::declareWeight(const MemberDecl *decl) {
  if (decl->member == MemberKind::State) {
    unsupported(decl->range, "'state'");
    return declareMember(decl->name.text, decl->name.range, Value());
  }
  Value value;
  std::optional<DType> dtype = evalDType(decl->type->name);
  Dims dims;
  bool ok = dtype.has_value() && decl->type->kind == Type::Kind::Named;
  for (const Expr *expr : decl->type->dims) {
    if (isa<WildcardExpr, EllipsisExpr>(expr)) {
      fail(expr->range, DiagCode::TypeMismatch,
           "the shape of " + inQuotes(decl->name.text) + " is expected to have numbers only");
      ok = false;
      continue;
    }
    std::optional<DimExpr> dim = evalDim(expr);
    ok &= dim && dim->isConstant();
    dims.push_back(dim.value_or(DimExpr(0)));
    if (dim && dim->isConstant() && *dim->constantValue() < 0) {
      fail(expr->range, DiagCode::InvalidValue,
           "an extent is expected to be at least 0, got " + dim->str());
      ok = false;
    }
  }
  if (ok && !ir::fitsMemory(*dtype, dims)) {
    fail(decl->range, DiagCode::InvalidValue,
         "a weight is expected to take less than 1 TiB, got " +
             ir::typeText(ir::tensorType(&context, *dtype, dims)));
    ok = false;
  }
  if (ok) {
    weights.push_back({decl, ir::tensorType(&context, *dtype, dims), ""});
    value = &weights.back();
  }
  declareMember(decl->name.text, decl->name.range, value);
}

void Elaborator::bind(const Expr *target, Value value) {
  if (isa<WildcardExpr>(target))
    return;
  auto *name = dyn_cast<NameExpr>(target);
  if (!name) {
    if (isa<IndexExpr>(target))
      unsupported(target->range, "assignment to a slice");
    else
      unsupported(target->range, "assignment to a member");
    return;
  }
  if (frame->inLayer)
    return declareMember(name->name, target->range, std::move(value));
  frame->locals[name->name] = std::move(value);
}

void Elaborator::assign(const AssignStmt *stmt) {
  Value value = eval(stmt->value);
  if (stmt->targets.size() == 1) {
    if (auto *several = value.as<Results>())
      value = fail(stmt->value->range, DiagCode::TypeMismatch,
                   "expected one value, got " + Twine((*several).values->size()));
    return bind(stmt->targets[0], std::move(value));
  }
  ListPtr parts;
  if (auto *several = value.as<Results>())
    parts = several->values;
  else if (auto *list = value.as<ListPtr>())
    parts = *list;
  if (!value.isError() && (!parts || parts->size() != stmt->targets.size())) {
    fail(stmt->value->range, DiagCode::TypeMismatch,
         "expected " + Twine(stmt->targets.size()) + " values, got " +
             (parts ? std::to_string(parts->size()) : describe(value)));
    parts = nullptr;
  }
  for (auto [i, target] : enumerate(stmt->targets))
    bind(target, parts ? (*parts)[i] : Value());
}

void Elaborator::exec(Block block) {
  for (const Stmt *stmt : block) {
    if (frame->result || diags.isFull())
      return;
    if (auto *assignStmt = dyn_cast<AssignStmt>(stmt)) {
      assign(assignStmt);
    } else if (auto *ifStmt = dyn_cast<IfStmt>(stmt)) {
      if (std::optional<bool> known = condition(ifStmt->condition))
        exec(*known ? ifStmt->thenBody : ifStmt->elseBody);
      else
        frame->result = Value(); // reported: what follows cannot be judged
    } else if (auto *forStmt = dyn_cast<ForStmt>(stmt)) {
      forEach(forStmt->clause, [&] {
        exec(forStmt->body);
        return !frame->result && !diags.isFull();
      });
    } else if (auto *ret = dyn_cast<ReturnStmt>(stmt)) {
      std::vector<Value> values;
      for (const Expr *expr : ret->values)
        values.push_back(eval(expr));
      frame->result = values.size() == 1
                          ? values[0]
                          : Value(Results{*Value::list(std::move(values)).as<ListPtr>()});
      frame->resultPlace = stmt->range;
    } else if (auto *member = dyn_cast<MemberDecl>(stmt)) {
      declareWeight(member);
    } else if (auto *ignore = dyn_cast<IgnoreDecl>(stmt)) {
      frame->self->ignores.push_back(ignore);
    } else if (auto *tie = dyn_cast<TieDecl>(stmt)) {
      frame->self->ties.push_back(tie);
    } else if (isa<YieldStmt>(stmt)) {
      unsupported(stmt->range, "'yield'");
    }
  }
}
