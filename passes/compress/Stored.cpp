//===- Stored.cpp - a weight in fewer bits ----------------------------------===//

#include "passes/compress/Stored.h"

#include "ir/NumberBlock.h"
#include "ir/Tensor.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

float passes::elementOf(const Layer &layer, int64_t n, int64_t k) {
  return layer.at(layer.isColumns ? k * layer.outputs() + n : n * layer.depth() + k);
}

static SmallVector<int64_t> orientedShape(const Layer &layer) {
  SmallVector<int64_t> shape(layer.shape());
  if (layer.isColumns)
    std::swap(shape[0], shape[1]);
  return shape;
}

/// A group of zeros, or of numbers whose scale has no precision left, keeps an ordinary one.
static float orOrdinary(float scale) { return std::fabs(scale) < 1e-37f ? 1.0f : scale; }

/// The scale as it is stored: in f16 within its range, and an ordinary one where nothing is left.
static float storedScale(float scale, const Scheme &scheme) {
  if (scheme.hasHalfScales)
    scale = static_cast<float>(std::clamp(roundTo(DType::F16, scale), -65504.0, 65504.0));
  return orOrdinary(scale);
}

std::vector<uint8_t> Stored::scaleBytes() const {
  Tensor tensor(scaleType, scaleShape);
  llvm::copy(scales, tensor.floats.begin());
  std::vector<uint8_t> result(scales.size() * byteSize(scaleType));
  tensor.toBytes(result.data());
  return result;
}

/// Symmetric: the largest magnitude of a group becomes 127.
static Stored toInt8(const Layer &layer, const Scheme &scheme) {
  Stored stored;
  int64_t group = scheme.group;
  stored.scaleType = scheme.hasHalfScales ? DType::F16 : DType::F32;
  stored.shape = orientedShape(layer);
  if (group) // 1x1 filters become matrices
    stored.shape = {layer.outputs(), layer.depth()};
  int64_t depth = layer.depth(), run = group ? group : depth;
  stored.group = group;
  stored.scaleShape.push_back(layer.outputs());
  if (group)
    stored.scaleShape.push_back(llvm::divideCeil(depth, group));
  stored.bytes.reserve(layer.view->numElements());
  for (int64_t n = 0; n < layer.outputs(); ++n)
    for (int64_t first = 0; first < depth; first += run) {
      float largest = 0;
      int64_t end = std::min(first + run, depth);
      for (int64_t k = first; k < end; ++k)
        largest = std::max(largest, std::fabs(elementOf(layer, n, k)));
      float scale = storedScale(largest / 127, scheme);
      stored.scales.push_back(scale);
      for (int64_t k = first; k < end; ++k) {
        float value = elementOf(layer, n, k);
        float whole = std::fmin(std::fmax(std::nearbyint(value / scale), -127.0f), 127.0f);
        double change = value - static_cast<double>(whole) * scale;
        stored.error += change * change;
        stored.zeros += whole == 0;
        stored.bytes.push_back(static_cast<uint8_t>(static_cast<int8_t>(whole)));
      }
    }
  return stored;
}

/// Rounded to a narrower float; nothing if a value becomes infinite.
static std::optional<Stored> toNarrow(const Layer &layer, DType type) {
  Stored stored;
  stored.type = type;
  stored.shape = orientedShape(layer);
  Tensor rounded(type, stored.shape);
  int64_t depth = layer.depth();
  for (int64_t i = 0, count = layer.view->numElements(); i < count; ++i) {
    double value = elementOf(layer, i / depth, i % depth);
    double narrow = roundTo(type, value);
    if (!std::isfinite(narrow))
      return std::nullopt;
    rounded.floats[i] = narrow;
    stored.error += (value - narrow) * (value - narrow);
    stored.zeros += narrow == 0;
  }
  stored.bytes.resize(rounded.floats.size() * byteSize(type));
  rounded.toBytes(stored.bytes.data());
  return stored;
}

//===----------------------------------------------------------------------===//
// Parts of bytes
//===----------------------------------------------------------------------===//

int64_t Steps::nearest(double value) const {
  double steps = std::nearbyint(value / static_cast<double>(scale)) + static_cast<double>(zero);
  return static_cast<int64_t>(
      std::clamp(steps, static_cast<double>(low), static_cast<double>(high)));
}

