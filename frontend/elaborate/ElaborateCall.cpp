//===- ElaborateCall.cpp - calls of functions and layers ------------------===//
#include "frontend/elaborate/Elaborator.h"
#include "frontend/syntax/Suggest.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

Value Elaborator::evalCall(const CallExpr *expr) {
  Args args;
  bool poisoned = false;
  for (const Argument &argument : expr->arguments) {
    args.push_back({argument.name.text, eval(argument.value), argument.value->range});
    poisoned |= args.back().value.isError();
  }
  if (poisoned)
    return Value();
  remember(expr->callee, Value());
  if (auto *name = dyn_cast<NameExpr>(expr->callee))
    return callNamed(name->name, expr, args);
  if (auto *member = dyn_cast<MemberExpr>(expr->callee)) {
    if (auto *name = dyn_cast<NameExpr>(member->base);
        name && !frame->locals.contains(name->name)) {
      if (auto it = frame->module->imports.find(name->name); it != frame->module->imports.end()) {
        const Module *module = it->second;
        if (!module)
          return Value();
        if (const Stmt *decl = module->exported(member->name.text))
          return callDecl(decl, module, args, expr->range);
        return evalMember(member);
      }
      if (const Primitive *primitive = primitives.find(name->name, member->name.text);
          primitive && !frame->module->decls.contains(name->name) &&
          !(frame->self && frame->self->arguments.contains(name->name)))
        return callPrimitive(*primitive, args, expr->range);
    }
    Value base = eval(member->base);
    if (base.isError())
      return base;
    if (auto *instance = base.as<Instance *>();
        instance && !(*instance)->members.count(member->name.text))
      if (const FnDecl *fn = method(**instance, member->name.text))
        return callFn(fn, (*instance)->module, *instance, args, expr->range);
  }
  Value callee = eval(expr->callee);
  if (callee.isError())
    return callee;
  return callValue(callee, expr->callee->range, args, expr->range);
}

/// A layer's `forward`; of a list of layers one after another, as PyTorch's `Sequential`.
Value Elaborator::callValue(const Value &callee, SMRange name, Args &args, SMRange place) {
  if (auto *list = callee.as<ListPtr>(); list && !(*list)->empty()) {
    Value result;
    for (const Value &layer : **list) {
      result = callValue(layer, name, args, place);
      if (result.isError())
        return result;
      args = {{"", result, place}};
    }
    return result;
  }
  auto *instance = callee.as<Instance *>();
  if (!instance)
    return fail(name, DiagCode::TypeMismatch, describe(callee) + " cannot be called");
  if (const FnDecl *forward = method(**instance, "forward"))
    return callFn(forward, (*instance)->module, *instance, args, place);
  return failAt(name, DiagCode::UnknownName,
                inQuotes((*instance)->decl->name.text) + " has no function 'forward'",
                (*instance)->decl->name.range, "the layer is declared here");
}

Value Elaborator::callNamed(StringRef name, const CallExpr *expr, Args &args) {
  auto local = frame->locals.find(name);
  bool isValue =
      local != frame->locals.end() || (frame->self && frame->self->arguments.contains(name));
  if (isValue) {
    Value callee = evalName(name, expr->callee->range);
    return callee.isError() ? callee : callValue(callee, expr->callee->range, args, expr->range);
  }
  if (auto it = frame->module->decls.find(name); it != frame->module->decls.end())
    return callDecl(it->second, frame->module, args, expr->range);
  bool known = false;
  Value builtin = callBuiltin(name, args, expr->range, known);
  if (known)
    return builtin;
  if (const Primitive *primitive = primitives.find(name))
    return callPrimitive(*primitive, args, expr->range);
  return fail(expr->callee->range, DiagCode::UnknownName,
              "there is no function " + inQuotes(name) + didYouMean(name, primitives.names()));
}

/// A function of one number that is known at compile time; nothing if the name is of no such one.
/// Rounding gives an integer, as Python's.
static std::optional<Value> foldFunction(StringRef name, const Value &argument) {
  auto *integer = argument.as<int64_t>();
  auto *number = argument.as<double>();
  if (!integer && !number)
    return std::nullopt;
  double x = integer ? static_cast<double>(*integer) : *number;
  using Function = double (*)(double);
  auto function = StringSwitch<Function>(name)
                      .Case("sqrt", std::sqrt)
                      .Case("exp", std::exp)
                      .Case("log", std::log)
                      .Case("log2", std::log2)
                      .Case("log10", std::log10)
                      .Case("sin", std::sin)
                      .Case("cos", std::cos)
                      .Case("tan", std::tan)
                      .Case("tanh", std::tanh)
                      .Default(nullptr);
  if (function)
    return Value(function(x));
  auto whole = StringSwitch<Function>(name)
                   .Case("floor", std::floor)
                   .Case("ceil", std::ceil)
                   .Case("round", std::nearbyint)
                   .Default(nullptr);
  constexpr double limit = 9.0e18; // of an i64
  if (whole && integer)
    return argument;
  if (whole && std::fabs(x) < limit)
    return Value(static_cast<int64_t>(whole(x)));
  if (name == "abs" && (number || *integer != INT64_MIN))
    return integer ? Value(std::abs(*integer)) : Value(std::fabs(x));
  return std::nullopt;
}

