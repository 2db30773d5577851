//===- Resample.cpp - resizes images as Pillow does -----------------------===//
#include "tools/kiln-run/Image.h"

#include <algorithm>
#include <cmath>

using namespace kiln;
using namespace kiln::run;

/// Weights are fixed-point numbers with so many binary places.
static constexpr int fractionBits = 22;

/// Keys' cubic with a = -0.5; zero beyond 2.
static double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

namespace {
/// The source positions from `first` that one output position reads, and their weights.
struct Window {
  int64_t first;
  std::vector<int32_t> weights;
};
} // namespace

static std::vector<Window> makeWindows(int64_t from, int64_t to) {
  double scale = double(from) / double(to), stretch = std::max(scale, 1.0), reach = 2 * stretch;
  double inverse = 1 / stretch;
  std::vector<Window> windows;
  for (int64_t position = 0; position < to; ++position) {
    double centre = (double(position) + 0.5) * scale;
    // Truncation, not floor: the clamp makes the difference invisible.
    int64_t first = std::max<int64_t>(static_cast<int64_t>(centre - reach + 0.5), 0);
    int64_t last = std::min<int64_t>(static_cast<int64_t>(centre + reach + 0.5), from);
    std::vector<double> exact;
    double sum = 0;
    for (int64_t i = first; i < last; ++i) {
      exact.push_back(cubic((double(i) - centre + 0.5) * inverse));
      sum += exact.back();
    }
    Window window{first, {}};
    for (double weight : exact) {
      double scaled = weight / sum * (1 << fractionBits);
      window.weights.push_back(static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
    windows.push_back(std::move(window));
  }
  return windows;
}

/// One output byte: the weighted sum of bytes that are `stride` apart.
static uint8_t apply(const Window &window, const uint8_t *source, int64_t stride) {
  int64_t sum = int64_t(1) << (fractionBits - 1);
  for (int32_t weight : window.weights) {
    sum += int64_t(weight) * *source;
    source += stride;
  }
  return static_cast<uint8_t>(std::clamp<int64_t>(sum >> fractionBits, 0, 255));
}

Image run::resample(const Image &image, int64_t width, int64_t height) {
  int64_t channels = image.channels;
  Image wide{width, image.height, channels, {}}, result{width, height, channels, {}};
  std::vector<Window> columns = makeWindows(image.width, width);
  wide.pixels.reserve(width * image.height * channels);
  for (int64_t y = 0; y < image.height; ++y)
    for (const Window &window : columns)
      for (int64_t c = 0; c < channels; ++c)
        wide.pixels.push_back(apply(
            window, &image.pixels[(y * image.width + window.first) * channels + c], channels));
  int64_t row = width * channels;
  result.pixels.reserve(row * height);
  for (const Window &window : makeWindows(image.height, height))
    for (int64_t x = 0; x < row; ++x)
      result.pixels.push_back(apply(window, &wide.pixels[window.first * row + x], row));
  return result;
}
