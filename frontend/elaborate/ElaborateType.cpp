//===- ElaborateType.cpp - types, generics and checks of extents ----------===//
#include "frontend/elaborate/Elaborator.h"

#include "ir/Solve.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

DimExpr kiln::unknownDim(StringRef name) { return DimExpr::symbol("$" + name.str()); }

std::string kiln::dimText(const DimExpr &expr) {
  std::string text = expr.str();
  llvm::erase(text, '$');
  return text;
}

std::string kiln::textOf(const Type *type) {
  const char *start = type->range.Start.getPointer();
  return std::string(start, type->range.End.getPointer());
}

std::optional<DimExpr> Elaborator::evalDim(const Expr *expr) {
  Value value = eval(expr);
  if (std::optional<DimExpr> dim = value.asDim()) {
    if (dim->isValid())
      return dim;
    fail(expr->range, DiagCode::InvalidValue, "the extent overflows");
  } else if (!value.isError()) {
    fail(expr->range, DiagCode::TypeMismatch,
         "an extent is expected to be an integer or a dimension, got " + describe(value));
  }
  return std::nullopt;
}

std::optional<DType> Elaborator::evalDType(const Ident &name) {
  Value value = evalName(name.text, name.range);
  if (auto *dtype = value.as<DType>())
    return *dtype;
  if (!value.isError())
    fail(name.range, DiagCode::TypeMismatch,
         "expected an element type, got " + describe(value) +
             (value.as<DimExpr>() ? "; declare it as " + inQuotes((name.text + ": float").str())
                                  : ""));
  return std::nullopt;
}

bool Elaborator::isCompileTime(const Type *type) { return !tensorType(type); }

bool Elaborator::coerce(const Type *type, Value &value) {
  if (type->kind == Type::Kind::Union)
    return any_of(type->members, [&](const Type *member) { return coerce(member, value); });
  if (type->kind == Type::Kind::List) {
    auto *list = value.as<ListPtr>();
    if (!list)
      return false;
    std::vector<Value> elements = **list;
    if (!all_of(elements, [&](Value &element) { return coerce(type->members[0], element); }))
      return false;
    value = Value::list(std::move(elements));
    return true;
  }
  StringRef name = type->name.text;
  if (auto *integer = value.as<int64_t>();
      integer && name == "float" &&
      static_cast<__int128>(static_cast<double>(*integer)) == *integer) {
    value = static_cast<double>(*integer);
    return true;
  }
  if (name == "int" && value.as<DimExpr>() && !frame->inLayer)
    return true; // what wants a number of it says so
  return (name == "int" && value.as<int64_t>()) || (name == "float" && value.as<double>()) ||
         (name == "bool" && value.as<bool>()) || (name == "str" && value.as<std::string>()) ||
         (name == "dtype" && value.as<DType>()) || (name == "layer" && value.as<Instance *>()) ||
         (name == "None" && value.as<None>());
}

/// Binds a generic element type at its first use; compares otherwise.
bool Elaborator::matchDType(const Ident &name, DType actual, SMRange place,
                            const std::string &what) {
  if (auto *fn = dyn_cast<FnDecl>(frame->decl); fn && !frame->locals.contains(name.text))
    for (const Generic &generic : fn->generics)
      if (generic.name.text == name.text && !generic.dtypeClass.text.empty()) {
        StringRef wanted = generic.dtypeClass.text;
        bool fits = wanted == "float" ? isFloat(actual)
                    : wanted == "int" ? isInteger(actual)
                                      : actual != DType::Bool;
        if (!fits) {
          failAt(place, DiagCode::TypeMismatch,
                 what + ": expected an element type of the class '" + wanted + "', got " +
                     kiln::name(actual),
                 generic.name.range, "the class is declared here");
          return false;
        }
        frame->locals[name.text] = actual;
        frame->bound[name.text] = place;
        return true;
      }
  std::optional<DType> expected = evalDType(name);
  if (!expected)
    return false;
  if (*expected == actual)
    return true;
  SmallVector<Note, 2> notes = {{name.range, "the type is declared here"}};
  if (auto first = frame->bound.find(name.text);
      first != frame->bound.end() && frame->locals.contains(name.text))
    notes.push_back({first->second, inQuotes(name.text) + " is " +
                                        std::string(kiln::name(*expected)) + " by this argument"});
  failWith(place, DiagCode::TypeMismatch,
           what + ": expected elements of type " + kiln::name(*expected) + ", got " +
               kiln::name(actual),
           notes);
  return false;
}

static std::string noTensor(const Type *type, const Value &value) {
  std::string hint = "; it is optional if its type is '" + textOf(type) + " | None'";
  return ": expected a tensor, got " + describe(value) + (value.as<None>() ? hint : "");
}

/// The element type of a name in a signature, if it has one already.
static std::optional<DType> typeNamed(const Frame &frame, StringRef name) {
  auto bound = frame.locals.find(name);
  if (bound != frame.locals.end())
    if (auto *dtype = bound->second.as<DType>())
      return *dtype;
  return parseDType({name.data(), name.size()});
}