/// The least, the largest or the sum of numbers and dimensions; the empty value of others.
static Value foldMany(StringRef name, ArrayRef<Value> values,
                      function_ref<Value(TokenKind, const Value &, const Value &)> apply) {
  bool areNumbers =
      all_of(values, [](const Value &v) { return v.as<int64_t>() || v.as<double>(); });
  bool areDims = all_of(values, [](const Value &v) { return v.asDim().has_value(); });
  if (values.empty() || !(areNumbers || areDims))
    return Value();
  Value result = values[0];
  for (const Value &value : values.drop_front()) {
    if (name == "sum") {
      result = apply(TokenKind::Plus, result, value);
    } else if (!areNumbers) {
      DimExpr a = *result.asDim(), b = *value.asDim();
      result = Value::dim(name == "min" ? DimExpr::min(a, b) : DimExpr::max(a, b));
    } else {
      TokenKind op = name == "min" ? TokenKind::Less : TokenKind::Greater;
      result = *apply(op, value, result).as<bool>() ? value : result;
    }
  }
  return result;
}

/// enumerate, zip and reversed of lists, as Python's; nothing if the arguments are no lists.
static std::optional<Value> foldLists(StringRef name, const Args &args) {
  SmallVector<ArrayRef<Value>> lists;
  for (const Arg &arg : args)
    if (auto *list = arg.value.as<ListPtr>(); list && arg.name.empty())
      lists.push_back(**list);
  if (lists.empty() || lists.size() != args.size() || (name != "zip" && lists.size() != 1))
    return std::nullopt;
  if (name == "reversed")
    return Value::list(std::vector<Value>(lists[0].rbegin(), lists[0].rend()));
  std::vector<Value> rows;
  for (size_t i = 0; all_of(lists, [&](ArrayRef<Value> list) { return i < list.size(); }); ++i) {
    std::vector<Value> row;
    if (name == "enumerate")
      row.push_back(static_cast<int64_t>(i));
    for (ArrayRef<Value> list : lists)
      row.push_back(list[i]);
    rows.push_back(Value::list(std::move(row)));
  }
  return Value::list(std::move(rows));
}

/// The functions of compile-time values; `known` tells whether the name and arguments are of one.
Value Elaborator::callBuiltin(StringRef name, const Args &args, SMRange place, bool &known) {
  bool positional = all_of(args, [](const Arg &arg) { return arg.name.empty(); });
  auto *list = args.size() == 1 ? args[0].value.as<ListPtr>() : nullptr;
  size_t copies = name == "single" ? 1 : name == "pair" ? 2 : name == "triple" ? 3 : 0;
  bool ofLists = is_contained({"enumerate", "zip", "reversed"}, name);
  known = name == "len" || copies || name == "range" || ofLists;
  if (ofLists)
    if (std::optional<Value> made = foldLists(name, args))
      return *made;
  if (positional && args.size() == 1)
    if (std::optional<Value> folded = foldFunction(name, args[0].value)) {
      known = true;
      return *folded;
    }
  if (name == "len" && positional && list)
    return static_cast<int64_t>((*list)->size());
  if (copies && positional && args.size() == 1)
    return list ? args[0].value : Value::list(std::vector<Value>(copies, args[0].value));
  if (name == "range" && positional && !args.empty() && args.size() <= 3) {
    int64_t parts[3] = {0, 0, 1};
    for (auto [i, arg] : enumerate(args)) {
      auto *integer = arg.value.as<int64_t>();
      if (!integer)
        return fail(
            arg.range, DiagCode::TypeMismatch,
            "'range' expected an integer, got " + describe(arg.value) +
                (arg.value.asDim() ? "; 'scan i in arange(N)' goes through a dimension" : ""));
      parts[args.size() == 1 ? 1 : i] = *integer;
    }
    if (parts[2] == 0)
      return fail(args[2].range, DiagCode::InvalidValue, "the step of a range is not 0");
    std::vector<Value> values;
    for (__int128 i = parts[0]; parts[2] > 0 ? i < parts[1] : i > parts[1]; i += parts[2]) {
      if (static_cast<int64_t>(values.size()) == maxRounds)
        return fail(place, DiagCode::LimitExceeded,
                    "a range has at most " + Twine(maxRounds) + " elements");
      values.push_back(static_cast<int64_t>(i));
    }
    return Value::list(std::move(values));
  }
  if (name == "min" || name == "max" || name == "sum") {
    std::vector<Value> values;
    for (const Arg &arg : args)
      values.push_back(arg.value);
    if (list)
      values = **list;
    if (positional && (list || (args.size() >= 2 && name != "sum")))
      if (Value found = foldMany(name, values,
                                 [&](TokenKind op, const Value &a, const Value &b) {
                                   return binary(op, a, b, place);
                                 });
          !found.isError()) {
        known = true;
        return found;
      }
  }
  return known ? fail(place, DiagCode::BadArgument,
                      "'len', 'enumerate' and 'reversed' take a list, 'zip' lists, 'single', "
                      "'pair' and "
                      "'triple' one value, 'range' one to three integers")
               : Value();
}

