//===- Find.cpp - positions of what is true, on a GPU ---------------------===//
//
// First each thread counts what is true in its part of the mask, then it knows where its positions
// go. codegen/cuda knows how many parts there are.
//
//===----------------------------------------------------------------------===//

#include "codegen/procedures/Types.h"

using namespace kiln::procedures;

namespace {
struct Parts {
  const uint8_t *mask;
  int64_t extent, count, size;

  Parts(void *const *bufs, const int64_t *sizes)
      : mask(static_cast<const uint8_t *>(bufs[0])), extent(sizes[0]),
        count(least((extent + 64) / 64, 4096)), size((extent + count - 1) / count) {}
  int64_t begin(int64_t part) const { return least(part * size, extent); }
  int64_t end(int64_t part) const { return begin(part + 1); }
};
} // namespace

/// Operands: mask, positions, their number, counts of the parts.
extern "C" void kiln_find_bool_0(kiln_ctx *, void *const *bufs, const int64_t *sizes) {
  Parts parts(bufs, sizes);
  auto *counts = static_cast<int64_t *>(bufs[3]);
  forPoints(parts.count, [&](int64_t part) {
    int64_t count = 0;
    for (int64_t i = parts.begin(part); i < parts.end(part); ++i)
      count += parts.mask[i] != 0;
    counts[part] = count;
  });
}

extern "C" void kiln_find_bool_1(kiln_ctx *, void *const *bufs, const int64_t *sizes) {
  Parts parts(bufs, sizes);
  auto *positions = static_cast<int64_t *>(bufs[1]);
  auto *counts = static_cast<const int64_t *>(bufs[3]);
  forPoints(parts.count, [&](int64_t part) {
    int64_t at = 0, all = 0;
    for (int64_t other = 0; other < parts.count; ++other) {
      at += other < part ? counts[other] : 0;
      all += counts[other];
    }
    for (int64_t i = parts.begin(part); i < parts.end(part); ++i) {
      if (parts.mask[i])
        positions[at++] = i;
      if (i >= all) // none of the positions found lies here
        positions[i] = 0;
    }
    if (part == 0)
      *static_cast<int64_t *>(bufs[2]) = all;
  });
}