/// Compares a value with a tensor type of the current frame's signature. Numbers and dimensions
/// become scalars. What needs solving or proof goes to `equations`.
bool Elaborator::matchTensor(const Type *type, Value &value, SMRange place, const std::string &what,
                             std::vector<Equation> &equations) {
  if (value.as<None>() && takesNone(type))
    return true;
  if (const Type *tensor = tensorType(type))
    type = tensor;
  if (type->kind != Type::Kind::Named || !(value.isArithmetic() || spellsTensor(value))) {
    failAt(place, DiagCode::TypeMismatch, what + noTensor(type, value), type->range,
           "the type is declared here");
    return false;
  }
  if (!value.as<mlir::Value>()) {
    mlir::Value tensor = toTensor(value, typeNamed(*frame, type->name.text), place);
    if (!tensor)
      return false;
    value = tensor;
  }
  mlir::Type actualType = value.as<mlir::Value>()->getType();
  if (!matchDType(type->name, *ir::dtypeOf(actualType), place, what))
    return false;
  Dims actual = ir::dimsOf(actualType);
  size_t fixed = count_if(type->dims, [](const Expr *e) { return !isa<EllipsisExpr>(e); });
  bool open = fixed != type->dims.size();
  if (open ? actual.size() < fixed : actual.size() != fixed) {
    failAt(place, DiagCode::ShapeMismatch,
           what + ": expected " + (open ? "at least " : "") + Twine(fixed) + " dimension" +
               (fixed == 1 ? "" : "s") + ", got " + ir::typeText(actualType),
           type->range, "the type is declared here");
    return false;
  }
  size_t axis = 0;
  bool ok = true;
  for (const Expr *expr : type->dims) {
    if (auto *ellipsis = dyn_cast<EllipsisExpr>(expr)) {
      ArrayRef<DimExpr> found = ArrayRef(actual).slice(axis, actual.size() - fixed);
      axis += found.size();
      if (ellipsis->isOwn)
        continue;
      if (!frame->leading) {
        frame->leading = Dims(found);
        frame->leadingPlace = place;
        continue;
      }
      if (frame->leading->size() != found.size()) {
        failWith(
            place, DiagCode::ShapeMismatch,
            what + ": expected '...' to stand for " + Twine(frame->leading->size()) +
                " dimensions as before, got " + Twine(found.size()),
            {{expr->range, "the type is declared here"}, {frame->leadingPlace, leadingText()}});
        return false;
      }
      for (auto [expected, got] : zip(*frame->leading, found))
        equations.push_back({expected, got, place, expr->range, what, {}, "..."});
      continue;
    }
    const DimExpr &got = actual[axis++];
    if (isa<WildcardExpr>(expr))
      continue;
    std::optional<DimExpr> expected = evalDim(expr);
    ok &= expected.has_value();
    if (expected)
      equations.push_back(
          {*expected, got, place, expr->range, what + ": dimension " + std::to_string(axis - 1)});
  }
  return ok;
}

static bool isUnknown(StringRef name) { return name.starts_with("$"); }

static std::set<std::string> unknownsOf(const DimExpr &expr) {
  std::set<std::string> names;
  expr.collectSymbols(names);
  std::erase_if(names, [](const std::string &name) { return !isUnknown(name); });
  return names;
}

Solution kiln::solve(MutableArrayRef<Equation> equations) {
  Solution solved;
  for (Equation &equation : equations)
    if (equation.unknowns.empty())
      equation.unknowns = unknownsOf(equation.expected);
  for (bool progress = true; progress;) {
    progress = false;
    for (Equation &equation : equations) {
      equation.expected = equation.expected.substitute(solved);
      auto found = solveFor(equation.expected, equation.actual, isUnknown);
      if (!found)
        continue;
      equation.told = found->first;
      solved.insert(std::move(*found));
      progress = true;
    }
  }
  return solved;
}

/// Evaluates a default in the current frame, under the dimensions that follow from the equations.
Value Elaborator::evalDefault(const Parameter &parameter, std::vector<Equation> equations) {
  Solution solved = solve(equations);
  if (auto *fn = dyn_cast<FnDecl>(frame->decl))
    for (const Generic &generic : fn->generics)
      if (auto it = solved.find("$" + generic.name.text.str()); it != solved.end())
        frame->locals[generic.name.text] = Value::dim(it->second);
  Frame *own = frame;
  own->inDefault = true;
  Value value = eval(parameter.defaultValue);
  own->inDefault = false;
  return value;
}

