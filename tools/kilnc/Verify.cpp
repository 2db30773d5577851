//===- Verify.cpp - a built library against the interpreter ---------------===//
#include "tools/kilnc/Verify.h"

#include "frontend/weights/Reader.h"
#include "ir/Interpreter.h"
#include "ir/KilnDialect.h"
#include "ir/Solve.h"
#include "passes/compress/Layers.h"
#include "tools/kiln-run/Compare.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <limits>
#include <sys/wait.h>
#include <unistd.h>

using namespace kiln;
using namespace llvm;

static constexpr unsigned secondsAllowed = 600;
/// How the process that tries a library ends if there is no device for it.
static constexpr int exitNoDevice = 3;

/// How many calls a tensor holds arguments for; 1 if it is to be taken as it is.
static int64_t countOf(mlir::Type type, const ir::Tensor &tensor) {
  SmallVector<DimExpr> shape = ir::dimsOf(type);
  std::optional<int64_t> first = shape.empty() ? std::nullopt : shape[0].constantValue();
  bool isMultiple = first && *first > 0 && shape.size() == tensor.shape.size() &&
                    tensor.shape[0] > *first && tensor.shape[0] % *first == 0;
  return isMultiple ? tensor.shape[0] / *first : 1;
}

/// Whether a tensor may be an argument of the type, as far as one argument alone tells.
static bool fits(mlir::Type type, const ir::Tensor &tensor) {
  SmallVector<DimExpr> shape = ir::dimsOf(type);
  if (shape.size() != tensor.shape.size() || ir::dtypeOf(type) != tensor.type)
    return false;
  for (auto [i, dim] : enumerate(shape))
    if (auto extent = dim.constantValue();
        extent && *extent * (i == 0 ? countOf(type, tensor) : 1) != tensor.shape[i])
      return false;
  return true;
}

/// A tensor as an argument of the type takes it: integers in the argument's wider type.
static ir::Tensor widened(mlir::Type type, ir::Tensor tensor) {
  DType wanted = *ir::dtypeOf(type);
  auto isInteger = [](DType one) { return !isFloat(one) && one != DType::Bool; };
  if (isInteger(wanted) && isInteger(tensor.type) && byteSize(tensor.type) < byteSize(wanted))
    tensor.type = wanted;
  return tensor;
}

/// An error where an argument's type is one that arrays of NumPy do not have.
static Error checkTypes(mlir::FunctionOpInterface function, ArrayRef<ir::Tensor> arguments,
                        StringRef inputs) {
  for (auto [i, type, tensor] : enumerate(function.getArgumentTypes(), arguments)) {
    DType wanted = *ir::dtypeOf(type);
    bool isForeign = wanted == DType::BF16 || wanted == DType::F8E4M3 || wanted == DType::F8E5M2;
    if (isForeign && tensor.type != wanted)
      return createStringError(
          "the inputs of '" + inputs + "': expected elements of type " + name(wanted).data() +
          " of '" + function.getArgAttrOfType<mlir::StringAttr>(i, "kiln.name").getValue() +
          "', got " + name(tensor.type).data() + "; NumPy's files have none, safetensors do");
  }
  return Error::success();
}

static ir::Tensor partOf(const ir::Tensor &whole, int64_t part, int64_t count) {
  if (count == 1)
    return whole;
  SmallVector<int64_t> shape(whole.shape);
  shape[0] /= count;
  ir::Tensor result(whole.type, shape);
  int64_t size = result.numElements();
  if (whole.isFloat())
    std::copy_n(whole.floats.begin() + part * size, size, result.floats.begin());
  else
    std::copy_n(whole.ints.begin() + part * size, size, result.ints.begin());
  return result;
}

