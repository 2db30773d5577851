//===- Numbers.cpp - single values as specs compute them ------------------===//

#include "codegen/spec/Numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

using namespace kiln;
using namespace kiln::spec;

namespace {
/// A float of fewer bits than f32.
struct SmallFloat {
  int exponentBits, mantissaBits;
  bool hasInfinity; ///< f8e4m3 has none: its largest exponent holds numbers and one NaN
};
} // namespace

static SmallFloat formatOf(DType type) {
  switch (type) {
  case DType::F16:
    return {5, 10, true};
  case DType::BF16:
    return {8, 7, true};
  case DType::F8E4M3:
    return {4, 3, false};
  default:
    return {5, 2, true};
  }
}

static double decode(uint32_t bits, SmallFloat format) {
  int bias = (1 << (format.exponentBits - 1)) - 1;
  int exponent = (bits >> format.mantissaBits) & ((1 << format.exponentBits) - 1);
  uint32_t mantissa = bits & ((1u << format.mantissaBits) - 1);
  bool isNegative = bits >> (format.exponentBits + format.mantissaBits) & 1;
  bool isLast = exponent == (1 << format.exponentBits) - 1;
  double value;
  if (isLast && format.hasInfinity)
    value = mantissa ? std::numeric_limits<double>::quiet_NaN()
                     : std::numeric_limits<double>::infinity();
  else if (isLast && mantissa == (1u << format.mantissaBits) - 1)
    value = std::numeric_limits<double>::quiet_NaN();
  else if (exponent == 0)
    value = std::ldexp(mantissa, 1 - bias - format.mantissaBits);
  else
    value =
        std::ldexp(mantissa + (1u << format.mantissaBits), exponent - bias - format.mantissaBits);
  return isNegative ? -value : value;
}

/// Rounds to nearest even. Where there is no infinity, overflow and infinity itself give the
/// largest number.
static uint32_t encode(double value, SmallFloat format) {
  int bias = (1 << (format.exponentBits - 1)) - 1;
  uint32_t sign = std::signbit(value) ? 1u << (format.exponentBits + format.mantissaBits) : 0;
  uint32_t infinity = ((1u << format.exponentBits) - 1) << format.mantissaBits;
  uint32_t nan = format.hasInfinity ? infinity | 1u << (format.mantissaBits - 1)
                                    : infinity | ((1u << format.mantissaBits) - 1);
  if (std::isnan(value))
    return sign | nan;
  double magnitude = std::fabs(value);
  if (magnitude == 0)
    return sign;
  if (std::isinf(magnitude))
    return sign | (format.hasInfinity ? infinity : nan - 1);
  int exponent = std::max(std::ilogb(magnitude), 1 - bias);
  double scaled = std::nearbyint(std::ldexp(magnitude, format.mantissaBits - exponent));
  // A carry out of the mantissa raises the exponent by itself.
  int64_t bits = static_cast<int64_t>(scaled) +
                 (static_cast<int64_t>(exponent + bias - 1) << format.mantissaBits);
  int64_t limit = format.hasInfinity ? infinity : nan;
  if (bits >= limit)
    return sign | (format.hasInfinity ? infinity : nan - 1);
  return sign | static_cast<uint32_t>(bits);
}

/// Rounds a double to a float type.
static double roundTo(double value, DType type) {
  if (type == DType::F64)
    return value;
  if (type == DType::F32)
    return static_cast<float>(value);
  return decode(encode(value, formatOf(type)), formatOf(type));
}

/// Keeps the low bits of an integer.
static int64_t wrap(uint64_t value, DType type) {
  switch (type) {
  case DType::I32:
    return static_cast<int32_t>(value);
  case DType::I16:
    return static_cast<int16_t>(value);
  case DType::I8:
    return static_cast<int8_t>(value);
  case DType::U8:
    return static_cast<uint8_t>(value);
  case DType::Bool:
    return value & 1;
  default:
    return static_cast<int64_t>(value);
  }
}

