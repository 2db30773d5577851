//===- Calibrate.cpp - the ranges of activations ----------------------------===//

#include "passes/compress/Calibrate.h"

#include "ir/Interpreter.h"
#include "passes/compress/Layers.h"

#include <cmath>

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

std::optional<std::pair<double, double>> Histogram::range(Observer observer) const {
  if (total == 0)
    return std::nullopt;
  if (width == 0 || observer == Observer::MinMax)
    return std::pair(low, high);
  return observer == Observer::Percentile ? percentile(0.9999) : leastError();
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

FailureOr<Calibrator> Calibrator::start(ModuleOp module) {
  FailureOr<SmallVector<Rule>> rules = readRules(module);
  if (failed(rules))
    return failure();
  Calibrator result;
  for (const Layer &layer : layersOf(module)) {
    const Rule *rule = ruleFor(*rules, Rule::Action::Quantize, layer.path);
    if (!rule || !rule->scheme.needsCalibration() || !layer.reason.empty())
      continue;
    bool isSummed = rule->scheme.rounding == Scheme::Rounding::GPTQ;
    if (isSummed && llvm::any_of(layer.readers, [](Operation *op) { return isa<MatmulOp>(op); }))
      result.addSummed(layer);
    if (isSummed)
      continue;
    for (Operation *reader : layer.readers)
      if (isa<MatmulOp, Conv2dOp>(reader))
        result.watched[reader].observer = rule->scheme.observer;
  }
  return result;
}

void Calibrator::addSummed(const Layer &layer) {
  for (Operation *reader : layer.readers)
    if (isa<MatmulOp>(reader))
      summed.insert({reader, Inputs(layer.depth())});
}

LogicalResult Calibrator::call(FunctionOpInterface function, ArrayRef<Tensor> arguments) {
  auto observe = [&](Operation *op, ArrayRef<const Tensor *> operands, MutableArrayRef<Tensor>) {
    auto found = watched.find(op);
    if (found != watched.end())
      for (double value : operands[0]->floats)
        found->second.histogram.add(value);
    if (auto sums = summed.find(op); sums != summed.end())
      sums->second.add(operands[0]->floats);
  };
  return success(succeeded(interpret(function, arguments, observe)));
}

void Calibrator::finish() {
  for (auto &[op, watch] : watched)
    if (auto range = watch.histogram.range(watch.observer))
      op->setAttr("kiln.range",
                  Builder(op->getContext()).getDenseF64ArrayAttr({range->first, range->second}));
  for (auto &[op, inputs] : summed) {
    WeightStore &store = op->getContext()->getLoadedDialect<KilnDialect>()->getWeights();
    int64_t depth = inputs.getDepth();
    auto *first = reinterpret_cast<const uint8_t *>(inputs.get().data());
    std::string hash =
        store.addOwned(DType::F64, {depth, depth}, {first, first + 8 * inputs.get().size()});
    op->setAttr("kiln.inputs", Builder(op->getContext()).getStringAttr(hash));
  }
}