/// Solves the unknown dimensions, binds them in the current frame, and checks the rest.
bool Elaborator::unify(ArrayRef<Generic> generics, std::vector<Equation> &equations,
                       SMRange place) {
  Solution solved = solve(equations);
  bool ok = true;
  for (const Generic &generic : generics) {
    if (!generic.dtypeClass.text.empty())
      continue;
    auto it = solved.find("$" + generic.name.text.str());
    if (it != solved.end()) {
      frame->locals[generic.name.text] = Value::dim(it->second);
      ok &= require(
          {it->second, Relation::AtLeast, 0, "the dimension " + inQuotes(generic.name.text)}, place,
          generic.name.range);
      continue;
    }
    bool used = any_of(equations, [&](const Equation &e) {
      return unknownsOf(e.expected).count("$" + generic.name.text.str());
    });
    if (!used) {
      frame->open.push_back(&generic);
      frame->locals.erase(generic.name.text);
      continue;
    }
    failAt(place, DiagCode::ShapeMismatch,
           "the dimension " + inQuotes(generic.name.text) + " does not follow from the arguments",
           generic.name.range, "it is declared here");
    ok = false;
  }
  for (Equation &equation : equations) {
    equation.expected = equation.expected.substitute(solved);
    ok &= !unknownsOf(equation.expected).empty() ||
          requireEqual(equation, reasonsOf(equation, equations, solved));
  }
  for (const Generic &generic : generics) {
    if (!ok || is_contained(frame->open, &generic))
      continue;
    std::optional<DimExpr> value = frame->locals[generic.name.text].asDim();
    ok &= !(generic.bound || generic.least) || (value && requireBounds(generic, *value, place));
  }
  return ok;
}

/// What a signature says of a dimension's size.
bool Elaborator::requireBounds(const Generic &generic, const DimExpr &value, SMRange place) {
  bool ok = true;
  for (auto [bound, relation] :
       {std::pair(generic.least, Relation::AtLeast), std::pair(generic.bound, Relation::AtMost)}) {
    if (!bound)
      continue;
    std::optional<DimExpr> limit = evalDim(bound);
    ok &=
        limit && require({value, relation, *limit, "the dimension " + inQuotes(generic.name.text)},
                         place, generic.name.range);
  }
  return ok;
}

/// Reports what can never hold at `place`, with a note at `declared` if there is one; what a call's
/// dimensions decide becomes a check at entry.
bool Elaborator::require(const Requirement &requirement, SMRange place, SMRange declared,
                         ArrayRef<Note> reasons) {
  if (scope.require(requirement, location(place), builder.getInsertionBlock()) != Verdict::Refuted)
    return true;
  std::string text = requirement.subject + ": expected " +
                     std::string(words(requirement.relation)) + dimText(requirement.expected) +
                     ", got " + dimText(requirement.got);
  SmallVector<Note> notes;
  if (declared.isValid())
    notes.push_back({declared, requirement.relation == Relation::Equal
                                   ? "the extent is declared here"
                                   : "the bound is declared here"});
  append_range(notes, reasons);
  failWith(place, DiagCode::ShapeMismatch, text, notes);
  return false;
}

bool Elaborator::requireEqual(const Equation &e, ArrayRef<Note> reasons) {
  return require({e.actual, Relation::Equal, e.expected, e.what}, e.place, e.declared, reasons);
}

/// Compares what a function returned with its declared results, in its frame.
Value Elaborator::checkResults(const FnDecl *fn, const Value &value) {
  if (value.isError() || (fn->results.empty() && frame->open.empty()))
    return value;
  for (const Generic *generic : frame->open) // a stand-in, which the results solve
    frame->locals[generic->name.text] = unknownDim(generic->name.text);
  std::vector<Value> values = {value};
  if (auto *several = value.as<Results>())
    values = *several->values;
  SMRange place = frame->resultPlace;
  if (!fn->results.empty() && values.size() != fn->results.size())
    return failAt(place, DiagCode::TypeMismatch,
                  inQuotes(fn->name.text) + " is expected to return " + Twine(fn->results.size()) +
                      (fn->results.size() == 1 ? " value" : " values") + ", got " +
                      Twine(values.size()),
                  fn->name.range, "the function is declared here");
  bool ok = true;
  std::vector<Equation> equations;
  auto placeOf = [&](size_t i) {
    return frame->returned.size() == values.size() ? frame->returned[i]->range : place;
  };
  for (auto [i, result] : enumerate(fn->results)) {
    Value &got = values[i];
    std::string what = result.name.text.empty() ? "the result of " + inQuotes(fn->name.text)
                                                : "the result " + inQuotes(result.name.text);
    if (got.isError())
      ok = false;
    else if (isCompileTime(result.type) && !got.as<mlir::Value>()) {
      if (!coerce(result.type, got)) {
        failAt(placeOf(i), DiagCode::TypeMismatch, what + " is " + describe(got),
               result.type->range, "its type is declared here");
        ok = false;
      }
    } else
      ok &= matchTensor(result.type, got, placeOf(i), what, equations);
  }
  ok = ok && closeDimensions(equations);
  for (const Equation &equation : equations)
    ok = requireEqual(equation) && ok;
  if (!ok)
    return Value();
  for (auto [i, result] : enumerate(fn->results))
    values[i] = asDeclared(result.type, values[i], placeOf(i));
  return values.size() == 1 ? values[0]
                            : Value(Results{*Value::list(std::move(values)).as<ListPtr>()});
}