Number spec::loadNumber(const uint8_t *bytes, DType type) {
  uint64_t bits = 0;
  std::memcpy(&bits, bytes, byteSize(type));
  if (!isFloat(type))
    return {0, wrap(bits, type)};
  if (type == DType::F64)
    return {std::bit_cast<double>(bits), 0};
  if (type == DType::F32)
    return {std::bit_cast<float>(static_cast<uint32_t>(bits)), 0};
  return {decode(static_cast<uint32_t>(bits), formatOf(type)), 0};
}

void spec::storeNumber(uint8_t *bytes, DType type, Number value) {
  uint64_t bits = value.i;
  if (type == DType::F64)
    bits = std::bit_cast<uint64_t>(value.f);
  else if (type == DType::F32)
    bits = std::bit_cast<uint32_t>(static_cast<float>(value.f));
  else if (isFloat(type))
    bits = encode(value.f, formatOf(type));
  std::memcpy(bytes, &bits, byteSize(type));
}

/// Truncates, saturates at the type's ends; NaN gives 0.
static int64_t toInteger(double value, DType type) {
  if (std::isnan(value))
    return 0;
  double low, high;
  if (type == DType::U8) {
    low = 0;
    high = 255;
  } else {
    int bits = static_cast<int>(byteSize(type)) * 8;
    low = -std::ldexp(1.0, bits - 1);
    high = std::ldexp(1.0, bits - 1);
    if (value >= high)
      return wrap(~(uint64_t(1) << (bits - 1)), type);
    high -= bits < 64 ? 1 : 0;
  }
  return static_cast<int64_t>(std::trunc(std::clamp(value, low, high)));
}

/// Rounds an integer to a float type, once: what a double cannot hold stays as a middle between
/// multiples of 2^12, which no narrower float ties at.
static double roundTo(int64_t value, DType type) {
  constexpr int64_t limit = int64_t(1) << 53;
  if (type == DType::F32)
    return static_cast<float>(value);
  if (type != DType::F64 && (value < -limit || value > limit))
    value = (value & ~int64_t(0xfff)) | (value & 0xfff ? 0x800 : 0);
  return roundTo(static_cast<double>(value), type);
}

Number spec::convertNumber(Number value, DType from, DType to) {
  if (to == DType::Bool)
    return {0, isFloat(from) ? value.f != 0 : value.i != 0};
  if (isFloat(from))
    return isFloat(to) ? Number{roundTo(value.f, to), 0} : Number{0, toInteger(value.f, to)};
  if (!isFloat(to))
    return {0, wrap(value.i, to)};
  return {roundTo(value.i, to), 0};
}

template <typename T> static T extreme(T a, T b, bool isMax) {
  if (a != a || b != b)
    return a != a ? a : b;
  return isMax ? (a < b ? b : a) : (b < a ? b : a);
}

/// The floor of the exact quotient: where the rounded one is whole, the product tells whether the
/// exact one lies below.
static double floorQuotient(double a, double b) {
  double quotient = a / b, whole = std::floor(quotient), over = std::fma(whole, b, -a);
  bool isBelow = whole == quotient && (b < 0 ? over < 0 : over > 0);
  return isBelow ? whole - 1 : whole;
}

