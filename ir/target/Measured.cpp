//===- Measured.cpp - which generator's kernels ran faster ----------------===//

#include "ir/target/Measured.h"

#include <cmath>

using namespace kiln::target;

namespace {
struct Row {
  std::string_view target;
  KernelShape shape;
  double ratio;
};
} // namespace

static constexpr Row table[] = {
#define KILN_MEASURED(target, templateName, rows, columns, depth, taps, stride, ratio)             \
  {#target, {#templateName, rows, columns, depth, taps, stride}, ratio},
#include "ir/target/Measured.def"
};

static double distance(int64_t a, int64_t b) {
  auto safe = [](int64_t n) { return static_cast<double>(n > 0 ? n : 1); };
  return std::fabs(std::log2(safe(a)) - std::log2(safe(b)));
}

std::optional<double> kiln::target::halideRatio(std::string_view target, const KernelShape &shape) {
  constexpr double farthest = 2; // a factor of 4
  const Row *nearest = nullptr;
  double least = farthest;
  for (const Row &row : table) {
    if (row.target != target || row.shape.templateName != shape.templateName ||
        row.shape.taps != shape.taps || row.shape.stride != shape.stride)
      continue;
    double d = distance(row.shape.rows, shape.rows) + distance(row.shape.columns, shape.columns) +
               distance(row.shape.depth, shape.depth);
    if (d <= least) {
      least = d;
      nearest = &row;
    }
  }
  return nearest ? std::optional(nearest->ratio) : std::nullopt;
}
