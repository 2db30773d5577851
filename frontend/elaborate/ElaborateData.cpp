//===- ElaborateData.cpp - extents that values decide ---------------------===//
//
// What an op finds gets a dimension of its own: the number that it counts is bound to a name that
// no model can write, and as many rows are taken from what it gives. A dimension declared for
// results only is solved from what a function returns.
//
//===----------------------------------------------------------------------===//
#include "frontend/elaborate/Elaborator.h"
#include "ir/KilnOps.h"
#include "ir/Solve.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

/// Whether one of the dimensions stands in the extent.
static bool namesOne(const DimExpr &extent, const ir::BoundDimensions &dimensions) {
  std::set<std::string> symbols;
  extent.collectSymbols(symbols);
  return any_of(symbols, [&](const std::string &symbol) { return dimensions.count(symbol); });
}

/// Makes the number a dimension, from 0 to `most`.
DimExpr Elaborator::bindExtent(mlir::Value count, const DimExpr &most, const std::string &name,
                               const std::string &subject, SMRange place) {
  std::string symbol;
  for (int number = 1; symbol.empty() || scope.bounds().count(symbol); ++number)
    symbol = name + "." + std::to_string(number);
  scope.declare(symbol, most);
  decided[symbol] = most.most(decided);
  // The op's verifier wants the name declared, which the end of the entry point does for all.
  ir::BindOp::create(builder, location(place), count, builder.getStringAttr(symbol),
                     builder.getStringAttr(subject), ir::DimsAttr::get(&context, most));
  return most == DimExpr(0) ? DimExpr(0) : DimExpr::symbol(symbol); // one value is left
}

/// The results of an op that counts, each with the rows that matter.
Value Elaborator::countedResults(mlir::Operation *op, SMRange place) {
  auto counted = mlir::cast<ir::Counted>(op);
  unsigned last = op->getNumResults() - 1;
  std::string name = op->getName().stripDialect().str();
  DimExpr extent = bindExtent(op->getResult(last), ir::dimsOf(op->getResult(0).getType())[0], name,
                              "the number of elements that " + inQuotes(name) + " finds", place);
  std::vector<Value> results;
  for (unsigned i = 0; i < last; ++i) {
    if (!counted.isWanted(i))
      continue;
    mlir::Value value = op->getResult(i);
    if (counted.isCounted(i)) {
      SmallVector<ir::AxisPart> parts;
      for (const DimExpr &dim : ir::dimsOf(value.getType()))
        parts.push_back({0, dim});
      parts[0].size = extent;
      value = at(place).slice(value, parts);
    }
    results.push_back(value ? Value(value) : Value());
  }
  if (results.size() == 1)
    return results[0];
  return Results{*Value::list(std::move(results)).as<ListPtr>()};
}

/// One row [rank] for each true element; the same dimension wherever the mask is the same value.
mlir::Value Elaborator::positionsOf(mlir::Value mask, SMRange place) {
  auto known = found.find(mask);
  if (known != found.end())
    for (mlir::Block *block = builder.getInsertionBlock(); block;
         block = block->getParentOp() ? block->getParentOp()->getBlock() : nullptr)
      if (block == known->second.first)
        return known->second.second;
  mlir::Value all = at(place).create("nonzero", mask);
  Value rows = all ? countedResults(all.getDefiningOp(), place) : Value();
  auto *value = rows.as<mlir::Value>();
  if (!value)
    return nullptr;
  found[mask] = {builder.getInsertionBlock(), *value};
  return *value;
}

