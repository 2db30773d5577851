//===- Report.cpp - what a run came to ------------------------------------===//
#include "tools/kiln-run/Report.h"

#include "ir/Tensor.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>
#include <numeric>

using namespace kiln;
using namespace kiln::run;

static ir::Tensor toTensor(const Value &value) {
  return ir::Tensor::fromBytes(value.type, value.shape, value.bytes.data());
}

void run::printEntries(llvm::raw_ostream &os, llvm::ArrayRef<Entry> entries) {
  for (const Entry &entry : entries) {
    os << "entry    " << entry.name << '\n';
    for (const TensorSpec &spec : entry.arguments)
      os << "  input  " << spec.name << ": " << typeText(spec) << '\n';
    for (const TensorSpec &spec : entry.results)
      os << "  output " << spec.name << ": " << typeText(spec) << '\n';
    for (const Dimension &dimension : entry.dimensions) {
      os << "  dim    " << dimension.lower << " <= " << dimension.name;
      if (dimension.upper)
        os << " <= " << *dimension.upper;
      if (dimension.most)
        os << " <= " << dimension.most->str() << ", of results: values decide it";
      os << '\n';
    }
  }
}

void run::printValue(llvm::raw_ostream &os, llvm::StringRef name, const Value &value) {
  constexpr int64_t shown = 8;
  ir::Tensor tensor = toTensor(value);
  os << name << "  " << kiln::name(value.type) << shapeText(value.shape);
  for (int64_t i = 0; i < std::min(tensor.numElements(), shown); ++i)
    if (tensor.isFloat())
      os << (i ? " " : "  ") << llvm::format("%.6g", tensor.floats[i]);
    else
      os << (i ? " " : "  ") << tensor.ints[i];
  os << (tensor.numElements() > shown ? " …\n" : "\n");
}

llvm::Expected<std::vector<std::string>> run::readLabels(llvm::StringRef path) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!file)
    return failure("cannot read labels '" + path + "': " + file.getError().message());
  std::vector<std::string> labels;
  llvm::StringRef rest = (*file)->getBuffer();
  while (!rest.empty()) {
    auto [line, next] = rest.split('\n');
    labels.push_back(line.rtrim("\r").str());
    rest = next;
  }
  return labels;
}

/// Makes probabilities of a row that is none: not within [0, 1] or with another sum than 1.
static void normalize(llvm::MutableArrayRef<double> row) {
  constexpr double tolerance = 1e-3;
  double sum = std::accumulate(row.begin(), row.end(), 0.0);
  if (llvm::all_of(row, [](double p) { return p >= 0 && p <= 1; }) && std::abs(sum - 1) < tolerance)
    return;
  double largest = *std::max_element(row.begin(), row.end());
  sum = 0;
  for (double &p : row)
    sum += p = std::exp(p - largest);
  for (double &p : row)
    p /= sum;
}

llvm::Error run::printLabels(llvm::raw_ostream &os, const Value &value,
                             llvm::ArrayRef<std::string> labels) {
  constexpr size_t shown = 5;
  size_t classes = value.shape[1];
  if (labels.size() != classes)
    return failure("expected a file of " + llvm::Twine(classes) + " labels, one a line, got " +
                   llvm::Twine(labels.size()));
  ir::Tensor tensor = toTensor(value);
  for (int64_t n = 0; n < value.shape[0] && classes > 0; ++n) {
    llvm::MutableArrayRef<double> row(&tensor.floats[n * classes], classes);
    if (llvm::any_of(row, [](double x) { return std::isnan(x); }))
      return failure("row " + llvm::Twine(n) + " of the result holds NaN, which has no labels");
    normalize(row);
    std::vector<size_t> order(classes);
    std::iota(order.begin(), order.end(), 0);
    size_t top = std::min(shown, classes);
    std::partial_sort(order.begin(), order.begin() + top, order.end(), [&](size_t a, size_t b) {
      return row[a] != row[b] ? row[a] > row[b] : a < b;
    });
    if (value.shape[0] > 1)
      os << "row " << n << '\n';
    for (size_t i = 0; i < top; ++i)
      os << llvm::format("  %6.4f  ", row[order[i]]) << labels[order[i]] << " (" << order[i]
         << ")\n";
  }
  return llvm::Error::success();
}

llvm::Expected<double> run::relativeError(const Value &a, const Value &b) {
  if (a.shape != b.shape)
    return failure("cannot compare shapes: expected " + shapeText(b.shape) + ", got " +
                   shapeText(a.shape));
  ir::Tensor left = toTensor(a), right = toTensor(b);
  double worst = 0, scale = 0;
  for (int64_t i = 0; i < left.numElements(); ++i) {
    double x = left.asDouble(i), y = right.asDouble(i);
    if (std::isfinite(y))
      scale = std::max(scale, std::abs(y));
    if (x == y || (std::isnan(x) && std::isnan(y)))
      continue;
    double difference = std::abs(x - y);
    worst = std::max(worst, std::isfinite(difference) ? difference : HUGE_VAL);
  }
  return scale > 0 ? worst / scale : worst;
}

/// Median and minimum of the times after the first, or the first alone.
static std::pair<double, double> bestAndMedian(llvm::ArrayRef<double> times) {
  std::vector<double> sorted(times.size() > 1 ? times.drop_front() : times);
  llvm::sort(sorted);
  size_t middle = sorted.size() / 2;
  double median = sorted.size() % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return {sorted.front(), median};
}

void run::printTimes(llvm::raw_ostream &os, llvm::ArrayRef<double> milliseconds) {
  auto [best, median] = bestAndMedian(milliseconds);
  os << llvm::format("first %.3f ms, best %.3f ms, median %.3f ms", milliseconds.front(), best,
                     median)
     << " of " << milliseconds.size() - 1 << " calls\n";
}

void run::printProfile(llvm::raw_ostream &os, std::vector<ProfileRow> rows, double call) {
  llvm::stable_sort(rows, [](const ProfileRow &a, const ProfileRow &b) {
    return a.milliseconds > b.milliseconds;
  });
  size_t labelWidth = 6, placeWidth = 8;
  double total = 0;
  for (const ProfileRow &row : rows) {
    labelWidth = std::max(labelWidth, row.label.size());
    placeWidth = std::max(placeWidth, row.location.size());
    total += row.milliseconds;
  }
  auto text = [&](llvm::StringRef s, size_t width) {
    os << s << std::string(width - s.size(), ' ');
  };
  text("kernel", labelWidth + 2);
  text("location", placeWidth);
  os << "        MFLOP           kB         ms   GFLOP/s      %\n";
  for (const ProfileRow &row : rows) {
    text(row.label, labelWidth + 2);
    text(row.location, placeWidth);
    os << llvm::format(" %12.3f %12.1f %10.4f", row.flops * 1e-6, row.bytes * 1e-3,
                       row.milliseconds)
       << llvm::format(" %9.2f %6.1f\n",
                       row.milliseconds > 0 ? row.flops * 1e-6 / row.milliseconds : 0.0,
                       call > 0 ? 100 * row.milliseconds / call : 0.0);
  }
  os << llvm::format("kernels take %.3f of %.3f ms (%.1f %%)\n", total, call,
                     call > 0 ? 100 * total / call : 0.0);
}