Steps Steps::of(ArrayRef<float> values, const Scheme &scheme) {
  float least = 0, most = 0;
  for (float value : values) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
  Steps steps;
  NumberBlock block{scheme.bits()};
  steps.low = block.low(!scheme.hasZeroPoints);
  steps.high = block.high(!scheme.hasZeroPoints);
  if (!scheme.hasZeroPoints) {
    float extreme = -least > most ? least : most;
    steps.scale = storedScale(extreme / static_cast<float>(steps.low), scheme);
    return steps;
  }
  auto count = static_cast<float>(steps.high);
  steps.scale = storedScale(most / count - least / count, scheme);
  steps.zero = static_cast<int64_t>(std::nearbyint(-least / steps.scale));
  return steps;
}

PartBytes::PartBytes(const Layer &layer, const Scheme &scheme) : layer(layer), scheme(scheme) {
  int64_t groups = llvm::divideCeil(layer.depth(), scheme.group);
  stored.group = scheme.group;
  stored.scaleType = scheme.hasHalfScales ? DType::F16 : DType::F32;
  stored.type = scheme.hasZeroPoints ? DType::U8 : DType::I8;
  stored.bits = scheme.bits();
  stored.shape = {layer.outputs(), NumberBlock{stored.bits}.bytesOf(layer.depth())};
  stored.scaleShape = {layer.outputs(), groups};
  stored.bytes.resize(stored.shape[0] * stored.shape[1]);
  stored.scales.resize(layer.outputs() * groups);
  if (scheme.hasZeroPoints)
    stored.zeroPoints.resize(stored.scales.size());
}

void PartBytes::setSteps(int64_t n, int64_t group, const Steps &steps) {
  int64_t at = n * stored.scaleShape[1] + group;
  stored.scales[at] = steps.scale;
  if (scheme.hasZeroPoints)
    stored.zeroPoints[at] = static_cast<uint8_t>(steps.zero);
}

/// `value` is what is read back.
void PartBytes::set(int64_t n, int64_t k, int64_t q, double value) {
  double change = elementOf(layer, n, k) - value;
  stored.error += change * change;
  stored.zeros += value == 0;
  NumberBlock block{stored.bits};
  uint8_t *bytes = &stored.bytes[n * stored.shape[1] + k / block.numbers() * block.bytes()];
  auto moved = static_cast<uint64_t>(q & block.mask()) << (k % block.numbers() * block.bits);
  for (int64_t i = 0; i < block.bytes(); ++i)
    bytes[i] |= static_cast<uint8_t>(moved >> (8 * i));
}

double Stored::valueAt(int64_t n, int64_t k) const {
  NumberBlock block{bits};
  const uint8_t *first = &bytes[n * shape[1] + k / block.numbers() * block.bytes()];
  uint64_t whole = 0;
  for (int64_t i = 0; i < block.bytes(); ++i)
    whole |= static_cast<uint64_t>(first[i]) << (8 * i);
  int64_t at = group ? n * scaleShape[1] + k / group : n;
  int64_t zero = zeroPoints.empty() ? 0 : zeroPoints[at];
  int64_t q = block.numberIn(whole, k % block.numbers(), type == DType::I8);
  return static_cast<double>(q - zero) * scales[at];
}

static Stored toParts(const Layer &layer, const Scheme &scheme) {
  PartBytes result(layer, scheme);
  SmallVector<float> values;
  for (int64_t n = 0; n < layer.outputs(); ++n)
    for (int64_t first = 0; first < layer.depth(); first += scheme.group) {
      int64_t count = std::min(scheme.group, layer.depth() - first);
      values.clear();
      for (int64_t i = 0; i < count; ++i)
        values.push_back(elementOf(layer, n, first + i));
      Steps steps = Steps::of(values, scheme);
      result.setSteps(n, first / scheme.group, steps);
      for (int64_t i = 0; i < count; ++i) {
        int64_t q = steps.nearest(values[i]);
        result.set(n, first + i, q, steps.valueOf(q));
      }
    }
  return result.take();
}

std::optional<Stored> passes::storedAs(const Layer &layer, const Scheme &scheme) {
  switch (scheme.kind) {
  case Scheme::Kind::Parts:
    return toParts(layer, scheme);
  case Scheme::Kind::Int8:
    return toInt8(layer, scheme);
  case Scheme::Kind::BF16:
    return toNarrow(layer, DType::BF16);
  default:
    return toNarrow(layer, DType::F16);
  }
}
