//===- Elaborator.cpp - the model and its entry points ---------===//
#include "frontend/elaborate/Elaborator.h"

#include "frontend/syntax/Parser.h"
#include "ir/KilnOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/ScopeExit.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

/// The place in the user's file; in an inlined call, with the place of the call.
mlir::Location Elaboration::location(SMRange place) {
  SourceMgr &sources = diags.sourceManager();
  unsigned buffer = place.isValid() ? sources.FindBufferContainingLoc(place.Start) : 0;
  if (!buffer)
    return builder.getUnknownLoc();
  auto [line, column] = sources.getLineAndColumn(place.Start, buffer);
  mlir::Location own = mlir::FileLineColLoc::get(
      &context, sources.getMemoryBuffer(buffer)->getBufferIdentifier(), line, column);
  return frame && frame->callLoc ? mlir::Location(mlir::CallSiteLoc::get(own, *frame->callLoc))
                                 : own;
}

mlir::Value Elaborator::get(const Weight *weight, SMRange place) {
  if (weight->decl->member == MemberKind::State)
    return stateValues.lookup(weight);
  mlir::Value &value = loaded[weight];
  if (value)
    return value;
  // Outside of loops and branches: the value serves the whole function.
  mlir::OpBuilder::InsertionGuard guard(builder);
  mlir::Operation *outermost = nullptr;
  for (mlir::Operation *op = builder.getInsertionBlock()->getParentOp();
       op && !mlir::isa<mlir::func::FuncOp>(op); op = op->getParentOp())
    outermost = op;
  if (outermost)
    builder.setInsertionPoint(outermost);
  return value = ir::GetOp::create(builder, location(place), weight->type, weight->path);
}

//===----------------------------------------------------------------------===//
// The model
//===----------------------------------------------------------------------===//

/// Reads the text of a `--set`: an expression of the language.
Value Elaborator::parseSet(StringRef name, StringRef text) {
  std::string source = ("const value = " + text + "\n").str();
  unsigned buffer = diags.sourceManager().AddNewSourceBuffer(
      MemoryBuffer::getMemBufferCopy(source, ("--set " + name).str()), SMLoc());
  unsigned before = diags.numErrors();
  File file = parseFile(buffer, diags, modules.arena());
  if (diags.numErrors() != before || file.decls.size() != 1)
    return Value();
  Module module;
  Frame own(&module);
  frame = &own;
  Value value = eval(cast<ConstDecl>(file.decls[0])->value);
  frame = nullptr;
  return value;
}

bool Elaborator::bindModelArguments(const LayerDecl *model, const ImportOptions &options,
                                    Args &args) {
  SmallVector<StringRef> known;
  for (const Parameter &parameter : model->parameters)
    known.push_back(parameter.name.text);
  bool ok = true;
  for (auto &[name, text] : options.sets) {
    const Parameter *parameter =
        find_if(model->parameters,
                [&, name = StringRef(name)](const Parameter &p) { return p.name.text == name; });
    if (parameter == model->parameters.end()) {
      failAt(SMRange(), DiagCode::BadArgument,
             "the model " + inQuotes(model->name.text) + " has no argument " + inQuotes(name) +
                 didYouMean(name, known),
             model->name.range, "it is declared here");
      ok = false;
      continue;
    }
    bool isText = parameter->type->kind == Type::Kind::Named &&
                  parameter->type->name.text == "str" && !StringRef(text).starts_with("\"");
    Value value = isText ? Value(text) : parseSet(name, text);
    ok &= !value.isError();
    args.push_back({parameter->name.text, value, model->name.range});
  }
  for (const Parameter &parameter : model->parameters)
    if (!parameter.defaultValue &&
        none_of(args, [&](const Arg &arg) { return arg.name == parameter.name.text; })) {
      fail(parameter.name.range, DiagCode::BadArgument,
           "the argument " + inQuotes(parameter.name.text) + " of the model " +
               inQuotes(model->name.text) + " has no default; give it by '--set " +
               parameter.name.text + "=…'");
      ok = false;
    }
  return ok;
}

