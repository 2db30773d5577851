//===- CheckEach.cpp - the interpreter between passes ---------------------===//

#include "passes/CheckEach.h"

#include "ir/Interpreter.h"
#include "ir/KilnDialect.h"
#include "ir/Sensitivity.h"
#include "ir/Tolerance.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Pass/Pass.h"

#include <cmath>
#include <random>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

double kiln::tolerance(DType type) {
  switch (type) {
  case DType::F64:
    return 1e-12;
  case DType::F32:
    return 1e-5;
  case DType::F16:
    return 4e-3;
  case DType::BF16:
    return 3e-2;
  case DType::F8E4M3:
    return 0.25;
  case DType::F8E5M2:
    return 0.5;
  default:
    return 0;
  }
}

static Tensor randomTensor(DType type, ArrayRef<int64_t> shape, std::mt19937 &random) {
  Tensor t(type, shape);
  auto unit = [&] { return static_cast<double>(random() >> 8) / (1 << 24); };
  for (double &v : t.floats)
    v = roundTo(type, 2 * unit() - 1);
  for (int64_t &v : t.ints)
    v = type == DType::Bool ? random() % 2 : random() % 4;
  return t;
}

/// Arguments at these sizes; nothing if an extent is negative or the function refuses them.
static std::optional<SmallVector<Tensor>>
makeArguments(FunctionOpInterface function, const Evaluation &sizes, std::mt19937 &random) {
  SmallVector<Tensor> arguments;
  for (Type type : function.getArgumentTypes()) {
    SmallVector<int64_t> shape;
    for (const DimExpr &dim : dimsOf(type)) {
      std::optional<int64_t> extent = sizes.tryValue(dim);
      if (!extent || *extent < 0)
        return std::nullopt;
      shape.push_back(*extent);
    }
    arguments.push_back(randomTensor(*dtypeOf(type), shape, random));
  }
  ScopedDiagnosticHandler quiet(function.getContext(), [](Diagnostic &) { return success(); });
  if (failed(bindDimensions(function, arguments)))
    return std::nullopt;
  return arguments;
}

/// Integers that are 0: a position that is drawn may be out of range.
static SmallVector<Tensor> withZeros(SmallVector<Tensor> arguments) {
  for (Tensor &argument : arguments)
    std::fill(argument.ints.begin(), argument.ints.end(), 0);
  return arguments;
}

LogicalResult CheckEach::add(FunctionOpInterface function, SmallVector<Tensor> arguments) {
  FailureOr<SmallVector<Tensor>> results = interpret(function, arguments);
  if (failed(results))
    return failure();
  calls.push_back({function.getName().str(), std::move(arguments), std::move(*results)});
  return success();
}

std::string CheckEach::Call::sizes() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const Tensor &argument : arguments) {
    os << (text.empty() ? " (arguments of shape [" : ", [");
    llvm::interleaveComma(argument.shape, os);
    os << "]";
  }
  return text.empty() ? text : text + ")";
}

std::unique_ptr<CheckEach> CheckEach::start(ModuleOp module) {
  auto check = std::make_unique<CheckEach>();
  for (auto function : module.getOps<FunctionOpInterface>()) {
    if (!function.isPublic() || function.isExternal() || function->hasTrait<OpTrait::SymbolTable>())
      continue;
    std::mt19937 random(1);
    DimExpr::BoundsMap bounds = declaredBounds(function);
    size_t made = 0;
    std::string why;
    // All alike first, so that dimensions that must be equal are; then mixtures.
    for (int attempt = 0; attempt < 64 && made < (bounds.empty() ? 1 : 2); ++attempt) {
      static constexpr int64_t candidates[] = {3, 5, 8, 2, 1, 7, 16, 0, 32};
      Evaluation sizes;
      for (auto &[name, range] : bounds) {
        int64_t size = candidates[attempt < 9 ? attempt : random() % 9];
        sizes.dims[name] =
            std::min(std::max(size, range.lower.value_or(0)), range.upper.value_or(size));
      }
      std::optional<SmallVector<Tensor>> arguments = makeArguments(function, sizes, random);
      ScopedDiagnosticHandler quiet(module.getContext(), [&](Diagnostic &diagnostic) {
        why = why.empty() ? ": " + diagnostic.str() : why;
        return success();
      });
      if (!arguments || (failed(check->add(function, *arguments)) &&
                         failed(check->add(function, withZeros(std::move(*arguments))))))
        continue;
      ++made;
    }
    if (!made)
      return function.emitError("none of the sizes that were tried is legal for '")
                 << function.getName() << "'" << why,
             nullptr;
  }
  return check;
}

