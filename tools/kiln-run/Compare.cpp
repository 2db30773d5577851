//===- Compare.cpp - how far results are from others ------------------------===//
#include "tools/kiln-run/Compare.h"
#include "tools/kiln-run/Inputs.h"
#include "tools/kiln-run/Report.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>
#include <limits>

using namespace kiln;
using namespace kiln::run;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Measures
//===----------------------------------------------------------------------===//

double Distance::sqnr() const { return -20 * std::log10(relative); }

Distance run::distance(const ir::Tensor &reference, const ir::Tensor &tensor) {
  constexpr Distance none{std::numeric_limits<double>::infinity(),
                          std::numeric_limits<double>::quiet_NaN()};
  if (reference.shape != tensor.shape)
    return none;
  double norm = 0, other = 0, product = 0, difference = 0;
  for (int64_t i = 0, e = reference.numElements(); i < e; ++i) {
    double x = reference.asDouble(i), y = tensor.asDouble(i);
    bool isFinite = std::isfinite(x) && std::isfinite(y);
    if (x == y || (std::isnan(x) && std::isnan(y))) {
      if (!isFinite)
        continue;
    } else if (!isFinite) {
      return none;
    }
    norm += x * x;
    other += y * y;
    product += x * y;
    difference += (x - y) * (x - y);
  }
  if (difference == 0)
    return {};
  return {std::sqrt(difference / norm), product / std::sqrt(norm * other)}; // of zeros: infinite
}

static std::string digits(double value, const char *format = "%.3g") {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format(format, value);
  return text;
}

llvm::Expected<double> run::readLimit(StringRef text) {
  double limit;
  if (!text.getAsDouble(limit)) {
    if (std::isfinite(limit) && limit > 0)
      return limit;
    return failure("'--require-error': expected a number above 0, as 0.01, got '" + text + "'");
  }
  auto file = llvm::MemoryBuffer::getFile(text);
  if (!file)
    return failure("'--require-error': expected a number above 0 or a file of 'kilnc --ledger', "
                   "got '" +
                   text + "': " + file.getError().message());
  llvm::Expected<llvm::json::Value> ledger = llvm::json::parse((*file)->getBuffer());
  if (!ledger)
    return failure("'" + text +
                   "' is no file of 'kilnc --ledger': " + llvm::toString(ledger.takeError()));
  const llvm::json::Object *model =
      ledger->getAsObject() ? ledger->getAsObject()->getObject("model") : nullptr;
  std::optional<double> required = model ? model->getNumber("required_error") : std::nullopt;
  if (!required)
    return failure("'" + text +
                   "' holds no required error: expected a file of 'kilnc --ledger' "
                   "for a recipe with 'require error < 0.01', or '--require-error'");
  return *required;
}

//===----------------------------------------------------------------------===//
// What to compare with
//===----------------------------------------------------------------------===//

llvm::Expected<std::pair<size_t, StringRef>> run::findResult(const Entry &entry, StringRef option,
                                                             StringRef text) {
  auto [name, file] = splitName(text, entry.results);
  if (name.empty() && entry.results.size() != 1)
    return failure("'--" + option + " " + text + "': expected NAME=FILE.npy with a result of '" +
                   entry.name + "'");
  size_t number = 0;
  while (!name.empty() && entry.results[number].name != name)
    ++number;
  // A file name may hold '='; a NAME that is no result is the likelier slip.
  if (file.empty() || (name.empty() && file.contains('=')))
    return failure("'--" + option + " " + text + "': expected NAME=FILE.npy with a result of '" +
                   entry.name + "', like '" + entry.results[number].name + "=out.npy'");
  return std::pair(number, file);
}

llvm::Expected<std::vector<Value>> run::makeResults(const Entry &entry, Dims dims) {
  for (const Dimension &dimension : entry.dimensions)
    if (dimension.most) // until the call says what it is
      dims.insert_or_assign(dimension.name, 0);
  std::vector<Value> results;
  for (const TensorSpec &spec : entry.results) {
    llvm::Expected<Shape> shape = shapeOf(spec, dims);
    if (!shape)
      return shape.takeError();
    results.push_back(makeValue(spec.type, *shape));
  }
  return results;
}

namespace {
/// What one result should be.
struct Expected {
  size_t result;
  StringRef from;
  Value value;
};
} // namespace