Value Elaborator::callDecl(const Stmt *decl, const Module *module, Args &args, SMRange place) {
  if (auto *fn = dyn_cast<FnDecl>(decl))
    return callFn(fn, module, nullptr, args, place);
  if (auto *layer = dyn_cast<LayerDecl>(decl)) {
    if (layer->isModel)
      return failAt(place, DiagCode::TypeMismatch,
                    "the model " + inQuotes(layer->name.text) + " has no caller", layer->name.range,
                    "it is declared here");
    return makeLayer(layer, module, args, place);
  }
  return failAt(place, DiagCode::TypeMismatch,
                inQuotes(declaredName(decl).text) + " cannot be called", declaredName(decl).range,
                "it is declared here");
}

const FnDecl *Elaborator::method(const Instance &instance, StringRef name) {
  auto found = find_if(instance.functions, [&](auto *fn) { return fn->name.text == name; });
  return found == instance.functions.end() ? nullptr : *found;
}

/// Makes `callee` the current frame unless it is in progress or calls nest too deeply. A function
/// that no layer has may call itself over the parts of layers: those come to an end.
bool Elaborator::enter(Frame &callee, SMRange place, StringRef name) {
  unsigned nesting = 0;
  bool isOfParts = false;
  for (Frame *outer = frame; outer; outer = outer->caller, ++nesting) {
    isOfParts |= !callee.self && outer->self && !outer->inLayer;
    if (outer->decl == callee.decl && !isOfParts &&
        (outer->self == callee.self || callee.inLayer)) {
      failAt(place, DiagCode::Recursion, inQuotes(name) + " calls itself, over others or directly",
             declaredName(callee.decl).range, "it is declared here");
      return false;
    }
  }
  if (nesting >= maxCalls) {
    fail(place, DiagCode::LimitExceeded, "calls nest deeper than " + Twine(maxCalls));
    return false;
  }
  callee.caller = frame;
  callee.callPlace = place;
  frame = &callee;
  return true;
}

bool Elaborator::bindArguments(ArrayRef<Formal> formals, Args &args, SMRange place,
                               const Callee &callee, std::vector<const Arg *> &bound) {
  bound.assign(formals.size(), nullptr);
  size_t next = 0, positional = count_if(formals, [](const Formal &f) { return !f.byName; });
  bool ok = true;
  Note declared{callee.declared, callee.declared.isValid() ? callee.title + " is declared here"
                                 : callee.signature.empty()
                                     ? ""
                                     : "the function is " + callee.signature};
  auto report = [&](SMRange where, const Twine &text, Note other = {}) {
    failWith(where, DiagCode::BadArgument, text, other.message.empty() ? declared : other);
    ok = false;
  };
  for (const Arg &arg : args) {
    if (arg.name.empty()) {
      if (next == positional) {
        report(arg.range, callee.title + " takes at most " + Twine(positional) +
                              " positional argument" + (positional == 1 ? "" : "s"));
        return false;
      }
      bound[next++] = &arg;
      continue;
    }
    auto *formal = find_if(formals, [&](const Formal &f) { return f.name == arg.name; });
    if (formal == formals.end()) {
      SmallVector<StringRef> known;
      for (const Formal &f : formals)
        known.push_back(f.name);
      report(arg.range, callee.title + " has no argument " + inQuotes(arg.name) +
                            didYouMeanArgument(arg.name, known));
    } else if (const Arg *&slot = bound[formal - formals.begin()]) {
      report(arg.range,
             "the argument " + inQuotes(arg.name) + " of " + callee.title + " is given twice",
             {slot->range, "the first one is here"});
    } else {
      slot = &arg;
    }
  }
  // What is missing after a misspelt name is most likely what was meant by it.
  for (auto [formal, arg] : zip(formals, bound))
    if (ok && formal.required && !arg)
      report(place, callee.title + " lacks the argument " + inQuotes(formal.name),
             {formal.place, formal.place.isValid() ? "the argument is declared here" : ""});
  return ok;
}

