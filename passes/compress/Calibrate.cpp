//===- Calibrate.cpp - the ranges of activations ----------------------------===//

#include "passes/compress/Calibrate.h"

#include "ir/Interpreter.h"
#include "passes/compress/Layers.h"
#include "passes/compress/Windows.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

//===----------------------------------------------------------------------===//
// Histograms
//===----------------------------------------------------------------------===//

void Histogram::add(double value) {
  if (!std::isfinite(value))
    return;
  if (counts.empty())
    counts.resize(2 * half);
  low = std::min(low, value);
  high = std::max(high, value);
  ++total;
  zeros += value == 0;
  if (width == 0) {
    if (value == 0) {
      ++counts[half];
      return;
    }
    width = std::ldexp(1.0, std::ilogb(value) + 1) / half;
  }
  while (std::fabs(value) >= width * half) {
    std::vector<int64_t> wider(2 * half);
    for (int64_t i = 0; i < 2 * half; ++i)
      wider[half / 2 + i / 2] += counts[i];
    counts = std::move(wider);
    width *= 2;
  }
  ++counts[half + static_cast<int64_t>(std::floor(value / width))];
}

/// Without the outermost values: so large a part stays on each side.
std::pair<double, double> Histogram::percentile(double part) const {
  double beyond = static_cast<double>(total) * (1 - part), seen = 0;
  int64_t first = 0, last = 2 * half - 1;
  while (first < last && seen + static_cast<double>(counts[first]) <= beyond)
    seen += static_cast<double>(counts[first++]);
  seen = 0;
  while (last > first && seen + static_cast<double>(counts[last]) <= beyond)
    seen += static_cast<double>(counts[last--]);
  return {std::max(low, std::min(0.0, middle(first) - width / 2)),
          std::min(high, std::max(0.0, middle(last) + width / 2))};
}

/// The squares that 255 steps over the range leave, of the middles of the bins.
double Histogram::errorOf(double from, double to) const {
  double step = (to - from) / 255, sum = 0;
  for (int64_t i = 0; i < 2 * half; ++i)
    if (counts[i]) {
      double x = middle(i), whole = std::nearbyint(std::clamp(x, from, to) / step) * step;
      sum += static_cast<double>(counts[i]) * (x - whole) * (x - whole);
    }
  return sum;
}

/// Of parts of the whole range, the one that leaves the least error.
std::pair<double, double> Histogram::leastError() const {
  std::pair<double, double> best{low, high};
  double least = errorOf(low, high);
  for (int part = 99; part >= 30; --part) {
    double error = errorOf(low * part / 100, high * part / 100);
    if (error < least) {
      least = error;
      best = {low * part / 100, high * part / 100};
    }
  }
  return best;
}

/// What is lost of the distribution P of values when bins from `first` on and before `last` become
/// 256 numbers: the divergence of P from Q (Kullback-Leibler, in nats). In P what lies outside is
/// in the outermost bins; in Q it is missing, and the values of a number are spread evenly over its
/// bins that are not empty in P. Zeros stay exact in any range, so they are in neither. Infinite
/// where Q has nothing for a bin of P.
double Histogram::divergenceOf(int64_t first, int64_t last) const {
  int64_t count = last - first;
  std::vector<double> inside(count), all;
  for (int64_t i = 0; i < count; ++i)
    inside[i] = static_cast<double>(counts[first + i]);
  inside[half - first] -= static_cast<double>(zeros);
  all = inside;
  for (int64_t i = 0; i < first; ++i)
    all[0] += static_cast<double>(counts[i]);
  for (int64_t i = last; i < 2 * half; ++i)
    all[count - 1] += static_cast<double>(counts[i]);
  double here = std::accumulate(inside.begin(), inside.end(), 0.0);
  double everywhere = static_cast<double>(total - zeros), sum = 0;
  for (int64_t number = 0, i = 0; number < 256; ++number) {
    int64_t begin = i, end = (number + 1) * count / 256, filled = 0;
    double mass = 0;
    for (; i < end; ++i) {
      mass += inside[i];
      filled += all[i] != 0;
    }
    double q = mass / static_cast<double>(filled) / here;
    for (int64_t at = begin; at < end; ++at)
      if (all[at] != 0)
        sum += all[at] / everywhere * std::log(all[at] / everywhere / q);
  }
  return sum;
}

/// Of ranges that end where values get too large, the one of least divergence; 256 bins or more.
std::pair<double, double> Histogram::leastDivergence() const {
  auto bin = [&](double value) { return static_cast<int64_t>(std::floor(value / width)); };
  int64_t most = std::max(bin(high) + 1, -bin(low));
  std::pair<double, double> best{low, high};
  double least = std::numeric_limits<double>::infinity();
  for (int64_t bound = most; bound >= 128; bound -= 8) {
    int64_t first = half + std::max(bin(low), -bound), last = half + std::min(bin(high) + 1, bound);
    if (last - first < 256)
      break;
    double divergence = divergenceOf(first, last);
    if (divergence < least) {
      least = divergence;
      double end = static_cast<double>(bound) * width;
      best = {std::max(low, -end), std::min(high, end)};
    }
  }
  return best;
}

