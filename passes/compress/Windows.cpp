//===- Windows.cpp - the rows that a filter is multiplied by ----------------===//

#include "passes/compress/Windows.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

namespace {
/// A convolution of all channels.
struct Window {
  SmallVector<int64_t> filter; ///< its extents, without that of the outputs
  ArrayRef<int64_t> stride, dilation;
  SmallVector<int64_t> before; ///< the border in front, along each spatial dimension
  bool isChannelsLast;

  /// Where channels and spatial dimensions are, in images.
  size_t channels() const { return isChannelsLast ? filter.size() : 1; }
  size_t first() const { return isChannelsLast ? 1 : 2; }
};

/// An element of a filter: where it reads in front of or behind a place.
struct Tap {
  SmallVector<int64_t, 3> offset; ///< along each spatial dimension
  int64_t channel = 0;
};
} // namespace

template <typename Op> static std::optional<Window> windowOf(Op op) {
  Window window{{}, op.getStride(), op.getDilation(), {}, op.getChannelsLast()};
  if (op.getGroups() != 1)
    return std::nullopt;
  for (const DimExpr &extent : dimsOf(op.getWeight().getType())) {
    if (!extent.isConstant())
      return std::nullopt;
    window.filter.push_back(*extent.constantValue());
  }
  window.filter.erase(window.filter.begin());
  for (auto [i, border] : llvm::enumerate(op.getPadding().getDims())) {
    if (!border.isConstant())
      return std::nullopt;
    if (i % 2 == 0)
      window.before.push_back(*border.constantValue());
  }
  return window;
}

static std::optional<Window> windowOf(Operation *op) {
  if (auto conv = dyn_cast<Conv2dOp>(op))
    return windowOf(conv);
  if (auto conv = dyn_cast<Conv3dOp>(op))
    return windowOf(conv);
  return std::nullopt;
}

bool passes::multipliesRows(Operation *op) { return isa<MatmulOp>(op) || windowOf(op); }

bool passes::multipliesPixels(Operation *op) {
  std::optional<Window> window = windowOf(op);
  return isa<MatmulOp>(op) || (window && window->isChannelsLast &&
                               llvm::all_of(ArrayRef(window->filter).drop_back(),
                                            [](int64_t extent) { return extent == 1; }));
}

/// The index of the i-th element in row-major order.
static SmallVector<int64_t, 5> indexOf(int64_t i, ArrayRef<int64_t> shape) {
  SmallVector<int64_t, 5> index(shape.size());
  for (size_t axis = shape.size(); axis-- > 0; i /= shape[axis])
    index[axis] = i % shape[axis];
  return index;
}

/// In the order of the filter's elements.
static std::vector<Tap> tapsOf(const Window &window) {
  int64_t count = 1;
  for (int64_t extent : window.filter)
    count *= extent;
  std::vector<Tap> taps(count);
  for (int64_t k = 0; k < count; ++k) {
    SmallVector<int64_t, 5> index = indexOf(k, window.filter);
    taps[k].channel = index[window.channels() - 1];
    for (size_t i = 0; i < window.before.size(); ++i)
      taps[k].offset.push_back(index[window.first() - 1 + i] * window.dilation[i] -
                               window.before[i]);
  }
  return taps;
}

void passes::forRows(Operation *op, const Tensor &x, const Tensor &result,
                     llvm::function_ref<void(ArrayRef<double>)> add) {
  std::optional<Window> window = windowOf(op);
  if (!window)
    return add(x.floats);
  constexpr size_t atOnce = 8;
  std::vector<Tap> taps = tapsOf(*window);
  std::vector<double> rows;
  SmallVector<int64_t, 6> strides = x.strides(), places(result.shape);
  places[window->channels()] = 1;
  auto valueAt = [&](ArrayRef<int64_t> place, const Tap &tap) {
    int64_t from = place[0] * strides[0] + tap.channel * strides[window->channels()];
    for (size_t i = 0; i < tap.offset.size(); ++i) {
      size_t axis = window->first() + i;
      int64_t at = place[axis] * window->stride[i] + tap.offset[i];
      if (at < 0 || at >= x.shape[axis])
        return 0.0;
      from += at * strides[axis];
    }
    return x.floats[from];
  };
  int64_t count = 1;
  for (int64_t extent : places)
    count *= extent;
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<int64_t, 5> place = indexOf(i, places);
    for (const Tap &tap : taps)
      rows.push_back(valueAt(place, tap));
    if (rows.size() == atOnce * taps.size() || i + 1 == count) {
      add(rows);
      rows.clear();
    }
  }
}