/// Coerces arguments to the parameters' types in the callee's frame and collects equations between
/// extents. Defaults are evaluated in the callee, after the parameters before them; those of
/// tensors last, since all arguments may tell their dimensions.
bool Elaborator::bindParameters(ArrayRef<Parameter> parameters, ArrayRef<const Arg *> bound,
                                Frame &callee, std::vector<Equation> &equations, SMRange place) {
  bool ok = true;
  auto bind = [&](const Parameter &parameter, const Arg *arg) {
    Value value = arg ? arg->value : evalDefault(parameter, equations);
    SMRange at = arg ? arg->range : parameter.defaultValue->range;
    std::string what = inQuotes(parameter.name.text) + " of " + callee.title();
    if (value.isError()) {
      ok = false;
    } else if (isCompileTime(parameter.type) && !value.as<mlir::Value>()) {
      if (!coerce(parameter.type, value)) {
        failAt(at, DiagCode::TypeMismatch,
               what + ": expected " + textOf(parameter.type) + ", got " + describe(value),
               parameter.name.range, "the argument is declared here");
        ok = false;
      }
    } else if (!matchTensor(parameter.type, value, at, what, equations)) {
      ok = false;
    }
    callee.locals[parameter.name.text] = value;
  };
  for (bool last : {false, true})
    for (auto [parameter, arg] : zip(parameters, bound))
      if (last == (!arg && !isCompileTime(parameter.type)))
        bind(parameter, arg);
  return ok;
}

static SmallVector<Formal> formalsOf(ArrayRef<Parameter> parameters) {
  return map_to_vector(parameters, [](const Parameter &p) {
    return Formal{p.name.text, !p.defaultValue, false, p.name.range};
  });
}

Value Elaborator::callFn(const FnDecl *fn, const Module *module, Instance *self, Args &args,
                         SMRange place) {
  SmallVector<Formal> formals = formalsOf(fn->parameters);
  std::vector<const Arg *> bound;
  std::string callee =
      inQuotes(self && fn->name.text == "forward" ? self->decl->name.text : fn->name.text);
  if (!bindArguments(formals, args, place, {callee, fn->name.range}, bound))
    return Value();
  if (frame->inLayer && any_of(args, [](const Arg &arg) { return arg.value.as<mlir::Value>(); }))
    return Value();
  mlir::Location callLoc = location(place);
  Frame own(module);
  own.self = self;
  own.decl = fn;
  if (!enter(own, place, fn->name.text))
    return Value();
  llvm::scope_exit leave([&] { frame = own.caller; });
  own.callLoc = callLoc;
  for (const Generic &generic : fn->generics)
    if (generic.dtypeClass.text.empty())
      own.locals[generic.name.text] = unknownDim(generic.name.text);
  std::vector<Equation> equations;
  // Errors of arguments belong to the caller's place: they are reported without the callee's frame.
  if (!bindParameters(fn->parameters, bound, own, equations, place) ||
      !unify(fn->generics, equations, place))
    return Value();
  exec(fn->body);
  if (!own.result)
    return diags.isFull() ? Value() : missingReturn(fn);
  return checkResults(fn, *own.result);
}

Value Elaborator::makeLayer(const LayerDecl *decl, const Module *module, Args &args,
                            SMRange place) {
  if (frame && !frame->inLayer)
    return failAt(place, DiagCode::MisplacedStatement,
                  "layers are made in the body of a layer, not in a function", decl->name.range,
                  "the layer is declared here");
  SmallVector<Formal> formals = formalsOf(decl->parameters);
  std::vector<const Arg *> bound;
  if (!bindArguments(formals, args, place, {inQuotes(decl->name.text), decl->name.range}, bound))
    return Value();
  if (instances.size() == maxLayers) {
    steps = maxSteps; // nothing more is built
    return fail(place, DiagCode::LimitExceeded,
                "a model has at most " + Twine(maxLayers) + " layers");
  }
  Frame own(module);
  own.decl = decl;
  own.inLayer = true;
  instances.push_back({decl, module, {}, {}, {}, {}, {}, "", false, place, {}});
  Instance &instance = instances.back();
  // Those of branches are there once the branch has been taken.
  for (const Stmt *stmt : decl->body)
    if (auto *fn = dyn_cast<FnDecl>(stmt))
      instance.functions.push_back(fn);
  own.self = &instance;
  if (!enter(own, place, decl->name.text))
    return Value();
  llvm::scope_exit leave([&] { frame = own.caller; });
  std::vector<Equation> equations;
  if (!bindParameters(decl->parameters, bound, own, equations, place))
    return Value();
  for (const Parameter &parameter : decl->parameters)
    instance.arguments[parameter.name.text] = own.locals[parameter.name.text];
  exec(decl->body);
  return &instance;
}
