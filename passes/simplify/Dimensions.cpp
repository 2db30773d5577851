//===- Dimensions.cpp - sizes and bounds that the user gives --------------===//
//
// Needs: functions of kiln ops with `kiln.dims`.
// Guarantees: a dimension with a fixed size is that number in every type and attribute and no
// longer declared; a dimension with a given bound has it as its upper bound, if it is the lower
// one.
//
//===----------------------------------------------------------------------===//

#include "ir/DataDimensions.h"
#include "ir/KilnOps.h"
#include "ir/Requirements.h"
#include "passes/Pipeline.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Fixed = std::map<std::string, DimExpr, std::less<>>;

static SmallVector<DimExpr> fix(ArrayRef<DimExpr> dims, const Fixed &fixed) {
  return llvm::map_to_vector(dims, [&](const DimExpr &dim) { return dim.substitute(fixed); });
}

static Type fix(Type type, const Fixed &fixed) {
  auto tensor = cast<RankedTensorType>(type);
  return tensorType(tensor.getElementType(), fix(dimsOf(type), fixed));
}

static void fixFunction(func::FuncOp function, const Fixed &fixed) {
  // The arguments of every block: of the function, and of the loops' bodies in it.
  function.walk([&](Block *block) {
    for (BlockArgument argument : block->getArguments())
      argument.setType(fix(argument.getType(), fixed));
  });
  function.walk([&](Operation *op) {
    for (Value result : op->getResults())
      result.setType(fix(result.getType(), fixed));
    for (NamedAttribute attr : llvm::to_vector(op->getAttrs()))
      if (auto dims = dyn_cast<DimsAttr>(attr.getValue()))
        op->setAttr(attr.getName(), DimsAttr::get(op->getContext(), fix(dims.getDims(), fixed)));
  });
  function.setFunctionType(FunctionType::get(function.getContext(),
                                             function.front().getArgumentTypes(),
                                             function.front().getTerminator()->getOperandTypes()));
}

/// The requirements with the numbers in them. Fails if one can no longer hold.
static LogicalResult fixRequirements(func::FuncOp function, const Fixed &fixed) {
  Requirements known(declaredBounds(function));
  SmallVector<RequirementAttr> kept;
  for (RequirementAttr attr : declaredRequirements(function)) {
    Requirement requirement = attr.getRequirement();
    requirement.got = requirement.got.substitute(fixed);
    requirement.expected = requirement.expected.substitute(fixed);
    for (DimExpr &condition : requirement.when)
      condition = condition.substitute(fixed);
    Verdict verdict = known.add(requirement);
    if (verdict == Verdict::Refuted)
      return emitError(attr.getLoc(), requirement.text());
    if (verdict == Verdict::Unknown)
      kept.push_back(RequirementAttr::get(attr.getLoc(), requirement));
  }
  setRequirements(function, kept);
  return success();
}

/// The declared dimensions without the fixed ones, with the given bounds; reports contradictions.
static FailureOr<DictionaryAttr> newBounds(func::FuncOp function, const Options &options,
                                           std::map<std::string, bool> &used) {
  Builder b(function.getContext());
  NamedAttrList kept;
  BoundDimensions bound = boundDimensions(function);
  for (auto &[name, bounds] : declaredBounds(function)) {
    if (bound.count(name)) { // values decide it, not the user
      kept.append(name, function->getAttrOfType<DictionaryAttr>("kiln.dims").get(name));
      continue;
    }
    if (auto it = options.fix.find(name); it != options.fix.end()) {
      used[name] = true;
      if (it->second < bounds.lower.value_or(0) || (bounds.upper && it->second > *bounds.upper))
        return function.emitError("'--fix ")
                   << name << "=" << it->second << "' is outside of the dimension's bounds",
               failure();
      continue;
    }
    std::optional<int64_t> upper = bounds.upper;
    if (auto it = options.max.find(name); it != options.max.end()) {
      used[name] = true;
      // Entry points share names; one with a smaller bound keeps it.
      int64_t largest = 0;
      for (auto other : function->getParentOfType<ModuleOp>().getOps<func::FuncOp>()) {
        DimExpr::BoundsMap declared = declaredBounds(other);
        if (auto found = declared.find(name); found != declared.end())
          largest = std::max(largest, found->second.upper.value_or(INT64_MAX));
      }
      if (it->second > largest || it->second < std::max<int64_t>(bounds.lower.value_or(0), 1))
        return function.emitError("'--max ")
                   << name << "=" << it->second << "': expected a bound from 1 to "
                   << (largest == INT64_MAX
                           ? "what fits 63 bits"
                           : std::to_string(largest) + ", which the model declares"),
               failure();
      upper = std::min(upper.value_or(it->second), it->second);
    }
    SmallVector<int64_t> range = {bounds.lower.value_or(0)};
    if (upper)
      range.push_back(*upper);
    kept.append(name, b.getDenseI64ArrayAttr(range));
  }
  return kept.getDictionary(function.getContext());
}

LogicalResult kiln::applyDimensions(ModuleOp module, const Options &options) {
  std::map<std::string, bool> used;
  for (auto &[name, value] : options.fix)
    used[name] = false;
  for (auto &[name, value] : options.max)
    used[name] = false;
  Fixed fixed;
  for (auto &[name, value] : options.fix)
    fixed[name] = DimExpr(value);
  for (auto function : module.getOps<func::FuncOp>()) {
    FailureOr<DictionaryAttr> bounds = newBounds(function, options, used);
    if (failed(bounds))
      return failure();
    function->setAttr("kiln.dims", *bounds);
    if (failed(fixRequirements(function, fixed)))
      return failure();
    if (!fixed.empty())
      fixFunction(function, fixed);
  }
  for (auto &[name, isUsed] : used)
    if (!isUsed)
      return module.emitError("no entry point has a dimension '")
             << name << "', which --fix or --max names";
  return success();
}
