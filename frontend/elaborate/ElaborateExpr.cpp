//===- ElaborateExpr.cpp - expressions ------------------------------------===//
#include "frontend/elaborate/Elaborator.h"
#include "frontend/elaborate/Sema.h"
#include "frontend/syntax/Suggest.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

Value Elaborator::eval(const Expr *expr) {
  if (++steps == maxSteps || depth > maxEvalDepth)
    return fail(expr->range, DiagCode::LimitExceeded,
                steps >= maxSteps
                    ? "the model takes more than " + Twine(maxSteps) + " steps to build"
                    : "expressions nest deeper than " + Twine(maxEvalDepth) + " over all calls");
  if (steps > maxSteps)
    return Value();
  ++depth;
  llvm::scope_exit leave([&] { --depth; });
  remember(expr, Value());
  Value value = evalKind(expr);
  if (value.as<mlir::Value>())
    remember(expr, value);
  return value;
}

Value Elaborator::evalKind(const Expr *expr) {
  switch (expr->kind) {
  case Expr::Kind::Int:
    return cast<IntExpr>(expr)->value;
  case Expr::Kind::Float:
    return cast<FloatExpr>(expr)->value;
  case Expr::Kind::String:
    return cast<StringExpr>(expr)->value.str();
  case Expr::Kind::Bool:
    return cast<BoolExpr>(expr)->value;
  case Expr::Kind::Name:
    return evalName(cast<NameExpr>(expr)->name, expr->range);
  case Expr::Kind::Self:
    return frame->self
               ? Value(frame->self)
               : fail(expr->range, DiagCode::UnknownName, "'self' stands outside of a layer");
  case Expr::Kind::Wildcard:
    return fail(expr->range, DiagCode::TypeMismatch,
                "expected a value here; '_' leaves an extent of a type open, -1 one of 'reshape'");
  case Expr::Kind::Ellipsis:
  case Expr::Kind::Slice:
    return fail(expr->range, DiagCode::TypeMismatch, "expected a value here");
  case Expr::Kind::Unary:
    return evalUnary(cast<UnaryExpr>(expr));
  case Expr::Kind::Binary: {
    auto *node = cast<BinaryExpr>(expr);
    Value lhs = eval(node->lhs);
    if (auto *known = lhs.as<bool>();
        known && node->op == (*known ? TokenKind::kw_or : TokenKind::kw_and))
      return *known; // as Python: the right side need not make sense
    Value rhs = eval(node->rhs);
    return binary(node->op, lhs, rhs, expr->range);
  }
  case Expr::Kind::Conditional:
    return evalConditional(cast<ConditionalExpr>(expr));
  case Expr::Kind::Cast:
    return evalCast(cast<CastExpr>(expr));
  case Expr::Kind::Call:
    return evalCall(cast<CallExpr>(expr));
  case Expr::Kind::Member:
    return evalMember(cast<MemberExpr>(expr));
  case Expr::Kind::Index:
    return evalIndex(cast<IndexExpr>(expr));
  case Expr::Kind::List: {
    std::vector<Value> elements;
    for (const Expr *element : cast<ListExpr>(expr)->elements) {
      elements.push_back(eval(element));
      if (elements.back().isError())
        return Value();
    }
    return Value::list(std::move(elements));
  }
  case Expr::Kind::Comprehension:
    return evalComprehension(cast<ComprehensionExpr>(expr));
  case Expr::Kind::Scan:
    return evalScan(cast<ScanExpr>(expr));
  case Expr::Kind::While:
    return evalWhile(cast<WhileExpr>(expr));
  }
  llvm_unreachable("all kinds are handled");
}

/// The first argument that may be None whose type names a dimension.
static const Parameter *optionalTeller(const Stmt *decl, StringRef name) {
  auto *fn = dyn_cast<FnDecl>(decl);
  auto tells = [&](const Parameter &parameter) {
    std::string type = textOf(parameter.type);
    SmallVector<StringRef> words;
    SplitString(type, words, " []|,+-*/%()<>");
    return takesNone(parameter.type) && is_contained(words, name);
  };
  auto *found = fn ? find_if(fn->parameters, tells) : nullptr;
  return fn && found != fn->parameters.end() ? found : nullptr;
}

