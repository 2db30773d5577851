//===- Winograd.cpp - filters and their transforms ------------------------===//

#include "ir/Winograd.h"
#include "ir/ops/Common.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

std::vector<float> ir::winogradTransform(ArrayRef<float> filters, int64_t channels, int64_t tile) {
  int64_t taps = winogradTaps, points = tile + 2, count = filters.size() / (taps * taps * channels);
  const double (*g)[winogradTaps] = winogradFilter(tile);
  std::vector<float> result(count * points * points * channels);
  for (int64_t o = 0; o < count; ++o)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t i = 0; i < points; ++i)
        for (int64_t j = 0; j < points; ++j) {
          double sum = 0;
          for (int64_t y = 0; y < taps; ++y)
            for (int64_t x = 0; x < taps; ++x)
              sum += g[i][y] * g[j][x] * filters[((o * taps + y) * taps + x) * channels + c];
          result[((o * points + i) * points + j) * channels + c] = static_cast<float>(sum);
        }
  return result;
}

int64_t WinogradFilterOp::getTile() {
  return cast<RankedTensorType>(getX().getType()).getDimSize(1) - 2;
}

LogicalResult WinogradFilterOp::verify() {
  SmallVector<DimExpr> from = dimsOf(getX().getType()), to = dimsOf(getType());
  bool isFine = from.size() == 4 && to.size() == 4 && from[0] == to[0] && from[3] == to[3] &&
                from[1] == from[2] && (from[1] == DimExpr(4) || from[1] == DimExpr(6)) &&
                to[1] == DimExpr(winogradTaps) && to[2] == DimExpr(winogradTaps) &&
                dtypeOf(getX().getType()) == DType::F32 && dtypeOf(getType()) == DType::F32;
  return isFine ? success()
                : emitOpError("expected f32[O, 4, 4, C] or f32[O, 6, 6, C] for f32[O, 3, 3, C]");
}

KILN_EVALUATE(WinogradFilterOp) {
  const Tensor &x = *operands[0];
  Tensor &y = results[0];
  int64_t taps = winogradTaps, points = getTile() + 2, channels = x.shape[3];
  const WinogradTap *inverse = winogradInverse(getTile());
  for (int64_t o = 0; o < x.shape[0]; ++o)
    for (int64_t c = 0; c < channels; ++c) {
      auto at = [&](int i, int j) {
        return i < 0 || j < 0 ? 0 : x.floats[((o * points + i) * points + j) * channels + c];
      };
      for (int64_t i = 0; i < taps; ++i)
        for (int64_t j = 0; j < taps; ++j) {
          const WinogradTap &row = inverse[i], &column = inverse[j];
          double value = at(row.first, column.first) - at(row.second, column.first) -
                         at(row.first, column.second) + at(row.second, column.second);
          y.floats[((o * taps + i) * taps + j) * channels + c] =
              roundTo(y.type, value * row.factor * column.factor);
        }
    }
  return success();
}
