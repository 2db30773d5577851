//===- Sema.cpp - names in all code ---------------------------------------===//
#include "frontend/elaborate/Sema.h"

#include "frontend/elaborate/Frame.h"
#include "frontend/syntax/MemberName.h"
#include "frontend/syntax/Suggest.h"
#include "ir/DType.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"

#include <limits>
#include <numbers>

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

namespace {

constexpr StringLiteral builtins[] = {"len",       "single", "pair",     "triple", "range",
                                      "enumerate", "zip",    "reversed", "min",    "max"};
constexpr StringLiteral typeWords[] = {"int", "float", "bool", "str", "dtype", "layer", "None"};

class Resolver {
public:
  Resolver(const Module &module, const PrimitiveTable &primitives, Diagnostics &diags)
      : module(module), primitives(primitives), diags(diags) {}
  void run();

private:
  const Module &module;
  const PrimitiveTable &primitives;
  Diagnostics &diags;
  const LayerDecl *layer = nullptr;
  const FnDecl *function = nullptr;
  StringMap<const Stmt *> members; ///< what the layer may have in some branch; functions too
  using Scope = StringMap<SMRange>;
  Scope scope;            ///< arguments, generics and locals so far
  Scope ended;            ///< names of loops and comprehensions that are over
  StringSet<> undeclared; ///< dimensions of the function that an error has named

  void visitLayer(const LayerDecl *decl);
  void collectMembers(Block block);
  void addMember(const Ident &name, const Stmt *stmt);
  void visitFunctions(Block block, const Scope &arguments);
  void visitFn(const FnDecl *fn);
  void visitParameters(ArrayRef<Parameter> parameters);
  void visitType(const Type *type);
  void visitTypeName(const Ident &name, ArrayRef<StringLiteral> words);
  void visitBlock(Block block);
  void visitStmt(const Stmt *stmt);
  void visitTarget(const Expr *target);
  void visitClause(const ForClause &clause);
  void visit(const Expr *expr);
  void visitName(StringRef name, SMRange place, bool isDim);
  bool isUnknownOfFamily(const MemberExpr *member);
  void visitCall(const CallExpr *call);
  void visitMember(const MemberExpr *member);
  void visitNumbers(const Ident &member);
  void visitLoop(ArrayRef<Ident> elements, ArrayRef<Carried> carried, const Expr *condition,
                 Block body);
  void leaveScope(Scope outer);
  void noteMeant(Diagnostics::Error &error, StringRef name);
  void checkArguments(const CallExpr *call, const Stmt *decl);
  bool inDims = false;
};

} // namespace

void Resolver::run() {
  for (const Stmt *stmt : module.file.decls) {
    scope.clear();
    ended.clear();
    members.clear();
    layer = nullptr;
    function = nullptr;
    if (auto *decl = dyn_cast<LayerDecl>(stmt))
      visitLayer(decl);
    else if (auto *fn = dyn_cast<FnDecl>(stmt))
      visitFn(fn);
    else if (auto *constant = dyn_cast<ConstDecl>(stmt))
      visit(constant->value);
  }
}

void Resolver::addMember(const Ident &name, const Stmt *stmt) {
  auto [known, isNew] = members.try_emplace(formOfName(name), stmt);
  if (!isNew && (isa<FnDecl>(stmt) || isa<FnDecl>(known->second)))
    diags
        .error(name.range, DiagCode::DuplicateName,
               inQuotes(name.text) + " is declared twice in " + inQuotes(layer->name.text))
        .note(known->second->range, "first declared here");
}

void Resolver::collectMembers(Block block) {
  for (const Stmt *stmt : block) {
    if (auto *member = dyn_cast<MemberDecl>(stmt)) {
      addMember(member->name, stmt);
    } else if (auto *fn = dyn_cast<FnDecl>(stmt)) {
      addMember(fn->name, stmt);
    } else if (auto *assign = dyn_cast<AssignStmt>(stmt)) {
      for (const Expr *target : assign->targets)
        if (auto *name = dyn_cast<NameExpr>(target))
          addMember({name->name, name->range}, stmt);
    } else if (auto *ifStmt = dyn_cast<IfStmt>(stmt)) {
      collectMembers(ifStmt->thenBody);
      collectMembers(ifStmt->elseBody);
    } else if (auto *loop = dyn_cast<ForStmt>(stmt)) {
      collectMembers(loop->body);
    }
  }
}

