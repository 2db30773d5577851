//===- Tensor.cpp - values of the interpreter -----------------------------===//

#include "ir/Tensor.h"

#include "llvm/ADT/Twine.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/MathExtras.h"

#include "llvm/ADT/APFloat.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace kiln;
using namespace kiln::ir;

Tensor::Tensor(DType type, llvm::ArrayRef<int64_t> extents) : type(type), shape(extents) {
  if (isFloat())
    floats.resize(numElements());
  else
    ints.resize(numElements());
}

int64_t Tensor::numElements() const {
  int64_t n = 1;
  for (int64_t extent : shape)
    n *= extent;
  return n;
}

llvm::SmallVector<int64_t, 6> Tensor::strides() const {
  llvm::SmallVector<int64_t, 6> result(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    result[i - 1] = result[i] * shape[i];
  return result;
}

static const llvm::fltSemantics &semantics(DType type) {
  switch (type) {
  case DType::F32:
    return llvm::APFloat::IEEEsingle();
  case DType::F16:
    return llvm::APFloat::IEEEhalf();
  case DType::BF16:
    return llvm::APFloat::BFloat();
  case DType::F8E4M3:
    return llvm::APFloat::Float8E4M3FN();
  case DType::F8E5M2:
    return llvm::APFloat::Float8E5M2();
  default:
    return llvm::APFloat::IEEEdouble();
  }
}

/// The bit pattern of a value in a narrow floating type.
static uint64_t encode(DType type, double value) {
  if (type == DType::F8E4M3 && !std::isnan(value)) // saturates: it has no infinity
    value = std::fmin(std::fmax(value, -448.0), 448.0);
  llvm::APFloat f(value);
  bool lost;
  f.convert(semantics(type), llvm::APFloat::rmNearestTiesToEven, &lost);
  return f.bitcastToAPInt().getZExtValue();
}

static double decode(DType type, uint64_t bits) {
  unsigned width = static_cast<unsigned>(byteSize(type) * 8);
  llvm::APFloat f(semantics(type), llvm::APInt(width, bits));
  bool lost;
  f.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &lost);
  return f.convertToDouble();
}

double ir::roundTo(DType type, double value) {
  if (type == DType::F64)
    return value;
  if (type == DType::F32)
    return static_cast<float>(value);
  return decode(type, encode(type, value));
}

double ir::roundTo(DType type, int64_t value) {
  auto nearest = static_cast<double>(value);
  uint64_t size = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  int excess = 11 - llvm::countl_zero(size); // bits that f64 cannot hold
  if (type == DType::F64 || excess <= 0)
    return roundTo(type, nearest);
  // What is cut off stays as a last bit, which tells the narrower rounding which side of a tie it
  // is.
  bool isInexact = size & llvm::maskTrailingOnes<uint64_t>(excess);
  double cut = std::ldexp(static_cast<double>(size >> excess | uint64_t(isInexact)), excess);
  return roundTo(type, std::copysign(cut, nearest));
}

int64_t ir::wrapTo(DType type, int64_t value) {
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
    return value != 0;
  default:
    return value;
  }
}

int64_t ir::truncateTo(DType type, double value) {
  if (std::isnan(value))
    return 0;
  int64_t low = type == DType::U8 ? 0 : -(int64_t(1) << (byteSize(type) * 8 - 1) % 64);
  int64_t high = type == DType::U8 ? 255 : -(low + 1);
  if (type == DType::I64) {
    low = std::numeric_limits<int64_t>::min();
    high = std::numeric_limits<int64_t>::max();
  }
  if (value <= static_cast<double>(low))
    return low;
  if (value >= static_cast<double>(high))
    return high;
  return static_cast<int64_t>(value);
}

template <typename T> static T loadAs(const uint8_t *at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

Tensor Tensor::fromBytes(DType type, llvm::ArrayRef<int64_t> shape, const uint8_t *bytes) {
  Tensor t(type, shape);
  int64_t n = t.numElements(), size = byteSize(type);
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t *at = bytes + i * size;
    switch (type) {
    case DType::F64:
      t.floats[i] = loadAs<double>(at);
      break;
    case DType::F32:
      t.floats[i] = loadAs<float>(at);
      break;
    case DType::F16:
    case DType::BF16:
      t.floats[i] = decode(type, loadAs<uint16_t>(at));
      break;
    case DType::F8E4M3:
    case DType::F8E5M2:
      t.floats[i] = decode(type, *at);
      break;
    case DType::I64:
      t.ints[i] = loadAs<int64_t>(at);
      break;
    case DType::I32:
      t.ints[i] = loadAs<int32_t>(at);
      break;
    case DType::I16:
      t.ints[i] = loadAs<int16_t>(at);
      break;
    case DType::I8:
      t.ints[i] = loadAs<int8_t>(at);
      break;
    case DType::U8:
      t.ints[i] = *at;
      break;
    case DType::Bool:
      t.ints[i] = *at != 0;
      break;
    }
  }
  return t;
}

void Tensor::toBytes(uint8_t *bytes) const {
  int64_t n = numElements(), size = byteSize(type);
  for (int64_t i = 0; i < n; ++i) {
    uint64_t bits;
    if (type == DType::F64) {
      std::memcpy(&bits, &floats[i], 8);
    } else if (type == DType::F32) {
      float f = static_cast<float>(floats[i]);
      uint32_t word;
      std::memcpy(&word, &f, 4);
      bits = word;
    } else {
      bits = isFloat() ? encode(type, floats[i]) : static_cast<uint64_t>(wrapTo(type, ints[i]));
    }
    std::memcpy(bytes + i * size, &bits, size);
  }
}

std::optional<int64_t> Evaluation::tryValue(const DimExpr &expr) const {
  auto lookup = [&](std::string_view name) -> std::optional<int64_t> {
    auto it = dims.find(name);
    return it == dims.end() ? std::nullopt : std::optional(it->second);
  };
  return expr.evaluate(lookup);
}

int64_t Evaluation::value(const DimExpr &expr) const {
  std::optional<int64_t> known = tryValue(expr);
  if (!known)
    llvm::report_fatal_error(llvm::Twine("internal: the value of '") + expr.str() +
                             "' is not known");
  return *known;
}

llvm::SmallVector<int64_t, 6> Evaluation::values(llvm::ArrayRef<DimExpr> exprs) const {
  llvm::SmallVector<int64_t, 6> result;
  for (const DimExpr &expr : exprs)
    result.push_back(value(expr));
  return result;
}
