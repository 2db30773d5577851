//===- Compensate.cpp - rounding that makes up for its errors ---------------===//

#include "passes/compress/Compensate.h"

#include <cmath>

using namespace kiln;
using namespace kiln::passes;
using namespace mlir;

/// Part of the mean square of inputs that is added to each square, so that the matrix has an
/// inverse.
static constexpr double damping = 0.01;

void Inputs::add(ArrayRef<double> rows) {
  for (; !rows.empty(); rows = rows.drop_front(depth)) {
    ArrayRef<double> x = rows.take_front(depth);
    if (!llvm::all_of(x, [](double value) { return std::isfinite(value); }))
      continue;
    for (int64_t i = 0; i < depth; ++i)
      if (x[i] != 0)
        for (int64_t j = i; j < depth; ++j)
          sums[i * depth + j] += x[i] * x[j];
  }
}

void Inputs::addSums(ArrayRef<double> others) {
  for (auto [sum, other] : llvm::zip_equal(sums, others))
    sum += other;
}

double Inputs::squares(ArrayRef<double> d) const {
  double sum = 0;
  for (int64_t i = 0; i < depth; ++i) {
    double right = 0;
    for (int64_t j = i + 1; j < depth; ++j)
      right += sums[i * depth + j] * d[j];
    sum += d[i] * (sums[i * depth + i] * d[i] + 2 * right);
  }
  return sum;
}

/// The upper triangle U with transpose(U) U = inverse of the damped matrix: the inverse of the R
/// with R transpose(R) = matrix.
static std::vector<double> inverseFactor(const Inputs &inputs) {
  int64_t n = inputs.getDepth();
  std::vector<double> r(inputs.get().begin(), inputs.get().end()), u(n * n);
  double mean = 0;
  for (int64_t i = 0; i < n; ++i)
    mean += r[i * n + i] / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i)
    r[i * n + i] += mean > 0 ? damping * mean : 1;
  for (int64_t j = n - 1; j >= 0; --j)
    for (int64_t i = j; i >= 0; --i) {
      double value = r[i * n + j];
      for (int64_t m = j + 1; m < n; ++m)
        value -= r[i * n + m] * r[j * n + m];
      r[i * n + j] = i == j ? std::sqrt(value) : value / r[j * n + j];
    }
  for (int64_t i = n - 1; i >= 0; --i) {
    double inverse = 1 / r[i * n + i];
    u[i * n + i] = inverse;
    for (int64_t m = i + 1; m < n; ++m)
      for (int64_t j = m; j < n; ++j)
        u[i * n + j] -= inverse * r[i * n + m] * u[m * n + j];
  }
  return u;
}

/// Rounds one row; `row` becomes what is read back.
static void compensateRow(std::vector<double> &row, int64_t n, const Layer &layer,
                          const Scheme &scheme, ArrayRef<double> factor, HalfBytes &result) {
  int64_t depth = layer.depth();
  SmallVector<float> values(scheme.group);
  Steps steps;
  for (int64_t k = 0; k < depth; ++k) {
    if (k % scheme.group == 0) {
      for (int64_t i = 0; i < scheme.group; ++i)
        values[i] = static_cast<float>(row[k + i]);
      steps = Steps::of(values, scheme.hasZeroPoints);
      result.setSteps(n, k / scheme.group, steps);
    }
    // What was pruned stays zero.
    int64_t q = elementOf(layer, n, k) == 0 ? steps.zero : steps.nearest(row[k]);
    double value = steps.valueOf(q), error = (row[k] - value) / factor[k * depth + k];
    result.set(n, k, q, value);
    row[k] = value;
    for (int64_t j = k + 1; j < depth; ++j)
      row[j] -= error * factor[k * depth + j];
  }
}

Compensation passes::compensate(const Layer &layer, const Scheme &scheme, const Inputs &inputs) {
  int64_t depth = layer.depth();
  std::vector<double> factor = inverseFactor(inputs), trained(depth), change(depth), row;
  HalfBytes compensated(layer, scheme);
  Stored nearest = *storedAs(layer, scheme);
  double signal = 0, errors[2] = {0, 0};
  for (int64_t n = 0; n < layer.outputs(); ++n) {
    for (int64_t k = 0; k < depth; ++k)
      trained[k] = elementOf(layer, n, k);
    signal += inputs.squares(trained);
    row = trained;
    compensateRow(row, n, layer, scheme, factor, compensated);
    for (int64_t k = 0; k < depth; ++k)
      change[k] = row[k] - trained[k];
    errors[1] += inputs.squares(change);
    for (int64_t k = 0; k < depth; ++k)
      change[k] = nearest.halfAt(n, k) - trained[k];
    errors[0] += inputs.squares(change);
  }
  auto relative = [&](double error) { return signal > 0 ? std::sqrt(error / signal) : 0; };
  Compensation result;
  result.nearest = relative(errors[0]);
  result.compensated = relative(errors[1]);
  result.stored = errors[1] < errors[0] ? compensated.take() : std::move(nearest);
  return result;
}