void Resolver::visitLayer(const LayerDecl *decl) {
  layer = decl;
  undeclared.clear();
  collectMembers(decl->body);
  visitParameters(decl->parameters);
  Scope arguments = scope;
  visitBlock(decl->body);
  visitFunctions(decl->body, arguments);
}

/// The functions of a layer, those of its branches and loops too.
void Resolver::visitFunctions(Block block, const Scope &arguments) {
  for (const Stmt *stmt : block)
    if (auto *fn = dyn_cast<FnDecl>(stmt)) {
      scope = arguments;
      visitFn(fn);
    } else if (auto *ifStmt = dyn_cast<IfStmt>(stmt)) {
      visitFunctions(ifStmt->thenBody, arguments);
      visitFunctions(ifStmt->elseBody, arguments);
    } else if (auto *loop = dyn_cast<ForStmt>(stmt)) {
      visitFunctions(loop->body, arguments);
    }
}

void Resolver::visitParameters(ArrayRef<Parameter> parameters) {
  for (const Parameter &parameter : parameters) {
    visitType(parameter.type);
    if (parameter.defaultValue)
      visit(parameter.defaultValue);
    scope[parameter.name.text] = parameter.name.range;
  }
}

void Resolver::visitFn(const FnDecl *fn) {
  ended.clear();
  undeclared.clear();
  function = fn;
  for (const Generic &generic : fn->generics) {
    visit(generic.least);
    visit(generic.bound);
    if (StringRef word = generic.dtypeClass.text;
        !word.empty() && word != "float" && word != "int" && word != "number")
      diags.error(generic.dtypeClass.range, DiagCode::UnknownName,
                  "expected 'float', 'int' or 'number', got " + inQuotes(word));
    scope[generic.name.text] = generic.name.range;
  }
  visitParameters(fn->parameters);
  for (const Result &result : fn->results)
    visitType(result.type);
  visitBlock(fn->body);
}

/// An element type, a generic or argument that stands for one, or one of `words`.
void Resolver::visitTypeName(const Ident &name, ArrayRef<StringLiteral> words) {
  if (is_contained(words, name.text) || scope.contains(name.text) ||
      parseDType({name.text.data(), name.text.size()}))
    return;
  SmallVector<StringRef> known(words.begin(), words.end());
  for (int i = 0; i < numDTypes; ++i)
    known.push_back(kiln::name(static_cast<DType>(i)));
  diags.error(name.range, DiagCode::UnknownName,
              "there is no type " + inQuotes(name.text) + didYouMeanType(name.text, known));
}

static bool isTensor(const Type *type) {
  return type->kind == Type::Kind::Named &&
         (type->hasShape || !is_contained(typeWords, type->name.text));
}

const Type *kiln::tensorType(const Type *type) {
  if (type->kind != Type::Kind::Union)
    return isTensor(type) ? type : nullptr;
  auto member = find_if(type->members, isTensor);
  return member == type->members.end() ? nullptr : *member;
}

bool kiln::takesNone(const Type *type) {
  return type->kind == Type::Kind::Union
             ? any_of(type->members, takesNone)
             : type->kind == Type::Kind::Named && !type->hasShape && type->name.text == "None";
}

void Resolver::visitType(const Type *type) {
  bool mayLack = type->kind == Type::Kind::Union && type->members.size() == 2 && takesNone(type);
  for (const Type *member : type->members) {
    visitType(member);
    bool isFirst = type->kind == Type::Kind::List || member == tensorType(type);
    if (isFirst && !mayLack && isTensor(member))
      diags.error(member->range, DiagCode::TypeMismatch,
                  type->kind == Type::Kind::List
                      ? "a list holds compile-time values, not tensors"
                      : "a tensor is an alternative of None only: which one is given must be known "
                        "when the model is compiled");
  }
  if (type->kind != Type::Kind::Named)
    return;
  // What has extents is a tensor.
  visitTypeName(type->name, type->hasShape ? ArrayRef<StringLiteral>() : ArrayRef(typeWords));
  inDims = true;
  for (const Expr *dim : type->dims)
    visit(dim);
  inDims = false;
}

void Resolver::visitBlock(Block block) {
  for (const Stmt *stmt : block)
    visitStmt(stmt);
}

void Resolver::visitTarget(const Expr *target) {
  if (auto *name = dyn_cast<NameExpr>(target))
    scope[name->name] = name->range;
  else if (!isa<WildcardExpr>(target))
    visit(target);
}

void Resolver::visitClause(const ForClause &clause) {
  visit(clause.range);
  for (const Ident &name : clause.names)
    scope[name.text] = name.range;
}

