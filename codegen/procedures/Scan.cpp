//===- Scan.cpp - running totals along an axis ----------------------------===//
//
// Elements that stand side by side are totalled together, so that memory is read in its order; on a
// GPU by neighbouring threads.
//
//===----------------------------------------------------------------------===//

#include "codegen/procedures/Numbers.h"

using namespace kiln::procedures;

namespace {
constexpr int64_t mostLanes = isOnDevice ? 1 : 64;

template <typename Number, bool product> struct Scan {
  using Bits = typename Number::Bits;
  using Wide = typename Number::Wide;

  const Bits *x;
  Bits *y;
  int64_t extent, inner, groups;
  bool reverse, exclusive;

  void rows(int64_t, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t first = row % groups * mostLanes;
      oneGroup(row / groups * extent * inner + first, least(inner - first, mostLanes));
    }
  }

  void oneGroup(int64_t start, int64_t lanes) {
    Wide totals[mostLanes];
    for (int64_t lane = 0; lane < lanes; ++lane)
      totals[lane] = Wide(product);
    for (int64_t i = 0; i < extent; ++i) {
      int64_t at = start + (reverse ? extent - 1 - i : i) * inner;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        Wide before = totals[lane], element = Number::load(x[at + lane]);
        totals[lane] = product ? before * element : before + element;
        y[at + lane] = Number::store(exclusive ? before : totals[lane]);
      }
    }
  }
};

template <typename Number, bool product>
int32_t run(kiln_ctx *ctx, void *const *bufs, const int64_t *sizes, bool reverse, bool exclusive) {
  using Bits = typename Number::Bits;
  int64_t outer = sizes[0], extent = sizes[1], inner = sizes[2];
  if (outer == 0 || extent == 0 || inner == 0)
    return KILN_OK;
  Scan<Number, product> work = {static_cast<const Bits *>(bufs[0]),
                                static_cast<Bits *>(bufs[1]),
                                extent,
                                inner,
                                (inner + mostLanes - 1) / mostLanes,
                                reverse,
                                exclusive};
  return forRows(ctx, outer * work.groups, outer * extent * inner, work);
}
} // namespace

#define KILN_BARE(...) __VA_ARGS__
#define KILN_DEFINE(name, type)                                                                    \
  extern "C" int32_t kiln_scan_##name(kiln_ctx *ctx, void *const *bufs, const int64_t *sizes,      \
                                      int64_t product, int64_t reverse, int64_t exclusive) {       \
    return product ? run<KILN_BARE type, true>(ctx, bufs, sizes, reverse != 0, exclusive != 0)     \
                   : run<KILN_BARE type, false>(ctx, bufs, sizes, reverse != 0, exclusive != 0);   \
  }
KILN_FOR_NUMBERS(KILN_DEFINE)