Value Elaborator::evalName(StringRef name, SMRange place) {
  if (auto it = frame->locals.find(name); it != frame->locals.end()) {
    auto *dim = it->second.as<DimExpr>();
    if (frame->inDefault && dim && *dim == unknownDim(name))
      return failAt(place, DiagCode::ShapeMismatch,
                    "the dimension " + inQuotes(name) + " does not follow from the arguments",
                    boundAt(*frame, name).first, "it is declared here");
    return it->second;
  }
  if (frame->self)
    if (auto it = frame->self->arguments.find(name); it != frame->self->arguments.end())
      return it->second;
  if (auto it = frame->module->decls.find(name); it != frame->module->decls.end()) {
    if (auto *constant = dyn_cast<ConstDecl>(it->second))
      return evalConstant(constant, frame->module, place);
    return failAt(place, DiagCode::TypeMismatch, inQuotes(name) + " is no value; call it",
                  declaredName(it->second).range, "it is declared here");
  }
  if (std::optional<DType> dtype = parseDType(std::string_view(name.data(), name.size())))
    return *dtype;
  if (std::optional<double> constant = namedConstant(name))
    return *constant;
  if (name == "None")
    return None{};
  if (frame->module->imports.contains(name) || primitives.find(name))
    return fail(place, DiagCode::TypeMismatch, inQuotes(name) + " is no value");
  auto open = find_if(frame->open, [&](auto *generic) { return generic->name.text == name; });
  bool isOpen = open != frame->open.end();
  if (!isOpen)
    return fail(place, DiagCode::UnknownName, inQuotes(name) + " has no value here");
  frame->locals[name] = Value(); // one error is enough
  const Parameter *teller = optionalTeller(frame->decl, name);
  return failAt(place, DiagCode::UnknownName,
                inQuotes(name) + " has no value here: " +
                    (teller ? inQuotes(teller->name.text) + ", which tells it, is not given"
                            : "it follows from what the function returns"),
                (*open)->name.range, "it is declared here");
}

Value Elaborator::evalConstant(const ConstDecl *decl, const Module *module, SMRange place) {
  if (auto it = constants.find(decl); it != constants.end())
    return it->second;
  if (!pendingConstants.insert(decl).second)
    return failAt(decl->name.range, DiagCode::Recursion,
                  "the constant " + inQuotes(decl->name.text) + " depends on itself", place,
                  "its value is needed here");
  Frame own(module);
  own.decl = decl;
  own.caller = frame;
  own.callPlace = place;
  Frame *outer = std::exchange(frame, &own);
  Value value = eval(decl->value);
  frame = outer;
  if (value.as<mlir::Value>())
    value = fail(decl->value->range, DiagCode::NotCompileTime,
                 "a constant is expected to be known when the model is compiled");
  pendingConstants.erase(decl);
  return constants[decl] = value;
}

Value Elaborator::evalMember(const MemberExpr *expr) {
  if (auto *name = dyn_cast<NameExpr>(expr->base); name && !frame->locals.contains(name->name))
    if (auto it = frame->module->imports.find(name->name); it != frame->module->imports.end()) {
      if (!it->second)
        return Value();
      const Stmt *decl = it->second->exported(expr->name.text);
      if (!decl)
        return fail(expr->name.range, DiagCode::UnknownName,
                    inQuotes(name->name) + " has no " + inQuotes(expr->name.text) +
                        didYouMean(expr->name.text, it->second->exportedNames()));
      if (auto *constant = dyn_cast<ConstDecl>(decl))
        return evalConstant(constant, it->second, expr->range);
      return failAt(expr->range, DiagCode::TypeMismatch,
                    inQuotes(expr->name.text) + " is no value; call it", declaredName(decl).range,
                    "it is declared here");
    }
  Value base = eval(expr->base);
  if (base.isError())
    return base;
  auto *instance = base.as<Instance *>();
  if (!instance) {
    std::string hint = base.as<Results>() ? "; 'a, b = …' names each" : "";
    if (base.as<mlir::Value>())
      hint = insteadOfMember(expr->name.text, primitives.names());
    return fail(expr->range, DiagCode::TypeMismatch,
                describe(base) + (base.as<Results>() ? " have" : " has") + " no members" + hint);
  }
  auto &members = (*instance)->members;
  StringRef name = memberName(expr->name);
  if (name.empty())
    return Value();
  auto it = members.find(name);
  if (it == members.end()) {
    SmallVector<StringRef> known;
    for (auto &member : members)
      known.push_back(member.first);
    if (const FnDecl *fn = method(**instance, name))
      return failAt(expr->name.range, DiagCode::TypeMismatch,
                    inQuotes(name) + " is a function; call it", fn->name.range,
                    "it is declared here");
    return failAt(expr->name.range, DiagCode::UnknownName,
                  inQuotes((*instance)->decl->name.text) + " has no member " + inQuotes(name) +
                      " here" + didYouMean(name, known),
                  (*instance)->decl->name.range, "the layer is declared here");
  }
  if (auto *weight = it->second.as<Weight *>()) {
    if (frame->inLayer)
      return failAt(expr->range, DiagCode::NotCompileTime,
                    "a tensor is not known when the model is compiled", (*weight)->decl->name.range,
                    "it is declared here");
    if ((*weight)->path.empty())
      return failAt(expr->range, DiagCode::UnknownName,
                    inQuotes(name) +
                        " has no path, since no member holds its layer: an argument 'x' is held "
                        "by the member 'x = x'",
                    (*instance)->made, "the layer is made here");
    return get(*weight, expr->range);
  }
  return it->second;
}

