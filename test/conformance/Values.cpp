//===- Values.cpp - inputs and comparison ---------------------------------===//

#include "test/conformance/Values.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <limits>
#include <random>

using namespace kiln;
using namespace kiln::conformance;

static double specialFloat(DType type, unsigned which, Special special) {
  ir::FloatFormat format = ir::formatOf(type);
  double infinity = std::numeric_limits<double>::infinity();
  double largest = special == Special::All ? format.largest : 2;
  double least = special == Special::Moderate ? 0.25 : format.least;
  const double values[] = {0.0,        -0.0,    infinity, -infinity, std::nan(""), least,
                           -3 * least, largest, -largest, 1.0,       -1.0,         0.5};
  return values[which % std::size(values)];
}

static int64_t specialInt(DType type, unsigned which) {
  int64_t most = std::numeric_limits<int64_t>::max(), large = int64_t(1) << 62;
  // Beside the middles between two bf16 and between two f32.
  int64_t tieBF16 = large + (int64_t(1) << 54), tieF32 = large + (int64_t(1) << 38);
  const int64_t values[] = {
      0,   1,    -1,    most,   most - 1,   -most - 1,     tieBF16,    tieBF16 + 1,
      127, -128, 32767, -32768, 2147483647, -2147483648LL, tieF32 + 1, -tieBF16 - 1};
  // Limits of narrow types come of wrapping those of wide ones.
  return ir::wrapTo(type, values[which % std::size(values)]);
}

ir::Tensor conformance::makeTensor(DType type, llvm::ArrayRef<int64_t> shape, uint64_t seed,
                                   Special special) {
  std::mt19937_64 random(seed);
  ir::Tensor tensor(type, shape);
  for (int64_t i = 0, n = tensor.numElements(); i < n; ++i) {
    uint64_t bits = random();
    bool useSpecial = special != Special::None && (bits & 1);
    unsigned which = (bits >> 1) % 4096;
    if (tensor.isFloat())
      tensor.floats[i] = useSpecial
                             ? specialFloat(type, which, special)
                             : ir::roundTo(type, double(int64_t(bits >> 16) % 8001 - 4000) / 1000);
    else
      tensor.ints[i] = useSpecial ? specialInt(type, which)
                                  : ir::wrapTo(type, type == DType::U8 || type == DType::Bool
                                                         ? int64_t((bits >> 16) % 7)
                                                         : int64_t((bits >> 16) % 13) - 6);
  }
  // What the type cannot hold (an infinity in f8e4m3) becomes what a call would see of it.
  std::vector<uint8_t> bytes(tensor.numElements() * byteSize(type));
  tensor.toBytes(bytes.data());
  return ir::Tensor::fromBytes(type, shape, bytes.data());
}

/// Infinity as the number that it stands for when a sum just leaves the range.
static double clipped(double value, const ir::FloatFormat &format) {
  return std::isinf(value) ? std::copysign(format.largest * (1 + format.precision), value) : value;
}

/// Units are of the element or of `scale`.
static bool agree(double expected, double got, const ir::FloatFormat &format, double units,
                  double scale, double more) {
  if (std::isnan(expected) || std::isnan(got))
    return std::isnan(expected) && std::isnan(got);
  if (expected == got)
    return units != 0 || std::signbit(expected) == std::signbit(got);
  if (units == 0 || (std::isinf(expected) && std::isinf(got)))
    return false;
  double a = clipped(expected, format), b = clipped(got, format);
  double size = std::max(std::fabs(a), scale);
  return std::fabs(a - b) <= units * std::max(format.precision * size, format.least) + more;
}

static std::string place(const ir::Tensor &tensor, int64_t at) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "[";
  for (auto [i, stride] : llvm::enumerate(tensor.strides()))
    os << (i ? ", " : "") << at / stride % tensor.shape[i];
  os << "]";
  return text;
}

static double sumOfFinite(const ir::Tensor &tensor) {
  double sum = 0;
  for (double value : tensor.floats)
    sum += std::isfinite(value) ? std::fabs(value) : 0;
  return sum;
}

std::string conformance::firstDifference(const ir::Tensor &expected, const ir::Tensor &got,
                                         llvm::function_ref<bool(int64_t)> same) {
  if (expected.type != got.type || expected.shape != got.shape)
    return "type or shape differ";
  int64_t wrong = 0, first = 0, n = expected.numElements();
  for (int64_t i = n; i-- > 0;)
    if (!same(i))
      ++wrong, first = i;
  if (!wrong)
    return "";
  std::string text;
  llvm::raw_string_ostream os(text);
  os << wrong << " of " << n << " elements differ, the first at " << place(expected, first)
     << ": expected ";
  expected.isFloat() ? os << llvm::format("%.9g", expected.floats[first]) << ", got "
                          << llvm::format("%.9g", got.floats[first])
                     : os << expected.ints[first] << ", got " << got.ints[first];
  return text;
}

static constexpr double unitsOfSums = 4;

ir::Allowed conformance::errorsOfSums(const ir::Tensor &terms) {
  double precision = ir::formatOf(std::min(terms.type, DType::F32)).precision;
  ir::Allowed allowed;
  for (double size : terms.floats)
    allowed.push_back(std::isfinite(size) ? unitsOfSums * precision * size : 0);
  return allowed;
}

double conformance::errorOfReduction(llvm::ArrayRef<ir::Tensor> read, const ir::Tensor &result) {
  double size = 0;
  for (const ir::Tensor &tensor : read)
    size = std::max({size, ir::largestFinite(tensor),
                     sumOfFinite(tensor) / std::max<int64_t>(result.numElements(), 1)});
  return unitsOfSums * ir::formatOf(result.type).precision * size;
}

std::string conformance::difference(const ir::Tensor &expected, const ir::Tensor &got,
                                    ir::FusionRole role, bool cancels, const ir::Allowed &more) {
  const ir::Tolerance &tolerance = ir::toleranceOf(role);
  ir::FloatFormat format = ir::formatOf(expected.type);
  double units = tolerance.units(expected.type);
  double scale = tolerance.sums || cancels ? ir::largestFinite(expected) : 0;
  return firstDifference(expected, got, [&](int64_t i) {
    return expected.isFloat() ? agree(expected.floats[i], got.floats[i], format, units, scale,
                                      more.empty() ? 0 : more[i])
                              : expected.ints[i] == got.ints[i];
  });
}

std::string conformance::difference(const ir::Tensor &expected, const ir::Tensor &got,
                                    const ir::Allowed &allowed) {
  return firstDifference(expected, got,
                         [&](int64_t i) { return ir::isWithin(expected, got, i, allowed); });
}
