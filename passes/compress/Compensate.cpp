//===- Compensate.cpp - changes that make up for their errors ---------------===//

#include "passes/compress/Compensate.h"

#include "ir/KilnDialect.h"

#include <array>
#include <cmath>

using namespace kiln;
using namespace kiln::passes;
using namespace mlir;

/// Part of the mean square of inputs that is added to each square, so that the matrix has an
/// inverse.
static constexpr double damping = 0.01;

/// In four sums, so that additions do not wait for each other.
static double dot(const double *a, const double *b, int64_t count) {
  double sums[4] = {0, 0, 0, 0};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4)
#pragma GCC unroll 4
    for (int64_t part = 0; part < 4; ++part)
      sums[part] += a[i + part] * b[i + part];
  for (; i < count; ++i)
    sums[0] += a[i] * b[i];
  return sums[0] + sums[1] + (sums[2] + sums[3]);
}

/// Several rows at a time, since the sums of a deep layer do not fit into caches.
void Inputs::add(ArrayRef<double> rows) {
  constexpr int64_t most = 8;
  const std::vector<double> none(depth);
  while (!rows.empty()) {
    std::array<const double *, most> x;
    x.fill(none.data());
    for (int64_t found = 0; found < most && !rows.empty(); rows = rows.drop_front(depth)) {
      ArrayRef<double> row = rows.take_front(depth);
      if (!llvm::all_of(row, [](double value) { return std::isfinite(value); }))
        continue;
      x[found++] = row.data();
      for (int64_t i = 0; i < depth; ++i)
        sums[depth * depth + i] += std::fabs(row[i]);
      ++sums.back();
    }
    for (int64_t i = 0; i < depth; ++i)
      for (int64_t j = i; j < depth; ++j) {
        double sum = sums[i * depth + j];
#pragma GCC unroll 8
        for (int64_t row = 0; row < most; ++row)
          sum += x[row][i] * x[row][j];
        sums[i * depth + j] = sum;
      }
  }
}

void Inputs::addSums(ArrayRef<double> others) {
  for (auto [sum, other] : llvm::zip_equal(sums, others))
    sum += other;
}

double Inputs::squares(ArrayRef<double> d) const {
  double sum = 0;
  for (int64_t i = 0; i < depth; ++i) {
    double right = dot(&sums[i * depth] + i + 1, d.data() + i + 1, depth - i - 1);
    sum += d[i] * (sums[i * depth + i] * d[i] + 2 * right);
  }
  return sum;
}

std::optional<Inputs> passes::inputsOf(const Layer &layer) {
  std::optional<Inputs> inputs;
  WeightStore &store =
      layer.weight->getContext()->getLoadedDialect<ir::KilnDialect>()->getWeights();
  for (Operation *reader : layer.readers)
    if (auto hash = reader->getAttrOfType<StringAttr>("kiln.inputs")) {
      const WeightView *view = store.find(hash.getValue());
      if (!inputs)
        inputs.emplace(layer.depth());
      inputs->addSums({reinterpret_cast<const double *>(view->bytes.data()),
                       static_cast<size_t>(view->numElements())});
    }
  return inputs;
}

/// The upper triangle U with transpose(U) U = inverse of the damped matrix: the inverse of the R
/// with R transpose(R) = matrix.
static std::vector<double> inverseFactor(const Inputs &inputs) {
  int64_t n = inputs.getDepth();
  ArrayRef<double> sums = inputs.get().take_front(n * n);
  std::vector<double> r(sums.begin(), sums.end()), u(n * n);
  double mean = 0;
  for (int64_t i = 0; i < n; ++i)
    mean += r[i * n + i] / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i)
    r[i * n + i] += mean > 0 ? damping * mean : 1;
  for (int64_t j = n - 1; j >= 0; --j)
    for (int64_t i = j; i >= 0; --i) {
      double value = r[i * n + j] - dot(&r[i * n] + j + 1, &r[j * n] + j + 1, n - j - 1);
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

/// Element k becomes `value`, and those to come make up for that.
static void replace(std::vector<double> &row, int64_t k, double value, ArrayRef<double> factor) {
  int64_t depth = static_cast<int64_t>(row.size());
  double error = (row[k] - value) / factor[k * depth + k];
  row[k] = value;
  for (int64_t j = k + 1; j < depth; ++j)
    row[j] -= error * factor[k * depth + j];
}

/// Rounds one row; `row` becomes what is read back.
static void compensateRow(std::vector<double> &row, int64_t n, const Layer &layer,
                          const Scheme &scheme, ArrayRef<double> factor, PartBytes &result) {
  int64_t depth = layer.depth();
  SmallVector<float> values;
  Steps steps;
  for (int64_t k = 0; k < depth; ++k) {
    if (k % scheme.group == 0) {
      values.clear();
      for (int64_t i = k; i < std::min(k + scheme.group, depth); ++i)
        values.push_back(static_cast<float>(row[i]));
      steps = Steps::of(values, scheme);
      result.setSteps(n, k / scheme.group, steps);
    }
    // What was pruned stays zero.
    int64_t q = elementOf(layer, n, k) == 0 ? steps.zero : steps.nearest(row[k]);
    result.set(n, k, q, steps.valueOf(q));
    replace(row, k, steps.valueOf(q), factor);
  }
}

double passes::relative(double error, double signal) {
  return signal > 0 ? std::sqrt(error / signal) : 0;
}

Compensation passes::compensate(const Layer &layer, const Scheme &scheme, const Inputs &inputs) {
  int64_t depth = layer.depth();
  std::vector<double> factor = inverseFactor(inputs), trained(depth), change(depth), row;
  PartBytes compensated(layer, scheme);
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
      change[k] = nearest.valueAt(n, k) - trained[k];
    errors[0] += inputs.squares(change);
  }
  Compensation result;
  result.nearest = relative(errors[0], signal);
  result.compensated = relative(errors[1], signal);
  result.stored = errors[1] < errors[0] ? compensated.take() : std::move(nearest);
  return result;
}

Update passes::compensateZeros(const Layer &layer, MutableArrayRef<float> values,
                               const Inputs &inputs) {
  int64_t depth = layer.depth(), outputs = layer.outputs();
  auto place = [&](int64_t n, int64_t k) {
    return layer.isColumns ? k * outputs + n : n * depth + k;
  };
  std::vector<double> factor = inverseFactor(inputs), trained(depth), change(depth), row;
  std::vector<float> compensated(values.begin(), values.end());
  double signal = 0, left = 0, error = 0;
  for (int64_t n = 0; n < outputs; ++n) {
    for (int64_t k = 0; k < depth; ++k) {
      trained[k] = elementOf(layer, n, k);
      change[k] = values[place(n, k)] - trained[k];
    }
    signal += inputs.squares(trained);
    left += inputs.squares(change);
    row = trained;
    for (int64_t k = 0; k < depth; ++k) {
      float &value = compensated[place(n, k)];
      if (value == 0)
        replace(row, k, 0, factor);
      else
        value = static_cast<float>(row[k]);
      change[k] = value - trained[k];
    }
    error += inputs.squares(change);
  }
  if (error < left)
    llvm::copy(compensated, values.begin());
  return {relative(left, signal), relative(error, signal)};
}
