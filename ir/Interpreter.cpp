//===- Interpreter.cpp - the oracle ---------------------------------------===//

#include "ir/DataDimensions.h"
#include "ir/Frame.h"
#include "ir/KilnOps.h"
#include "ir/Requirements.h"
#include "ir/Solve.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

/// "the index: expected at least 0, got N - 3 = -1"
static std::string violation(const Requirement &requirement, std::optional<int64_t> got,
                             std::optional<int64_t> expected) {
  auto side = [](const DimExpr &expr, std::optional<int64_t> value) {
    return expr.isConstant() ? expr.str()
                             : expr.str() + " = " + (value ? std::to_string(*value) : "unknown");
  };
  return requirement.subject + ": expected " + std::string(words(requirement.relation)) +
         side(requirement.expected, expected) + ", got " + side(requirement.got, got);
}

/// The tensor of that hash in the context's store; nothing if it is not there.
static std::optional<Tensor> storedValue(MLIRContext *context, StringRef hash) {
  const WeightView *view = context->getLoadedDialect<KilnDialect>()->getWeights().find(hash);
  if (!view)
    return std::nullopt;
  return Tensor::fromBytes(view->type, view->shape, view->bytes.data());
}

FailureOr<Tensor> ir::initialState(StateOp state) {
  if (!state.getHash())
    return Tensor(*dtypeOf(state.getType()), cast<RankedTensorType>(state.getType()).getShape());
  if (std::optional<Tensor> value = storedValue(state.getContext(), *state.getHash()))
    return std::move(*value);
  return state.emitError("the first value of '")
             << state.getSymName() << "' is not in the weight store",
         failure();
}

FailureOr<Tensor> ir::weightValue(Operation *user, StringRef symbol) {
  auto module = user->getParentOfType<ModuleOp>();
  auto weight = module ? module.lookupSymbol<WeightOp>(symbol) : WeightOp();
  if (!weight || !weight.getHash())
    return user->emitError("the weight '") << symbol << "' has no value; give --weights", failure();
  if (std::optional<Tensor> value = storedValue(user->getContext(), *weight.getHash()))
    return std::move(*value);
  return user->emitError("the weight '") << symbol << "' is not in the weight store", failure();
}

/// Makes sure that every extent and position of the op has a value, and that what the op requires
/// of them holds: no method of an op then reads outside of its operands.
static LogicalResult checkDims(Operation *op, const Evaluation &evaluation) {
  auto known = [&](ArrayRef<DimExpr> dims) -> LogicalResult {
    for (const DimExpr &dim : dims)
      if (!evaluation.tryValue(dim))
        return op->emitOpError("needs the value of '") << dim.str() << "', which is not known";
    return success();
  };
  for (NamedAttribute attr : op->getAttrDictionary())
    if (auto dims = dyn_cast<DimsAttr>(attr.getValue()); dims && failed(known(dims.getDims())))
      return failure();
  for (Type type : op->getResultTypes())
    if (failed(known(dimsOf(type))))
      return failure();
  for (const Requirement &requirement : requirementsOf(op)) {
    std::optional<int64_t> got = evaluation.tryValue(requirement.got),
                           expected = evaluation.tryValue(requirement.expected);
    if (!got || !expected || !holds(*got, requirement.relation, *expected))
      return op->emitError(violation(requirement, got, expected));
  }
  return success();
}

FailureOr<SmallVector<Tensor>> ir::evaluateOp(Operation *op, ArrayRef<const Tensor *> operands,
                                              const Evaluation &evaluation) {
  auto evaluable = dyn_cast<Evaluable>(op);
  if (!evaluable)
    return op->emitOpError("has no meaning to the interpreter"), failure();
  if (failed(checkDims(op, evaluation)))
    return failure();
  SmallVector<Tensor> results;
  for (Value result : op->getResults())
    results.emplace_back(*dtypeOf(result.getType()), evaluation.values(dimsOf(result.getType())));
  if (failed(evaluable.evaluate(operands, results, evaluation)))
    return failure();
  for (Tensor &t : results)
    for (double &v : t.floats)
      v = roundTo(t.type, v);
  return results;
}