Value Elaborator::evalUnary(const UnaryExpr *expr) {
  Value value = eval(expr->operand);
  if (value.isError())
    return value;
  auto made = [&](StringRef op, mlir::Value operand) {
    mlir::Value result = at(expr->range).create(op, operand);
    return result ? Value(result) : Value();
  };
  if (expr->op == UnaryOp::Not) {
    if (auto *known = value.as<bool>())
      return !*known;
    if (auto *tensor = value.as<mlir::Value>())
      return made("logical_not", *tensor);
  } else {
    if (auto *integer = value.as<int64_t>(); integer && *integer != INT64_MIN)
      return -*integer;
    if (auto *number = value.as<double>())
      return -*number;
    if (auto *dim = value.as<DimExpr>())
      return Value::dim(-*dim);
    if (auto *tensor = value.as<mlir::Value>())
      return made("neg", *tensor);
  }
  return fail(expr->range, DiagCode::TypeMismatch,
              Twine(expr->op == UnaryOp::Not ? "'not'" : "'-'") + " is not defined on " +
                  describe(value));
}

Value Elaborator::evalCast(const CastExpr *expr) {
  Value value = eval(expr->operand);
  std::optional<DType> type = evalDType(expr->type);
  if (value.isError() || !type)
    return Value();
  if (!value.isArithmetic() && !spellsTensor(value))
    return fail(expr->range, DiagCode::TypeMismatch,
                "expected a number or a tensor before 'as', got " + describe(value));
  mlir::Value tensor = toTensor(value, std::nullopt, expr->range);
  if (tensor)
    tensor = at(expr->range).cast(tensor, *type);
  return tensor ? Value(tensor) : Value();
}

void Elaborator::comprehend(const ComprehensionExpr *expr, size_t clause,
                            std::vector<Value> &into) {
  forEach(expr->clauses[clause], [&] {
    if (clause + 1 < expr->clauses.size())
      comprehend(expr, clause + 1, into);
    else
      into.push_back(eval(expr->element));
    return into.empty() || !into.back().isError();
  });
}

Value Elaborator::evalComprehension(const ComprehensionExpr *expr) {
  StringMap<Value> outer = frame->locals; // its names end with it
  std::vector<Value> elements;
  comprehend(expr, 0, elements);
  frame->locals = std::move(outer);
  if (!elements.empty() && elements.back().isError())
    return Value();
  return Value::list(std::move(elements));
}

Value Elaborator::evalIndex(const IndexExpr *expr) {
  Value base = eval(expr->base);
  if (base.isError())
    return base;
  rememberSubscripts(expr);
  if (auto *list = base.as<ListPtr>())
    return indexList(expr, *list);
  if (auto *tensor = base.as<mlir::Value>())
    return indexTensor(expr, *tensor);
  return fail(expr->range, DiagCode::TypeMismatch,
              describe(base) + " cannot be indexed" +
                  (base.as<Results>() ? "; 'a, b = …' names each" : ""));
}

std::optional<int64_t> Elaborator::constantIndex(const Expr *expr, int64_t fallback, int64_t size) {
  if (!expr)
    return fallback;
  Value value = eval(expr);
  if (auto *integer = value.as<int64_t>())
    return *integer < 0 ? *integer + size : *integer;
  if (!value.isError())
    fail(expr->range, DiagCode::TypeMismatch, "expected an integer, got " + describe(value));
  return std::nullopt;
}

Value Elaborator::indexList(const IndexExpr *expr, const ListPtr &list) {
  auto size = static_cast<int64_t>(list->size());
  if (expr->subscripts.size() != 1)
    return fail(expr->range, DiagCode::TypeMismatch, "a list takes one index");
  if (auto *slice = dyn_cast<SliceExpr>(expr->subscripts[0])) {
    std::optional<int64_t> start = constantIndex(slice->start, 0, size),
                           stop = constantIndex(slice->stop, size, size),
                           step = constantIndex(slice->step, 1, 0);
    if (!start || !stop || !step)
      return Value();
    if (*step < 1)
      return fail(slice->step->range, DiagCode::InvalidValue,
                  "a list is sliced by a positive step");
    std::vector<Value> part;
    for (int64_t i = std::clamp<int64_t>(*start, 0, size), end = std::min(*stop, size); i < end;
         i += *step)
      part.push_back((*list)[i]);
    return Value::list(std::move(part));
  }
  std::optional<int64_t> at = constantIndex(expr->subscripts[0], 0, size);
  if (!at)
    return Value();
  if (*at < 0 || *at >= size)
    return fail(expr->subscripts[0]->range, DiagCode::InvalidValue,
                "the index is outside of a list of " + Twine(size) + " elements");
  return (*list)[*at];
}