/// Calls the entry point of the same name with the same arguments.
static llvm::Error callReference(Program &program, const Call &call, StringRef from,
                                 std::vector<Expected> &into) {
  auto entry = llvm::find_if(program.entries(),
                             [&](const Entry &other) { return other.name == call.entry.name; });
  if (entry == program.entries().end())
    return failure("cannot compare with '" + from + "': it has no entry point '" + call.entry.name +
                   "'");
  auto isSame = [](const TensorSpec &a, const TensorSpec &b) {
    return a.name == b.name && a.type == b.type && a.shape.size() == b.shape.size();
  };
  if (!llvm::equal(entry->arguments, call.entry.arguments, isSame) ||
      !llvm::equal(entry->results, call.entry.results,
                   [](const TensorSpec &a, const TensorSpec &b) { return a.name == b.name; }))
    return failure("cannot compare with '" + from + "': its '" + entry->name +
                   "' has other arguments or results");
  llvm::Expected<std::vector<Value>> results = makeResults(*entry, call.dims);
  if (!results)
    return results.takeError();
  if (llvm::Error error = program.prepare(entry - program.entries().begin(), call.dims))
    return error;
  for (unsigned i = 0; i < call.times; ++i)
    if (llvm::Error error = program.call(call.arguments, *results))
      return error;
  for (auto [i, value] : llvm::enumerate(*results))
    into.push_back({i, from, std::move(value)});
  return llvm::Error::success();
}

/// Those that have the names of results. Where there is one result and one tensor, names do not
/// count.
static llvm::Error readArchive(const Entry &entry, StringRef path, std::vector<Expected> &into) {
  auto tensors = readTensors(path, "what to compare with");
  if (!tensors)
    return tensors.takeError();
  size_t before = into.size();
  for (auto [i, spec] : llvm::enumerate(entry.results))
    for (auto &[name, value] : *tensors)
      if (name == spec.name || (tensors->size() == 1 && entry.results.size() == 1))
        into.push_back({i, path, std::move(value)});
  if (into.size() > before)
    return llvm::Error::success();
  return failure("'" + path + "' holds no result of '" + entry.name + "', like '" +
                 entry.results.front().name + "'");
}

static llvm::Error addExpected(const Call &call, StringRef text, const CompareOptions &options,
                               std::vector<Expected> &into) {
  auto [name, path] = splitName(text, call.entry.results);
  if (name.empty() && path.ends_with(".npz") && !call.entry.results.empty())
    return readArchive(call.entry, path, into);
  if (name.empty() &&
      (path.ends_with(".so") || path.ends_with(".kiln") || path.ends_with(".mlir"))) {
    llvm::Expected<std::unique_ptr<Program>> program = options.open(path);
    return program ? callReference(**program, call, path, into) : program.takeError();
  }
  auto result = findResult(call.entry, "compare", text);
  if (!result)
    return result.takeError();
  llvm::Expected<Value> value = readTensor(result->second, "what to compare with");
  if (!value)
    return value.takeError();
  into.push_back({result->first, result->second, std::move(*value)});
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Comparisons
//===----------------------------------------------------------------------===//

static llvm::Error compareLargest(llvm::raw_ostream &os, StringRef name, const Value &value,
                                  const Expected &expected, double tolerance) {
  llvm::Expected<double> error = relativeError(value, expected.value);
  if (!error)
    return failure("result '" + name + "': " + llvm::toString(error.takeError()));
  // Negated, so that a tolerance of NaN accepts nothing.
  if (!(*error <= tolerance))
    return failure("result '" + name + "' differs from '" + expected.from +
                   "': expected max|a-b| / max|b| of at most " + digits(tolerance) + ", got " +
                   digits(*error));
  os << name << "  error " << digits(*error) << " against '" << expected.from << "'\n";
  return llvm::Error::success();
}

static Distance distanceOf(const Value &reference, const Value &value) {
  auto tensor = [](const Value &v) {
    return ir::Tensor::fromBytes(v.type, v.shape, v.bytes.data());
  };
  return distance(tensor(reference), tensor(value));
}

llvm::Error run::compareResults(llvm::raw_ostream &os, const Call &call,
                                const CompareOptions &options) {
  std::vector<Expected> all;
  for (StringRef text : options.references)
    if (llvm::Error error = addExpected(call, text, options, all))
      return error;
  const Expected *worst = nullptr;
  double most = 0;
  for (const Expected &expected : all) {
    const Value &value = call.results[expected.result];
    StringRef name = call.entry.results[expected.result].name;
    if (!options.limit) {
      if (llvm::Error error = compareLargest(os, name, value, expected, options.tolerance))
        return error;
      continue;
    }
    if (expected.value.shape != value.shape)
      return failure("result '" + name + "': cannot compare shapes: expected " +
                     shapeText(expected.value.shape) + ", got " + shapeText(value.shape));
    Distance far = distanceOf(expected.value, value);
    bool isFine = far.relative < *options.limit;
    os << name << "  relative error " << digits(far.relative) << ", SQNR "
       << digits(far.sqnr(), "%.1f") << " dB, cosine " << digits(far.cosine, "%.6f") << " against '"
       << expected.from << (isFine ? "', below " : "', not below ") << digits(*options.limit)
       << '\n';
    if (!isFine && (!worst || far.relative > most)) {
      worst = &expected;
      most = far.relative;
    }
  }
  if (!worst)
    return llvm::Error::success();
  return failure("result '" + call.entry.results[worst->result].name + "' has relative error " +
                 digits(most) + " against '" + worst->from + "', and less than " +
                 digits(*options.limit) + " is required");
}