void Elaborator::nameValue(const Value &value, const std::string &path) {
  if (auto *list = value.as<ListPtr>())
    for (auto [i, element] : enumerate(**list))
      nameValue(element, path + "." + std::to_string(i));
  else if (auto *instance = value.as<Instance *>())
    nameMembers(**instance, path);
  else if (auto *weight = value.as<Weight *>())
    (*weight)->path = path;
}

/// Gives an instance and what it holds their paths; a layer held twice keeps its first one.
void Elaborator::nameMembers(Instance &instance, const std::string &path) {
  if (std::exchange(instance.named, true))
    return;
  instance.path = path;
  for (auto &[name, value] : instance.members)
    nameValue(value, (path.empty() ? "" : path + ".") + name.str());
}

/// Weights as symbols, in the order in which layers make them; ties, and patterns of ignored
/// tensors.
void Elaborator::emitWeights(mlir::ModuleOp module) {
  std::map<std::string, Weight *> byPath;
  for (Weight &weight : weights)
    if (!weight.path.empty())
      byPath[weight.path] = &weight;
  SmallVector<mlir::Attribute> ignored, ties;
  std::set<const Weight *> aliases;
  for (Instance &instance : instances) {
    if (!instance.named)
      continue;
    std::string prefix = instance.path.empty() ? "" : instance.path + ".";
    for (const IgnoreDecl *decl : instance.ignores)
      for (const StringExpr *pattern : decl->patterns)
        ignored.push_back(builder.getStringAttr(prefix + pattern->value));
    for (const TieDecl *tie : instance.ties) {
      auto alias = byPath.find(prefix + tie->alias.text.str()),
           stored = byPath.find(prefix + tie->stored.text.str());
      for (auto [found, name] : {std::pair(alias, tie->alias), std::pair(stored, tie->stored)})
        if (found == byPath.end()) {
          std::string path = prefix + name.text.str();
          SmallVector<StringRef> known;
          for (auto &entry : byPath)
            known.push_back(entry.first);
          auto near = byPath.find(nearest(path, known).str());
          failAt(name.range, DiagCode::UnknownName,
                 "there is no parameter " + inQuotes(path) + didYouMean(path, known),
                 near == byPath.end() ? SMRange() : near->second->decl->name.range,
                 "that one is declared here");
        }
      if (alias == byPath.end() || stored == byPath.end())
        continue;
      if (alias->second->type != stored->second->type) {
        failAt(tie->range, DiagCode::TypeMismatch,
               "tied parameters differ in type: " + ir::typeText(alias->second->type) + " and " +
                   ir::typeText(stored->second->type),
               alias->second->decl->range, "the first is declared here");
        continue;
      }
      ties.push_back(builder.getStrArrayAttr({alias->first, stored->first}));
      aliases.insert(alias->second);
      alias->second->path = stored->first;
    }
  }
  builder.setInsertionPointToEnd(module.getBody());
  for (const Weight &weight : weights) {
    if (weight.path.empty() || aliases.count(&weight))
      continue;
    if (weight.decl->member == MemberKind::State) {
      emitState(module, weight);
      continue;
    }
    auto op = ir::WeightOp::create(builder, location(weight.decl->name.range), weight.path,
                                   weight.type, nullptr);
    op->setAttr("kind", builder.getStringAttr(weight.decl->member == MemberKind::Param ? "param"
                                                                                       : "buffer"));
  }
  if (!ignored.empty())
    module->setAttr("kiln.ignore", builder.getArrayAttr(ignored));
  if (!ties.empty())
    module->setAttr("kiln.tie", builder.getArrayAttr(ties));
}