/// The first element that is not the same, as text; empty if there is none.
static std::string firstDifference(const Tensor &want, const Tensor &got,
                                   function_ref<bool(int64_t)> isSame) {
  if (want.type != got.type || want.shape != got.shape)
    return "has another type or shape";
  for (int64_t i = 0, n = want.numElements(); i < n; ++i)
    if (!isSame(i))
      return "differs at element " + std::to_string(i) + ": expected " +
             std::to_string(want.asDouble(i)) + ", got " + std::to_string(got.asDouble(i));
  return "";
}

static std::string differenceByType(const Tensor &want, const Tensor &got) {
  double most = tolerance(want.type) * largestFinite(want);
  return firstDifference(want, got, [&](int64_t i) {
    if (!want.isFloat())
      return want.ints[i] == got.ints[i];
    double a = want.floats[i], b = got.floats[i];
    return std::isnan(a) ? std::isnan(b) : std::isinf(a) ? a == b : std::fabs(a - b) <= most;
  });
}

/// Where the results differ by more than is allowed, as text; empty if they do not.
static std::string firstBeyond(const CheckEach::Call &call, ArrayRef<Tensor> results,
                               ArrayRef<Allowed> allowed) {
  for (auto [i, want, got] : llvm::enumerate(call.results, results)) {
    std::string text = differenceByType(want, got);
    if (!text.empty() && want.type == got.type && want.shape == got.shape && !allowed.empty())
      text =
          firstDifference(want, got, [&](int64_t e) { return isWithin(want, got, e, allowed[i]); });
    if (!text.empty())
      return "result " + std::to_string(i) + " of '" + call.function + "' " + text + call.sizes();
  }
  return "";
}

std::string CheckEach::difference(FunctionOpInterface function, const Call &call,
                                  ArrayRef<Tensor> results) {
  std::string text = firstBeyond(call, results, {});
  if (text.empty())
    return text;
  ErrorStates states(numErrorRuns);
  text = firstBeyond(call, results, allowedErrors(function, call.arguments, call.results, states));
  if (text.empty())
    return text;
  return firstBeyond(call, results, surelyAllowedErrors(function, call.arguments, call.results));
}

LogicalResult CheckEach::compare(ModuleOp module, StringRef stage) const {
  for (const Call &call : calls) {
    auto function = module.lookupSymbol<FunctionOpInterface>(call.function);
    if (!function)
      return module.emitError("after '") << stage << "' there is no '" << call.function << "'";
    FailureOr<SmallVector<Tensor>> results = interpret(function, call.arguments);
    if (failed(results))
      return function.emitError("after '") << stage << "' the interpreter stops";
    if (std::string text = difference(function, call, *results); !text.empty())
      return function.emitError("after '") << stage << "' " << text;
  }
  return success();
}

LogicalResult CheckEach::rebase(ModuleOp module) {
  for (Call &call : calls) {
    auto function = module.lookupSymbol<FunctionOpInterface>(call.function);
    FailureOr<SmallVector<Tensor>> results = interpret(function, call.arguments);
    if (failed(results))
      return failure();
    call.results = std::move(*results);
  }
  return success();
}

namespace {
class Instrumentation : public PassInstrumentation {
public:
  explicit Instrumentation(bool &failed) : failed(failed) {}

  void runBeforePass(Pass *, Operation *op) override {
    auto module = dyn_cast<ModuleOp>(op);
    if (module && !check && !failed)
      failed = !(check = CheckEach::start(module));
  }
  void runAfterPass(Pass *pass, Operation *op) override {
    auto module = dyn_cast<ModuleOp>(op);
    if (module && check && !failed)
      failed = mlir::failed(check->compare(module, pass->getArgument()));
  }

private:
  bool &failed;
  std::unique_ptr<CheckEach> check;
};
} // namespace

std::unique_ptr<PassInstrumentation> kiln::checkEachPass(bool &failed) {
  return std::make_unique<Instrumentation>(failed);
}
