//===- Tolerance.cpp - how far floats may be from the definition ----------===//
#include "ir/Tolerance.h"

#include <cmath>
#include <limits>

using namespace kiln;
using namespace kiln::ir;

static const Tolerance tolerances[] = {
#define KILN_TOLERANCE(role, sums, wide, narrow) {FusionRole::role, #role, sums, wide, narrow},
#include "ir/Tolerances.def"
};

const Tolerance &ir::toleranceOf(FusionRole role) {
  for (const Tolerance &tolerance : tolerances)
    if (tolerance.role == role)
      return tolerance;
  llvm_unreachable("Tolerances.def lists all roles");
}

FloatFormat ir::formatOf(DType type) {
  auto format = [](int precision, int least, double largest) {
    return FloatFormat{std::ldexp(1, -precision), std::ldexp(1, least), largest};
  };
  switch (type) {
  case DType::F64:
    return format(52, -1074, std::numeric_limits<double>::max());
  case DType::F32:
    return format(23, -149, std::numeric_limits<float>::max());
  case DType::F16:
    return format(10, -24, 65504);
  case DType::BF16:
    return format(7, -133, std::ldexp(255.0 / 128, 127));
  case DType::F8E4M3:
    return format(3, -9, 448);
  case DType::F8E5M2:
    return format(2, -16, 57344);
  default:
    return {0, 0, 0};
  }
}

double ir::errorOf(FusionRole role, DType type, double size) {
  FloatFormat format = formatOf(type);
  return toleranceOf(role).units(type) * std::max(format.precision * size, format.least);
}

double ir::largestFinite(const Tensor &tensor) {
  double largest = 0;
  for (double value : tensor.floats)
    largest = std::isfinite(value) ? std::max(largest, std::fabs(value)) : largest;
  return largest;
}