void Resolver::visitStmt(const Stmt *stmt) {
  if (auto *assign = dyn_cast<AssignStmt>(stmt)) {
    visit(assign->value);
    bool declaresMember = layer && members.lookup(isa<NameExpr>(assign->targets[0])
                                                      ? cast<NameExpr>(assign->targets[0])->name
                                                      : StringRef()) == stmt;
    for (const Expr *target : assign->targets)
      if (!declaresMember)
        visitTarget(target);
  } else if (auto *ifStmt = dyn_cast<IfStmt>(stmt)) {
    visit(ifStmt->condition);
    visitBlock(ifStmt->thenBody);
    visitBlock(ifStmt->elseBody);
  } else if (auto *loop = dyn_cast<ForStmt>(stmt)) {
    visitClause(loop->clause);
    visitBlock(loop->body);
  } else if (auto *ret = dyn_cast<ReturnStmt>(stmt)) {
    for (const Expr *value : ret->values)
      visit(value);
  } else if (auto *yield = dyn_cast<YieldStmt>(stmt)) {
    for (const Expr *value : yield->values)
      visit(value);
  } else if (auto *member = dyn_cast<MemberDecl>(stmt)) {
    visitNumbers(member->name);
    visitType(member->type);
    if (member->initial)
      visit(member->initial);
  }
}

void Resolver::leaveScope(Scope outer) {
  for (const auto &entry : scope)
    if (!outer.contains(entry.first()))
      ended[entry.first()] = entry.second;
  scope = std::move(outer);
}

/// Tells where the name is declared that an error suggests; of a function, how it is called.
void Resolver::noteMeant(Diagnostics::Error &error, StringRef name) {
  if (name.empty())
    return;
  SMRange place;
  if (auto local = scope.find(name); local != scope.end())
    place = local->second;
  else if (auto decl = module.decls.find(name); decl != module.decls.end())
    place = declaredName(decl->second).range;
  if (place.isValid())
    error.note(place, inQuotes(name) + " is declared here");
  else if (const Primitive *primitive = primitives.find(name))
    error.note({}, "the function is " + primitive->signature);
}

/// Where a member's own name stands.
static SMRange memberPlace(const Stmt *stmt, StringRef name) {
  if (auto *member = dyn_cast<MemberDecl>(stmt))
    return member->name.range;
  if (auto *fn = dyn_cast<FnDecl>(stmt))
    return fn->name.range;
  if (auto *assign = dyn_cast<AssignStmt>(stmt))
    for (const Expr *target : assign->targets)
      if (auto *bound = dyn_cast<NameExpr>(target); bound && bound->name == name)
        return bound->range;
  return stmt->range;
}

void Resolver::visitName(StringRef name, SMRange place, bool isDim) {
  bool isType = parseDType({name.data(), name.size()}).has_value();
  if (scope.contains(name) || module.decls.contains(name) || module.imports.contains(name) ||
      isType || undeclared.contains(name) || (!isDim && (namedConstant(name) || name == "None")))
    return;
  bool isFunction = primitives.find(name) || is_contained(builtins, name);
  if (isFunction && !isDim)
    return;
  SmallVector<StringRef> known(scope.keys());
  append_range(known, module.names());
  if (!isDim) {
    append_range(known, primitives.names());
    append_range(known, ArrayRef<StringRef>({"true", "false"}));
  }
  if (isDim)
    undeclared.insert(name);
  auto [meant, hint] = meantName(name, known);
  auto member = members.find(name);
  if (member != members.end())
    hint = ", did you mean 'self." + name.str() + "'";
  auto &error =
      diags.error(place, DiagCode::UnknownName,
                  (isDim ? "there is no dimension " : "there is no name ") + inQuotes(name) + hint);
  if (member != members.end())
    error.note(memberPlace(member->second, name), "the member is declared here");
  else if (auto over = ended.find(name); over != ended.end())
    error.note(over->second, inQuotes(name) + " is local to the loop or list here");
  else if (isDim && hint.empty() && function)
    error.note(function->name.range,
               "generic dimensions are declared here: '" + function->name.text + "[" + name + "]'");
  else
    noteMeant(error, meant);
}

/// The names between the braces of a member's name.
void Resolver::visitNumbers(const Ident &member) {
  withNumbers(member, [&](const Ident &number) {
    visitName(number.text, number.range, false);
    return std::string();
  });
}