mlir::OwningOpRef<mlir::ModuleOp> Elaborator::run(const LayerDecl *model, const Module &module,
                                                  const ImportOptions &options) {
  mlir::OwningOpRef<mlir::ModuleOp> result = mlir::ModuleOp::create(location(model->name.range));
  Args args;
  if (!bindModelArguments(model, options, args))
    return nullptr;
  Value made = makeLayer(model, &module, args, model->name.range);
  auto *instance = made.as<Instance *>();
  if (!instance || diags.hasErrors())
    return nullptr;
  nameMembers(**instance, "");
  (*result)->setAttr("kiln.model", builder.getStringAttr(model->name.text));
  emitWeights(*result);
  std::vector<const FnDecl *> entries = (*instance)->functions;
  llvm::sort(entries, [](const FnDecl *a, const FnDecl *b) {
    return a->range.Start.getPointer() < b->range.Start.getPointer();
  });
  for (const FnDecl *fn : entries)
    if (!fn->isPrivate)
      emitEntry(*result, **instance, fn);
  for (const auto &each : modules.all())
    for (const Stmt *stmt : each->file.decls)
      if (auto *constant = dyn_cast<ConstDecl>(stmt)) // one that nothing needs, too
        evalConstant(constant, each.get(), constant->name.range);
  if (diags.hasErrors())
    return nullptr;
  if (failed(mlir::verify(*result))) {
    fail(model->name.range, DiagCode::OpError, "the imported module does not verify");
    return nullptr;
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

/// Makes the generics of an entry point known as dimensions of the function.
bool Elaborator::declareDims(const FnDecl *fn) {
  bool ok = true;
  for (const Generic &generic : fn->generics) {
    if (!generic.dtypeClass.text.empty()) {
      failAt(generic.name.range, DiagCode::TypeMismatch,
             "an entry point has no generic element types", fn->name.range, whyEntry(fn));
      ok = false;
      continue;
    }
    DimBounds range{0, std::nullopt};
    if (generic.least) {
      std::optional<DimExpr> least = evalDim(generic.least);
      std::optional<int64_t> number = least ? least->constantValue() : std::nullopt;
      if (least && (!number || *number < 0)) {
        fail(generic.least->range, DiagCode::InvalidValue,
             "the bound below a dimension is expected to be an integer of at least 0");
        ok = false;
      }
      ok &= least.has_value();
      range.lower = number.value_or(0);
    }
    if (generic.bound) {
      std::optional<DimExpr> bound = evalDim(generic.bound);
      range.upper = bound ? bound->constantValue() : std::nullopt;
      if (bound && (!range.upper || *range.upper < std::max<int64_t>(*range.lower, 1))) {
        fail(generic.bound->range, DiagCode::InvalidValue,
             Twine("the bound of a dimension is expected to be a positive integer") +
                 (generic.least ? ", at least the one below" : ""));
        ok = false;
      }
      ok &= bound.has_value();
    }
    DimExpr::BoundsMap bounds = scope.bounds();
    bounds[generic.name.text.str()] = range;
    scope = ir::DimScope(std::move(bounds));
    frame->locals[generic.name.text] =
        DimExpr::symbol(std::string_view(generic.name.text.data(), generic.name.text.size()));
  }
  return ok;
}

std::optional<DimExpr> Elaborator::inputExtent(const FnDecl *fn, const Expr *expr) {
  if (isa<WildcardExpr, EllipsisExpr>(expr)) {
    failAt(expr->range, DiagCode::TypeMismatch,
           "the inputs of an entry point are expected to have named dimensions", fn->name.range,
           whyEntry(fn));
    return std::nullopt;
  }
  std::optional<DimExpr> dim = evalDim(expr);
  if (!dim || !dim->isConstant() || *dim->constantValue() >= 0)
    return dim;
  fail(expr->range, DiagCode::InvalidValue,
       "an extent is expected to be at least 0, got " + dim->str());
  return std::nullopt;
}

void Elaborator::emitEntry(mlir::ModuleOp module, Instance &model, const FnDecl *fn) {
  loaded.clear();
  found.clear();
  decided.clear();
  scope = ir::DimScope();
  Frame own(model.module);
  own.self = &model;
  own.decl = fn;
  frame = &own;
  llvm::scope_exit leave([&] { frame = nullptr; });
  bool ok = true;
  if (!declareDims(fn))
    return;
  SmallVector<mlir::Type> inputs;
  SmallVector<mlir::DictionaryAttr> names;
  Dims extents;
  for (const Parameter &parameter : fn->parameters) {
    const Type *type = parameter.type;
    bool isTensor =
        type->kind == Type::Kind::Named && (!isCompileTime(type) || type->name.text == "bool");
    std::optional<DType> dtype = isTensor ? evalDType(type->name) : std::nullopt;
    if (!isTensor || parameter.defaultValue)
      failAt(parameter.name.range, DiagCode::TypeMismatch,
             "an argument of an entry point is expected to be a tensor without default",
             fn->name.range, whyEntry(fn));
    Dims dims;
    for (const Expr *expr : type->dims) {
      std::optional<DimExpr> dim = inputExtent(fn, expr);
      ok &= dim.has_value();
      dims.push_back(dim.value_or(DimExpr(0)));
    }
    append_range(extents, dims);
    ok &= dtype.has_value() && !parameter.defaultValue;
    DType element = dtype.value_or(DType::F32);
    inputs.push_back(ir::tensorType(&context, element, dims));
    if (!ir::fitsMemory(element, dims)) {
      fail(type->range, DiagCode::InvalidValue,
           "an argument is expected to take less than 1 TiB, got " + ir::typeText(inputs.back()));
      ok = false;
    }
    names.push_back(builder.getDictionaryAttr(
        builder.getNamedAttr("kiln.name", builder.getStringAttr(parameter.name.text))));
  }
  if (!ok || !leaveOpen(fn, extents))
    return;
  builder.setInsertionPointToEnd(module.getBody());
  auto func = mlir::func::FuncOp::create(builder, location(fn->name.range), fn->name.text,
                                         builder.getFunctionType(inputs, {}),
                                         ArrayRef<mlir::NamedAttribute>(), names);
  builder.setInsertionPointToStart(func.addEntryBlock());
  for (auto [parameter, argument] : zip(fn->parameters, func.getArguments()))
    own.locals[parameter.name.text] = argument;
  readStates();
  exec(fn->body);
  if (!own.result && !diags.isFull())
    own.result = missingReturn(fn);
  Value result = own.result ? checkResults(fn, *own.result) : Value();
  if (!result.isError())
    finishEntry(func, fn, result);
}

void Elaborator::finishEntry(mlir::Operation *op, const FnDecl *fn, const Value &result) {
  auto func = mlir::cast<mlir::func::FuncOp>(op);
  std::vector<Value> values = {result};
  if (auto *several = result.as<Results>())
    values = *several->values;
  SmallVector<mlir::Value> tensors;
  for (const Value &value : values) {
    tensors.push_back(toTensor(value, std::nullopt, frame->resultPlace));
    if (!tensors.back())
      return;
  }
  writeStates();
  mlir::func::ReturnOp::create(builder, location(frame->resultPlace), tensors);
  for (auto read : make_early_inc_range(func.getOps<ir::GetStateOp>()))
    if (read.use_empty())
      read.erase();
  func.setFunctionType(
      builder.getFunctionType(func.getArgumentTypes(), mlir::ValueRange(tensors).getTypes()));
  for (size_t i = 0; i < tensors.size(); ++i) {
    std::string name = fn->name.text.str() + (tensors.size() == 1 ? "" : "_" + std::to_string(i));
    if (i < fn->results.size() && !fn->results[i].name.text.empty())
      name = fn->results[i].name.text.str();
    func.setResultAttr(i, "kiln.name", builder.getStringAttr(name));
  }
  SmallVector<mlir::NamedAttribute> dims;
  for (auto &[name, range] : scope.bounds()) {
    SmallVector<int64_t> values = {range.lower.value_or(0)};
    if (range.upper)
      values.push_back(*range.upper);
    dims.push_back(builder.getNamedAttr(name, builder.getDenseI64ArrayAttr(values)));
  }
  func->setAttr("kiln.dims", builder.getDictionaryAttr(dims));
  // A dictionary is sorted; the C function takes dimensions as they are declared.
  SmallVector<StringRef> order;
  for (const Generic &generic : fn->generics)
    order.push_back(generic.name.text);
  if (order.size() > 1)
    func->setAttr("kiln.dim_order", builder.getStrArrayAttr(order));
  attachDataDimensions(func, fn, mlir::ValueRange(tensors).getTypes());
  scope.attachTo(func);
}