Expected<std::vector<std::pair<mlir::FunctionOpInterface, Arguments>>>
kiln::argumentsOf(mlir::ModuleOp module, StringRef inputs) {
  Expected<std::vector<NamedTensor>> tensors = readWeights(inputs);
  if (!tensors)
    return tensors.takeError();
  std::vector<std::pair<mlir::FunctionOpInterface, Arguments>> calls;
  std::string missing;   // what the last entry point lacks
  bool isFitting = true; // whether those of `calls` fit
  for (auto function : module.getOps<mlir::func::FuncOp>()) {
    Arguments arguments;
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      auto name = function.getArgAttrOfType<mlir::StringAttr>(i, "kiln.name");
      auto found = find_if(*tensors, [&](const NamedTensor &t) { return name && t.name == name; });
      if (found != tensors->end())
        arguments.push_back(widened(
            function.getArgumentTypes()[i],
            ir::Tensor::fromBytes(found->view.type, found->view.shape, found->view.bytes.data())));
      else if (name)
        missing = ("; '" + function.getSymName() + "' needs '" + name.getValue() + "'").str();
    }
    if (arguments.size() != function.getNumArguments())
      continue;
    // Entry points may give one name to different arguments: those count that the file fits. If
    // there is none, the first one tells what is wrong.
    bool isThisFitting = all_of(zip(function.getArgumentTypes(), arguments), [](const auto &pair) {
      return fits(std::get<0>(pair), std::get<1>(pair));
    });
    if (!isThisFitting && !calls.empty())
      continue;
    if (!isFitting)
      calls.clear();
    isFitting = isThisFitting;
    int64_t count = 1;
    for (auto [type, tensor] : zip(function.getArgumentTypes(), arguments))
      count = std::max(count, countOf(type, tensor));
    for (int64_t part = 0; part < count; ++part) {
      Arguments one;
      for (auto [type, tensor] : zip(function.getArgumentTypes(), arguments))
        one.push_back(partOf(tensor, part, countOf(type, tensor) == count ? count : 1));
      calls.emplace_back(mlir::cast<mlir::FunctionOpInterface>(function.getOperation()),
                         std::move(one));
    }
  }
  if (calls.empty())
    return createStringError("'" + inputs + "' does not hold the arguments of any entry point" +
                             missing);
  if (Error error = checkTypes(calls.front().first, calls.front().second, inputs))
    return error;
  return calls;
}

std::string kiln::complaintOf(const mlir::Diagnostic &diagnostic,
                              mlir::FunctionOpInterface function) {
  std::string text = diagnostic.str();
  mlir::Location place = diagnostic.getLocation();
  if (auto at = place->findInstanceOf<mlir::FileLineColLoc>(); at && place != function.getLoc())
    text += (" (" + at.getFilename().getValue() + ":" + Twine(at.getLine()) + ")").str();
  return text;
}

Expected<std::unique_ptr<CheckEach>> kiln::callsOf(mlir::ModuleOp module, StringRef inputs,
                                                   function_ref<void(size_t, size_t)> beforeCall) {
  auto calls = argumentsOf(module, inputs);
  if (!calls)
    return calls.takeError();
  auto check = std::make_unique<CheckEach>();
  for (auto &[function, arguments] : *calls) {
    if (beforeCall)
      beforeCall(check->getCalls().size() + 1, calls->size());
    // What does not fit is said about the file, not at the entry point.
    std::string why;
    mlir::ScopedDiagnosticHandler handler(module.getContext(), [&](mlir::Diagnostic &diagnostic) {
      if (why.empty())
        why = complaintOf(diagnostic, function);
      return mlir::success();
    });
    if (failed(check->add(function, std::move(arguments))))
      return createStringError("the inputs of '" + inputs + "': " + why);
  }
  return check;
}

static run::Value valueOf(const ir::Tensor &tensor) {
  run::Value value{tensor.type, run::Shape(ArrayRef<int64_t>(tensor.shape)), {}};
  value.bytes.resize(tensor.numElements() * byteSize(tensor.type));
  tensor.toBytes(value.bytes.data());
  return value;
}

/// Sizes of the dimensions that follow from the arguments.
static run::Dims dimsOf(const run::Entry &entry, ArrayRef<ir::Tensor> arguments) {
  SmallVector<std::pair<DimExpr, int64_t>> extents;
  for (auto [spec, tensor] : zip(entry.arguments, arguments))
    for (auto [extent, size] : zip(spec.shape, tensor.shape))
      extents.emplace_back(extent, size);
  run::Dims dims;
  solveSizes(extents, dims);
  return dims;
}

/// One call on a number of threads; the results' bytes.
static Expected<std::vector<run::Value>> callOnce(StringRef path, const CheckEach::Call &call,
                                                  int threads) {
  Expected<std::unique_ptr<run::Program>> library = run::openLibrary(path, {threads, false});
  if (!library)
    return library.takeError();
  const std::vector<run::Entry> &entries = (*library)->entries();
  auto entry = find_if(entries, [&](const run::Entry &e) { return e.name == call.function; });
  if (entry == entries.end())
    return createStringError("the library has no entry point '" + call.function + "'");
  if (Error error = (*library)->prepare(entry - entries.begin(), dimsOf(*entry, call.arguments)))
    return error;
  std::vector<run::Value> arguments, results;
  for (const ir::Tensor &tensor : call.arguments)
    arguments.push_back(valueOf(tensor));
  for (const ir::Tensor &tensor : call.results)
    results.push_back(run::makeValue(tensor.type, tensor.shape));
  if (Error error = (*library)->call(arguments, results))
    return error;
  return results;
}