void Resolver::visitMember(const MemberExpr *member) {
  visitNumbers(member->name);
  if (auto *name = dyn_cast<NameExpr>(member->base); name && !scope.contains(name->name))
    if (auto it = module.imports.find(name->name); it != module.imports.end()) {
      const Module *imported = it->second;
      if (imported && !imported->exported(member->name.text)) {
        auto hidden = imported->decls.find(member->name.text);
        Meant meant = meantName(member->name.text, imported->exportedNames());
        if (primitives.find(member->name.text))
          meant = {{}, ", which is written " + inQuotes((member->name.text + "(…)").str())};
        auto &error =
            diags.error(member->name.range, DiagCode::UnknownName,
                        inQuotes(name->name) + " has no " + inQuotes(member->name.text) +
                            (hidden == imported->decls.end() ? meant.hint : " for importers"));
        if (hidden != imported->decls.end())
          error.note(declaredName(hidden->second).range, "it is private to its file");
        else if (!meant.name.empty())
          error.note(declaredName(imported->exported(meant.name)).range,
                     inQuotes(meant.name) + " is declared here");
      }
      return;
    }
  visit(member->base);
  if (!isa<SelfExpr>(member->base) || !layer || members.contains(formOfName(member->name)))
    return;
  SmallVector<StringRef> known;
  for (const auto &entry : members) {
    auto *decl = dyn_cast<MemberDecl>(entry.second);
    known.push_back(decl ? decl->name.text : entry.first());
  }
  std::string hint = didYouMean(member->name.text, known);
  StringRef meant = nearest(member->name.text, known);
  SMRange near = meant.empty() ? layer->name.range
                               : memberPlace(members.lookup(formOfName({meant, SMRange()})), meant);
  std::string note =
      meant.empty() ? "the layer is declared here" : inQuotes(meant) + " is declared here";
  if (auto local = scope.find(member->name.text); local != scope.end()) {
    near = local->second;
    note = "the argument is declared here";
  }
  if (scope.contains(member->name.text))
    hint = "; the argument is written " + inQuotes(member->name.text) + " without 'self'";
  diags
      .error(member->name.range, DiagCode::UnknownName,
             inQuotes(layer->name.text) + " has no member " + inQuotes(member->name.text) + hint)
      .note(near, note);
}

/// Named arguments against a declaration's parameters.
void Resolver::checkArguments(const CallExpr *call, const Stmt *decl) {
  ArrayRef<Parameter> parameters;
  if (auto *fn = dyn_cast<FnDecl>(decl))
    parameters = fn->parameters;
  else if (auto *callee = dyn_cast<LayerDecl>(decl))
    parameters = callee->parameters;
  else
    return;
  SmallVector<StringRef> known =
      map_to_vector(parameters, [](const Parameter &p) { return p.name.text; });
  for (const Argument &argument : call->arguments)
    if (!argument.name.text.empty() && !is_contained(known, argument.name.text))
      diags
          .error(argument.name.range, DiagCode::BadArgument,
                 inQuotes(declaredName(decl).text) + " has no argument " +
                     inQuotes(argument.name.text) + didYouMeanArgument(argument.name.text, known))
          .note(declaredName(decl).range, "it is declared here");
}

/// Whether a call is of FAMILY.NAME of which only the family is known, which is reported.
bool Resolver::isUnknownOfFamily(const MemberExpr *member) {
  auto *base = member ? dyn_cast<NameExpr>(member->base) : nullptr;
  if (!base || scope.contains(base->name) || module.decls.contains(base->name) ||
      module.imports.contains(base->name) || members.contains(base->name))
    return false;
  SmallVector<StringRef> family = primitives.names();
  erase_if(family, [&](StringRef name) { return !name.starts_with((base->name + ".").str()); });
  if (family.empty())
    return false;
  std::string name = (base->name + "." + member->name.text).str();
  auto [meant, hint] = meantName(name, family);
  auto &error = diags.error(member->range, DiagCode::UnknownName,
                            "there is no function " + inQuotes(name) + hint);
  noteMeant(error, meant);
  return true;
}