/// As NumPy's: a mask stands for the positions of its true elements, one tensor an axis.
bool Elaborator::maskSubscripts(mlir::Value mask, ArrayRef<DimExpr> dims, SMRange place,
                                SmallVectorImpl<Subscript> &parts) {
  Dims extents = ir::dimsOf(mask.getType());
  for (auto [i, extent] : enumerate(extents))
    if (!require({extent, Relation::Equal, dims[i],
                  "extent " + std::to_string(i) + " of an index of bools"},
                 place))
      return false;
  mlir::Value rows = positionsOf(mask, place);
  if (!rows)
    return false;
  DimExpr count = ir::dimsOf(rows.getType())[0];
  for (size_t i = 0; i < extents.size(); ++i) {
    mlir::Value column =
        at(place).slice(rows, {{0, count}, {DimExpr(int64_t(i)), 1, 1, /*isIndex=*/true}});
    if (!column)
      return false;
    parts.push_back({{0, 1}, column, /*isSlice=*/false, /*isInside=*/true});
  }
  return true;
}

/// What lies between two computed positions; the wrong way round that is nothing.
std::optional<Subscript> Elaborator::openSlice(const Value &known, mlir::Value from, mlir::Value to,
                                               const DimExpr &extent, SMRange place) {
  ir::TensorBuilder here = at(place);
  mlir::Value zero = here.scalar(int64_t(0), DType::I64), length = here.extent(extent);
  auto fromFront = [&](mlir::Value position) {
    return here.create("where",
                       mlir::ValueRange{here.create("lt", mlir::ValueRange{position, zero}),
                                        here.create("add", mlir::ValueRange{position, length}),
                                        position});
  };
  const std::string subject = "the extent of a slice";
  auto distance = [&](mlir::Value start, mlir::Value stop) {
    mlir::Value between = here.create("sub", mlir::ValueRange{stop, start});
    return here.create("maximum", mlir::ValueRange{between, zero});
  };
  if (std::optional<DimExpr> dim = known.asDim()) {
    std::optional<DimExpr> front = *dim == DimExpr(0) ? dim : here.sliceBound(*dim, extent, 1);
    if (!front)
      return std::nullopt;
    mlir::Value count = distance(here.extent(*front), fromFront(to));
    return Subscript{{*front, bindExtent(count, extent - *front, "slice", subject, place)},
                     nullptr};
  }
  mlir::Value start = fromFront(from), count = distance(start, fromFront(to));
  // A start out of range is left to the look at the positions; an end behind the last element makes
  // the last of them wrong, or too many.
  DimExpr size = bindExtent(count, extent, "slice", subject, place);
  mlir::Value steps = multiples(1, size, place);
  // A start that is negative still is out of range; counted from the end it would not be.
  mlir::Value front = here.create(
      "where", mlir::ValueRange{here.create("lt", mlir::ValueRange{start, zero}), length, start});
  mlir::Value all = steps ? here.elementwise("add", {front, steps}) : nullptr;
  return all ? std::optional(Subscript{{0, size}, all}) : std::nullopt;
}

/// Whether the values' extents have a meaning outside of the loop or branch; reports if not.
bool Elaborator::staysWithin(mlir::ValueRange values, mlir::Operation *op, SMRange place) {
  ir::BoundDimensions inner = ir::boundDimensions(op);
  for (mlir::Value value : values)
    for (const DimExpr &extent : ir::dimsOf(value.getType()))
      if (namesOne(extent, inner)) {
        fail(place, DiagCode::ShapeMismatch,
             "a value of " + ir::typeText(value.getType()) +
                 " cannot leave the loop or branch: its values decide the extent there");
        return false;
      }
  return true;
}

//===----------------------------------------------------------------------===//
// Dimensions of results
//===----------------------------------------------------------------------===//

/// Dimensions of an entry point that stand in no input are left open for its results to tell; the
/// others must follow from the extents of its inputs.
bool Elaborator::leaveOpen(const FnDecl *fn, ArrayRef<DimExpr> extents) {
  std::set<std::string> seen;
  SmallVector<std::pair<DimExpr, int64_t>> sample; // which ones follow is no matter of sizes
  for (const DimExpr &extent : extents) {
    extent.collectSymbols(seen);
    sample.emplace_back(extent, 0);
  }
  Sizes told;
  solveSizes(sample, told);
  DimExpr::BoundsMap bounds = scope.bounds();
  bool ok = true;
  for (const Generic &generic : fn->generics) {
    std::string name = generic.name.text.str();
    if (!seen.count(name)) {
      frame->open.push_back(&generic);
      frame->locals.erase(name);
      bounds.erase(name);
    } else if (!told.count(name)) {
      failAt(generic.name.range, DiagCode::ShapeMismatch,
             "the dimension " + inQuotes(name) +
                 " does not follow from the inputs: an extent is expected to be " + inQuotes(name) +
                 " or a multiple of it, plus what is known",
             fn->name.range, whyEntry(fn));
      ok = false;
    }
  }
  scope = ir::DimScope(std::move(bounds));
  return ok;
}