std::optional<std::pair<double, double>> Histogram::range(Observer observer) const {
  if (total == 0)
    return std::nullopt;
  if (width == 0 || observer == Observer::MinMax)
    return std::pair(low, high);
  if (observer == Observer::Entropy)
    return leastDivergence();
  return observer == Observer::Percentile ? percentile(0.9999) : leastError();
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

FailureOr<Calibrator> Calibrator::start(ModuleOp module, Rule::Action action) {
  FailureOr<SmallVector<Rule>> rules = readRules(module);
  if (failed(rules))
    return failure();
  Calibrator result;
  result.module = module;
  if (action == Rule::Action::Prune) {
    result.addPruned(*rules);
    return result;
  }
  for (const Layer &layer : layersOf(module)) {
    const Rule *rule = ruleFor(*rules, Rule::Action::Quantize, layer.path);
    if (!rule || !rule->scheme.needsCalibration() || !layer.reason.empty())
      continue;
    bool isSummed = rule->scheme.needsInputs();
    if (isSummed)
      result.addSummed(layer, multipliesPixels);
    if (isSummed)
      continue;
    for (Operation *reader : layer.readers)
      if (isa<MatmulOp, Conv2dOp>(reader))
        result.watched.insert({reader, {layer.path, rule->scheme.observer, {}, std::nullopt}});
  }
  return result;
}

void Calibrator::addSummed(const Layer &layer, llvm::function_ref<bool(Operation *)> isWanted) {
  for (Operation *reader : layer.readers)
    if (isWanted(reader))
      summed.insert({reader, Inputs(layer.depth())});
}

void Calibrator::addPruned(ArrayRef<Rule> rules) {
  for (const Layer &layer : layersOf(module)) {
    const Rule *rule = ruleFor(rules, Rule::Action::Prune, layer.path);
    if (!rule || !layer.reason.empty())
      continue;
    if (rule->sparsity.isCompensated)
      addSummed(layer, multipliesRows);
    if (rule->sparsity.isWanda)
      for (Operation *reader : layer.readers)
        if (multipliesRows(reader))
          squares.insert({reader, std::vector<double>(layer.depth())});
  }
}

/// Rows with a value that is not finite do not count.
static void addSquaresOf(ArrayRef<double> rows, std::vector<double> &sums) {
  for (; !rows.empty(); rows = rows.drop_front(sums.size())) {
    ArrayRef<double> x = rows.take_front(sums.size());
    if (llvm::all_of(x, [](double value) { return std::isfinite(value); }))
      for (auto [sum, value] : llvm::zip_equal(sums, x))
        sum += value * value;
  }
}

LogicalResult Calibrator::call(FunctionOpInterface function, ArrayRef<Tensor> arguments) {
  auto observe = [&](Operation *op, ArrayRef<const Tensor *> operands,
                     MutableArrayRef<Tensor> results) {
    auto found = watched.find(op);
    if (found != watched.end())
      for (double value : operands[0]->floats)
        found->second.histogram.add(value);
    if (auto sums = summed.find(op); sums != summed.end())
      forRows(op, *operands[0], results[0], [&](ArrayRef<double> rows) { sums->second.add(rows); });
    if (auto sums = squares.find(op); sums != squares.end())
      forRows(op, *operands[0], results[0],
              [&](ArrayRef<double> rows) { addSquaresOf(rows, sums->second); });
  };
  return success(succeeded(interpret(function, arguments, observe)));
}

void Calibrator::finish() {
  for (auto &[op, watch] : watched)
    if (auto range = watch.range())
      op->setAttr("kiln.range",
                  Builder(op->getContext()).getDenseF64ArrayAttr({range->first, range->second}));
  for (auto &[op, sums] : squares)
    if (llvm::any_of(sums, [](double sum) { return sum != 0; }))
      op->setAttr("kiln.squares", Builder(op->getContext()).getDenseF64ArrayAttr(sums));
  for (auto &[op, inputs] : summed) {
    WeightStore &store = op->getContext()->getLoadedDialect<KilnDialect>()->getWeights();
    auto *first = reinterpret_cast<const uint8_t *>(inputs.get().data());
    std::string hash = store.addOwned(DType::F64, {static_cast<int64_t>(inputs.get().size())},
                                      {first, first + 8 * inputs.get().size()});
    op->setAttr("kiln.inputs", Builder(op->getContext()).getStringAttr(hash));
    inputs = Inputs(0); // those of deep filters are large
  }
}
