//===- ElaborateStmt.cpp - statements -------------------------------------===//
#include "frontend/elaborate/Elaborator.h"
#include "frontend/syntax/MemberName.h"
#include "ir/Tensor.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

std::optional<bool> Elaborator::condition(const Expr *expr) {
  Value value = eval(expr);
  if (auto *known = value.as<bool>())
    return *known;
  if (value.as<mlir::Value>() || value.as<DimExpr>())
    fail(expr->range, DiagCode::NotCompileTime,
         "the condition of a statement is expected to be known when the model is compiled, got " +
             describe(value) + "; 'a if c else b' chooses when the library runs");
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
  for (const Ident &name : clause.names)
    frame->bound[name.text] = name.range;
  for (const Value &element : **list) {
    if (++frame->rounds > maxRounds) {
      failAt(clause.range->range, DiagCode::LimitExceeded,
             "a function runs at most " + Twine(maxRounds) + " iterations",
             frame->decl ? declaredName(frame->decl).range : SMRange(), "it is declared here");
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

/// A member's name with its numbers, which lives as long as the names of the source; "" behind an
/// error.
StringRef Elaborator::memberName(const Ident &name) {
  if (!name.text.contains('{'))
    return name.text;
  bool isWrong = false;
  std::string made = withNumbers(name, [&](const Ident &number) {
    Value value = evalName(number.text, number.range);
    auto *integer = value.as<int64_t>();
    if (integer && *integer >= 0)
      return std::to_string(*integer);
    if (!value.isError())
      fail(number.range, DiagCode::TypeMismatch,
           "a number in a member's name is expected to be an integer of at least 0, got " +
               describe(value));
    isWrong = true;
    return std::string();
  });
  return isWrong ? StringRef() : StringRef(*madeNames.insert(made).first);
}

void Elaborator::declareMember(StringRef name, SMRange place, Value value) {
  if (value.as<mlir::Value>())
    value = failAt(place, DiagCode::NotCompileTime,
                   "a member is known when the model is compiled, or a 'param', 'buffer' or "
                   "'state'; 'fn' computes tensors",
                   frame->self->decl->name.range, "this is the body of a layer");
  SMRange &first = frame->self->places[name];
  if (!frame->self->members.insert({name, value}).second)
    failAt(place, DiagCode::DuplicateName,
           inQuotes(name) + " is declared twice in " + inQuotes(frame->self->decl->name.text),
           first, "first declared here");
  else
    first = place;
}

/// What all elements of a state are before any call.
std::optional<ir::Number> Elaborator::firstValue(const Expr *expr, DType dtype) {
  Value value = eval(expr);
  if (value.isError())
    return std::nullopt;
  std::optional<ir::Number> number = value.asNumber();
  bool fits = number && (isFloat(dtype) ? !value.as<bool>()
                         : dtype == DType::Bool
                             ? value.as<bool>() != nullptr
                             : value.as<int64_t>() &&
                                   ir::wrapTo(dtype, *value.as<int64_t>()) == *value.as<int64_t>());
  if (fits)
    return number;
  fail(expr->range, DiagCode::TypeMismatch,
       "the first value of a state is expected to be a number that fits " +
           Twine(std::string(name(dtype))) + ", got " + describe(value) +
           (number ? "" : "; it is that of all elements"));
  return std::nullopt;
}

void Elaborator::declareWeight(const MemberDecl *decl) {
  Value value;
  std::optional<DType> dtype = evalDType(decl->type->name);
  Dims dims;
  bool ok = dtype.has_value() && decl->type->kind == Type::Kind::Named;
  for (const Expr *expr : decl->type->dims) {
    if (isa<WildcardExpr, EllipsisExpr>(expr)) {
      failAt(expr->range, DiagCode::TypeMismatch,
             "the shape of " + inQuotes(decl->name.text) + " is expected to have numbers only",
             frame->self->decl->name.range,
             "what a call tells has no place here: arguments of the layer do, such as "
             "'size: int'");
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
  std::optional<ir::Number> first = int64_t(0);
  if (decl->initial && dtype)
    first = firstValue(decl->initial, *dtype);
  if (ok && first) {
    weights.push_back({decl, ir::tensorType(&context, *dtype, dims), "", *first});
    value = &weights.back();
  }
  if (StringRef name = memberName(decl->name); !name.empty())
    declareMember(name, decl->name.range, value);
}

void Elaborator::bind(const Expr *target, Value value) {
  if (isa<WildcardExpr>(target))
    return;
  if (auto *member = dyn_cast<MemberExpr>(target))
    return void(setState(member, value));
  if (auto *index = dyn_cast<IndexExpr>(target)) {
    Value old = eval(index->base);
    auto *tensor = old.as<mlir::Value>();
    if (!tensor && !old.isError())
      fail(index->base->range, DiagCode::TypeMismatch,
           describe(old) + " has no slices to assign to");
    remember(index, Value());
    rememberSubscripts(index);
    return bind(index->base, tensor ? assignSlice(index, *tensor, value) : Value());
  }
  auto *name = cast<NameExpr>(target);
  if (frame->inLayer)
    return declareMember(name->name, target->range, std::move(value));
  frame->locals[name->name] = std::move(value);
  frame->bound[name->name] = target->range;
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
  for (auto [i, target] : enumerate(stmt->targets)) {
    Value part = parts ? (*parts)[i] : Value();
    if (auto *several = part.as<Results>())
      part = fail(stmt->value->range, DiagCode::TypeMismatch,
                  "expected one value for each name, got " + Twine(several->values->size()) +
                      " at position " + Twine(i));
    bind(target, part);
  }
}

void Elaborator::exec(Block block) {
  for (const Stmt *stmt : block) {
    if (frame->result || diags.isFull())
      return;
    if (frame->yielded) {
      failAt(stmt->range, DiagCode::MisplacedStatement, "'yield' is the last statement of a round",
             frame->yieldPlace, "it stands here");
      frame->result = Value();
      return;
    }
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
      frame->returned = ret->values;
      frame->result = values.size() == 1
                          ? values[0]
                          : Value(Results{*Value::list(std::move(values)).as<ListPtr>()});
      frame->resultPlace = stmt->range;
    } else if (auto *member = dyn_cast<MemberDecl>(stmt)) {
      declareWeight(member);
    } else if (auto *fn = dyn_cast<FnDecl>(stmt)) {
      if (!is_contained(frame->self->functions, fn))
        frame->self->functions.push_back(fn);
    } else if (auto *ignore = dyn_cast<IgnoreDecl>(stmt)) {
      frame->self->ignores.push_back(ignore);
    } else if (auto *tie = dyn_cast<TieDecl>(stmt)) {
      frame->self->ties.push_back(tie);
    } else if (auto *yield = dyn_cast<YieldStmt>(stmt)) {
      yieldValues(yield);
    }
  }
}

void Elaborator::yieldValues(const YieldStmt *stmt) {
  if (frame->roundDepth == 0)
    return void(fail(stmt->range, DiagCode::MisplacedStatement,
                     "'yield' stands in a round of 'scan' only"));
  std::vector<Value> values;
  for (const Expr *expr : stmt->values)
    values.push_back(eval(expr));
  frame->yielded = std::move(values);
  frame->yieldPlace = stmt->range;
}
