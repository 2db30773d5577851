//===- Scale.cpp - inputs that matter get finer steps -----------------------===//

#include "passes/compress/Scale.h"

#include <cmath>
#include <limits>

using namespace kiln;
using namespace kiln::passes;
using namespace mlir;

static constexpr int64_t powers = 20, mostOutputs = 64;

/// 1 / s for s = mean magnitude ^ power, divided by the geometric mean of the least and the largest
/// of them, so that weights keep their size. Of inputs that were always zero the data says nothing:
/// theirs is 1.
static std::vector<float> factorsOf(const Inputs &inputs, double power) {
  std::vector<double> scales;
  double least = std::numeric_limits<double>::infinity(), most = 0;
  for (double sum : inputs.magnitudes()) {
    double mean = sum / static_cast<double>(inputs.count());
    double scale = mean > 0 ? std::pow(std::max(mean, 1e-4), power) : 0;
    scales.push_back(scale);
    if (scale > 0) {
      least = std::min(least, scale);
      most = std::max(most, scale);
    }
  }
  double middle = std::sqrt(least * most);
  std::vector<float> factors;
  for (double scale : scales)
    factors.push_back(scale > 0 ? static_cast<float>(middle / scale) : 1);
  return factors;
}

namespace {
/// Some outputs of a layer, times s.
class Part {
public:
  /// Every `step`-th output.
  Part(const Layer &layer, const Scheme &scheme, int64_t step)
      : step(step), layer(layer), scheme(scheme), whole(layer) {
    view.shape = {(layer.outputs() + step - 1) / step, layer.depth()};
    values.resize(view.numElements());
    view.bytes = {reinterpret_cast<const uint8_t *>(values.data()), values.size() * sizeof(float)};
    whole.isColumns = false;
    whole.view = &view;
  }
  Stored round(ArrayRef<float> factors);
  /// Sum of squares of the change of products, and of the products; the stored weight's error
  /// becomes that of what multiplies the inputs.
  double errorOf(Stored &stored, ArrayRef<float> factors, const Inputs &inputs) const;
  double signal(const Inputs &inputs) const;

private:
  float trained(int64_t n, int64_t k) const { return elementOf(layer, n * step, k); }
  int64_t step;
  const Layer &layer;
  const Scheme &scheme;
  Layer whole; ///< of scaled weights
  WeightView view;
  std::vector<float> values;
};
} // namespace

Stored Part::round(ArrayRef<float> factors) {
  int64_t depth = layer.depth();
  for (int64_t n = 0; n < view.shape[0]; ++n)
    for (int64_t k = 0; k < depth; ++k)
      values[n * depth + k] = trained(n, k) / factors[k];
  return *storedAs(whole, scheme);
}

double Part::errorOf(Stored &stored, ArrayRef<float> factors, const Inputs &inputs) const {
  int64_t depth = layer.depth();
  std::vector<double> change(depth);
  double sum = 0;
  stored.error = 0;
  for (int64_t n = 0; n < view.shape[0]; ++n) {
    for (int64_t k = 0; k < depth; ++k) {
      double value = stored.valueAt(n, k);
      change[k] = value * factors[k] - trained(n, k);
      stored.error += change[k] * change[k];
    }
    sum += inputs.squares(change);
  }
  return sum;
}

double Part::signal(const Inputs &inputs) const {
  std::vector<double> row(layer.depth());
  double sum = 0;
  for (int64_t n = 0; n < view.shape[0]; ++n) {
    for (int64_t k = 0; k < layer.depth(); ++k)
      row[k] = trained(n, k);
    sum += inputs.squares(row);
  }
  return sum;
}

Scaling passes::scale(const Layer &layer, const Scheme &scheme, const Inputs &inputs) {
  Part some(layer, scheme, (layer.outputs() + mostOutputs - 1) / mostOutputs),
      all(layer, scheme, 1);
  Scaling best;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t i = 1; i <= powers; ++i) {
    std::vector<float> factors =
        factorsOf(inputs, static_cast<double>(i) / static_cast<double>(powers));
    Stored stored = some.round(factors);
    double error = some.errorOf(stored, factors, inputs);
    if (error < least) {
      least = error;
      best.factors = std::move(factors);
    }
  }
  std::vector<float> ones(layer.depth(), 1);
  Stored plain = all.round(ones);
  double signal = all.signal(inputs);
  best.plain = relative(all.errorOf(plain, ones, inputs), signal);
  best.stored = all.round(best.factors);
  best.scaled = relative(all.errorOf(best.stored, best.factors, inputs), signal);
  if (!scheme.group && !layer.isColumns) // filters stay filters
    best.stored.shape.assign(layer.shape().begin(), layer.shape().end());
  return best;
}