static std::error_code codeOf(const Error &error) {
  std::error_code code = inconvertibleErrorCode();
  visitErrors(error, [&](const ErrorInfoBase &info) { code = info.convertToErrorCode(); });
  return code;
}

static SmallVector<ir::Tensor> tensorsOf(ArrayRef<run::Value> values) {
  return map_to_vector(values, [](const run::Value &value) {
    return ir::Tensor::fromBytes(value.type, value.shape, value.bytes.data());
  });
}

static Error verifyCall(StringRef path, const CheckEach::Call &call, mlir::ModuleOp module) {
  auto fail = [&](const Twine &what, std::error_code code = inconvertibleErrorCode()) {
    return createStringError(code, "'" + call.function + "'" + call.sizes() + ": " + what);
  };
  std::vector<run::Value> results[2];
  for (int threads : {1, 2}) {
    Expected<std::vector<run::Value>> got = callOnce(path, call, threads);
    if (!got) {
      Error error = got.takeError();
      std::error_code code = codeOf(error);
      return fail(toString(std::move(error)), code);
    }
    results[threads - 1] = std::move(*got);
  }
  for (auto [i, one, two] : enumerate(results[0], results[1]))
    if (one.bytes != two.bytes)
      return fail("result " + Twine(i) + " differs between one thread and two");
  auto function = module.lookupSymbol<mlir::FunctionOpInterface>(call.function);
  std::string text = CheckEach::difference(function, call, tensorsOf(results[0]));
  return text.empty() ? Error::success() : createStringError(text);
}

double kiln::relativeError(ArrayRef<ir::Tensor> reference, ArrayRef<ir::Tensor> results) {
  double worst = reference.size() == results.size() ? 0 : std::numeric_limits<double>::infinity();
  for (auto [want, got] : zip(reference, results))
    worst = std::max(worst, run::distance(want, got).relative);
  return worst;
}

static Error checkBudget(StringRef path, const CheckEach::Call &call, double limit) {
  Expected<std::vector<run::Value>> got = callOnce(path, call, 1);
  if (!got)
    return got.takeError();
  double error = relativeError(call.results, tensorsOf(*got));
  if (error < limit)
    return Error::success();
  return createStringError("'" + call.function + "'" + call.sizes() + ": the library's results " +
                           "have the relative error " + passes::digits(error) + ", and less than " +
                           passes::digits(limit) + " is required");
}

/// Makes each call in a process of its own; the first error.
static Error inOwnProcess(const CheckEach &calls,
                          function_ref<Error(const CheckEach::Call &)> check) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return createStringError("cannot make a pipe");
  pid_t child = fork();
  if (child == 0) {
    sigset_t none; // interrupts end this process at once, whoever catches them in the other one
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    alarm(secondsAllowed);
    std::string text;
    int code = 0;
    for (const CheckEach::Call &call : calls.getCalls())
      if (Error error = check(call)) {
        code = codeOf(error) == std::errc::no_such_device ? exitNoDevice : 0;
        text = toString(std::move(error));
        break;
      }
    ssize_t written = write(ends[1], text.data(), text.size());
    _exit(written < 0 ? 1 : code);
  }
  close(ends[1]);
  std::string text;
  char chunk[4096];
  for (ssize_t n; child > 0 && (n = read(ends[0], chunk, sizeof chunk)) != 0;) {
    if (n < 0 && errno != EINTR)
      break;
    text.append(chunk, n > 0 ? n : 0);
  }
  close(ends[0]);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (child < 0)
    return createStringError("cannot start a process for the library");
  if (WIFSIGNALED(status))
    return createStringError(
        WTERMSIG(status) == SIGALRM
            ? "the library does not return within " + Twine(secondsAllowed) + " seconds"
            : "the library ends the process by signal " + Twine(WTERMSIG(status)));
  if (WEXITSTATUS(status) == exitNoDevice)
    return createStringError(std::make_error_code(std::errc::no_such_device), text);
  return text.empty() ? Error::success() : createStringError(text);
}

Error kiln::verifyLibrary(StringRef path, const CheckEach &calls, mlir::ModuleOp module) {
  return inOwnProcess(calls,
                      [&](const CheckEach::Call &call) { return verifyCall(path, call, module); });
}

Error kiln::verifyBudget(StringRef path, const CheckEach &data, double limit) {
  return inOwnProcess(data,
                      [&](const CheckEach::Call &call) { return checkBudget(path, call, limit); });
}