/// Names the argument, and the sizes that others gave to its dimensions.
static void refuse(FunctionOpInterface function, unsigned number, const Tensor &argument,
                   const Evaluation &evaluation) {
  Type type = function.getArgumentTypes()[number];
  InFlightDiagnostic error = function.emitError("argument ");
  if (auto name = function.getArgAttrOfType<StringAttr>(number, "kiln.name"))
    error << "'" << name.getValue() << "'";
  else
    error << number;
  error << " does not fit: expected " << typeText(type) << ", got "
        << typeText(tensorType(function.getContext(), argument.type,
                               SmallVector<DimExpr>(argument.shape.begin(), argument.shape.end())));
  StringRef before = " (";
  for (auto [dim, size] : llvm::zip(dimsOf(type), argument.shape))
    if (auto value = evaluation.tryValue(dim); !dim.constantValue() && value && value != size) {
      error << before << dim.str() << " = " << *value;
      before = ", ";
    }
  if (before == ", ")
    error << ")";
}

FailureOr<Evaluation> ir::bindDimensions(FunctionOpInterface function, ArrayRef<Tensor> arguments) {
  Evaluation evaluation;
  if (arguments.size() != function.getNumArguments())
    return function.emitError("expected ")
               << function.getNumArguments() << " arguments, got " << arguments.size(),
           failure();
  SmallVector<std::pair<DimExpr, int64_t>> extents;
  for (auto [type, argument] : llvm::zip(function.getArgumentTypes(), arguments))
    for (auto [dim, size] : llvm::zip(dimsOf(type), argument.shape))
      extents.emplace_back(dim, size);
  solveSizes(extents, evaluation.dims);
  for (auto [number, argument] : llvm::enumerate(arguments)) {
    Type type = function.getArgumentTypes()[number];
    SmallVector<DimExpr> dims = dimsOf(type);
    bool fits = dims.size() == argument.shape.size() && dtypeOf(type) == argument.type;
    for (size_t i = 0; fits && i < dims.size(); ++i)
      fits = evaluation.tryValue(dims[i]) == argument.shape[i];
    if (!fits)
      return refuse(function, number, argument, evaluation), failure();
  }
  for (auto &[symbol, bounds] : declaredBounds(function)) {
    auto it = evaluation.dims.find(symbol);
    if (it != evaluation.dims.end() &&
        (it->second < *bounds.lower || (bounds.upper && it->second > *bounds.upper)))
      return function.emitError("dimension '")
                 << symbol << "' = " << it->second << " is outside of its bounds",
             failure();
  }
  BoundDimensions bound = boundDimensions(function);
  for (RequirementAttr attr : declaredRequirements(function)) {
    Requirement requirement = attr.getRequirement();
    if (requirement.mentions(bound) || !isNeeded(requirement, evaluation))
      continue; // or where they are bound
    std::optional<int64_t> got = evaluation.tryValue(requirement.got),
                           expected = evaluation.tryValue(requirement.expected);
    if (!got || !expected || !holds(*got, requirement.relation, *expected))
      return emitError(attr.getLoc(), violation(requirement, got, expected)), failure();
  }
  return evaluation;
}

FailureOr<SmallVector<Tensor>> ir::interpret(FunctionOpInterface function,
                                             ArrayRef<Tensor> arguments, AfterOp after,
                                             States *states) {
  FailureOr<Evaluation> evaluation = bindDimensions(function, arguments);
  if (failed(evaluation))
    return failure();
  States own;
  FailureOr<SmallVector<Tensor>> results =
      Frame(*evaluation, after, states ? *states : own).run(function, arguments);
  if (succeeded(results))
    for (Tensor &t : *results)
      for (double &v : t.floats)
        v = roundTo(t.type, v);
  return results;
}