/// Binds the open dimensions to what the results say.
bool Elaborator::closeDimensions(std::vector<Equation> &equations) {
  std::map<std::string, DimExpr, std::less<>> solved = solve(equations);
  bool ok = true;
  for (const Generic *generic : frame->open) {
    const Ident &name = generic->name;
    auto it = solved.find("$" + name.text.str());
    if (it == solved.end()) {
      failAt(frame->resultPlace, DiagCode::ShapeMismatch,
             "the dimension " + inQuotes(name.text) +
                 " follows neither from the arguments nor from the results",
             name.range, "it is declared here");
      ok = false;
      continue;
    }
    bool isData = namesOne(it->second, decided);
    if (!frame->caller && !isData) {
      failAt(frame->resultPlace, DiagCode::ShapeMismatch,
             "the dimension " + inQuotes(name.text) + " is expected to depend on values, got " +
                 dimText(it->second) + "; write that into the result's type",
             name.range, "it is declared here");
      ok = false;
    }
    frame->locals[name.text] = Value::dim(it->second);
    ok &= requireBounds(*generic, it->second, frame->resultPlace);
  }
  return ok;
}

/// A value whose extents its values decide, under the extents that its type declares: they are
/// required to be the same.
Value Elaborator::asDeclared(const Type *type, const Value &value, SMRange place) {
  auto *tensor = value.as<mlir::Value>();
  Dims actual = tensor ? ir::dimsOf(tensor->getType()) : Dims(), declared;
  if (none_of(actual, [&](const DimExpr &extent) { return namesOne(extent, decided); }))
    return value;
  size_t axis = 0;
  for (const Expr *expr : type->dims) {
    if (isa<EllipsisExpr>(expr)) {
      size_t count = actual.size() + 1 - type->dims.size();
      declared.append(actual.begin() + axis, actual.begin() + axis + count);
      axis += count;
      continue;
    }
    std::optional<DimExpr> dim = isa<WildcardExpr>(expr) ? actual[axis] : evalDim(expr);
    if (!dim)
      return Value();
    declared.push_back(*dim);
    ++axis;
  }
  mlir::Value viewed = at(place).reshape(*tensor, declared);
  return viewed ? Value(viewed) : Value();
}

/// Lists the open dimensions with what they are, and refuses results whose extents no dimension
/// names.
void Elaborator::attachDataDimensions(mlir::Operation *func, const FnDecl *fn,
                                      mlir::TypeRange results) {
  SmallVector<StringRef> names;
  Dims values;
  for (const Generic *generic : frame->open) {
    names.push_back(generic->name.text);
    values.push_back(frame->locals[generic->name.text].asDim().value_or(DimExpr(0)));
  }
  if (!names.empty()) {
    func->setAttr("kiln.data_dims", builder.getStrArrayAttr(names));
    func->setAttr("kiln.data_extents", ir::DimsAttr::get(&context, values));
  }
  SmallVector<ir::DataDimension> data = ir::dataDimensions(func);
  for (mlir::Type type : results)
    for (const DimExpr &extent : ir::dimsOf(type)) {
      DimExpr named = ir::inDataDimensions(extent, data);
      if (!namesOne(named, decided))
        continue;
      fail(frame->resultPlace, DiagCode::ShapeMismatch,
           "a result of " + ir::typeText(type) +
               " has an extent that values decide: declare a dimension for it, as in 'fn " +
               fn->name.text + "[K](…) -> (y: f32[K])'");
      return;
    }
}