void Resolver::visitCall(const CallExpr *call) {
  for (const Argument &argument : call->arguments)
    visit(argument.value);
  if (auto *name = dyn_cast<NameExpr>(call->callee)) {
    bool known = scope.contains(name->name) || module.decls.contains(name->name) ||
                 primitives.find(name->name) || is_contained(builtins, name->name);
    if (!known && !members.contains(name->name)) {
      SmallVector<StringRef> candidates = primitives.names();
      append_range(candidates, module.decls.keys());
      append_range(candidates, builtins);
      auto [meant, hint] = meantName(name->name, candidates);
      auto &error = diags.error(name->range, DiagCode::UnknownName,
                                "there is no function " + inQuotes(name->name) + hint);
      noteMeant(error, meant);
    } else if (auto decl = module.decls.find(name->name);
               decl != module.decls.end() && !scope.contains(name->name)) {
      checkArguments(call, decl->second);
    } else if (!known) {
      visit(name);
    }
    return;
  }
  auto *member = dyn_cast<MemberExpr>(call->callee);
  if (auto *base = member ? dyn_cast<NameExpr>(member->base) : nullptr;
      base && primitives.find(base->name, member->name.text) && !scope.contains(base->name) &&
      !module.decls.contains(base->name) && !module.imports.contains(base->name))
    return;
  if (isUnknownOfFamily(member))
    return;
  visit(call->callee);
  if (!member)
    return;
  if (auto *base = dyn_cast<NameExpr>(member->base)) {
    auto it = module.imports.find(base->name);
    if (it != module.imports.end() && it->second)
      if (auto decl = it->second->decls.find(member->name.text); decl != it->second->decls.end())
        checkArguments(call, decl->second);
  } else if (auto decl = members.find(member->name.text);
             isa<SelfExpr>(member->base) && decl != members.end()) {
    checkArguments(call, decl->second);
  }
}

/// Names of a scan or while are local to it.
void Resolver::visitLoop(ArrayRef<Ident> elements, ArrayRef<Carried> carried, const Expr *condition,
                         Block body) {
  for (const Carried &each : carried)
    visit(each.initial);
  Scope outer = scope;
  for (const Ident &name : elements)
    scope[name.text] = name.range;
  for (const Carried &each : carried)
    scope[each.name.text] = each.name.range;
  if (condition)
    visit(condition);
  visitBlock(body);
  leaveScope(std::move(outer));
}

void Resolver::visit(const Expr *expr) {
  if (!expr)
    return;
  if (auto *name = dyn_cast<NameExpr>(expr))
    return visitName(name->name, name->range, inDims);
  if (auto *unary = dyn_cast<UnaryExpr>(expr))
    return visit(unary->operand);
  if (auto *binary = dyn_cast<BinaryExpr>(expr)) {
    visit(binary->lhs);
    return visit(binary->rhs);
  }
  if (auto *conditional = dyn_cast<ConditionalExpr>(expr)) {
    visit(conditional->condition);
    visit(conditional->thenValue);
    return visit(conditional->elseValue);
  }
  if (auto *castExpr = dyn_cast<CastExpr>(expr)) {
    visit(castExpr->operand);
    return visitTypeName(castExpr->type, {});
  }
  if (auto *call = dyn_cast<CallExpr>(expr))
    return visitCall(call);
  if (auto *member = dyn_cast<MemberExpr>(expr))
    return visitMember(member);
  if (auto *index = dyn_cast<IndexExpr>(expr)) {
    visit(index->base);
    for (const Expr *subscript : index->subscripts)
      visit(subscript);
  } else if (auto *slice = dyn_cast<SliceExpr>(expr)) {
    visit(slice->start);
    visit(slice->stop);
    visit(slice->step);
  } else if (auto *list = dyn_cast<ListExpr>(expr)) {
    for (const Expr *element : list->elements)
      visit(element);
  } else if (auto *comprehension = dyn_cast<ComprehensionExpr>(expr)) {
    Scope outer = scope;
    for (const ForClause &clause : comprehension->clauses)
      visitClause(clause);
    visit(comprehension->element);
    leaveScope(std::move(outer));
  } else if (auto *scan = dyn_cast<ScanExpr>(expr)) {
    for (const Expr *sequence : scan->sequences)
      visit(sequence);
    visit(scan->axis);
    visitLoop(scan->elements, scan->carried, nullptr, scan->body);
  } else if (auto *loop = dyn_cast<WhileExpr>(expr)) {
    visit(loop->limit);
    visitLoop({}, loop->carried, loop->condition, loop->body);
  }
}

std::optional<double> kiln::namedConstant(StringRef name) {
  return StringSwitch<std::optional<double>>(name)
      .Case("inf", std::numeric_limits<double>::infinity())
      .Case("nan", std::numeric_limits<double>::quiet_NaN())
      .Case("pi", std::numbers::pi)
      .Default(std::nullopt);
}

void kiln::resolveNames(const Modules &modules, const PrimitiveTable &primitives,
                        Diagnostics &diags) {
  for (const auto &module : modules.all())
    Resolver(*module, primitives, diags).run();
}