/// The remainder that has the sign of the divisor.
static double floorRemainder(double a, double b) {
  double rest = std::fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static std::optional<double> applyFloats(Op op, double a, double b) {
  switch (op) {
  case Op::Add:
    return a + b;
  case Op::Sub:
    return a - b;
  case Op::Mul:
    return a * b;
  case Op::Div:
    return a / b;
  case Op::FloorDiv:
    return floorQuotient(a, b);
  case Op::Mod:
    return floorRemainder(a, b);
  case Op::Max:
  case Op::Min:
    return extreme(a, b, op == Op::Max);
  case Op::Neg:
    return -a;
  case Op::Abs:
    return std::fabs(a);
  case Op::Sqrt:
    return std::sqrt(a);
  case Op::Floor:
    return std::floor(a);
  case Op::Ceil:
    return std::ceil(a);
  case Op::Round:
    return std::nearbyint(a);
  default:
    return std::nullopt;
  }
}

static int64_t floorDivide(int64_t a, int64_t b) {
  if (b == 0)
    return 0;
  if (b == -1)
    return static_cast<int64_t>(-static_cast<uint64_t>(a));
  int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static std::optional<uint64_t> applyIntegers(Op op, DType type, int64_t a, int64_t b) {
  uint64_t x = a, y = b;
  int width = static_cast<int>(byteSize(type)) * 8;
  bool isWide = b < 0 || b >= width;
  switch (op) {
  case Op::Add:
    return x + y;
  case Op::Sub:
    return x - y;
  case Op::Mul:
    return x * y;
  case Op::FloorDiv:
    return floorDivide(a, b);
  case Op::Mod:
    return b == 0 ? 0 : x - y * static_cast<uint64_t>(floorDivide(a, b));
  case Op::Max:
  case Op::Min:
    return extreme(a, b, op == Op::Max);
  case Op::Neg:
    return -x;
  case Op::Abs:
    return a < 0 ? -x : x;
  case Op::And:
    return x & y;
  case Op::Or:
    return x | y;
  case Op::Xor:
    return x ^ y;
  case Op::Not:
    return ~x;
  case Op::Shl:
    return isWide ? 0 : x << b;
  case Op::Shr:
    return isWide ? (a < 0 ? -1 : 0) : a >> b;
  default:
    return std::nullopt;
  }
}

/// One rounding to f32 after arithmetic in double is right: double has more than twice the bits.
static std::optional<double> applyRounded(Op op, DType type, double a, double b) {
  std::optional<double> result = applyFloats(op, a, b);
  return result ? std::optional(roundTo(*result, type)) : std::nullopt;
}

std::optional<Number> spec::applyNumbers(Op op, DType from, DType type, const Number *args) {
  bool isReal = isFloat(from);
  switch (op) {
  case Op::Cast:
    return convertNumber(args[0], from, type);
  case Op::Bitcast: {
    uint8_t bytes[8] = {};
    storeNumber(bytes, from, args[0]);
    return loadNumber(bytes, type);
  }
  case Op::Select:
    return args[0].i ? args[1] : args[2];
  case Op::Eq:
    return Number{0, isReal ? args[0].f == args[1].f : args[0].i == args[1].i};
  case Op::Ne:
    return Number{0, isReal ? args[0].f != args[1].f : args[0].i != args[1].i};
  case Op::Lt:
    return Number{0, isReal ? args[0].f < args[1].f : args[0].i < args[1].i};
  case Op::Le:
    return Number{0, isReal ? args[0].f <= args[1].f : args[0].i <= args[1].i};
  case Op::MulAdd:
    return Number{type == DType::F32
                      ? std::fmaf(static_cast<float>(args[0].f), static_cast<float>(args[1].f),
                                  static_cast<float>(args[2].f))
                      : std::fma(args[0].f, args[1].f, args[2].f),
                  0};
  case Op::Ldexp:
    return Number{roundTo(std::ldexp(args[0].f, static_cast<int>(args[1].i)), type), 0};
  default:
    break;
  }
  if (isReal) {
    std::optional<double> result = applyRounded(op, type, args[0].f, args[1].f);
    return result ? std::optional(Number{*result, 0}) : std::nullopt;
  }
  std::optional<uint64_t> result = applyIntegers(op, type, args[0].i, args[1].i);
  return result ? std::optional(Number{0, wrap(*result, type)}) : std::nullopt;
}

Number spec::combineNumbers(Combiner combiner, DType type, Number kept, Number item) {
  Op op = combiner == Combiner::Add   ? Op::Add
          : combiner == Combiner::Mul ? Op::Mul
          : combiner == Combiner::Max ? Op::Max
          : combiner == Combiner::Min ? Op::Min
          : combiner == Combiner::And ? Op::And
                                      : Op::Or;
  Number args[2] = {kept, item};
  return applyNumbers(op, type, type, args).value_or(Number{});
}

bool spec::isMoreExtreme(Number item, Number best, DType type, bool isMax) {
  if (!isFloat(type))
    return isMax ? best.i < item.i : item.i < best.i;
  if (std::isnan(best.f))
    return false;
  return std::isnan(item.f) || (isMax ? best.f < item.f : item.f < best.f);
}
